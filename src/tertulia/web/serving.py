"""Content on its way to a browser: whole, in part or not again, and never as a page of ours."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from urllib.parse import quote

from tertulia.model.errors import MediaNotFound, RangeNotSatisfiable, Unavailable
from tertulia.model.media import MediaFile
from tertulia.protocols.http1 import Request, Response, Streamed
from tertulia.web.answers import CORS

MAX_AGE = 3600
"""Seconds that a browser may show what it has. A file never changes; whether it may be seen does.
"""
PIECE = 128 * 1024
"""Octets of a file that are in memory for a peer, however slowly it takes them."""
Read = Callable[[int, int], Awaitable[bytes]]
"""So many octets of the content, from one on. Raises MediaNotFound or Unavailable."""

_RANGE = re.compile(r"bytes=(\d{1,15})?-(\d{1,15})?")
_SHOWN = ("image/", "audio/", "video/")
_PLAYED = ("audio/", "video/")
_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
    "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/ogg": ".ogg", "audio/mp4": ".m4a",
    "video/ogg": ".ogv", "video/mp4": ".mp4", "video/webm": ".webm", "application/pdf": ".pdf",
    "text/vcard; charset=utf-8": ".vcf", "text/plain; charset=utf-8": ".txt",
}  # fmt: skip


def is_known(file: MediaFile, request: Request) -> bool:
    """Whether the caller has the content already (RFC 9110 13.1.2)."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or _tag(file) in tags


def not_modified(file: MediaFile) -> Response:
    return Response(304, content_type="", headers=_headers(file))


async def served(file: MediaFile, read: Read, request: Request) -> Response:
    """The content, or the part of a sound or film that was asked for.

    Raises:
        RangeNotSatisfiable: the part lies behind the end.
        MediaNotFound, Unavailable: it cannot be read.
    """
    part = _part(file, request)
    first, last = part or (0, file.size - 1)
    length = last + 1 - first
    begin = await read(first, min(PIECE, length))
    status, headers = 200, _headers(file)
    if part is not None:
        status, headers = 206, (("Content-Range", f"bytes {first}-{last}/{file.size}"), *headers)
    if len(begin) == length:
        return Response(status, begin, file.content_type, headers)
    pieces = _pieces(begin, read, first + len(begin), last + 1)
    return Streamed(
        status, content_type=file.content_type, headers=headers, pieces=pieces, length=length
    )


async def _pieces(begin: bytes, read: Read, at: int, end: int) -> AsyncGenerator[bytes, None]:
    """Until the end, or until it can be read no longer."""
    yield begin
    while at < end:
        try:
            piece = await read(at, min(PIECE, end - at))
        except (MediaNotFound, Unavailable):
            return
        if not piece:
            return
        yield piece
        at += len(piece)


def _part(file: MediaFile, request: Request) -> tuple[int, int] | None:
    """First and last octet. None: all of it; several ranges, or what is none, count for nothing."""
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    is_other = request.headers.get("if-range", _tag(file)) != _tag(file)
    if request.method != "GET" or not file.content_type.startswith(_PLAYED) or is_other:
        return None
    if asked is None or asked[0] == "bytes=-":
        return None
    if asked[1] is None:
        first, last = file.size - int(asked[2]), file.size - 1
    else:
        first, last = int(asked[1]), int(asked[2] or file.size)
        if last < first:
            return None
    first, last = max(first, 0), min(last, file.size - 1)
    if first > last:
        raise RangeNotSatisfiable(file.size)
    return first, last


def _tag(file: MediaFile) -> str:
    return f'"{file.digest[:32]}"'


def _headers(file: MediaFile) -> tuple[tuple[str, str], ...]:
    ranges = "bytes" if file.content_type.startswith(_PLAYED) else "none"
    return (
        ("ETag", _tag(file)),
        ("Cache-Control", f"private, max-age={MAX_AGE}"),
        ("Vary", "Authorization"),
        ("Accept-Ranges", ranges),
        ("Content-Disposition", _disposition(file)),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("X-Content-Type-Options", "nosniff"),
        *CORS,
    )


def _disposition(file: MediaFile) -> str:
    """COMPAT: old readers know only the plain form; others take the encoded one (RFC 6266)."""
    kind = "inline" if file.content_type.startswith(_SHOWN) else "attachment"
    name = file.name or f"{file.id}{_EXTENSIONS[file.content_type]}"
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{kind}; filename="{plain}"{encoded}'
