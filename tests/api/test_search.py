"""Search over what was said: who finds what, and when."""

import asyncio
from typing import Any

import pytest
from tests.api.cast import (
    NO_CONVERSATION,
    NOT_GRANTED,
    blamed,
    conversation,
    entrance,
    joined,
    refusal,
    say,
    stranger,
    text,
)
from tests.api.conftest import Play

from tertulia.model.errors import SearchMissing, Unavailable
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.indexing import TextChanges
from tertulia.model.words import terms_of
from tertulia.ports.cluster import Alone
from tertulia.ports.search import Line, TextQuery
from tertulia.services import search
from tertulia.services.search import Indexer
from tertulia.store.memory_search import MemorySearch
from tertulia.testing.world import Answer, World

SEARCH = "/tertulia/v1/search"
TEA = TextQuery(ApplicationId("application-1"), terms_of("tea"))
OLDER = "/v0.3/conversations/CON-1/events"


async def asked(world: World, query: str, **how: Any) -> Answer:
    await world.hub.services.indexer.catch_up()
    return await world.call("GET", f"{SEARCH}?{query}", **how)


async def found(world: World, query: str, **how: Any) -> list[tuple[str, int]]:
    answer = await asked(world, query, **how)
    assert answer.status == 200, answer.json
    return [(each["conversation_id"], each["event"]["id"]) for each in answer.json["results"]]


async def rooms(world: World) -> None:
    """Alice is in CON-1 and CON-2, bob in CON-1, carol is invited to CON-1, eve is in CON-3."""
    for _ in range(3):
        await conversation(world)
    await joined(world, "CON-1", "alice")
    await joined(world, "CON-1", "bob")
    await joined(world, "CON-1", "carol", state="invited")
    await world.call("POST", "/v1/conversations/CON-2/members", entrance("alice"))
    await joined(world, "CON-3", "eve")


async def post(world: World, name: str, body: dict[str, Any], sender: str = "MEM-1") -> Answer:
    answer = await world.call("POST", OLDER, {"type": name, "body": body, "from": sender})
    assert answer.status == 201, answer.json
    return answer


def test_members_find_what_was_said_where_they_are(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-1", "Tea at five?")
        await say(world, "CON-2", "MEM-4", "More TEA")
        await say(world, "CON-3", "MEM-5", "no tea here")
        everything = [("CON-3", 2), ("CON-2", 2), ("CON-1", 4)]
        for by, expected in (
            (None, everything), ("alice", everything[1:]), ("bob", everything[2:]),
            ("carol", []), ("eve", everything[:1]),
        ):  # fmt: skip
            assert await found(world, "q=tea", user=by) == expected, by
        assert await found(world, "q=tea&conversation_id=CON-1", user="alice") == [("CON-1", 4)]
        assert await found(world, "q=tea&conversation_id=CON-2") == [("CON-2", 2)]
        foreign = (await stranger(world)).token()
        assert await found(world, "q=tea", token=foreign) == []
        for by, where, expected_refusal in (
            ("eve", "CON-1", (404, NO_CONVERSATION)), ("alice", "CON-9", (404, NO_CONVERSATION)),
            ("carol", "CON-1", (403, NOT_GRANTED)),
        ):  # fmt: skip
            answer = await asked(world, f"q=tea&conversation_id={where}", user=by)
            assert refusal(answer) == expected_refusal

    play(scenario)


def test_who_leaves_finds_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-2", "tea")
        assert await found(world, "q=tea", user="bob") == [("CON-1", 4)]
        members = "/v1/conversations/CON-1/members"
        await world.call("PATCH", f"{members}/MEM-2", {"state": "left"})
        assert await found(world, "q=tea", user="bob") == []
        answer = await asked(world, "q=tea&conversation_id=CON-1", user="bob")
        assert refusal(answer) == (403, NOT_GRANTED)
        await world.call("POST", members, entrance("bob"))
        assert await found(world, "q=tea", user="bob") == [("CON-1", 4)]

    play(scenario)


def test_a_result_is_the_event_and_a_piece_of_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-1", "Où est le café ?")
        answer = await asked(world, "q=cafe", user="bob")
        (result,) = answer.json["results"]
        assert result["event"] == (await world.call("GET", f"{OLDER}/4")).json
        assert result["snippet"] == {"text": "Où est le café ?", "marks": [[10, 14]]}
        assert answer.json["cursor"] is None

    play(scenario)


@pytest.mark.parametrize("name, body, words", [
    ("message", {"message_type": "text", "text": "needle"}, "needle"),
    ("message", {"message_type": "image", "image": {"url": "https://h/a", "caption": "needle"}},
     "needle"),
    ("message", {"message_type": "vcard", "vcard": {"url": "https://h/a"},
                 "image": {"url": "https://h/a", "caption": "needle"}}, "needle"),
    ("message", {"message_type": "location", "location": {
        "longitude": 1, "latitude": 2, "name": "Needle", "address": "1 Park"}}, "needle park"),
    ("message", {"message_type": "template", "template": {"name": "needle"},
                 "whatsapp": {"policy": "p", "locale": "en"}}, "needle"),
    ("text", {"text": "needle"}, "needle"),
])  # fmt: skip
def test_words_of_every_message_are_found(
    play: Play, name: str, body: dict[str, Any], words: str
) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await post(world, name, body)
        assert await found(world, f"q={words.replace(' ', '+')}") == [("CON-1", 4)]
        await world.call("DELETE", f"{OLDER}/4")
        assert await found(world, "q=needle") == []

    play(scenario)


@pytest.mark.parametrize("name, body", [
    ("custom:a", {"text": "needle"}), ("ephemeral", {"text": "needle"}),
    ("message", {"message_type": "custom", "custom": {"text": "needle"}}),
    ("message", {"message_type": "file", "file": {"url": "https://h/needle"}}),
    ("audio:say", {"text": "needle", "level": 0, "loop": 1}),
])  # fmt: skip
def test_other_words_are_not(play: Play, name: str, body: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        path = "/v1/conversations/CON-1/events"
        assert (await world.call("POST", path, {"type": name, "body": body})).status == 201
        assert await found(world, "q=needle") == []

    play(scenario)


def test_newest_words_count(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-1", "tea")
        await post(world, "text", {"text": "coffee"})
        await post(world, "custom:tertulia:edit", {"event_id": 4, "text": "milk"})
        await post(world, "text:update", {"original_event_id": 5, "text": "water"})
        await post(world, "text:update", {"original_event_id": 5, "text": "poison"}, "MEM-2")
        for word, expected in (
            ("tea", []), ("milk", [("CON-1", 4)]), ("coffee", []), ("water", [("CON-1", 5)]),
            ("poison", []),
        ):  # fmt: skip
            assert await found(world, f"q={word}") == expected, word
        (result,) = (await asked(world, "q=milk")).json["results"]
        assert (result["event"]["body"]["text"], result["snippet"]["text"]) == ("tea", "milk")
        await world.call("DELETE", f"{OLDER}/4")
        assert await found(world, "q=milk") == []

    play(scenario)


def test_what_is_gone_is_not_found_even_before_the_index_knows(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-1", "tea")
        await say(world, "CON-2", "MEM-4", "tea")
        assert len(await found(world, "q=tea")) == 2
        await world.call("DELETE", f"{OLDER}/4")
        await world.call("DELETE", "/v1/conversations/CON-2")
        for by in (None, "alice"):
            answer = await world.call("GET", f"{SEARCH}?q=tea", user=by)
            assert answer.json == {"results": [], "cursor": None}
        assert await found(world, "q=tea") == []

    play(scenario)


def test_pages_lead_back_in_time(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        for number in range(7):
            await say(world, f"CON-{1 + number % 2}", None, f"tea {number}")
        seen, cursor = [], ""
        while True:
            query = f"q=tea&page_size=3{f'&cursor={cursor}' if cursor else ''}"
            answer = await asked(world, query, user="alice")
            seen += [each["event"]["body"]["text"] for each in answer.json["results"]]
            cursor = answer.json["cursor"]
            if not cursor:
                break
            await say(world, "CON-1", None, "tea meanwhile")
        assert seen == [f"tea {number}" for number in range(6, -1, -1)]

    play(scenario)


def test_a_new_log_is_indexed_from_its_beginning(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        await say(world, "CON-1", "MEM-1", "tea")
        assert await found(world, "q=tea") == [("CON-1", 4)]
        await world.search.begin("another", await world.store.head())
        assert (await world.call("GET", f"{SEARCH}?q=tea")).json["results"] == []
        await Indexer(
            index=world.search, log=world.store, homes=Alone(), monotonic=world.clock.monotonic
        ).catch_up()
        assert (await world.call("GET", f"{SEARCH}?q=tea")).json["results"] != []

    play(scenario)


@pytest.mark.parametrize("query, blame", [
    ("", "q"), ("q=", "q"), ("q=!!!", "q"), ('q=""', "q"), ("q=*", "q"), ("q=" + 201 * "a", "q"),
    ("q=a&page_size=0", "page_size"), ("q=a&page_size=101", "page_size"),
])  # fmt: skip
def test_what_cannot_be_asked(play: Play, query: str, blame: str) -> None:
    async def scenario(world: World) -> None:
        assert blamed(await asked(world, query)) == blame

    play(scenario)


def test_cursors_are_of_this_list(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        for cursor in ("x", "!!", "WyJldmVudHMiLGZhbHNlLFsxXV0="):
            answer = await asked(world, f"q=tea&cursor={cursor}")
            assert refusal(answer) == (400, "paginator-builder:error:invalid-cursor")

    play(scenario)


def test_a_token_has_to_grant_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        await rooms(world)
        token = world.token("alice", acl={"paths": {"/*/conversations/**": {}}})
        assert refusal(await asked(world, "q=tea", token=token)) == (403, NOT_GRANTED)
        token = world.token("alice", acl={"paths": {SEARCH: {}}})
        assert (await asked(world, "q=tea", token=token)).status == 200
        assert (await world.call("POST", OLDER, text("Hi"), token=token)).status == 403

    play(scenario)


class Broken(MemorySearch):
    """Refuses to begin with what it is given, then works."""

    def __init__(self, *refusals: Exception) -> None:
        super().__init__()
        self._refusals = list(refusals)
        self.caught_up = asyncio.Event()

    async def begin(self, epoch: str, head: Position, line: Line = None) -> Position:
        if self._refusals:
            raise self._refusals.pop()
        return await super().begin(epoch, head, line)

    async def write(self, changes: TextChanges, upto: Position, line: Line = None) -> None:
        await super().write(changes, upto, line)
        self.caught_up.set()


def test_the_index_follows_the_log(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAUSE", 0.0)
    monkeypatch.setattr(search, "RETRY", 0.0)
    monkeypatch.setattr(search, "BATCH", 2)

    async def scenario(world: World) -> None:
        index = Broken(Unavailable(), Unavailable())
        following = asyncio.create_task(
            Indexer(
                index=index, log=world.store, homes=Alone(), monotonic=world.clock.monotonic
            ).run()
        )
        await rooms(world)
        for number in range(5):
            index.caught_up.clear()
            await say(world, "CON-1", "MEM-1", f"tea {number}")
            async with asyncio.timeout(5):
                while len(await index.find(TEA)) <= number:
                    await index.caught_up.wait()
                    index.caught_up.clear()
        following.cancel()
        await asyncio.wait([following])

    play(scenario)


def test_a_host_that_cannot_search_says_so_once(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        await Indexer(
            index=Broken(SearchMissing()),
            log=world.store,
            homes=Alone(),
            monotonic=world.clock.monotonic,
        ).run()

    play(scenario)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
