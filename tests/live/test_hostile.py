"""What a client should not say ends its own connection, and nobody else's."""

import asyncio
import time

import pytest
from tests.api.cast import say
from tests.live.conftest import Play
from tests.live.test_delivery import arrived, room
from tests.live.test_resume import record
from tests.live.visitor import MASK, Client, handshake, names, settle

from tertulia.live import packets
from tertulia.live.dialect import payload
from tertulia.live.session import Session
from tertulia.live.socket import MESSAGE_MAX, STRIKES_MAX
from tertulia.model.event import Event
from tertulia.model.ids import Position
from tertulia.model.session import SessionsOf
from tertulia.protocols import socketio, websocket
from tertulia.protocols.http1 import HttpError
from tertulia.protocols.websocket import frame, masked_frame
from tertulia.store.session_ledger import MemorySessionLedger
from tertulia.testing.world import World

GIANT = b"\x81\xff" + (1 << 40).to_bytes(8, "big") + MASK


def code(client: Client) -> int | None:
    """What the connection was closed with; None while it is open."""
    client.packets()
    if not client.closed:
        return None
    assert not client.wire.is_open
    return websocket.close_code(client.closed[0].data)[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(b"432[]"), 1002),
        (b"\xf1\x85" + MASK + b"hello", 1002),
        (b"\x83\x80" + MASK, 1002),
        (b"\x01\x80" + MASK + b"\x09\xfe\x01\x00" + MASK, 1002),
        (b"\x80\x80" + MASK, 1002),
        (GIANT, 1009),
        (masked_frame(b"x" * (MESSAGE_MAX + 1), MASK), 1009),
        (masked_frame(b"\xff\xfe", MASK), 1007),
        (masked_frame(b"4", MASK), 1002),
        (masked_frame(b"9", MASK), 1002),
        (masked_frame(b'451-["x",{"_placeholder":true,"num":0}]', MASK), 1002),
        (masked_frame(b'42["session:logout"', MASK), 1002),
        (masked_frame(b"42" + b"[" * 5000, MASK), 1002),
        (masked_frame(b'42/admin,["x",{}]', MASK), 1002),
        (masked_frame(b"43" + b"9" * 40 + b"[]", MASK), 1002),
        (masked_frame(b"binary", MASK, websocket.BINARY), 1003),
        (masked_frame(b"", MASK, websocket.CLOSE), 1000),
        (masked_frame(b"41", MASK), 1000),
        (masked_frame(b"1", MASK), 1000),
    ],
)
def test_a_bad_frame_ends_its_connection_only(play: Play, data: bytes, expected: int) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        good, bad = await arrived(world, "alice", "bob")
        bad.raw(data)
        assert code(bad) == expected
        await say(world, cid, alice, "hello")
        await settle()
        assert names(good.hear()) == ["message"]
        assert bad.told() == []

    play(scenario)


def test_frames_in_pieces_are_read(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (bob,) = await arrived(world, "bob")
        await say(world, cid, alice, "hello")
        await settle()
        (told,) = bob.told()
        for byte in masked_frame(b"43%d[]" % (told.ack or 0), MASK):
            bob.raw(bytes([byte]))
        text = masked_frame(b"3", MASK)
        bob.raw(b"\x01" + masked_frame(b"", MASK)[1:])  # a message in two pieces begins
        bob.raw(b"\x80" + text[1:])
        assert code(bob) is None
        (session,) = world.hub.live.sessions.connected(SessionsOf())
        assert session.outstanding == []

    play(scenario)


def test_a_flood_of_acknowledgements_ends_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        (bob,) = await arrived(world, "bob")
        for _ in range(STRIKES_MAX):
            bob.text(b"4399[]")
        assert code(bob) is None
        bob.text(b"4399[]")
        assert code(bob) == 1008

    play(scenario)


def test_events_that_nobody_asked_for_are_answered_and_counted(play: Play) -> None:
    async def scenario(world: World) -> None:
        (bob,) = await arrived(world, "bob")
        bob.say("conversation:join", {"tid": "t1", "body": {}})
        assert bob.told() == [
            (
                "system:error:invalid-event",
                {"rid": "t1", "body": {"type": "conversation:join"}}, None,
            )
        ]  # fmt: skip
        for _ in range(STRIKES_MAX):
            bob.text(b'42["x",[]]')
        assert code(bob) == 1008

    play(scenario)


def test_who_says_nothing_is_let_go(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice", greet=False)
        doorway = world.hub.live.doorway
        world.clock.advance(9)
        doorway.sweep()
        assert client.wire.is_open
        world.clock.advance(2)
        doorway.sweep()
        assert client.wire.was_aborted

    play(scenario)


def test_who_was_refused_is_told_not_to_come_back(play: Play) -> None:
    async def scenario(world: World) -> None:
        refused = await Client(world).connect(token="nonsense")
        assert names(refused.told()) == ["system:error:invalid-token"]
        world.clock.advance(11)
        world.hub.live.doorway.sweep()
        assert refused.packets() == [socketio.Disconnect("/")]
        assert not refused.wire.is_open

    play(scenario)


def test_a_client_that_does_not_answer_the_heartbeat_is_cut(play: Play) -> None:
    async def scenario(world: World) -> None:
        quiet, alive = await arrived(world, "alice", "bob")
        doorway = world.hub.live.doorway
        world.clock.advance(26)
        doorway.sweep()
        for client in (quiet, alive):
            assert [type(packet).__name__ for packet in client.packets()] == ["Ping"]
        alive.text(b"3")
        world.clock.advance(21)
        doorway.sweep()
        assert quiet.wire.was_aborted
        assert alive.wire.is_open
        assert [type(packet).__name__ for packet in alive.packets()] == ["Ping"]

    play(scenario)


def test_an_older_client_that_does_not_ping_is_cut(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice", path="/rtc/", query={"EIO": "3"})
        doorway = world.hub.live.doorway
        for _ in range(3):
            world.clock.advance(26)
            doorway.sweep()
            client.text(b"2")
        assert client.wire.is_open
        for _ in range(3):
            world.clock.advance(46)
            doorway.sweep()
        assert client.wire.was_aborted

    play(scenario)


def test_going_away_tells_everybody_and_nothing_is_lost(play: Play) -> None:
    async def scenario(world: World) -> None:
        (bob,) = await arrived(world, "bob")
        await world.hub.live.close()
        assert code(bob) == 1001
        assert world.hub.live.sessions.away == 1

    play(scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-websocket-version": "8"}, {"sec-websocket-key": "short"},
        {"sec-websocket-key": ""},
    ],
)  # fmt: skip
def test_a_handshake_has_to_be_right(play: Play, headers: dict[str, str]) -> None:
    async def scenario(world: World) -> None:
        request = handshake("/v2/rtc/", "EIO=4&transport=websocket&token=x", **headers)
        with pytest.raises(HttpError) as refused:
            world.hub.live.doorway.enter(request)
        assert refused.value.status in (400, 426)

    play(scenario)


def test_a_bug_in_one_event_keeps_no_other_back(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        (here, (alice, _)), (there, (carol, _)) = [
            await room(world, *users) for users in (("alice", "bob"), ("carol", "dora"))
        ]
        bob, dora = await arrived(world, "bob", "dora")
        monkeypatch.setattr(packets, "payload", explosive)
        await say(world, here, alice, "poison")
        await say(world, there, carol, "one")
        await settle()
        await say(world, here, alice, "two")
        await settle()
        assert [each.payload["body"]["text"] for each in dora.hear()] == ["one"]
        assert [each.payload["body"]["text"] for each in bob.hear()] == ["two"]

    play(scenario)
    assert [each.__dict__["action"] for each in caplog.records] == ["delivery_broken"]


def test_a_bug_while_delivery_reads_the_store_does_not_end_delivery(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (bob,) = await arrived(world, "bob")
        with monkeypatch.context() as patch:
            patch.setattr(world.store, "tail", lambda after: None)
            patch.setattr(world.store, "follow", broken)
            await say(world, cid, alice, "one")
            await settle()
        await say(world, cid, alice, "two")
        await settle()
        assert [each.payload["body"]["text"] for each in bob.hear()] == ["one", "two"]

    play(scenario)


def test_a_bug_in_one_session_is_not_that_of_others(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        bad, good = await arrived(world, "alice", "bob")
        (session,) = [
            each for each in world.hub.live.sessions.connected(SessionsOf()) if each.name == "alice"
        ]

        def write(data: bytes) -> None:
            raise RuntimeError("a bug")

        session.write = write
        await say(world, cid, alice, "hello")
        await settle()
        assert names(good.hear()) == ["message"]
        assert bad.wire.was_aborted

    play(scenario)
    assert [each.__dict__["action"] for each in caplog.records] == ["session_broken"]


def test_a_bug_in_a_sweep_is_not_the_end_of_sweeping(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.live.doorway.SWEEP_SECONDS", 0.0)

    async def scenario(world: World) -> None:
        sweeps = 0

        def sweep() -> None:
            nonlocal sweeps
            sweeps += 1
            raise RuntimeError("a bug")

        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        doorway = world.hub.live.doorway
        monkeypatch.setattr(doorway, "sweep", sweep)
        doorway.open()
        for _ in range(5):
            await settle()
        assert sweeps > 2

    play(scenario)


def test_acknowledgements_from_the_last_to_the_first_cost_little() -> None:
    ledger = MemorySessionLedger()
    session = Session(record(), "bob", ledger, 0, Position(0))
    session.owe([Position(number) for number in range(1, 20_001)])
    before = time.process_time()
    for number in range(20_000, 0, -1):
        assert session.acknowledge([number]) == 0
    assert session.acknowledged == 20_000
    assert session.outstanding == []
    assert time.process_time() - before < 2.0, "it took 12 s when each looked at all others"


def explosive(event: Event) -> bytes:
    """Fails on an event that says so."""
    if b"poison" in event.body:
        raise RuntimeError("a bug")
    return payload(event)


async def broken(*_: object) -> list[Event]:
    raise RuntimeError("a bug")
