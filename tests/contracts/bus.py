"""The contract of Bus (tertulia/ports/cluster.py): what every adapter guarantees."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tertulia.ports.cluster import Bus, Unanswered

SECONDS = 10.0


async def until(is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.002)


class BusContract(ABC):
    """Between nodes of one cluster. Each test is played in a loop of its own."""

    @abstractmethod
    async def open(self) -> Bus:
        """For one more node, up."""

    @abstractmethod
    async def cut(self, bus: Bus) -> None:
        """Nothing comes and goes any more, at least at this node; it knows when this returns."""

    @abstractmethod
    async def heal(self, bus: Bus) -> None:
        """Take back a `cut`."""

    knows_who_serves = True

    def play(self, scene: Callable[[Bus, Bus], Awaitable[None]], seconds: float = 30) -> None:
        async def run() -> None:
            async with asyncio.timeout(seconds), self._bus() as one, self._bus() as other:
                await scene(one, other)

        asyncio.run(run())

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[Bus]:
        bus = await self.open()
        try:
            yield bus
        finally:
            await bus.close()

    def test_a_word_reaches_all_who_hear_its_subject_and_nobody_else(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: dict[str, list[bytes]] = {name: [] for name in ("own", "far", "twice", "else")}
            await one.subscribe("log.app-1", heard["own"].append)
            await other.subscribe("log.app-1", heard["far"].append)
            await other.subscribe("log.app-1", heard["twice"].append)
            for subject in ("log", "log.app-2", "log.app-1.more", "Log.app-1"):
                await other.subscribe(subject, heard["else"].append)
            words = [b"", b"a", bytes(range(256)), "Zo\u00eb".encode(), b"0" * 9_000]
            for word in words:
                one.publish("log.app-1", word)
            await until(lambda: all(len(heard[name]) == 5 for name in ("own", "far", "twice")))
            assert heard == {"own": words, "far": words, "twice": words, "else": []}

        self.play(scene)

    def test_what_one_node_publishes_comes_in_order_over_all_subjects(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[tuple[str, int]] = []
            subjects = ["log", "log.a", "log.b", "x-1_Z"]
            for subject in subjects:
                await other.subscribe(
                    subject,
                    lambda word, at=subject: heard.append((at, int(word))),  # type: ignore[misc]
                )
            told = []
            for number in range(2_000):
                subject = subjects[(number * 7 + number // 3) % 4]
                told.append((subject, number))
                one.publish(subject, b"%d" % number)
                if number % 50 == 0:
                    await asyncio.sleep(0)
            await until(lambda: len(heard) >= len(told))
            assert heard == told

        self.play(scene)

    def test_words_of_the_largest_size_arrive_and_larger_ones_are_refused(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("large", heard.append)
            assert one.word_max >= 100_000
            words = [bytes(range(256)) * (one.word_max // 256), b"x" * one.word_max, b"end"]
            for word in words:
                one.publish("large", word)
            await until(lambda: len(heard) == 3)
            assert heard == words
            for refused in (b"x" * (one.word_max + 1), bytes(one.word_max * 2)):
                with pytest.raises(ValueError, match="octets"):
                    one.publish("large", refused)
                with pytest.raises(ValueError, match="octets"):
                    await one.ask("large", refused, 1)

        self.play(scene)

    @pytest.mark.parametrize(
        "subject", ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "a.>", "a\r\nPUB x 0", "ä",
                    "a" * 300],
    )  # fmt: skip
    def test_what_is_no_subject_is_refused(self, subject: str) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            with pytest.raises(ValueError, match="subject"):
                one.publish(subject, b"")
            with pytest.raises(ValueError, match="subject"):
                await one.subscribe(subject, print)
            with pytest.raises(ValueError, match="subject"):
                await one.ask(subject, b"", 1)

        self.play(scene)

    def test_long_subjects_are_kept_apart(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("log." + "a" * 150 + ".b", heard.append)
            one.publish("log." + "a" * 150 + ".c", b"other")
            one.publish("log." + "a" * 150 + ".b", b"this")
            await until(lambda: bool(heard))
            assert heard == [b"this"]

        self.play(scene)

    def test_a_subscription_ends(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            ended: list[bytes] = []
            stays: list[bytes] = []
            stop = await other.subscribe("log", ended.append)
            await other.subscribe("log", stays.append)
            one.publish("log", b"1")
            await until(lambda: len(stays) == 1)
            await stop()
            await stop()
            one.publish("log", b"2")
            await until(lambda: len(stays) == 2)
            assert ended == [b"1"]
            again = await other.subscribe("other", ended.append)
            await again()
            await other.subscribe("other", ended.append)
            one.publish("other", b"3")
            await until(lambda: len(ended) == 2)

        self.play(scene)

    def test_a_bug_of_who_hears_is_its_own(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            heard: list[bytes] = []

            def stumble(word: bytes) -> None:
                raise RuntimeError(word)

            await other.subscribe("log", stumble)
            await other.subscribe("log", heard.append)
            for word in (b"1", b"2"):
                one.publish("log", word)
            await until(lambda: len(heard) == 2)

        self.play(scene)

    def test_a_question_is_answered(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            async def answer(word: bytes) -> bytes:
                return b"heard " + word

            await other.serve("node.b", answer)
            assert await one.ask("node.b", b"x", 5) == b"heard x"
            assert await other.ask("node.b", b"", 5) == b"heard "
            large = bytes(range(256)) * 300
            assert await one.ask("node.b", large, 5) == b"heard " + large

        self.play(scene)

    def test_answers_are_worked_on_at_the_same_time(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            second = asyncio.Event()

            async def answer(word: bytes) -> bytes:
                if word == b"1":
                    await second.wait()
                else:
                    second.set()
                return word

            await other.serve("node.b", answer)
            asked = [one.ask("node.b", b"%d" % number, 5) for number in range(1, 60)]
            assert await asyncio.gather(*asked) == [b"%d" % number for number in range(1, 60)]

        self.play(scene)

    def test_the_first_answer_counts(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            async def quick(word: bytes) -> bytes:
                return b"quick"

            is_time = asyncio.Event()

            async def slow(word: bytes) -> bytes:
                await is_time.wait()
                return b"slow"

            await one.serve("who", slow)
            await other.serve("who", quick)
            assert await one.ask("who", b"", 5) == b"quick"
            is_time.set()
            await one.serve("else", quick)
            assert await one.ask("else", b"", 5) == b"quick"

        self.play(scene)

    def test_what_raises_is_no_answer_and_the_next_is_answered(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            async def answer(word: bytes) -> bytes:
                if word == b"bad":
                    raise RuntimeError("a bug")
                if word == b"large":
                    return bytes(other.word_max + 1)
                if word == b"refused":
                    raise Unanswered("not now")
                return word

            await other.serve("node.b", answer)
            for word in (b"bad", b"large", b"refused"):
                with pytest.raises(Unanswered):
                    await one.ask("node.b", word, 0.2)
            assert await one.ask("node.b", b"good", 5) == b"good"

        self.play(scene)

    def test_a_question_that_nobody_serves(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            begin = time.monotonic()
            with pytest.raises(Unanswered):
                await one.ask("node.c", b"", 2 if self.knows_who_serves else 0.2)
            assert time.monotonic() - begin < 1

            async def answer(word: bytes) -> bytes:
                return word

            stop = await other.serve("node.c", answer)
            assert await one.ask("node.c", b"y", 5) == b"y"
            await stop()
            with pytest.raises(Unanswered):
                await one.ask("node.c", b"", 2 if self.knows_who_serves else 0.2)

        self.play(scene)

    def test_a_line_that_is_cut_is_told_and_comes_back(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            gaps: list[float] = []
            await other.subscribe("log", heard.append)
            other.on_gap(lambda: gaps.append(time.monotonic()))
            one.publish("log", b"before")
            await until(lambda: heard == [b"before"])
            await self.cut(other)
            assert not other.is_up
            await until(lambda: bool(gaps))
            begin = time.monotonic()
            other.publish("log", b"lost")
            await other.subscribe("meanwhile", heard.append)
            with pytest.raises(Unanswered):
                await other.ask("log", b"", 5)
            assert time.monotonic() - begin < 1, "nothing waits for the line"
            told = len(gaps)
            await self.heal(other)
            await until(lambda: other.is_up and one.is_up)
            await until(lambda: len(gaps) > told)
            one.publish("log", b"after")
            one.publish("meanwhile", b"too")
            await until(lambda: heard == [b"before", b"after", b"too"])

        self.play(scene)

    def test_a_question_that_waits_when_the_line_is_cut_ends(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            async def answer(word: bytes) -> bytes:
                await asyncio.sleep(60)
                return word

            await other.serve("slow", answer)
            question = asyncio.create_task(one.ask("slow", b"", 20))
            await asyncio.sleep(0.05)
            begin = time.monotonic()
            await self.cut(one)
            with pytest.raises(Unanswered):
                await question
            assert time.monotonic() - begin < 8
            await self.heal(one)

        self.play(scene)

    def test_publishing_never_waits_and_too_much_is_dropped(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("flood", heard.append)
            word = b"w" * 50_000
            longest = 0.0
            for _ in range(1_000):
                begin = time.perf_counter()
                one.publish("flood", word)
                longest = max(longest, time.perf_counter() - begin)
            assert longest < 0.2
            await asyncio.sleep(0.1)
            with suppress(TimeoutError):
                await until(lambda: heard[-1:] == [b"end"], 0.01)
            async with asyncio.timeout(SECONDS):
                while b"end" not in heard[-1:]:
                    one.publish("flood", b"end")
                    await asyncio.sleep(0.02)
            assert set(heard) == {word, b"end"}

        self.play(scene)

    def test_what_was_published_before_the_end_is_sent(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("log", heard.append)
            third = await self.open()
            for number in range(100):
                third.publish("log", b"%d" % number)
            await third.close()
            await third.close()
            assert not third.is_up
            await until(lambda: len(heard) == 100)

        self.play(scene)
