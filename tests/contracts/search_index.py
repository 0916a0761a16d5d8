"""The contract of SearchIndex (tertulia/ports): what every adapter guarantees."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from tests.contracts.builders import APP, OTHER_APP

from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, Position
from tertulia.model.indexing import NewText, Place, Text, TextChanges
from tertulia.model.words import terms_of
from tertulia.ports.search import FoundText, SearchIndex, TextQuery

ONE, TWO = ConversationId("CON-one"), ConversationId("CON-two")
ALICE, BOB = MemberId("MEM-alice"), MemberId("MEM-bob")
HEAD = Position(1000)


def said(
    position: int, words: str, *, at: ConversationId = ONE, app: ApplicationId = APP
) -> TextChanges:
    """A message whose number is its position."""
    text = Text(Position(position), app, at, EventId(position), words, ALICE)
    return TextChanges([text], [], [], [])


def changed(number: int, words: str, author: MemberId | None = None) -> TextChanges:
    return TextChanges([], [NewText(ONE, EventId(number), words, author)], [], [])


def removed(*places: Place) -> TextChanges:
    return TextChanges([], [], list(places), [])


async def found(index: SearchIndex, asked: str, **where: object) -> list[int]:
    return [each.event_id for each in await texts(index, asked, **where)]


async def texts(index: SearchIndex, asked: str, **where: object) -> list[FoundText]:
    query = TextQuery(**{"application_id": APP, "terms": terms_of(asked), **where})  # type: ignore[arg-type]
    return await index.find(query)


class IndexContract(ABC):
    @abstractmethod
    async def open(self) -> SearchIndex:
        """The same index on every call within a test, if the adapter persists."""

    @abstractmethod
    async def close(self, index: SearchIndex) -> None: ...


C = TypeVar("C", bound=IndexContract)


def scenario(play: Callable[[C, SearchIndex], Awaitable[None]]) -> Callable[[C], None]:
    """Make a coroutine `test_…(self, index)` a test, on an index that has begun."""

    def test(self: C) -> None:
        async def run() -> None:
            index = await self.open()
            try:
                await index.begin("epoch", HEAD)
                await play(self, index)
            finally:
                await self.close(index)

        asyncio.run(run())

    return test


LINES = {
    1: "Hello Bob, how are you?", 2: "héllo wörld", 3: "HELLO again; hello!",
    4: "hell o", 5: "order-status 42 is packed", 6: "Où est le café ?", 7: "a\u0301lef",
    8: "it's 5 o'clock, NEAR the (café)",
}  # fmt: skip


class SearchIndexContract(IndexContract):
    @scenario
    async def test_lines_have_positions_of_their_own(self, index: SearchIndex) -> None:
        await index.write(said(1, "tea"), Position(5))
        assert await index.begin("epoch", HEAD, APP) == 5, "where the whole had come to"
        await index.write(said(7, "tea"), Position(8), APP)
        await index.write(said(9, "tea", app=OTHER_APP), Position(9), OTHER_APP)
        assert await index.begin("epoch", HEAD) == 5
        assert await index.begin("epoch", HEAD, APP) == 8
        assert await index.begin("epoch", HEAD, OTHER_APP) == 9
        assert await found(index, "tea") == [7, 1]
        assert await index.begin("epoch", Position(8), APP) == 0, "a line is ahead of the log"
        assert await found(index, "tea") == []

    @pytest.mark.parametrize(("asked", "expected"), [
        ("hello", [3, 2, 1]), ("HÉLLO", [3, 2, 1]), ("hello bob", [1]), ("bob hello", [1]),
        ('"hello bob"', [1]), ('"bob hello"', []), ("hel*", [4, 3, 2, 1]), ('"how ar"*', [1]),
        ("hel", []), ("h*", []), ("nothing", []), ("hello nothing", []), ("cafe", [8, 6]),
        ("ou", [6]), ("order-status", [5]), ("status-order", []), ("42", [5]),
        ('"hello', [3, 2, 1]), ("hel* b*", []), ("hel* bo*", [1]),
        ("alef", [7]), ("hello OR bob", []), ("NOT hello", []), ("near", [8]), ("o'clock", [8]),
        ("text:hello", []), ("(hello", [3, 2, 1]), ("hello^", [3, 2, 1]), ("{hello}", [3, 2, 1]),
        ("a1", []), ("c1", []), ("scope", []), ("*hello", [3, 2, 1]), ('""hello', [3, 2, 1]),
    ])  # fmt: skip
    def test_words(self, asked: str, expected: list[int]) -> None:
        async def run() -> None:
            index = await self.open()
            await index.begin("epoch", HEAD)
            for number, line in LINES.items():
                await index.write(said(number, line), Position(number))
            try:
                assert await found(index, asked) == expected
            finally:
                await self.close(index)

        asyncio.run(run())

    @scenario
    async def test_only_what_is_asked_for(self, index: SearchIndex) -> None:
        await index.write(said(1, "tea"), Position(1))
        await index.write(said(2, "tea", at=TWO), Position(2))
        await index.write(said(3, "tea", at=ConversationId("CON-x"), app=OTHER_APP), Position(3))
        assert await found(index, "tea") == [2, 1]
        assert await found(index, "tea", application_id=OTHER_APP) == [3]
        assert await found(index, "tea", application_id="unknown") == []
        assert await found(index, "tea", conversations=(TWO,)) == [2]
        assert await found(index, "tea", conversations=(ONE, TWO, "CON-x")) == [2, 1]
        assert await found(index, "tea", conversations=("CON-y",)) == []
        assert await found(index, "tea", conversations=()) == []
        many = (*(ConversationId(f"CON-{n}") for n in range(500)), ONE)
        assert await found(index, "tea", conversations=many) == [1]
        assert await found(index, "tea", conversations=("CON-x",)) == []

    @scenario
    async def test_pages_newest_first(self, index: SearchIndex) -> None:
        for number in range(1, 8):
            await index.write(said(number, f"tea {number}"), Position(number))
        await index.write(changed(2, "more tea"), Position(8))
        shown: list[int] = []
        before: Position | None = None
        while page := await texts(index, "tea", limit=3, before=before):
            shown += [each.event_id for each in page]
            before = page[-1].position
        assert shown == [7, 6, 5, 4, 3, 2, 1]

    @scenario
    async def test_a_changed_text_is_found_by_its_newest_words_only(
        self, index: SearchIndex
    ) -> None:
        await index.write(said(1, "tea"), Position(1))
        await index.write(changed(1, "coffee"), Position(2))
        assert (await found(index, "tea"), await found(index, "coffee")) == ([], [1])
        await index.write(changed(1, "milk", BOB), Position(3))
        await index.write(changed(9, "milk"), Position(4))
        assert await found(index, "milk") == []
        await index.write(changed(1, "water", ALICE), Position(5))
        assert (await found(index, "coffee"), await found(index, "water")) == ([], [1])

    @scenario
    async def test_what_was_removed_is_not_found(self, index: SearchIndex) -> None:
        for number, at in ((1, ONE), (2, ONE), (3, TWO)):
            await index.write(said(number, "tea", at=at), Position(number))
        await index.write(removed((ONE, EventId(1)), (ONE, EventId(99))), Position(4))
        assert await found(index, "tea") == [3, 2]
        await index.write(TextChanges([], [], [], [TWO, ConversationId("CON-y")]), Position(5))
        assert await found(index, "tea") == [2]

    @scenario
    async def test_a_stretch_is_done_in_order(self, index: SearchIndex) -> None:
        texts = [
            Text(Position(n), APP, at, EventId(n), "tea", ALICE)
            for n, at in ((1, ONE), (2, ONE), (3, ONE), (4, TWO))
        ]
        news = [NewText(ONE, EventId(1), "coffee"), NewText(ONE, EventId(1), "milk"),
                NewText(ONE, EventId(2), "milk")]  # fmt: skip
        await index.write(TextChanges(texts, news, [(ONE, EventId(2))], [TWO]), Position(9))
        assert await found(index, "tea") == [3]
        assert await found(index, "coffee") == []
        assert await found(index, "milk") == [1]

    @scenario
    async def test_a_snippet_shows_what_was_found(self, index: SearchIndex) -> None:
        long = 300 * "word " + "the CAFÉ is here " + 300 * "more "
        await index.write(said(1, long), Position(1))
        await index.write(said(2, "\U0001f600 café, and café"), Position(2))
        short, one = await texts(index, "cafe")
        assert short.snippet.text == "\U0001f600 café, and café"
        assert short.snippet.marks == [(2, 6), (12, 16)]
        (start, end), *others = one.snippet.marks
        assert one.snippet.text[start:end] == "CAFÉ" and others == []
        assert len(one.snippet.text) < 500

    @scenario
    async def test_an_index_goes_on_where_it_was(self, index: SearchIndex) -> None:
        assert await index.begin("epoch", HEAD) == 0
        await index.write(said(1, "tea"), Position(7))
        assert await index.begin("epoch", Position(7)) == 7
        assert await found(index, "tea") == [1]

    @scenario
    async def test_an_index_of_another_log_is_emptied(self, index: SearchIndex) -> None:
        for epoch, head in (("other", HEAD), ("other", Position(6))):
            await index.write(said(1, "tea"), Position(7))
            assert await index.begin(epoch, head) == 0
            assert await found(index, "tea") == []
            assert await index.begin(epoch, head) == 0
        await index.write(said(2, "tea"), Position(8))
        assert await found(index, "tea") == [2]

    @scenario
    async def test_the_same_stretch_twice_is_one(self, index: SearchIndex) -> None:
        for _ in range(2):
            await index.write(said(1, "tea"), Position(1))
        assert await found(index, "tea") == [1]
