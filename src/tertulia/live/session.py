"""A live session: how far it got, and the socket that it is reached by, if any."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from tertulia.live.packets import Packet, variant_of
from tertulia.model.ids import Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession, SessionRecord
from tertulia.ports import SessionLedger


class Outlet(Protocol):
    """The far end of a session, as long as it is connected."""

    def take(self, session: "Session") -> None:
        """What the client says from its greeting on, it says of this session."""

    def write(self, data: bytes) -> None:
        """Whole frames. The way they go must not be entered again from within."""

    @property
    def is_full(self) -> bool:
        """It has not taken yet what was written; until then it is not delivered to."""

    async def drained(self) -> None:
        """Wait until it is not full."""

    def drop(self) -> None:
        """Cut the connection; the session can be resumed."""

    def retire(self, farewell: bytes) -> None:
        """Say goodbye for good: the client is not to come back by itself."""


def _nowhere(data: bytes) -> None:
    raise RuntimeError("a session without a socket is not written to")


class Session:
    __slots__ = (
        "_early", "_is_held", "_ledger", "acknowledged", "expires_at", "name", "outlet",
        "outstanding", "place", "record", "variant", "write",
    )  # fmt: skip

    def __init__(
        self, record: SessionRecord, name: str, ledger: SessionLedger, place: int,
        acknowledged: Position,
    ) -> None:  # fmt: skip
        self.record = record
        self.name = name
        """Of the user."""
        self._ledger = ledger
        self.place = place
        """In the ledger; 0 when the session has ended."""
        self.variant = variant_of(record)
        self.acknowledged = acknowledged
        """All that was for this session up to here, it has got."""
        self.outstanding: list[Position] = []
        """Numbers that were sent and not acknowledged, rising."""
        self._early: set[Position] | None = None
        """Acknowledged before one that was sent earlier."""
        self._is_held = False
        self.expires_at = Instant(0)
        """Of its token."""
        self.outlet: Outlet | None = None
        self.write: Callable[[bytes], None] = _nowhere
        """The outlet's, without a look-up: it is called for every delivery."""

    @property
    def id(self) -> SessionId:
        return self.record.id

    @property
    def user_id(self) -> UserId:
        return self.record.user_id

    @property
    def shown(self) -> LiveSession:
        return LiveSession(self.record, self.name, self.expires_at)

    def attach(self, outlet: Outlet) -> None:
        """Begin to be reached. What was outstanding has been sent to nobody now."""
        self.outstanding = []
        self._early = None
        self._is_held = False
        self.outlet = outlet
        self.write = outlet.write

    def detach(self) -> None:
        self.outlet = None
        self.write = _nowhere

    def hold(self) -> Callable[[], None]:
        """Keep what is delivered from now on, until what is returned is called."""
        outlet, write, held = self.outlet, self.write, bytearray()

        def release() -> None:
            if self.outlet is outlet and self._is_held:
                self._is_held = False
                self.write = write
                if held:
                    write(bytes(held))

        if outlet is None or self._is_held:
            return lambda: None
        self._is_held = True
        self.write = held.extend
        return release

    def deliver(self, packet: Packet) -> None:
        if packet.data:
            self.write(packet.data)
            self.owe(packet.positions)

    def owe(self, positions: list[Position]) -> None:
        """These numbers were sent."""
        if self.record.acknowledges:
            self.outstanding += positions
        elif positions:
            self.reach(positions[-1])

    def acknowledge(self, numbers: list[int]) -> int:
        """Take note of what the client has got; how many numbers were not outstanding."""
        count = len(numbers)
        if self._early is None and self.outstanding[:count] == numbers:
            # as published clients do it: all, and in order
            del self.outstanding[:count]
            self.reach(Position(numbers[-1]))
            return 0
        early = self._early or set()
        before = len(early)
        early.update(number for number in map(Position, numbers) if self._is_outstanding(number))
        known = len(early) - before
        self._settle(early)
        return count - known

    def _is_outstanding(self, number: Position) -> bool:
        at = bisect_left(self.outstanding, number)
        return at < len(self.outstanding) and self.outstanding[at] == number

    def _settle(self, early: set[Position]) -> None:
        """Move on to where the first gap is."""
        outstanding = self.outstanding
        done = 0
        while done < len(outstanding) and outstanding[done] in early:
            done += 1
        if done:
            self.reach(outstanding[done - 1])
            early.difference_update(outstanding[:done])
            del outstanding[:done]
        self._early = early or None

    def reach(self, position: Position) -> None:
        if position > self.acknowledged:
            self.acknowledged = position
            if self.place:
                self._ledger.acknowledge(self.place, position)

    def end(self) -> None:
        """It is no more; its place in the ledger will be another's."""
        if self.place:
            self._ledger.close(self.place)
            self.place = 0
        self.detach()
