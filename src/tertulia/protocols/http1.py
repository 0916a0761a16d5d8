"""HTTP/1.1 as a server needs it (RFC 9112): requests and responses as values, and the limits.

The way in is http1_parser.py; the way out is `encode`.
"""

from collections.abc import AsyncGenerator
from functools import lru_cache
from http import HTTPStatus

from msgspec import Struct


class HttpError(Exception):
    """The peer broke the protocol or a limit: the status to answer with before closing, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Limits(Struct, frozen=True):
    """What one request may weigh, in bytes where not said otherwise."""

    target: int = 8 * 1024
    header_bytes: int = 16 * 1024
    """Of all fields, each as `name: value` and CRLF."""
    header_count: int = 100
    body: int = 1024 * 1024
    larger: dict[str, int] = {}
    """Paths where a body may be larger, and how large."""

    def body_at(self, path: str) -> int:
        """What a body may weigh there. A slash at the end of the path makes no difference."""
        return self.larger.get(path.rstrip("/"), self.body)


class Request(Struct, frozen=True):
    """A complete request."""

    method: str
    target: str
    """As sent, in origin form: path and query, percent-encoded."""
    path: str
    query: str
    """Without its question mark; empty when there is none."""
    headers: dict[str, str]
    """By lower-case name; a repeated field's values joined by `, `. Octets as Latin-1."""
    version: str = "1.1"
    """`1.0` or `1.1`."""
    keep_alive: bool = True
    upgrade: bool = False
    """Asks for a websocket: what follows on the connection is no HTTP (Parser.held)."""
    peer: str = ""
    """Who sent it, as the parser was told."""
    body: bytes = b""


class Response(Struct, frozen=True):
    """An answer. Length, date and connection fields are added when it is encoded."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Streamed(Response, frozen=True, kw_only=True):
    """An answer whose body comes piece by piece, as the peer takes it; `body` is left empty.

    Whoever gets it closes `pieces`, also when it has not asked for any. An empty piece is skipped.
    """

    pieces: AsyncGenerator[bytes, None]
    length: int | None = None
    """Octets of all pieces; None: nobody knows, and it goes on until somebody has enough. When
    there are fewer in the end, the answer is a broken one."""


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset((204, 304))
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def encode(response: Response, *, keep_alive: bool, date: bytes, head: bool = False) -> bytes:
    """The response as bytes; `head` leaves the body out but says its length.

    Raises:
        ValueError: a header would end its line, and so forge another.
    """
    body = response.body
    if response.status in _BODILESS:
        start, body = _start(response.status, ""), b""
    else:
        start = _start(response.status, response.content_type)
        start = b"%bContent-Length: %d\r\n" % (start, len(body))
    fields = b"" if keep_alive else b"Connection: close\r\n"
    if response.headers:
        fields += _fields(response.headers)
    return b"%bDate: %b\r\n%b\r\n%b" % (start, date, fields, b"" if head else body)


LAST_CHUNK = b"0\r\n\r\n"


def encode_start(response: Streamed, *, keep_alive: bool, date: bytes, chunked: bool) -> bytes:
    """What comes before the pieces. Without chunks and a length only the end of the connection ends
    the body.

    Raises:
        ValueError: as `encode`.
    """
    fields = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    if response.length is not None:
        fields = b"Content-Length: %d\r\n" % response.length
    if not keep_alive:
        fields += b"Connection: close\r\n"
    start = _start(response.status, response.content_type)
    return b"%bDate: %b\r\n%b%b\r\n" % (start, date, fields, _fields(response.headers))


def encode_chunk(piece: bytes) -> bytes:
    """A piece, which must not be empty: that would be the last chunk (RFC 9112 7.1)."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@lru_cache(maxsize=256)
def _start(status: int, content_type: str) -> bytes:
    line = f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode("ascii")
    return line + _fields((("Content-Type", content_type),) if content_type else ())


def _fields(headers: tuple[tuple[str, str], ...]) -> bytes:
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"header {name} holds a line break")
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
