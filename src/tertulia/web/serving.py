"""Content on its way to a browser: whole, in part or not again, and never as a page of ours."""

import re
from urllib.parse import quote

from tertulia.model.errors import RangeNotSatisfiable
from tertulia.model.media import MediaFile
from tertulia.protocols.http1 import Request, Response
from tertulia.web.answers import CORS

MAX_AGE = 3600
"""Seconds that a browser may show what it has. A file never changes; whether it may be seen does.
"""
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


def served(file: MediaFile, content: bytes, request: Request) -> Response:
    """The content, or the part of a sound or film that was asked for.

    Raises:
        RangeNotSatisfiable: the part lies behind the end.
    """
    part = _part(file, request)
    if part is None:
        return Response(200, content, file.content_type, _headers(file))
    first, last = part
    told = (("Content-Range", f"bytes {first}-{last}/{file.size}"), *_headers(file))
    return Response(206, content[first : last + 1], file.content_type, told)


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
