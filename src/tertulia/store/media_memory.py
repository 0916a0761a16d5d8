"""Media files in memory, for tests."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, MediaId
from tertulia.model.media import MediaFile
from tertulia.ports import QuotaReached, Stored


class MemoryMediaStore:
    """MediaStore."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._stored: dict[MediaId, Stored] = {}
        self._attached: dict[MediaId, Counter[ConversationId]] = {}
        self._taken: Counter[ApplicationId] = Counter()
        self._is_failing = False

    def fail(self, failing: bool = True) -> None:
        """From now on, or no longer, act as if nothing could be stored."""
        self._is_failing = failing

    @property
    def secret(self) -> bytes:
        return self._secret

    async def add(self, upload: Sequence[Stored], *, quota: int) -> None:
        self._check()
        owner = upload[0].file.application_id
        size = sum(stored.file.size for stored in upload)
        if quota and self._taken[owner] + size > quota:
            raise QuotaReached()
        self._taken[owner] += size
        self._stored |= {stored.file.id: stored for stored in upload}

    async def adopt(self, file: MediaFile, path: Path, *, quota: int) -> None:
        content = await asyncio.to_thread(path.read_bytes)
        await self.add([Stored(file, content)], quota=quota)
        await asyncio.to_thread(path.unlink)

    async def find(self, media_id: MediaId) -> MediaFile | None:
        found = self._stored.get(media_id)
        return found.file if found else None

    async def content(
        self, media_id: MediaId, first: int = 0, size: int | None = None
    ) -> bytes | None:
        found = self._stored.get(media_id)
        return found.content[first:][:size] if found else None

    async def attach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        self._check()
        for media_id in self._stored.keys() & media_ids:
            self._attached.setdefault(media_id, Counter())[conversation_id] += 1

    async def detach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        self._check()
        for media_id in self._attached.keys() & media_ids:
            self._attached[media_id] -= Counter([conversation_id])

    async def conversations(self, media_id: MediaId) -> list[ConversationId]:
        return sorted(self._attached.get(media_id, ()))

    async def delete(self, media_id: MediaId) -> None:
        self._check()
        found = self._stored.get(media_id)
        if found is not None:
            self._remove(lambda file: file.upload == found.file.upload)

    async def delete_application(self, application_id: ApplicationId) -> None:
        self._check()
        self._remove(lambda file: file.application_id == application_id)

    def _remove(self, is_gone: Callable[[MediaFile], bool]) -> None:
        for file in [each.file for each in self._stored.values() if is_gone(each.file)]:
            del self._stored[file.id]
            self._attached.pop(file.id, None)
            self._taken[file.application_id] -= file.size

    def _check(self) -> None:
        if self._is_failing:
            raise Unavailable("the store fails")
