"""The stream for back ends: long poll and Server-Sent Events, resumed at any position."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from tests.api.cast import (
    NO_CONVERSATION,
    NOT_GRANTED,
    blamed,
    conversation,
    history,
    joined,
    refusal,
    say,
    text,
    user,
)
from tests.api.catalogue import BODIES
from tests.api.conftest import SETTINGS, Scenario
from tests.dispatch import virtual

from tertulia.app.outside import Store
from tertulia.dispatch.envelope import envelope
from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.ports import Stretch
from tertulia.protocols.http1 import Streamed
from tertulia.settings import Settings
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import Answer, World, with_limits
from tertulia.web.rest.stream import KEEP_ALIVE_SECONDS

STREAM = "/tertulia/v1/events"
BAD_CURSOR = (400, "paginator-builder:error:invalid-cursor")
TYPING = {"type": "text:typing:on", "from": "MEM-1", "body": {}}


class Play:
    """Runs a scenario in virtual time, then folds the log and compares."""

    def __init__(self, keys: tuple[str, str]) -> None:
        self._keys = keys

    def __call__(
        self, scenario: Scenario, settings: Settings = SETTINGS, store: Store | None = None
    ) -> None:
        async def whole() -> None:
            world = await World.open(keys=self._keys, settings=settings, store=store)
            await scenario(world)
            await world.check_replay()

        virtual.run(whole())


@pytest.fixture
def play(keys: tuple[str, str]) -> Play:
    return Play(keys)


class BrokenStore(MemoryStore):
    """Cannot be followed for a while."""

    is_broken = False

    def tail(
        self, after: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        return None if self.is_broken else super().tail(after, application_id)

    def attended(self, after: Position) -> Stretch | None:
        return None if self.is_broken else super().attended(after)

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        if self.is_broken:
            raise Unavailable
        return await super().follow(after, application_id=application_id, limit=limit)


class ForgetfulStore(MemoryStore):
    """Has no more than the newest events at hand."""

    def tail(
        self, after: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        recent = super().tail(after, application_id) or []
        return recent if len(recent) <= 3 else None

    def attended(self, after: Position) -> Stretch | None:
        recent = super().attended(after)
        return recent if recent is not None and len(recent.events) <= 3 else None


class Frame(NamedTuple):
    """One block of Server-Sent Events."""

    id: int | None
    type: str
    data: bytes


class Stream:
    def __init__(self, answer: Streamed) -> None:
        self.answer = answer
        self._read = b""

    async def block(self) -> bytes:
        """Up to the next empty line; empty at the end."""
        while b"\n\n" not in self._read:
            try:
                self._read += await anext(self.answer.pieces)
            except StopAsyncIteration:
                return b""
        block, _, self._read = self._read.partition(b"\n\n")
        return block

    async def frame(self) -> Frame:
        lines = (await self.block()).split(b"\n")
        fields = dict(line.split(b": ", 1) for line in lines)
        assert set(fields) <= {b"id", b"event", b"data"}
        number = int(fields[b"id"]) if b"id" in fields else None
        return Frame(number, fields[b"event"].decode(), fields[b"data"])

    async def frames(self, count: int) -> list[Frame]:
        return [await self.frame() for _ in range(count)]


@asynccontextmanager
async def stream(world: World, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    """Open, with its first block read."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await world.respond(
        "GET", f"{STREAM}?{query}", headers={"accept": "text/event-stream", **given}
    )
    assert isinstance(answer, Streamed), answer
    opened = Stream(answer)
    try:
        assert (await opened.block()).startswith(b"retry: 1000\nid: ")
        yield opened
    finally:
        await answer.pieces.aclose()


async def poll(world: World, query: str = "", **how: Any) -> Answer:
    return await world.call("GET", f"{STREAM}?{query}", **how)


async def other_token(world: World) -> str:
    """Of another application, made without threads: they know no virtual time."""
    other = replace(world.application, id=ApplicationId("application-2"))
    await world.store.put_application(other)
    return world.token(application_id=other.id)


async def log(world: World) -> list[Event]:
    """All events of the application, as webhooks get them now."""
    return await world.store.follow(Position(0), application_id=world.application.id)


async def room(world: World) -> None:
    """CON-1 with alice (MEM-1) in it."""
    await conversation(world)
    await joined(world, "CON-1", "alice")


# --- what is sent ---


def test_each_event_is_what_the_webhook_says(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        gone = await say(world, "CON-1", "MEM-1", "gone soon")
        await say(world, "CON-1", "MEM-1", "Mañana\n\u2028")
        await world.call("DELETE", f"/v1/conversations/CON-1/events/{gone['id']}")
        await world.call("DELETE", "/v1/conversations/CON-1")
        events = await log(world)
        types = [event.type for event in events]
        assert (types[0], types[-1]) == ("conversation:created", "conversation:deleted")
        assert b'"deleted":"2026' in envelope(events[types.index("message")])
        async with stream(world, "after=0") as opened:
            frames = await opened.frames(len(events))
        assert [frame.data for frame in frames] == [envelope(event) for event in events]
        assert [frame.id for frame in frames] == [event.position for event in events]
        assert [frame.type for frame in frames] == types
        answer = await poll(world, "after=0")
        listed = b",".join(envelope(event) for event in events)
        assert answer.raw.endswith(b'"events":[' + listed + b"]}")
        assert answer.json["position"] == events[-1].position

    play(scenario)


def test_a_deletion_is_seen_by_who_comes_later(play: Play) -> None:
    """Memory has the words still; they are not for those who did not read them in time."""

    async def scenario(world: World) -> None:
        await room(world)
        async with stream(world) as opened:
            gone = await say(world, "CON-1", "MEM-1", "secret")
            await world.call("DELETE", f"/v1/conversations/CON-1/events/{gone['id']}")
            first, second = await opened.frames(2)
            assert json.loads(first.data)["body"].keys() == {"timestamp"}
            assert second.type == "event:delete"

    play(scenario)


def test_what_the_answer_says_of_itself(play: Play) -> None:
    async def scenario(world: World) -> None:
        expected = {
            "Tertulia-Epoch": world.store.epoch, "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After, Tertulia-Epoch",
        }  # fmt: skip
        answer = await poll(world)
        assert (answer.status, answer.headers) == (200, expected)
        assert answer.json == {"epoch": world.store.epoch, "position": 0, "events": []}
        async with stream(world) as opened:
            assert (opened.answer.status, opened.answer.content_type) == (200, "text/event-stream")
            assert dict(opened.answer.headers).items() > expected.items()
            assert dict(opened.answer.headers)["Cache-Control"] == "no-store"

    play(scenario)


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
def test_json_is_for_who_does_not_ask_for_a_stream(play: Play, accept: str) -> None:
    async def scenario(world: World) -> None:
        answer = await poll(world, "after=0", headers={"accept": accept})
        assert answer.json["events"] == []

    play(scenario)


def test_another_address_makes_no_streams(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("GET", "/v1/users", headers={"accept": "text/event-stream"})
        assert answer.status == 406

    play(scenario)


# --- who may ---


def test_it_is_the_application_s(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        answer = await poll(world, user="alice")
        assert refusal(answer) == (403, NOT_GRANTED)
        assert "no sub" in answer.json["detail"]
        token = world.token(acl={"paths": {"/v1/**": {}}})
        assert refusal(await poll(world, token=token)) == (403, NOT_GRANTED)
        token = world.token(acl={"paths": {"/tertulia/v1/events": {"methods": ["GET"]}}})
        assert (await poll(world, token=token)).status == 200

    play(scenario)


def test_nothing_of_other_applications(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await other_token(world)
        async with stream(world) as opened:
            answer = await world.call("POST", "/v1/conversations", {}, token=other)
            foreign = answer.json["id"]
            mine = await conversation(world)
            assert json.loads((await opened.frame()).data)["body"]["id"] == mine["id"]
        assert len((await poll(world, "after=0")).json["events"]) == 1
        for unknown in (foreign, "CON-none"):
            answer = await poll(world, f"conversation_id={unknown}")
            assert refusal(answer) == (404, NO_CONVERSATION)

    play(scenario)


def test_a_stream_ends_with_its_token(play: Play) -> None:
    async def scenario(world: World) -> None:
        async with stream(world) as opened:
            waiting = asyncio.create_task(opened.block())
            await asyncio.sleep(KEEP_ALIVE_SECONDS * 2.5)
            assert (await waiting).startswith(b":\n")
            world.clock.advance(901)
            assert (await opened.block(), await opened.block())[1] == b""

    play(scenario)


# --- from where ---


@pytest.mark.parametrize("store", [MemoryStore, ForgetfulStore])
@pytest.mark.parametrize("scope", ["", "&conversation_id=CON-1"])
def test_resuming_misses_and_repeats_nothing(
    play: Play, store: type[MemoryStore], scope: str
) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for number in range(20):
            await say(world, "CON-1", "MEM-1", str(number))
        expected = [event.position for event in await log(world) if event.id or not scope]
        for position in expected:
            answer = await poll(world, f"after={position}&limit=3{scope}")
            rest = [at for at in expected if at > position]
            assert answer.json["position"] == ([position, *rest][: 3 + 1])[-1]
            async with stream(world, f"after=0{scope}", last_event_id=str(position)) as opened:
                assert [frame.id for frame in await opened.frames(len(rest))] == rest

    play(scenario, store=store())


def test_pages_lead_to_each_other(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for number in range(10):
            await say(world, "CON-1", "MEM-1", str(number))
        for query in ("", "&conversation_id=CON-1", "&types=message", "&types=message,event:delete"
                      "&conversation_id=CON-1"):  # fmt: skip
            whole = (await poll(world, f"after=0&limit=500{query}")).json
            position, found = 0, []
            while (page := (await poll(world, f"after={position}&limit=3{query}")).json)["events"]:
                assert len(page["events"]) <= 3
                position = page["position"]
                found += page["events"]
            assert found == whole["events"]
            assert len(found) >= 10

    play(scenario)


def test_from_now_on_is_the_default(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for query in ("", "after=now"):
            newest = (await poll(world, query)).json
            assert newest["events"] == []
            async with stream(world, query) as opened:
                told = await say(world, "CON-1", "MEM-1", "now")
                assert json.loads((await opened.frame()).data)["id"] == told["id"]
            answer = (await poll(world, f"after={newest['position']}")).json
            assert [event["id"] for event in answer["events"]] == [told["id"]]

    play(scenario)


def test_who_is_cut_before_the_first_event_can_resume(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        answer = await world.respond("GET", STREAM, headers={"accept": "text/event-stream"})
        assert isinstance(answer, Streamed)
        first = await anext(answer.pieces)
        await answer.pieces.aclose()
        assert first == b"retry: 1000\nid: %d\n\n" % (await world.store.head())

    play(scenario)


@pytest.mark.parametrize("query", ["after=1", "after=999999999999999"])
def test_a_position_that_was_never_reached_is_refused(play: Play, query: str) -> None:
    async def scenario(world: World) -> None:
        assert refusal(await poll(world, query)) == BAD_CURSOR
        accept = {"accept": "text/event-stream"}
        assert refusal(await poll(world, query, headers=accept)) == BAD_CURSOR

    play(scenario)


@pytest.mark.parametrize("last", ["now", "-1", "x", "1e3", "²", "9" * 16, "1"])
def test_a_wrong_last_event_id_is_refused(play: Play, last: str) -> None:
    async def scenario(world: World) -> None:
        answer = await poll(world, "after=0", headers={"last-event-id": last})
        assert refusal(answer) == BAD_CURSOR

    play(scenario)


@pytest.mark.parametrize(
    "query, name",
    [("after=-1", "after"), ("after=x", "after"), ("after=", "after"), ("wait=61", "wait"),
     ("wait=-1", "wait"), ("limit=0", "limit"), ("limit=501", "limit"),
     ("types=" + "a," * 51, "types"), ("conversation_id=" + "a" * 101, "conversation_id")],
)  # fmt: skip
def test_a_wrong_query_is_blamed(play: Play, query: str, name: str) -> None:
    async def scenario(world: World) -> None:
        assert blamed(await poll(world, query)) == name

    play(scenario)


def test_a_position_means_something_in_its_epoch_only(play: Play) -> None:
    async def scenario(world: World) -> None:
        epoch = world.store.epoch
        assert (await poll(world, f"epoch={epoch}&after=0")).status == 200
        answer = await poll(world, "epoch=another&after=7")
        assert refusal(answer) == (409, "stream:error:epoch-over")
        assert answer.headers["Tertulia-Epoch"] == epoch

    play(scenario)


# --- what of it ---


def test_one_conversation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await conversation(world)
        await joined(world, "CON-2", "bob")
        for number in range(9):
            await say(world, f"CON-{1 + number % 2}", f"MEM-{1 + number % 2}", str(number))
        expected = [event for event in await log(world) if event.conversation_id == "CON-2"]
        positions = [event.position for event in expected]
        for after in range(await world.store.head() + 1):
            answer = await poll(world, f"conversation_id=CON-2&after={after}")
            behind = [event for event in expected if event.position > after]
            assert len(answer.json["events"]) == len(behind)
        async with stream(world, "conversation_id=CON-2&after=0") as opened:
            assert [frame.id for frame in await opened.frames(len(expected))] == positions
            await say(world, "CON-1", "MEM-1", "elsewhere")
            told = await say(world, "CON-2", "MEM-2", "here")
            assert json.loads((await opened.frame()).data)["id"] == told["id"]
        assert len(await history(world, "CON-2")) == len(expected) + 1

    play(scenario)


@pytest.mark.parametrize("scope", ["", "&conversation_id=CON-1"])
def test_some_types(play: Play, scope: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        bodies = {"message": text("x")["body"], "audio:say": BODIES["audio:say"]}
        for type_ in ("message", "custom:a", "custom:b", "audio:say", "custom:a"):
            draft = {"type": type_, "from": "MEM-1", "body": bodies.get(type_, {})}
            made = await world.call("POST", "/v1/conversations/CON-1/events", draft)
            assert made.status == 201, made.json
        for wanted, expected in (
            ("message", ["message"]), ("custom:a", ["custom:a"] * 2), ("none", []),
            ("custom:*", ["custom:a", "custom:b", "custom:a"]),
            ("message, audio:say", ["message", "audio:say"]),
        ):  # fmt: skip
            query = f"after=0&types={wanted.replace(' ', '%20')}{scope}"
            answer = (await poll(world, query)).json
            assert [event["type"] for event in answer["events"]] == expected
            async with stream(world, query) as opened:
                frames = await opened.frames(len(expected))
                assert [frame.type for frame in frames] == expected

    play(scenario)


def test_what_is_not_kept_is_sent_live_and_without_an_id(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        path = "/v0.3/conversations/CON-1/events"
        async with stream(world) as opened, stream(world, "conversation_id=CON-1") as of_room:
            await world.call("POST", path, TYPING)
            for each in (opened, of_room):
                frame = await each.frame()
                assert (frame.id, frame.type) == (None, "text:typing:on")
                assert frame.data == envelope(world.announced[0])
            before = (await poll(world)).json["position"]
            waiting = asyncio.create_task(poll(world, "wait=10"))
            await asyncio.sleep(1)
            await world.call("POST", path, TYPING)
            assert (await waiting).json["events"] == []
            assert (await poll(world)).json["position"] == before
            assert (await opened.frame()).type == "text:typing:on"
            for _ in range(100):
                await world.call("POST", path, TYPING)
            told = await say(world, "CON-1", "MEM-1", "typed")
            frames = await opened.frames(65)
            assert json.loads(frames[0].data)["id"] == told["id"]
            assert {frame.type for frame in frames[1:]} == {"text:typing:on"}, "64, the newest"

    play(scenario)


# --- waiting ---


def test_a_poll_waits_for_the_first_event(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(poll(world, "wait=30"))
        await asyncio.sleep(7)
        assert not waiting.done()
        told = await say(world, "CON-1", "MEM-1", "at last")
        assert [event["id"] for event in (await waiting).json["events"]] == [told["id"]]
        assert asyncio.get_running_loop().time() - began == pytest.approx(7, abs=0.1)

    play(scenario)


def test_a_poll_that_meets_nothing_says_where_to_go_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(poll(world, "after=0&wait=30&types=custom:c"))
        await asyncio.sleep(7)
        await say(world, "CON-1", "MEM-1", "not wanted")
        answer = (await waiting).json
        assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.1)
        assert answer["events"] == []
        assert answer["position"] == await world.store.head()

    play(scenario)


def test_a_quiet_stream_says_that_it_lives_and_how_far_it_is(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        async with stream(world, "types=custom:c") as opened:
            began = asyncio.get_running_loop().time()
            await say(world, "CON-1", "MEM-1", "not wanted")
            for count in range(1, 4):
                assert await opened.block() == b":\nid: %d" % await world.store.head()
                passed = asyncio.get_running_loop().time() - began
                assert passed == pytest.approx(15 * count, abs=0.1)

    play(scenario)


def test_nothing_is_lost_to_a_slow_reader(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        async with stream(world, "types=message") as opened:
            numbers = []
            for number in range(250):
                told = await say(world, "CON-1", "MEM-1", str(number))
                numbers.append(told["id"])
            frames = await opened.frames(250)
            assert [json.loads(frame.data)["id"] for frame in frames] == numbers

    play(scenario)


def test_pieces_are_bounded(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for _ in range(40):
            await say(world, "CON-1", "MEM-1", "x" * 20_000)
        async with stream(world, "after=0") as opened:
            sizes = [len(await anext(opened.answer.pieces)) for _ in range(10)]
            assert max(sizes) < 90_000

    play(scenario)


def test_streams_are_counted_by_application(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await other_token(world)
        async with stream(world), stream(world):
            refused = await poll(world, headers={"accept": "text/event-stream"})
            assert refusal(refused) == (429, "http:error:too-many-requests")
            assert int(refused.headers["Retry-After"]) > 0
            assert (await poll(world, "after=0&wait=9")).status == 429
            assert (await poll(world, token=other)).status == 200
        for _ in range(5):
            async with stream(world):
                assert (await poll(world)).status == 200

    play(scenario, with_limits(SETTINGS, streams=2))


def test_the_end_of_the_server_ends_all_waiting(play: Play) -> None:
    async def scenario(world: World) -> None:
        async with stream(world) as opened:
            waiting = asyncio.create_task(poll(world, "wait=60"))
            streaming = asyncio.create_task(opened.block())
            await asyncio.sleep(1)
            world.hub.services.following.end()
            assert (await waiting).json["events"] == []
            assert await streaming == b""

    play(scenario)


def test_a_store_that_fails_ends_a_stream(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        async with stream(world) as opened:
            assert isinstance(world.store, BrokenStore)
            world.store.is_broken = True
            await say(world, "CON-1", "MEM-1", "not readable now")
            assert await opened.block() == b""
            world.store.is_broken = False

    play(scenario, store=BrokenStore())
