"""From bytes to requests (RFC 9112), limits first.

llhttp (strict) reads the grammar. It never sees past the end of the message it is in: a head and a
chunked body end in CRLF CRLF, any other body has a length. So every limit falls on the same byte
however the bytes arrive, and nothing after a refused request is ever read as another request.
"""

import ipaddress
import re
from functools import lru_cache

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from tertulia.protocols.http1 import HttpError, Limits, Request

_BLANK_LINE = b"\r\n\r\n"
_UNBOUNDED = 1 << 60
_LINE_SLACK = 1024
"""Beyond target and fields: method, version, line ends, and white space around values."""
_SINGLE = frozenset(("host", "content-length", "authorization"))
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?]*)(.*)")
_TARGET = re.compile(rb'[!"$-~]+')
"""Visible ASCII but `#`: a fragment is never sent (RFC 9112 3.2)."""


_HEAD, _SIZED, _CHUNKED, _UPGRADED, _OVER = range(5)
"""What comes next: a head, a body of either kind, another protocol, or nothing."""


class _Message:
    """What llhttp has reported of the message it is in. Apart from Parser: no cycle forms."""

    __slots__ = ("body", "complete", "fields", "has_head", "target")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.has_head = self.complete = False
        self.body = bytearray()

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head it is a trailer, which must not pass for a field (RFC 9110 6.5.1).
        if not self.has_head:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


class Parser:
    """One connection's requests. Feed it what arrives; look at `error` and `expecting` after."""

    def __init__(self, limits: Limits, *, peer: str = "") -> None:
        self.error: HttpError | None = None
        """Why nothing more is read. Requests returned before it stand, and are to be answered."""
        self.expecting = False
        """The client waits for CONTINUE before it sends the body; whoever writes it clears this."""
        self.held = b""
        """Received but not read: there was no room, or an upgrade came before it."""
        self._limits = limits
        self._peer = peer
        self._head_max = limits.target + limits.header_bytes + _LINE_SLACK
        self._body_max = limits.body
        """Of the body that is coming in."""
        self._message = _Message()
        self._llhttp = HttpRequestParser(self._message)
        self._phase = _HEAD
        self._raw = 0
        """Bytes of this head or chunked body so far."""
        self._missing = 0
        """Bytes that a body of known length still lacks."""
        self._tail = b""
        self._requests: list[Request] = []
        self._head: tuple[str, str, str, str, dict[str, str], str, bool, bool, str]
        """The fields of a Request but for its body."""

    @property
    def is_over(self) -> bool:
        """Nothing more will be read: an error, an upgrade, or the client said it is the last."""
        return self._phase >= _UPGRADED

    @property
    def is_inside(self) -> bool:
        """A request has begun and not ended."""
        return self._raw > 0 or self._missing > 0

    @property
    def received(self) -> int:
        """Octets of the body that is coming in."""
        return len(self._message.body)

    @property
    def _chunked_max(self) -> int:
        return 2 * self._body_max + self._limits.header_bytes

    def feed(self, data: bytes, room: int = _UNBOUNDED) -> list[Request]:
        """The requests that `data` completes, at most `room`; the rest waits in `held`.

        Feed b"" when there is room again.
        """
        if self.held:
            data = self.held + data
        at, end = 0, len(data)
        try:
            while at < end and len(self._requests) < room and self._phase < _UPGRADED:
                read = self._read_sized if self._phase == _SIZED else self._read_lines
                at = read(data, at)
        except HttpError as error:
            self.error = error
            self._phase = _OVER
            self._raw = self._missing = 0
            self.expecting = False
        self.held = b"" if self._phase == _OVER else data[at:]
        requests, self._requests = self._requests, []
        return requests

    def _read_sized(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._missing]
        self._missing -= len(piece)
        self.expecting = False
        message = self._message
        if message.complete:  # llhttp ended the message at its Upgrade field: see _begin_body
            message.on_body(piece)
        else:
            self._llhttp.feed_data(piece)
        if not self._missing:
            self._complete()
        return at + len(piece)

    def _read_lines(self, data: bytes, at: int) -> int:
        """Read to the end of the head or chunked body, of the data, or of what is allowed."""
        in_head = self._phase == _HEAD
        allowed = at + (self._head_max if in_head else self._chunked_max) - self._raw
        end, found = self._blank_line(data, at)
        if end > allowed:
            end, found = allowed, False
        piece = data[at:end]
        self._raw += len(piece)
        self._tail = b"" if found else (self._tail + piece)[-3:]
        if in_head:
            self._read_head(piece)
        else:
            self._read_chunks(piece)
        if end == allowed and self._raw:
            raise self._too_long(in_head)
        return end

    def _blank_line(self, data: bytes, at: int) -> tuple[int, bool]:
        """Just after the next blank line, which may have begun in earlier data."""
        if tail := self._tail:
            seam = (tail + data[at : at + 3]).find(_BLANK_LINE)
            if seam >= 0:
                return at + seam + 4 - len(tail), True
        found = data.find(_BLANK_LINE, at)
        return (found + 4, True) if found >= 0 else (len(data), False)

    def _too_long(self, in_head: bool) -> HttpError:
        if not in_head:
            return HttpError(413, "The body's chunks are too long.")
        if len(self._message.target) > self._limits.target:
            return HttpError(414, "The request target is too long.")
        return HttpError(431, "The header fields are too long.")

    def _read_head(self, piece: bytes) -> None:
        message = self._message
        upgrade = False
        try:
            self._llhttp.feed_data(piece)
        except HttpParserUpgrade:
            upgrade = True
        except HttpParserError as error:
            # An unknown coding is refused by llhttp too, but after the head, and as malformed.
            if not message.has_head:
                raise self._malformed(error) from None
        if message.has_head:
            self._raw = 0
            self._begin_body(upgrade)

    def _malformed(self, error: HttpParserError) -> HttpError:
        version = self._llhttp.get_http_version()
        if version in ("0.9", "2.0") or str(error) == "Invalid HTTP version":
            return HttpError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        return HttpError(400, f"The request is malformed: {str(error) or 'unreadable'}.")

    def _read_chunks(self, piece: bytes) -> None:
        message = self._message
        self.expecting = False
        failure: HttpParserError | None = None
        try:
            self._llhttp.feed_data(piece)
        except HttpParserError as error:
            failure = error
        if len(message.body) > self._body_max:
            raise HttpError(413, "The body is too large.")
        if failure is not None:
            raise self._malformed(failure)
        if message.complete:
            self._complete()

    def _begin_body(self, upgrade: bool) -> None:
        """The head is complete: judge it, and see how its body will come."""
        message = self._message
        version = self._llhttp.get_http_version()
        method = self._llhttp.get_method().decode("ascii")
        if version not in ("1.1", "1.0"):
            raise HttpError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        if method == "CONNECT":
            raise HttpError(501, "This is not a proxy.")
        if len(message.target) > self._limits.target:
            raise HttpError(414, "The request target is too long.")
        headers = _headers(message.fields, self._limits)
        target = _origin_form(message.target, _host(headers, version))
        if target == "*" and method != "OPTIONS":
            raise HttpError(400, "The request target is malformed.")
        # COMPAT: the Java platform's client offers h2c with its first request and takes an
        # ordinary answer; only a websocket ends HTTP on this connection.
        websocket = upgrade and headers.get("upgrade", "").lower() == "websocket"
        path, _, query = target.partition("?")
        self._body_max = self._limits.body_at(path)
        self._frame_body(headers, version, upgrade)
        if websocket and self._phase != _HEAD:
            raise HttpError(400, "A websocket handshake has no body.")
        keep_alive = version == "1.1" and not websocket and not _says_close(headers)
        self._head = (
            method, target, path, query, headers, version, keep_alive, websocket, self._peer,
        )  # fmt: skip
        if self._phase == _HEAD:
            self._complete()

    def _frame_body(self, headers: dict[str, str], version: str, upgrade: bool) -> None:
        """Where the body ends (RFC 9112 6.3), after llhttp has refused what is ambiguous."""
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length", "0")
        if coding is not None:
            _check_coding(coding, version)
            # llhttp has left this message at its Upgrade field and would not read the chunks.
            if "content-length" in headers or upgrade:
                raise HttpError(400, "The length of the body is ambiguous.")
            self._phase = _CHUNKED
        elif length != "0":
            if not (length.isascii() and length.isdigit()):
                raise HttpError(400, "Content-Length is malformed.")
            self._missing = int(length)
            if self._missing > self._body_max:
                raise HttpError(413, "The body is too large.")
            self._phase = _SIZED if self._missing else _HEAD
        if self._phase != _HEAD and "expect" in headers and version == "1.1":
            self.expecting = headers["expect"].lower() == "100-continue"

    def _complete(self) -> None:
        request = Request(*self._head, bytes(self._message.body))
        self._requests.append(request)
        self._message.forget()
        self._raw = 0
        if request.upgrade:
            self._phase = _UPGRADED
        else:
            self._phase = _HEAD if request.keep_alive else _OVER


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str:
    return raw.decode("ascii").lower()


def _headers(fields: list[tuple[bytes, bytes]], limits: Limits) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 4 * len(fields)
    for raw_name, raw_value in fields:
        size += len(raw_name) + len(raw_value)
        name = _name(raw_name)
        value = raw_value.decode("latin-1")
        if value.endswith((" ", "\t")):
            value = value.rstrip(" \t")
        if name in headers:
            if name in _SINGLE:
                raise HttpError(400, f"{name} is given more than once.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    if size > limits.header_bytes or len(fields) > limits.header_count:
        raise HttpError(431, "The header fields are too many or too long.")
    return headers


def _host(headers: dict[str, str], version: str) -> str:
    host = headers.get("host")
    if host is None:
        if version == "1.1":
            raise HttpError(400, "Host is missing.")
        return ""
    if not _HOST.fullmatch(host) or (host[0] == "[" and not _is_ipv6(host)):
        raise HttpError(400, "Host is malformed.")
    return host


def _is_ipv6(host: str) -> bool:
    """Readers of addresses fail at one that only looks so."""
    try:
        ipaddress.IPv6Address(host[1:].partition("]")[0])
    except ValueError:
        return False
    return True


def _origin_form(raw: bytes, host: str) -> str:
    """The target without scheme and authority, which must be the Host's (RFC 9112 3.2)."""
    if not _TARGET.fullmatch(raw):
        raise HttpError(400, "The request target is malformed.")
    target = raw.decode("ascii")
    if target[0] == "/" or target == "*":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].lower() != host.lower():
        raise HttpError(400, "The request target is malformed or names another host.")
    return absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"


def _check_coding(coding: str, version: str) -> None:
    codings = [part.strip(" \t").lower() for part in coding.split(",")]
    if any(part != "chunked" for part in codings):
        raise HttpError(501, "Only the chunked transfer coding is known here.")
    if len(codings) > 1 or version == "1.0":
        raise HttpError(400, "Transfer-Encoding is malformed.")


def _says_close(headers: dict[str, str]) -> bool:
    connection = headers.get("connection")
    if connection is None or connection == "keep-alive":
        return False
    return any(part.strip(" \t").lower() == "close" for part in connection.split(","))
