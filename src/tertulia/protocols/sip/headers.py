"""The header fields of a message: in order, named in any case or in the compact form."""

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar, cast

from tertulia.protocols.sip.fields import Field
from tertulia.protocols.sip.grammar import Malformed, split

T = TypeVar("T")

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""Letters registered for header fields."""

_BREAKS = re.compile(r"[\r\n]+[ \t]*")
KNOWN_KEYS: dict[str, str] = {
    name: key
    for key in (
        *COMPACT.values(),
        *("accept", "allow", "authorization", "expires", "max-forwards", "min-se"),
        *("p-asserted-identity", "record-route", "route", "server", "user-agent"),
    )
    for name in (key, key.title())
} | {"CSeq": "cseq", "Call-ID": "call-id", **COMPACT}
"""Keys of names as nearly everybody writes them."""

Entry = tuple[str, str, str]
"""Key in lower case and long form, value, and the whole line."""


def key_of(name: str) -> str:
    """A field's name in lower case, the compact form made long."""
    found = KNOWN_KEYS.get(name)
    if found is None:
        lower = name.lower()
        found = COMPACT.get(lower, lower)
    return found


class Headers:
    """Lines stay as they were received; what is set here is written `Name: value`.

    A line break inside a value that is set becomes a space, so that no value smuggles in a field.
    """

    __slots__ = ("_entries", "_read")

    def __init__(self, fields: Iterable[tuple[str, object]] = ()) -> None:
        self._entries: list[Entry] = [_entry(name, value) for name, value in fields]
        self._read: dict[str, object] = {}

    @classmethod
    def received(cls, entries: list[Entry]) -> "Headers":
        """Of lines that a parser has taken apart."""
        headers = cls()
        headers._entries = entries
        return headers

    def get(self, name: str) -> str | None:
        """The value of the first field of that name; empty is a value; None: there is none."""
        key = key_of(name)
        for entry in self._entries:
            if entry[0] == key:
                return entry[1]
        return None

    def all(self, name: str) -> list[str]:
        """The values of all fields of that name, each line as it stands."""
        key = key_of(name)
        return [entry[1] for entry in self._entries if entry[0] == key]

    def read(self, field: Field[T]) -> T | None:
        """The first value of a field; None when there is none (or none that can be read, of a
        field that is not strict). Raises Malformed; not on messages that `parse` has let in."""
        values = self.read_all(field)
        return values[0] if values else None

    def read_all(self, field: Field[T]) -> tuple[T, ...]:
        """All values of a field. Raises as `read` does."""
        key = field.key
        if key in self._read:
            return cast("tuple[T, ...]", self._read[key])
        values = tuple(_values(field, self.all(key)))
        self._read[key] = values
        return values

    def add(self, name: str, value: object) -> None:
        """After all others."""
        entry = _entry(name, value)
        self._entries.append(entry)
        self._read.pop(entry[0], None)

    def prepend(self, name: str, value: object) -> None:
        """Before the first of that name, or before all when there is none."""
        entry = _entry(name, value)
        self._entries.insert(max(self._index(entry[0]), 0), entry)
        self._read.pop(entry[0], None)

    def set(self, name: str, value: object) -> None:
        """In place of all of that name, where the first stood; otherwise after all others."""
        entry = _entry(name, value)
        at = self._index(entry[0])
        self.remove(name)
        self._entries.insert(at if at >= 0 else len(self._entries), entry)

    def remove(self, name: str) -> None:
        """All of that name, if there are any."""
        key = key_of(name)
        self._entries = [entry for entry in self._entries if entry[0] != key]
        self._read.pop(key, None)

    def items(self) -> Iterator[tuple[str, str]]:
        """Name as written and value, in order."""
        for _, value, line in self._entries:
            yield line.partition(":")[0].rstrip(), value

    def lines(self) -> list[str]:
        """As they are to be sent, without line ends."""
        return [entry[2] for entry in self._entries]

    def count(self, name: str) -> int:
        """How many lines of that name."""
        key = key_of(name)
        return sum(1 for entry in self._entries if entry[0] == key)

    def copy(self) -> "Headers":
        copied = Headers.received(list(self._entries))
        copied._read = dict(self._read)
        return copied

    def _index(self, key: str) -> int:
        for index, entry in enumerate(self._entries):
            if entry[0] == key:
                return index
        return -1

    def __contains__(self, name: str) -> bool:
        key = key_of(name)
        return any(entry[0] == key for entry in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"


def _entry(name: str, value: object) -> Entry:
    text = value if isinstance(value, str) else str(value)
    if "\n" in text or "\r" in text:
        text = _BREAKS.sub(" ", text)
    return key_of(name), text, f"{name}: {text}"


def _values(field: Field[T], lines: list[str]) -> Iterator[T]:
    for line in lines:
        try:
            pieces = split(line) if field.listed else [line]
            for piece in pieces:
                if piece == "*" and field.listed:
                    continue
                yield field.parse(piece)
        except Malformed as broken:
            if field.strict:
                raise Malformed(f"{broken} in {field.name}") from None
