"""Words as texts of a bounded size, and back: pure.

A text is `HEAD|DATA`. ASCII is sent as it is, anything else in base64; what is too long for one
text is cut. Texts of one word come in order, so one that is missing shows at the next.
"""

import base64
import binascii
from collections.abc import Iterator
from itertools import count

from tertulia.bus.switchboard import Parcel

TEXT_MAX = 7_900
"""Octets; PostgreSQL takes less than 8000."""
WORD_MAX = 256 * 1024
"""Octets: about 45 texts in the worst case."""
OPEN_MAX = 64
"""Words that some texts are missing of; of more, the oldest are dropped."""
OPEN_SECONDS = 5.0
_TEXTS_MAX = 2 * WORD_MAX // TEXT_MAX


class Cutter:
    """`name` tells the words of one sender from those of others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._serials = count(1)

    def texts(self, parcel: Parcel) -> Iterator[str]:
        """Each unlike any other: PostgreSQL sends equal ones of a transaction only once."""
        form, data = _text(parcel.word)
        serial = next(self._serials)
        size = TEXT_MAX - 100 - len(parcel.subject) - len(parcel.reply)
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [""]
        for number, piece in enumerate(pieces):
            head = (form, self._name, serial, number, len(pieces), parcel.subject, parcel.reply)
            yield "|".join(map(str, (*head, piece)))


def _text(word: bytes) -> tuple[str, str]:
    if word.isascii() and b"\0" not in word:
        return "a", word.decode("ascii")
    return "b", base64.b64encode(word).decode("ascii")


class Joiner:
    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[float, list[str]]] = {}

    def take(self, text: str, now: float) -> Parcel | None:
        """The word that is whole now. Anything that we have not cut is left alone."""
        head = text.split("|", 7)
        if len(head) != 8 or not (_is_count(head[3]) and _is_count(head[4])):
            return None
        form, name, serial, number, total, subject, reply, piece = head
        if int(total) == 1:
            return _parcel(form, subject, reply, piece)
        if not 1 < int(total) <= _TEXTS_MAX:
            return None
        pieces = self._pieces((name, serial), int(number), now)
        if pieces is None:
            return None
        pieces.append(piece)
        if len(pieces) < int(total):
            return None
        del self._open[name, serial]
        return _parcel(form, subject, reply, "".join(pieces))

    def _pieces(self, key: tuple[str, str], number: int, now: float) -> list[str] | None:
        """Those before this one; None when one of them is missing."""
        for old in [each for each, (at, _) in self._open.items() if at < now - OPEN_SECONDS]:
            del self._open[old]
        if number == 0:
            if len(self._open) >= OPEN_MAX:
                del self._open[next(iter(self._open))]
            self._open[key] = (now, [])
        _, pieces = self._open.get(key, (now, []))
        if number == len(pieces) and key in self._open:
            return pieces
        self._open.pop(key, None)
        return None


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) < 6


def _parcel(form: str, subject: str, reply: str, data: str) -> Parcel | None:
    try:
        match form:
            case "a":
                return Parcel(subject, data.encode("ascii"), reply)
            case "b":
                return Parcel(subject, base64.b64decode(data, validate=True), reply)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return None
