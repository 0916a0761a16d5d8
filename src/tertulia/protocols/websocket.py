"""Websockets (RFC 6455), of both sides and without I/O: the handshake's answer, and frames.

Neither extensions nor subprotocols are spoken. Every limit falls on the same byte however the
bytes arrive.
"""

import hashlib
import re
from base64 import b64encode
from enum import IntEnum

from msgspec import Struct

from tertulia.protocols.http1 import HttpError, Request


class WebsocketError(Exception):
    """The peer broke the protocol or a limit. Close with this `code`: 1002, 1007 or 1009."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Opcode(IntEnum):
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


TEXT, BINARY, CLOSE, PING, PONG = Opcode


class Message(Struct, frozen=True):
    """A complete message: what was sent in fragments is joined. A TEXT is valid UTF-8."""

    opcode: int
    data: bytes


_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""Sixteen bytes in base64."""
_FIN = 0x80
_MASKED = 0x80
_CONTINUATION = 0
_STARTS = frozenset((TEXT, BINARY))
_CONTROLS = frozenset((CLOSE, PING, PONG))
_CONTROL_MAX = 125
_FRAGMENTS_MAX = 1024
"""Of one message. Each costs the reader a step, even an empty one that no other limit sees."""
_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015)))
"""What a peer may send below 3000 (RFC 6455 7.4, and the registry it opened)."""


def accept(request: Request) -> bytes:
    """The whole 101 answer to a handshake (RFC 6455 4.2).

    Raises:
        HttpError: 405 not GET, 426 no websocket of version 13, 400 no usable key.
    """
    if request.method != "GET":
        raise HttpError(405, "A websocket begins with GET.")
    if not request.upgrade:
        raise HttpError(426, "Only websockets are served here.")
    if request.version != "1.1":
        raise HttpError(400, "A websocket needs HTTP/1.1.")
    if request.headers.get("sec-websocket-version") != "13":
        raise HttpError(426, "Only version 13 of the websocket protocol is spoken here.")
    key = request.headers.get("sec-websocket-key", "")
    if not _KEY.fullmatch(key):
        raise HttpError(400, "Sec-WebSocket-Key is missing or malformed.")
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % proof(key)
    )


def proof(key: str) -> bytes:
    """What a server answers to a client's key, to show that it has understood it."""
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b64encode(digest)


class FrameReader:
    """From bytes to messages. Idle it holds no buffer: there is one for every session."""

    __slots__ = ("_fragments", "_held", "_is_over", "_masked", "_max", "_opcode", "_started",
                 "_text_max", "_wanted")  # fmt: skip

    def __init__(self, message_max: int, masked: bool, text_max: int | None = None) -> None:
        """`message_max` in bytes, of texts perhaps less; `masked` when the peer is a client."""
        self._max = message_max
        self._text_max = message_max if text_max is None else text_max
        self._masked = masked
        self._held: bytes | bytearray = b""
        """The beginning of a frame."""
        self._wanted = 0
        """Bytes of that frame without which nothing more can be said of it."""
        self._started: bytearray | None = None
        """What has come of a message in fragments."""
        self._opcode = 0
        self._fragments = 0
        self._is_over = False

    @property
    def is_between(self) -> bool:
        """The next byte begins a message. Only then may another read it (Socket.IO's
        `acknowledgements`)."""
        return not (self._held or self._is_over) and self._started is None

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. After CLOSE or an error nothing more is read.

        Raises:
            WebsocketError: the messages that came in the same `data` before it are lost.
        """
        if self._is_over:
            return []
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
        self._is_over = True  # until it is known that all went well
        messages: list[Message] = []
        at = self._read(data, messages)
        self._is_over = bool(messages) and messages[-1].opcode == CLOSE
        # A bytearray, since a peer may send its frame byte by byte.
        self._held = bytearray(data[at:]) if at < len(data) and not self._is_over else b""
        return messages

    def _read(self, data: bytes, messages: list[Message]) -> int:
        """Read whole frames; where the first byte that was not read is."""
        at, size = 0, len(data)
        while at < size:
            start, end = self._payload(data, at)
            if end > size:
                self._wanted = end - at
                break
            payload = data[start:end]
            if self._masked:
                payload = _xor(payload, data[start - 4 : start])
            message = self._message(data[at] & 0x0F, data[at] >= _FIN, payload)
            at = end
            if message is not None:
                messages.append(message)
                if message.opcode == CLOSE:
                    break
        return at

    def _payload(self, data: bytes, at: int) -> tuple[int, int]:
        """Where the payload of the frame begins and ends.

        An end beyond the data is where to read on: of the header, if that is not complete.
        """
        start = at + 2
        if len(data) < start:
            return start, start
        self._check_kind(data[at], data[at + 1])
        length = data[at + 1] & 0x7F
        if length > _CONTROL_MAX:
            least, width = (126, 2) if length == 126 else (1 << 16, 8)
            start += width
            if len(data) < start:
                return start, start
            length = int.from_bytes(data[at + 2 : start], "big")
            if length < least or length >> 63:
                raise WebsocketError(1002, "The length is not written in its shortest form.")
        self._check_length(data[at], length)
        if self._masked:
            start += 4
        return start, start + length

    def _check_kind(self, first: int, second: int) -> None:
        """Whether such a frame may come now."""
        if first & 0x70:
            raise WebsocketError(1002, "A reserved bit is set.")
        if (second >= _MASKED) is not self._masked:
            raise WebsocketError(1002, "A client masks its frames, a server never does.")
        opcode = first & 0x0F
        if opcode in _CONTROLS:
            if first < _FIN or second & 0x7F > _CONTROL_MAX:
                raise WebsocketError(1002, "A control frame is too long or in fragments.")
        elif opcode == _CONTINUATION:
            if self._started is None:
                raise WebsocketError(1002, "There is no message to continue.")
        elif opcode not in _STARTS:
            raise WebsocketError(1002, "The opcode is unknown.")
        elif self._started is not None:
            raise WebsocketError(1002, "A message begins inside another.")

    def _check_length(self, first: int, length: int) -> None:
        opcode = first & 0x0F
        if opcode in _CONTROLS:
            return
        if self._started is not None:
            opcode = self._opcode
            length += len(self._started)
            if self._fragments == _FRAGMENTS_MAX:
                raise WebsocketError(1009, "The message has too many fragments.")
        if length > (self._text_max if opcode == TEXT else self._max):
            raise WebsocketError(1009, "The message is too long.")

    def _message(self, opcode: int, final: bool, payload: bytes) -> Message | None:
        """The message that this frame completes."""
        if opcode in _CONTROLS:
            if opcode == CLOSE:
                _check_close(payload)
            return Message(opcode, payload)
        if self._started is None:
            if final:
                return _checked(opcode, payload)
            self._started, self._opcode, self._fragments = bytearray(payload), opcode, 1
            return None
        self._started += payload
        self._fragments += 1
        if not final:
            return None
        payload, self._started = bytes(self._started), None
        return _checked(self._opcode, payload)


def _checked(opcode: int, data: bytes) -> Message:
    if opcode == TEXT:
        _utf8(data)
    return Message(opcode, data)


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise WebsocketError(1007, "The text is not UTF-8.") from None


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in _CLOSE_CODES or 3000 <= code < 5000):
        raise WebsocketError(1002, "The close code is not one that is sent.")
    _utf8(payload[2:])


def _xor(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask. As one number it takes 1 to 3 ns a byte, a loop 50."""
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A whole message in one frame, as a server sends it."""
    return _head(len(payload), opcode, 0) + payload


def masked_frame(payload: bytes, mask: bytes, opcode: int = TEXT) -> bytes:
    """A whole message in one frame, as a client sends it; `mask` is four bytes."""
    return _head(len(payload), opcode, _MASKED) + mask + _xor(payload, mask)


def _head(size: int, opcode: int, masked: int) -> bytes:
    if size <= _CONTROL_MAX:
        return bytes((_FIN | opcode, masked | size))
    if size < 1 << 16:
        return bytes((_FIN | opcode, masked | 126)) + size.to_bytes(2, "big")
    return bytes((_FIN | opcode, masked | 127)) + size.to_bytes(8, "big")


def close_payload(code: int, reason: str = "") -> bytes:
    """What a CLOSE frame holds; a reason of more than 123 bytes is cut."""
    cut = reason.encode("utf-8")[: _CONTROL_MAX - 2]
    return code.to_bytes(2, "big") + cut.decode("utf-8", "ignore").encode("utf-8")


def close_code(payload: bytes) -> tuple[int | None, str]:
    """Code and reason of a CLOSE that was read; None when it gave none."""
    if not payload:
        return None, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode("utf-8", "replace")
