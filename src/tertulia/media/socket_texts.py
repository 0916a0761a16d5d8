"""The text messages of websocket legs: what servers order, and what they are told."""

from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

CLEARED = b'{"event":"websocket:cleared"}'


class Clear(NamedTuple):
    """Forget what was said and has not been heard."""


class Mark(NamedTuple):
    """Say this when everything before it has been heard."""

    reply: bytes


class _Order(Struct):
    action: str
    payload: Raw = Raw()
    name: Raw = Raw()


_DECODER = msgspec.json.Decoder(_Order)


def read(text: bytes) -> Clear | Mark | None:
    """None: it is no order of ours to obey."""
    try:
        order = _DECODER.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if order.action == "clear":
        return Clear()
    if order.action == "notify":
        return Mark(_event("notify", "payload", order.payload))
    if order.action == "mark":
        return Mark(_event("mark", "name", order.name))
    return None


def _event(event: str, member: str, value: Raw) -> bytes:
    """With the value as it was sent."""
    more = b',"%b":%b' % (member.encode(), bytes(value)) if bytes(value) else b""
    return b'{"event":"websocket:%b"%b}' % (event.encode(), more)


def update(rate: int, *, active: bool) -> bytes:
    """Whether what is sent is audio, or silence since the leg may hear nobody."""
    return msgspec.json.encode(
        {
            "event": "websocket:media:update", "method": "update", "active": active,
            "content-type": f"audio/l16;rate={rate}",
        }
    )  # fmt: skip
