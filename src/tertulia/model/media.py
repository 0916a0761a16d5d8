"""Media files: of which types they may be, which an event names, and addresses that open one.

The type of a file is told by its first octets. What its sender says it is counts for nothing.
"""

import hmac
import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from tertulia.model.events.legacy import Image
from tertulia.model.events.message import (
    MessageAudio,
    MessageFile,
    MessageImage,
    MessageVcard,
    MessageVideo,
)
from tertulia.model.events.registry import Content
from tertulia.model.ids import ApplicationId, MediaId, UserId
from tertulia.model.instant import Instant

IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
NAMED_MAX = 16
"""Media files of one event that are looked at."""
NAME_MAX = 200

_SIGNATURES = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"RIFF....WAVE", "audio/wav"),
    # A tag, or the header of an MPEG layer III frame with a possible bit rate.
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb](?![\xf0-\xff])", "audio/mpeg"),
    (rb"OggS.{24,60}theora", "video/ogg"),
    (rb"OggS", "audio/ogg"),
    (rb"....ftypM4[AB] ", "audio/mp4"),
    (rb"....ftyp(?:iso.|mp4.|avc1|dash|M4V |MSNV|mmp4|cmf[cs])", "video/mp4"),
    (rb"\x1a\x45\xdf\xa3.{0,60}webm", "video/webm"),
    (rb"%PDF-", "application/pdf"),
)
_SIGNATURES_COMPILED = tuple(
    (re.compile(pattern, re.DOTALL), type_) for pattern, type_ in _SIGNATURES
)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_VCARD = re.compile(r"\ufeff?BEGIN:VCARD\r?\n", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:|.*/(?:v3/media|v[13]/files)/)(MED-[A-Za-z0-9-]{1,64})(?:[/?#].*)?", re.DOTALL
)
_NOT_A_NAME = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Representation(StrEnum):
    """Which of the forms of an uploaded file; only images have the smaller ones."""

    ORIGINAL = "original"
    MEDIUM = "medium"
    THUMBNAIL = "thumbnail"


class MediaFile(Struct, frozen=True):
    """An uploaded file, or a smaller representation of it."""

    id: MediaId
    upload: MediaId
    """Id of the original: what came and goes together."""
    application_id: ApplicationId
    content_type: str
    size: int
    digest: str
    """SHA-256 of the content, in hex."""
    created_at: Instant
    uploader: UserId | None = None
    """None: the application itself."""
    name: str = ""
    representation: Representation = Representation.ORIGINAL


def content_type_of(content: bytes) -> str | None:
    """The type of a file by what is in it; None when it is none of those taken."""
    head = content[:128]
    for pattern, type_ in _SIGNATURES_COMPILED:
        if pattern.match(head):
            return type_
    return _text_type(content)


def _text_type(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text or _NOT_TEXT.search(text):
        return None
    return "text/vcard; charset=utf-8" if _VCARD.match(text) else "text/plain; charset=utf-8"


def plain_name(name: str) -> str:
    """A file's name without its path and whatever could not be shown."""
    return _NOT_A_NAME.sub("", name.replace("\\", "/").rpartition("/")[2])[:NAME_MAX]


def named_media(body: Content) -> tuple[MediaId, ...]:
    """The media files of ours that an event's body names, by id or address."""
    found = (_NAMED.fullmatch(text) for text in _names(body))
    return tuple(dict.fromkeys(MediaId(match[1]) for match in found if match))[:NAMED_MAX]


def _names(body: Content) -> Iterator[str]:
    match body:
        case Image():
            for part in (body.representations, *body.representations.values()):
                if isinstance(part, dict):
                    yield from (text for text in part.values() if isinstance(text, str))
        case MessageImage():
            yield body.image.url
        case MessageAudio():
            yield body.audio.url
        case MessageVideo():
            yield body.video.url
        case MessageFile():
            yield body.file.url
        case MessageVcard():
            yield body.vcard.url
            if body.image is not None:
                yield body.image.url


def signature_of(secret: bytes, media_id: MediaId, expires: int) -> str:
    """What opens a media file to anybody until `expires`, in seconds since 1970."""
    return hmac.digest(secret, f"{media_id}\n{expires}".encode(), "sha256").hex()


def is_signed(
    secret: bytes, media_id: MediaId, expires: int, signature: str, *, now: Instant
) -> bool:
    """Whether the signature is ours and has not expired. Takes the same time either way."""
    ours = signature_of(secret, media_id, expires)
    is_ours = hmac.compare_digest(ours.encode(), signature.encode())
    return is_ours and now < expires * 1000
