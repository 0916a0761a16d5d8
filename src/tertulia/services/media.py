"""Media files: who may put, see and delete them, and in which conversations they are shown.

A file is seen by its application, by who uploaded it, by whoever sees a conversation with an event
that names it, and by anybody who holds a signed address.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.errors import (
    BodyTooLarge,
    ConversationNotFound,
    MediaNotFound,
    MediaQuotaReached,
    TertuliaError,
    UnsupportedMediaType,
    ValidationFailed,
)
from tertulia.model.ids import ConversationId, MediaId
from tertulia.model.media import (
    IMAGES,
    MediaFile,
    Representation,
    content_type_of,
    is_signed,
    plain_name,
    signature_of,
)
from tertulia.ports import Clock, Directory, Ids, MediaStore, QuotaReached, Stored
from tertulia.services.conversations import Conversations
from tertulia.services.pictures import PIXELS_MAX, Picture, TooManyPixels, reduced

REDUCING_MAX = 2
"""Images decoded at once: each may take hundreds of megabytes."""

LOOKED_AT_MAX = 1000
"""Conversations that show a file, looked at for whoever is a member of none: a picture may have
been sent into all there are."""

Ratio = Annotated[int, Meta(ge=1, le=100)]


class Given(Struct, frozen=True):
    """A file as somebody sent it."""

    content: bytes
    name: str = ""


class Ratios(Struct, frozen=True):
    """How the smaller representations of an image are made, in percent of the original.

    COMPAT: the browser SDK documents a quality from 0, and these defaults (wire-clients 3.2).
    """

    quality_ratio: Annotated[int, Meta(ge=0, le=100)] = 100
    medium_size_ratio: Ratio = 50
    thumbnail_size_ratio: Ratio = 30


class SignedAddress(Struct, frozen=True):
    """What opens a file to anybody until `expires`, in seconds since 1970."""

    expires: int
    signature: str


class MediaFiles:
    def __init__(
        self, *, store: MediaStore, directory: Directory, conversations: Conversations,
        clock: Clock, ids: Ids, upload_limit: int, quota: int,
    ) -> None:  # fmt: skip
        """`upload_limit` and `quota` in octets: of one file, and of all of an application."""
        self._store = store
        self._directory = directory
        self._conversations = conversations
        self._clock = clock
        self._ids = ids
        self._upload_limit = upload_limit
        self._quota = quota
        self._reducing = asyncio.Semaphore(REDUCING_MAX)

    async def add(self, given: Given, actor: Actor) -> MediaFile:
        """Keep a file of any type that is taken."""
        (file,) = await self._add(given, actor, [Picture(given.content, self._type(given))])
        return file

    async def adopt(self, path: Path, name: str, actor: Actor) -> MediaFile:
        """Keep a file that this server has made, of any size, and delete it where it was.

        Raises MediaQuotaReached.
        """
        digest, size, head = await asyncio.to_thread(_measured, path)
        media_id = MediaId(f"MED-{self._ids.bare()}")
        file = MediaFile(
            id=media_id, upload=media_id, application_id=actor.application_id,
            content_type=content_type_of(head) or "application/octet-stream", size=size,
            digest=digest, created_at=self._clock.now(), uploader=actor.user_id, name=name,
        )  # fmt: skip
        try:
            await self._store.adopt(file, path, quota=self._quota)
        except QuotaReached:
            raise MediaQuotaReached() from None
        return file

    async def add_image(self, given: Given, ratios: Ratios, actor: Actor) -> list[MediaFile]:
        """Keep an image; the original, the medium and the thumbnail."""
        content_type = self._type(given)
        if content_type not in IMAGES:
            raise UnsupportedMediaType("The file must be a JPEG, PNG, GIF or WebP image.")
        smaller = await self._reduced(given.content, content_type, ratios)
        return await self._add(given, actor, [Picture(given.content, content_type), *smaller])

    async def find(self, media_id: MediaId, actor: Actor) -> MediaFile:
        """Raises MediaNotFound, also for what the actor may not see."""
        file = await self._store.find(media_id)
        if file is None or not await self._is_visible(file, actor):
            raise MediaNotFound()
        return file

    async def find_signed(self, media_id: MediaId, address: SignedAddress) -> MediaFile | None:
        """None: the address is not, or no longer, a signed one. Raises MediaNotFound."""
        secret, now = self._store.secret, self._clock.now()
        if not is_signed(secret, media_id, address.expires, address.signature, now=now):
            return None
        file = await self._store.find(media_id)
        if file is None:
            raise MediaNotFound()
        return file

    def signed(self, file: MediaFile, seconds: int) -> SignedAddress:
        """An address good for so many seconds from now."""
        expires = self._clock.now() // 1000 + seconds
        return SignedAddress(expires, signature_of(self._store.secret, file.id, expires))

    async def content(self, file: MediaFile, first: int, size: int) -> bytes:
        """So many octets from one on. Raises MediaNotFound: it has been deleted meanwhile."""
        content = await self._store.content(file.id, first, size)
        if content is None:
            raise MediaNotFound()
        return content

    async def delete(self, media_id: MediaId, actor: Actor) -> None:
        """Delete the upload, of the application or of its uploader; otherwise do nothing.

        What is foreign is told apart from what is gone by nobody. COMPAT: the browser SDK deletes
        the original of an image first when a member deletes the event, whoever that member is,
        and goes on only if this succeeds (wire-clients 3.2).
        """
        file = await self._store.find(media_id)
        if file is not None and _owns(actor, file):
            await self._store.delete(media_id)

    @asynccontextmanager
    async def shown(
        self, media_ids: Sequence[MediaId], conversation_id: ConversationId, actor: Actor
    ) -> AsyncIterator[None]:
        """Let those who see the conversation see these files, as far as the actor sees them.

        While it is entered the event that names them is committed: whoever is told of it finds
        them, and when it is refused it shows nothing. Raises ConversationNotFound.
        """
        attached = await self._attach(media_ids, conversation_id, actor) if media_ids else ()
        try:
            yield
        except TertuliaError:
            await self.hide(attached, conversation_id)
            raise

    async def hide(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        """An event that named these files is gone; another one may show them still."""
        if media_ids:
            await self._store.detach(media_ids, conversation_id)

    async def _attach(
        self, media_ids: Sequence[MediaId], conversation_id: ConversationId, actor: Actor
    ) -> Sequence[MediaId]:
        await self._conversations.seen(conversation_id, actor)
        seen = []
        for media_id in media_ids:
            file = await self._store.find(media_id)
            if file is not None and await self._is_visible(file, actor):
                seen.append(media_id)
        if seen:
            await self._store.attach(seen, conversation_id)
        return seen

    async def _is_visible(self, file: MediaFile, actor: Actor) -> bool:
        if file.application_id != actor.application_id:
            return False
        if _owns(actor, file):
            return True
        for conversation_id in await self._shown_in(file, actor):
            try:
                await self._conversations.seen(conversation_id, actor)
            except ConversationNotFound:
                continue
            return True
        return False

    async def _shown_in(self, file: MediaFile, actor: Actor) -> Sequence[ConversationId]:
        """Where the file is shown: where the actor has joined, else as far as it is looked at."""
        shown = await self._store.conversations(file.id)
        if actor.user_id is not None:
            joined = await self._directory.joined(actor.user_id)
            own = {name for name, _ in joined.members}.intersection(shown)
            if own:
                return list(own)
        return shown[:LOOKED_AT_MAX]

    def _type(self, given: Given) -> str:
        if len(given.content) > self._upload_limit:
            raise BodyTooLarge(f"A file may have {self._upload_limit} octets.")
        if not given.content:
            raise ValidationFailed.of("file", "must not be empty")
        content_type = content_type_of(given.content)
        if content_type is None:
            raise UnsupportedMediaType("Files of this type are not taken.")
        return content_type

    async def _reduced(self, content: bytes, content_type: str, ratios: Ratios) -> list[Picture]:
        sizes = (ratios.medium_size_ratio, ratios.thumbnail_size_ratio)
        try:
            async with self._reducing:
                found = await asyncio.to_thread(
                    reduced, content, content_type, sizes, quality=ratios.quality_ratio
                )
        except TooManyPixels:
            reason = f"must be an image of at most {PIXELS_MAX} pixels"
            raise ValidationFailed.of("file", reason) from None
        # COMPAT: a published driver uploads a JPEG of four octets and expects a thumbnail: what
        # cannot be decoded stands for itself in every size.
        # As does what comes out larger than a file may be.
        given = Picture(content, content_type)
        made = found or [given for _ in sizes]
        return [each if len(each.content) <= self._upload_limit else given for each in made]

    async def _add(
        self, given: Given, actor: Actor, pictures: Sequence[Picture]
    ) -> list[MediaFile]:
        digests = await asyncio.to_thread(_digests, pictures)
        ids = [MediaId(f"MED-{self._ids.bare()}") for _ in pictures]
        first = MediaFile(
            id=ids[0], upload=ids[0], application_id=actor.application_id, content_type="", size=0,
            digest="", created_at=self._clock.now(), uploader=actor.user_id,
            name=plain_name(given.name),
        )  # fmt: skip
        upload = [
            Stored(
                replace(
                    first, id=media_id, representation=representation, digest=digest,
                    content_type=picture.content_type, size=len(picture.content),
                ),
                picture.content,
            )
            for media_id, representation, digest, picture in zip(
                ids, Representation, digests, pictures, strict=False
            )
        ]  # fmt: skip
        try:
            await self._store.add(upload, quota=self._quota)
        except QuotaReached:
            raise MediaQuotaReached() from None
        return [stored.file for stored in upload]


def _owns(actor: Actor, file: MediaFile) -> bool:
    is_own = actor.is_system or actor.user_id == file.uploader
    return is_own and actor.application_id == file.application_id


def _measured(path: Path) -> tuple[str, int, bytes]:
    """SHA-256, octets, and the first of them."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        file.seek(0)
        return digest, size, file.read(512)


def _digests(pictures: Sequence[Picture]) -> list[str]:
    return [hashlib.sha256(picture.content).hexdigest() for picture in pictures]
