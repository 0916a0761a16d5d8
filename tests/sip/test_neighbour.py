"""The way between two nodes, over a bus that loses words, repeats them, and takes small ones."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import msgspec
import pytest
from tests.sip.sockets import until

from tertulia.bus.local import Exchange, LocalBus
from tertulia.ports.cluster import Unanswered
from tertulia.services.errands import Errands
from tertulia.sip.neighbour import BACKLOG_MAX, OVERHEAD, WORD_MAX, Heard, Neighbour, Piece

ROOM = 40
"""Octets of data in a piece."""


class Side:
    """A node: what it has heard, and how often the way was lost."""

    def __init__(self, name: str, other: str, bus: LocalBus) -> None:
        self.name, self.bus = name, bus
        self.heard: list[bytes] = []
        self.lost = 0
        self.errands = Errands()
        self.way = Neighbour(
            other, me=name, bus=bus, errands=self.errands, hear=self.heard.append, lost=self._lose
        )

    async def start(self) -> None:
        async def answer(word: bytes) -> bytes:
            return msgspec.msgpack.encode(self.way.take(msgspec.msgpack.decode(word, type=Piece)))

        await self.bus.serve(f"phones.{self.name}", answer)

    def _lose(self) -> None:
        self.lost += 1


def play(scenario: Callable[[Side, Side], Awaitable[None]], *, seed: int | None = None) -> None:
    async def run() -> None:
        exchange = Exchange()
        sides = []
        for name, other in (("a", "b"), ("b", "a")):
            bus = exchange.bus()
            if seed is not None:
                bus = rough(bus, Random(f"{seed} {name}"))
            sides.append(Side(name, other, bus))
        for side in sides:
            await side.start()
        await scenario(*sides)
        for side in sides:
            await side.errands.close()

    asyncio.run(run())


def rough(bus: LocalBus, random: Random) -> LocalBus:
    """The same with accidents."""
    ask = bus.ask

    async def ask_roughly(subject: str, word: bytes, seconds: float) -> bytes:
        fate = random.random()
        if fate < 0.04:
            raise Unanswered("lost on its way")
        answer = await ask(subject, word, seconds)
        if fate < 0.08:
            raise Unanswered("the answer was lost")
        return await ask(subject, word, seconds) if fate < 0.3 else answer

    bus.ask = ask_roughly  # type: ignore[method-assign]
    bus.word_max = OVERHEAD + ROOM
    return bus


@pytest.mark.parametrize("seed", range(3))
def test_words_arrive_once_and_in_order(seed: int) -> None:
    async def scenario(a: Side, b: Side) -> None:
        told = [f"{number} ".encode() * (number % 7) for number in range(200)]
        for index, word in enumerate(told):
            a.way.tell(word)
            b.way.tell(word)
            if index % 20 == 0:
                await asyncio.sleep(0)
        await quiet(a, b)
        assert (a.heard, b.heard) == (told, told)
        assert (a.lost, b.lost) == (0, 0)

    play(scenario, seed=seed)


def test_who_begins_anew_is_met_anew() -> None:
    async def scenario(a: Side, b: Side) -> None:
        a.way.tell(b"one")
        b.way.tell(b"two")
        await quiet(a, b)
        a.way.lose()
        assert a.lost == 1
        a.way.tell(b"three")
        await quiet(a, b)
        b.way.tell(b"four")
        await quiet(a, b)
        assert (a.heard, b.heard) == ([b"two", b"four"], [b"one", b"three"])
        assert (a.lost, b.lost) == (1, 1)

    play(scenario)


def test_both_may_begin_anew_at_once() -> None:
    async def scenario(a: Side, b: Side) -> None:
        a.way.tell(b"one")
        await quiet(a, b)
        a.way.lose()
        b.way.lose()
        a.way.tell(b"two")
        b.way.tell(b"three")
        await quiet(a, b)
        assert (a.heard, b.heard) == ([b"three"], [b"one", b"two"])
        assert (a.lost, b.lost) == (1, 1)

    play(scenario)


def test_pieces_that_are_out_of_place_are_refused() -> None:
    async def scenario(a: Side, b: Side) -> None:
        assert a.way.take(Piece("b", "token", "", 1, b"")).is_taken is False
        met = a.way.take(Piece("b", "token", "", 0, b"\0\0\0\1x"))
        assert (met.is_taken, a.heard) == (True, [b"x"])
        assert a.way.take(Piece("b", "token", "another", 1, b"")) == Heard(met.token, False)
        assert a.way.take(Piece("b", "token", met.token, 0, b"\0\0\0\1x")).is_taken
        assert a.heard == [b"x"]
        assert a.lost == 0
        a.way.take(Piece("b", "token", met.token, 1, b"\xff\xff\xff\xff"))
        assert a.lost == 1

    play(scenario)


def test_what_is_too_much_ends_the_way() -> None:
    async def scenario(a: Side, b: Side) -> None:
        a.way.tell(b"x" * (WORD_MAX + 1))
        assert a.lost == 1
        a.bus.cut()
        for _ in range(BACKLOG_MAX // WORD_MAX + 1):
            a.way.tell(b"x" * WORD_MAX)
        assert a.lost == 2

    play(scenario)


async def quiet(*sides: Side) -> None:
    await until(lambda: all(side.way.is_idle for side in sides))
