"""Long messages put together from their parts (3GPP TS 23.040 section 9.2.3.24.1), which come in
any order, more than once, or not at all."""

from typing import NamedTuple

from tertulia.protocols.gsm import Concatenation


class Part(NamedTuple):
    sender: str
    recipient: str
    which: Concatenation
    data: bytes
    coding: int


class Key(NamedTuple):
    sender: str
    recipient: str
    reference: int
    total: int


class Joined(NamedTuple):
    """What there is of a long message, in order."""

    key: Key
    parts: tuple[Part, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.parts) == self.key.total


class _Pile:
    def __init__(self, since: float) -> None:
        self.since = since
        self.parts: dict[int, Part] = {}


class Joiner:
    """Keeps what is there of each message until it is whole and `forget` says that it is taken.

    `now` is monotonic seconds.
    """

    def __init__(
        self, *, messages: int = 2000, of_one: int = 20, octets: int = 8_000_000,
        patience: float = 300.0,
    ) -> None:  # fmt: skip
        """At most so many messages that are not whole, so many of one sender, so many octets;
        `patience`: seconds from the first part on until it is `overdue`."""
        self._messages = messages
        self._of_one = of_one
        self._octets = octets
        self._patience = patience
        self._piles: dict[Key, _Pile] = {}
        self._senders: dict[str, int] = {}
        self._size = 0
        self._taken: dict[Key, tuple[float, frozenset[tuple[int, int]]]] = {}

    def __len__(self) -> int:
        return len(self._piles)

    def has_room(self, part: Part) -> bool:
        """Otherwise it has to come again later."""
        if self._size + len(part.data) > self._octets:
            return False
        if _key(part) in self._piles:
            return True
        is_common = self._senders.get(part.sender, 0) >= self._of_one
        return len(self._piles) < self._messages and not is_common

    def was_taken(self, part: Part) -> bool:
        """Whether it belongs to a message that was put together just now: it came twice."""
        taken = self._taken.get(_key(part))
        return taken is not None and _mark(part) in taken[1]

    def add(self, part: Part, now: float) -> Joined | None:
        """The message, when it is whole. A part that comes twice counts once."""
        key = _key(part)
        pile = self._piles.get(key)
        if pile is None:
            pile = self._piles[key] = _Pile(now)
            self._senders[key.sender] = self._senders.get(key.sender, 0) + 1
        before = pile.parts.get(part.which.number)
        self._size += len(part.data) - (len(before.data) if before else 0)
        pile.parts[part.which.number] = part
        return _joined(key, pile) if len(pile.parts) == key.total else None

    def overdue(self, now: float) -> list[Joined]:
        """Those of which nothing more is waited for: to be taken as they are, and forgotten."""
        self._forget_taken(now)
        limit = now - self._patience
        return [_joined(key, pile) for key, pile in self._piles.items() if pile.since <= limit]

    def forget(self, joined: Joined, now: float) -> None:
        """It was taken."""
        pile = self._piles.pop(joined.key, None)
        if pile is None:
            return
        self._size -= sum(len(part.data) for part in pile.parts.values())
        left = self._senders[joined.key.sender] - 1
        if left:
            self._senders[joined.key.sender] = left
        else:
            del self._senders[joined.key.sender]
        self._taken[joined.key] = now, frozenset(map(_mark, joined.parts))
        if len(self._taken) > self._messages:
            del self._taken[next(iter(self._taken))]

    def _forget_taken(self, now: float) -> None:
        old = [key for key, (at, _) in self._taken.items() if at <= now - self._patience]
        for key in old:
            del self._taken[key]


def _key(part: Part) -> Key:
    return Key(part.sender, part.recipient, part.which.reference, part.which.total)


def _mark(part: Part) -> tuple[int, int]:
    return part.which.number, hash(part.data)


def _joined(key: Key, pile: _Pile) -> Joined:
    return Joined(key, tuple(pile.parts[number] for number in sorted(pile.parts)))
