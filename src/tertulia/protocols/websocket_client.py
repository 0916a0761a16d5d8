"""How a client opens a websocket (RFC 6455 4.1), without I/O: its request, and the answer to it.

No extension and no subprotocol is offered, so an answer that names one is refused. Nor is a
redirect followed: who asks has judged the address, and nobody the other one.
"""

import re
from base64 import b64encode
from collections.abc import Mapping

from tertulia.protocols.websocket import proof

HEAD_MAX = 16 * 1024
"""Bytes of an answer's head."""
NONCE = 16
"""Random bytes of a key."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: .*)?")
_END = b"\r\n\r\n"
_OURS = frozenset(("host", "upgrade", "connection", "content-length", "transfer-encoding"))


class NotOpened(Exception):
    """The answer is none that opens a websocket. The message says why."""


class Opening:
    """One attempt: send `request`, then feed what comes until the answer is complete."""

    def __init__(
        self, authority: str, target: str, nonce: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """`authority` is for the Host header, `target` path and query.

        Raises:
            ValueError: a header cannot be sent, or is not for the caller to choose.
        """
        self._key = b64encode(nonce).decode("ascii")
        lines = [
            f"GET {target} HTTP/1.1", f"Host: {authority}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {self._key}", "Sec-WebSocket-Version: 13",
            *(_line(name, value) for name, value in (headers or {}).items()),
        ]  # fmt: skip
        self.request = "\r\n".join((*lines, "", "")).encode("latin-1")
        self._held = b""

    def feed(self, data: bytes) -> bytes | None:
        """What has come behind a complete answer that opens the websocket; None before that.

        Raises:
            NotOpened: it never will.
        """
        self._held += data
        head, end, rest = self._held.partition(_END)
        if len(head) > HEAD_MAX:
            raise NotOpened("the answer's head is too long")
        if not end:
            return None
        self._check(head)
        return rest

    def _check(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise NotOpened("the answer is not HTTP")
        if status[1] != b"101":
            raise NotOpened(f"the server answered {status[1].decode()}")
        fields = _fields(lines)
        tokens = {each.strip() for each in fields.get("connection", "").lower().split(",")}
        if fields.get("upgrade", "").lower() != "websocket" or "upgrade" not in tokens:
            raise NotOpened("the server changes to another protocol")
        if fields.get("sec-websocket-accept", "") != proof(self._key).decode():
            raise NotOpened("the server has not understood the key")
        if fields.get("sec-websocket-extensions") or fields.get("sec-websocket-protocol"):
            raise NotOpened("the server uses what it was not offered")


def _line(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"the header {name[:40]!r} cannot be sent")
    if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
        raise ValueError(f"the header {name[:40]} is not for the caller to choose")
    return f"{name}: {value}"


def _fields(lines: list[bytes]) -> dict[str, str]:
    """Names in small letters; what is sent twice is joined (RFC 9110 5.3)."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise NotOpened("the answer is not HTTP")
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields
