"""A session that comes back is told exactly what it did not acknowledge (wire-clients 1.5)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.cast import entrance, say
from tests.live.conftest import Play
from tests.live.test_delivery import arrived, room
from tests.live.visitor import BASE, TYPED, Client, Told, names, settle

from tertulia.live import catchup
from tertulia.live.session import Session
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import Dialect, SessionRecord
from tertulia.store.session_ledger import MemorySessionLedger
from tertulia.testing.world import World


@pytest.fixture(autouse=True, params=["from memory", "from the store"])
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "from the store":
        monkeypatch.setattr(catchup, "NEAR", -1)


async def enter(world: World, user: str, query: dict[str, str] | None = None) -> tuple[Client, str]:
    client = await Client(world).connect(user, query=query or {})
    (success,) = client.hear()
    return client, success.payload["body"]["id"]


async def resume(world: World, user: str, session_id: str) -> tuple[Client, Told]:
    """As a published client reconnects: only the id of the session is told again."""
    await settle()
    client = Client(world)
    told = {name: "" for name in BASE if name not in ("EIO", "transport")}
    await client.connect(user, query={**told, "session_id": session_id})
    success, *_ = client.told()
    assert success.name == "session:success"
    return client, success


def pending(success: Told) -> list[str]:
    return [
        event["body"].get("text", event["type"])
        for event in success.payload["body"].get("pending_events", [])
    ]


def test_what_was_missed_is_pending_once_and_in_order(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        await say(world, cid, alice, "heard")
        await settle()
        bob.hear()
        bob.lose()
        for words in ("one", "two", "three"):
            await say(world, cid, alice, words)
        again, success = await resume(world, "bob", session_id)
        assert success.payload["body"]["id"] == session_id
        assert pending(success) == ["one", "two", "three"]
        assert [event["type"] for event in success.payload["body"]["pending_events"]] == [
            "message", "message", "message",
        ]  # fmt: skip
        again.acknowledge(success)
        await say(world, cid, alice, "four")
        await settle()
        assert [each.payload["body"]["text"] for each in again.hear()] == ["four"]
        again.lose()
        _, success = await resume(world, "bob", session_id)
        assert pending(success) == []

    play(scenario)


def test_what_was_told_but_not_acknowledged_is_pending(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        for words in ("one", "two", "three", "four"):
            await say(world, cid, alice, words)
        await settle()
        told = bob.told()
        bob.acknowledge(told[0], told[1])
        bob.lose()
        again, success = await resume(world, "bob", session_id)
        assert pending(success) == ["three", "four"]
        again.lose()  # before it has acknowledged the greeting, which is all it got
        _, success = await resume(world, "bob", session_id)
        assert pending(success) == ["three", "four"]

    play(scenario)


def test_the_kind_of_client_is_remembered(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob", TYPED)
        bob.lose()
        path = f"/v0.3/conversations/{cid}/events"
        draft = {"type": "text", "from": alice, "body": {"text": "old"}}
        await world.call("POST", path, draft, user="alice")
        await say(world, cid, alice, "new")
        gone = await say(world, cid, alice, "gone")
        await world.call("DELETE", f"{path}/{gone['id']}")
        again, success = await resume(world, "bob", session_id)
        assert pending(success) == ["new", "event:delete"]
        again.acknowledge(success)
        await world.call("POST", path, draft, user="alice")
        await settle()
        assert again.told() == []

    play(scenario)


def test_only_what_the_user_was_a_member_for_is_pending(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice,) = await room(world, "alice")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        path = f"/v0.3/conversations/{cid}/members"
        invited = (await world.call("POST", path, entrance("bob", "invited"))).json["id"]
        await say(world, cid, alice, "not for bob")
        await world.call("PATCH", f"{path}/{invited}", {"state": "joined"})
        await say(world, cid, alice, "for bob")
        await world.call("PATCH", f"{path}/{invited}", {"state": "left"})
        await say(world, cid, alice, "no more for bob")
        _, success = await resume(world, "bob", session_id)
        assert pending(success) == ["member:invited", "member:joined", "for bob", "member:left"]

    play(scenario)


def test_more_than_a_page_is_told_in_the_greeting_and_after_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "PAGE", 3)
    monkeypatch.setattr(catchup, "NEAR", -1)

    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        for number in range(8):
            await say(world, cid, alice, str(number))
        await settle()
        again = await Client(world).connect("bob", query={"session_id": session_id})
        success, *rest = again.told()
        assert pending(success) == ["0", "1", "2"]
        assert [each.payload["body"]["text"] for each in rest] == ["3", "4", "5", "6", "7"]
        again.acknowledge(success, *rest)
        await say(world, cid, alice, "live")
        await settle()
        assert [each.payload["body"]["text"] for each in again.told()] == ["live"]

    play(scenario)


def test_a_connection_that_hangs_is_taken_over(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        again, success = await resume(world, "bob", session_id)
        assert success.payload["body"]["id"] == session_id
        assert bob.wire.was_aborted
        again.acknowledge(success)
        bob.lose()
        await say(world, cid, alice, "hello")
        await settle()
        assert names(again.hear()) == ["message"]
        assert bob.told() == []

    play(scenario)


def test_who_is_away_too_long_begins_anew(play: Play) -> None:
    async def scenario(world: World) -> None:
        bob, session_id = await enter(world, "bob")
        bob.lose()
        world.clock.advance(59)
        world.hub.live.doorway.sweep()
        again, success = await resume(world, "bob", session_id)
        assert success.payload["body"]["id"] == session_id
        again.lose()
        world.clock.advance(61)
        world.hub.live.doorway.sweep()
        _, success = await resume(world, "bob", session_id)
        assert success.payload["body"]["id"] != session_id

    play(scenario, resume_window_s=60)


def test_no_more_sessions_of_a_user_wait_than_may_be_connected(play: Play) -> None:
    async def scenario(world: World) -> None:
        ids = []
        for _ in range(4):
            client, session_id = await enter(world, "bob")
            client.lose()
            ids.append(session_id)
        assert world.hub.live.sessions.away == 3
        for session_id, is_known in zip(ids, [False, True, True, True], strict=True):
            client, success = await resume(world, "bob", session_id)
            assert (success.payload["body"]["id"] == session_id) is is_known
            client.say("session:logout", {"tid": "t", "body": {}})

    play(scenario, per_user=3)


def test_an_expired_token_ends_the_connection_but_not_the_session(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        world.clock.advance(901)
        world.hub.live.doorway.sweep()
        assert [type(each).__name__ for each in bob.packets()] == ["Disconnect"]
        assert not bob.wire.is_open
        await say(world, cid, alice, "missed")
        _, success = await resume(world, "bob", session_id)
        assert pending(success) == ["missed"]

    play(scenario)


@pytest.mark.parametrize("edition", ["v0.2", "v0.3"])
def test_a_new_token_keeps_the_session_going(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        bob, session_id = await enter(world, "bob")
        world.clock.advance(800)
        path = f"/{edition}/sessions/{session_id}"
        renewed = await world.call("PUT", path, b'""', user="bob")
        assert (renewed.status, renewed.json) == (200, {"session_id": session_id})
        assert (await world.call("PUT", path, user="nobody")).status == 401
        await enter(world, "carol")
        assert (await world.call("PUT", path, user="carol")).status == 404
        assert (await world.call("PUT", path)).status == 403
        world.clock.advance(200)
        world.hub.live.doorway.sweep()
        bob.packets()
        assert bob.wire.is_open

    play(scenario)


def test_a_slow_session_is_cut_and_resumes(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (other,) = await arrived(world, "alice")
        bob, session_id = await enter(world, "bob")
        for number in range(150):
            await say(world, cid, alice, str(number))
            await settle()
            other.hear()
        assert bob.wire.was_aborted
        assert other.wire.is_open
        _, success = await resume(world, "bob", session_id)
        assert pending(success) == [str(number) for number in range(150)]
        stalled, session_id = await enter(world, "bob")
        stalled.stall()
        await settle()
        assert stalled.wire.was_aborted

    play(scenario, outstanding=100)


def record(*, acknowledges: bool = True) -> SessionRecord:
    return SessionRecord(
        SessionId("SES-1"), ApplicationId("a"), UserId("USR-1"), Dialect.OPEN, "", acknowledges,
        Instant(0),
    )  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 7))
def test_acknowledged_means_all_before_it_is(numbers: list[int], size: int) -> None:
    """In any order, with repeats and inventions, in any grouping."""
    ledger = MemorySessionLedger()
    place = ledger.open(record(), Position(0))
    session = Session(record(), "bob", ledger, place, Position(0))
    sent = [Position(number) for number in range(2, 30, 3)]
    session.owe(list(sent))
    got: set[int] = set()
    unknown = 0
    for at in range(0, len(numbers), size):
        unknown += session.acknowledge(numbers[at : at + size])
        got.update(numbers[at : at + size])
        missing = [position for position in sent if position not in got]
        before = [position for position in sent if not missing or position < missing[0]]
        assert session.acknowledged == (before[-1] if before else 0)
        assert ledger.load()[0].acknowledged == session.acknowledged
    assert unknown >= len([number for number in numbers if number not in sent])
