"""Texts of short messages: the GSM 7-bit default alphabet with its extension table (3GPP TS 23.038
section 6.2.1), UCS-2 (as UTF-16BE: pairs of surrogates are one character), and their cutting into
parts (3GPP TS 23.040 section 9.2.3.24.1). An octet holds one septet: SMPP does not pack them.
"""

from enum import StrEnum
from typing import NamedTuple

ESCAPE = 0x1B
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
    0x40: "|", 0x65: "€",
}  # fmt: skip
_TO_SEPTETS = {each: chr(code) for code, each in enumerate(_BASIC) if code != ESCAPE} | {
    each: chr(ESCAPE) + chr(code) for code, each in _EXTENSION.items()
}
_ENCODING = str.maketrans(_TO_SEPTETS)
_ALPHABET = frozenset(_TO_SEPTETS)
_DECODING = str.maketrans({code: each for code, each in enumerate(_BASIC) if code != ESCAPE})
_EXTENDED = {chr(code): each for code, each in _EXTENSION.items()}
_SEVEN_BITS = bytes(each & 0x7F for each in range(256))
_FOREIGN = "?"
"""In the place of a character that the alphabet has not."""
_OCTETS = 140
"""Of one short message."""
PARTS_MAX = 255


class Encoding(StrEnum):
    AUTO = "auto"
    """GSM-7 when the text can be written in it."""
    TEXT = "text"
    """GSM-7; what it cannot write becomes a question mark."""
    UNICODE = "unicode"


class Segments(NamedTuple):
    """A text as it goes over the air."""

    is_unicode: bool
    parts: tuple[bytes, ...]
    """Without headers: septets, an octet each, or UTF-16BE. At least one, which may be empty."""
    is_wide: bool = False
    """There is room for the header with a reference of two octets."""


def fits(text: str) -> bool:
    """Whether the default alphabet can write all of it."""
    return _ALPHABET.issuperset(text)


def encode(text: str) -> bytes:
    """GSM-7, an octet a septet. What the alphabet has not becomes a question mark."""
    if not _ALPHABET.issuperset(text):
        text = "".join(each if each in _ALPHABET else _FOREIGN for each in text)
    return text.translate(_ENCODING).encode("latin-1")


def decode(septets: bytes) -> str:
    """The text of GSM-7, an octet a septet; the eighth bit is passed over.

    What is escaped and not in the extension table is read as if it were not escaped (6.2.1.1); an
    escape at the end as a space.
    """
    raw = septets.translate(_SEVEN_BITS).decode("latin-1")
    first, *escaped = raw.split("\x1b")
    text = first.translate(_DECODING)
    for each in escaped:
        head = _EXTENDED.get(each[:1])
        text += " " if not each else (head or each[0].translate(_DECODING))
        text += each[1:].translate(_DECODING)
    return text


def encode_unicode(text: str) -> bytes:
    """UTF-16BE; half a pair of surrogates becomes a replacement character."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode(
            "utf-16-be"
        )  # fmt: skip


def decode_unicode(octets: bytes) -> str:
    """An odd octet at the end, or half a pair, becomes a replacement character."""
    return octets.decode("utf-16-be", "replace")


def is_written_in_unicode(text: str, encoding: str = Encoding.AUTO) -> bool:
    if encoding == Encoding.AUTO:
        return not _ALPHABET.issuperset(text)
    return encoding == Encoding.UNICODE


def segments_of(text: str, encoding: str = Encoding.AUTO, *, wide: bool = False) -> Segments:
    """Cut into parts of 160 septets or 70 units of UTF-16, or when there are several of 153 or 67:
    152 or 66 with a `wide` reference. An escape or a pair of surrogates is never cut in two.

    The number of `parts` is what is counted and paid; more than PARTS_MAX cannot be sent.
    """
    is_unicode = is_written_in_unicode(text, encoding)
    data = encode_unicode(text) if is_unicode else encode(text)
    if len(data) <= (_OCTETS if is_unicode else _OCTETS * 8 // 7):
        return Segments(is_unicode, (data,), wide)
    room = _OCTETS - (7 if wide else 6)
    cut = _cut_unicode(data, room & ~1) if is_unicode else _cut_septets(data, room * 8 // 7)
    return Segments(is_unicode, cut, wide)


def _cut_septets(data: bytes, size: int) -> tuple[bytes, ...]:
    parts = []
    at = 0
    while at < len(data):
        end = at + size
        if end < len(data) and data[end - 1] == ESCAPE:
            end -= 1
        parts.append(data[at:end])
        at = end
    return tuple(parts)


def _cut_unicode(data: bytes, size: int) -> tuple[bytes, ...]:
    parts = []
    at = 0
    while at < len(data):
        end = at + size
        if end < len(data) and 0xD8 <= data[end - 2] <= 0xDB:
            end -= 2
        parts.append(data[at:end])
        at = end
    return tuple(parts)


class Concatenation(NamedTuple):
    """Which part of which long message something is."""

    reference: int
    total: int
    number: int
    """From 1."""


def header(which: Concatenation, *, wide: bool = False) -> bytes:
    """The user data header of a part (9.2.3.24.1, and 9.2.3.24.8 with a `wide` reference)."""
    if wide:
        reference = (which.reference & 0xFFFF).to_bytes(2)
        return bytes((6, 8, 4)) + reference + bytes((which.total, which.number))
    return bytes((5, 0, 3, which.reference & 0xFF, which.total, which.number))


class UserData(NamedTuple):
    """What a user data header was in front of."""

    concatenation: Concatenation | None
    data: bytes


def user_data(octets: bytes) -> UserData | None:
    """Taken apart; None when the header is longer than what there is, or is torn.

    A concatenation that cannot be (number 0, or above the total) is none (9.2.3.24.1).
    """
    end = octets[0] + 1 if octets else 1
    if not octets or end > len(octets):
        return None
    concatenation = None
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            return None
        kind, value = octets[at], octets[at + 2 : at + 2 + octets[at + 1]]
        if (kind, len(value)) in ((0, 3), (8, 4)):  # of several the last counts (9.2.3.24)
            reference = int.from_bytes(value[:-2]) | (0x10000 if kind == 8 else 0)
            concatenation = _sound(Concatenation(reference, value[-2], value[-1]))
        at += 2 + len(value)
    return UserData(concatenation, octets[end:])


def _sound(which: Concatenation) -> Concatenation | None:
    return which if 1 <= which.number <= which.total else None
