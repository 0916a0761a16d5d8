"""Bodies as an agent meets them: session descriptions, keys in INFO, fragments in NOTIFY."""

import re

from tertulia.protocols.sip.fields import ACCEPT, CONTENT_TYPE
from tertulia.protocols.sip.message import Message
from tertulia.protocols.sip.verbs import SDP

RELAY = "application/dtmf-relay"
DTMF = "application/dtmf"
FRAGMENT = "message/sipfrag"
KEYS = "0123456789*#ABCD"
"""By number, as some senders write them."""
_PARTS = 16
_DURATION = 250
_LONGEST = 5000
_SIGNAL = re.compile(r"^\s*signal\s*=\s*(\S{1,2})\s*$", re.I | re.M)
_LENGTH = re.compile(r"^\s*duration\s*=\s*([0-9]{1,5})\s*$", re.I | re.M)
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])(?:[ \t]+([^\r\n]{0,256}))?")


def kind(message: Message) -> str:
    """Type of the body in lower case, without parameters."""
    found = message.headers.read(CONTENT_TYPE)
    return found.value.lower() if found else ""


def description(message: Message) -> bytes | None:
    """The session description; empty: no body; None: a body that we cannot read (415)."""
    if not message.body:
        return b""
    if (message.headers.get("Content-Encoding") or "identity").strip().lower() != "identity":
        return None
    if kind(message) == SDP:
        return message.body
    return _part(message) if kind(message).startswith("multipart/") else None


def takes_description(message: Message) -> bool:
    """Whether the answer may hold a session description; it may without Accept (RFC 3261 20.1)."""
    accepted = {each.value.lower() for each in message.headers.read_all(ACCEPT)}
    return not accepted or not accepted.isdisjoint((SDP, "application/*", "*/*"))


def _part(message: Message) -> bytes | None:
    found = message.headers.read(CONTENT_TYPE)
    boundary = found.param("boundary") if found else None
    if not boundary:
        return None
    for part in message.body.split(b"--" + boundary.encode(), _PARTS)[1:]:
        head, blank, body = part.partition(b"\r\n\r\n")
        if blank and b"application/sdp" in head.lower():
            return body.removesuffix(b"\r\n") + b"\r\n"
    return None


def key(message: Message) -> tuple[str, int] | None:
    """Digit and milliseconds of an INFO; None: it tells of no key that we know."""
    text = message.body[:256].decode("latin-1")
    if kind(message) == DTMF:
        return _named(text.strip(), _DURATION)
    signal, length = _SIGNAL.search(text), _LENGTH.search(text)
    if signal is None:
        return None
    return _named(signal[1], min(int(length[1]), _LONGEST) if length else _DURATION)


def _named(text: str, milliseconds: int) -> tuple[str, int] | None:
    if text.isdecimal() and text.isascii() and int(text) < len(KEYS):
        return KEYS[int(text)], milliseconds
    digit = text.upper()
    return (digit, milliseconds) if len(digit) == 1 and digit in KEYS else None


def relay(digit: str, milliseconds: int) -> bytes:
    return f"Signal={digit}\r\nDuration={milliseconds}\r\n".encode()


def fragment(message: Message) -> tuple[int, str] | None:
    """Status and phrase of a response told in part (RFC 3420)."""
    found = _STATUS.match(message.body.lstrip())
    if found is None:
        return None
    return int(found[1]), (found[2] or b"").decode("utf-8", "replace").strip()
