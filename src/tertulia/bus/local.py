"""The bus between nodes of one process: for tests, and for what runs alone."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from tertulia.bus.switchboard import Hearer, Parcel, Switchboard, checked
from tertulia.ports.cluster import Stop, Unanswered

WORD_MAX = 1 << 20


class Exchange:
    """What the buses of several nodes are joined by."""

    def __init__(self) -> None:
        self._buses: list[LocalBus] = []

    def bus(self) -> "LocalBus":
        """For one more node."""
        return LocalBus(self)

    def join(self, bus: "LocalBus") -> None:
        self._buses.append(bus)

    def leave(self, bus: "LocalBus") -> None:
        if bus in self._buses:
            self._buses.remove(bus)

    def carry(self, parcel: Parcel) -> bool:
        """To all who hear it; whether there is anybody."""
        hearing = [bus for bus in self._buses if bus.is_up and bus.board.hears(parcel.subject)]
        for bus in hearing:
            asyncio.get_running_loop().call_soon(bus.take, parcel)
        return bool(hearing)


class LocalBus:
    """Bus."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.word_max = WORD_MAX
        self._exchange = exchange or Exchange()
        self._is_up = True
        self.board = Switchboard(self._post)
        self._exchange.join(self)

    @property
    def is_up(self) -> bool:
        return self._is_up

    def cut(self) -> None:
        """Cut this node off from all others, and from itself."""
        self._is_up = False
        self.board.give_up()
        self.board.tell_gap()

    def heal(self) -> None:
        self._is_up = True
        self.board.tell_gap()

    def take(self, parcel: Parcel) -> None:
        if self._is_up:
            self.board.arrived(parcel)

    def publish(self, subject: str, word: bytes) -> None:
        checked(subject, word, self.word_max)
        self._post(Parcel(subject, word))

    async def subscribe(self, subject: str, hear: Callable[[bytes], None]) -> Stop:
        checked(subject, b"", 0)
        hearer = self.board.add(subject, lambda parcel: hear(parcel.word))
        return partial(self._stop, subject, hearer)

    async def ask(self, subject: str, word: bytes, seconds: float) -> bytes:
        checked(subject, word, self.word_max)
        if not self._is_up:
            raise Unanswered("the bus is down")
        return await self.board.ask(subject, word, seconds)

    async def serve(self, subject: str, answer: Callable[[bytes], Awaitable[bytes]]) -> Stop:
        checked(subject, b"", 0)
        hearer = self.board.add(subject, partial(self.board.answer, answer))
        return partial(self._stop, subject, hearer)

    def on_gap(self, listener: Callable[[], None]) -> None:
        self.board.on_gap(listener)

    async def close(self) -> None:
        self._is_up = False
        self._exchange.leave(self)
        await self.board.close()

    def _post(self, parcel: Parcel) -> None:
        if len(parcel.word) > self.word_max:
            raise ValueError(f"an answer of {len(parcel.word)} octets")
        is_heard = self._is_up and self._exchange.carry(parcel)
        if parcel.reply and not is_heard:
            self.board.unanswerable(parcel.reply)

    async def _stop(self, subject: str, hearer: Hearer) -> None:
        self.board.remove(subject, hearer)
