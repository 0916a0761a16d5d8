"""The session client against a server that follows a script."""

import asyncio

import pytest
from tests.client.scripted import Peer, Script, event, serving, success

from tertulia.client.lasting import EXPIRED, LastingSession, Link, delay
from tertulia.client.login import Login, NoServer, address
from tertulia.client.session import Arrival, Kind, Session, SessionEnded, SessionRefused
from tertulia.client.websocket import Dropped
from tertulia.protocols import socketio
from tertulia.protocols.websocket import CLOSE, PING, close_payload

TOKEN = "a.b.c"


async def take(session: Session, count: int) -> list[Arrival]:
    arrivals: list[Arrival] = []
    async for arrival in session.events():
        arrivals.append(arrival)
        if len(arrivals) == count:
            break
    return arrivals


@pytest.mark.parametrize(
    "url, found",
    [
        ("http://h", ("h", 80, False, "")),
        ("wss://h/base/", ("h", 443, True, "/base")),
        ("ws://[::1]:81", ("::1", 81, False, "")),
    ],
)
def test_addresses(url: str, found: tuple[object, ...]) -> None:
    assert address(url) == found


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "", "http://"])
def test_no_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        address(url)


def test_login_events_and_logout() -> None:
    missed = {"type": "message", "id": 1, "cid": "CON-1", "body": {}}

    async def script(peer: Peer) -> None:
        await peer.welcome(pending_events=[missed])
        assert peer.target.startswith("/v2/rtc/?")
        assert peer.query == {
            "EIO": "4", "transport": "websocket", "token": TOKEN, "session_version": "0.0.3",
            "SDK_version": "9.5.1", "acknowledge_events": "true", "SDK_name": "x",
        }  # fmt: skip
        peer.say(b"2", event("text", {"id": 2}, 12), event("ephemeral", {"body": {}}))
        assert [await peer.hear(), await peer.hear()] == [b"3", b"4312[]"]
        asked = socketio.read(await peer.hear())
        assert isinstance(asked, socketio.Emitted) and asked.name == "session:logout"
        rid = asked.argument.split(b'"')[3].decode()
        peer.say(event("text", {"id": 3}), event("session:logged-out", {"rid": rid, "body": {}}))

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN), kind=Kind(sdk_name="x"))
            assert (session.id, session.user_id, session.name) == ("SES-1", "USR-1", "alice")
            assert (session.login_ack, session.is_resumed) == (7, False)
            assert await take(session, 3) == [
                Arrival("message", missed, None), Arrival("text", {"id": 2}, 12),
                Arrival("ephemeral", {"body": {}}, None),
            ]  # fmt: skip
            assert await session.logout()

    asyncio.run(scenario())


def test_a_reconnection_says_little() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome("SES-9")
        assert peer.query.keys() == {"EIO", "transport", "token", "session_id"}

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN), session_id="SES-9")
            assert session.is_resumed
            await session.close()

    asyncio.run(scenario())


def test_the_older_generation_pings_itself() -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        assert peer.target.startswith("/rtc/?") and peer.query["EIO"] == "3"
        opened = socketio.open_packet("s", ping_interval_ms=20, ping_timeout_ms=9000, max_payload=0)
        peer.say(opened, b"40", success())
        assert [await peer.hear(), await peer.hear()] == [b"437[]", b"2"]
        peer.say(b"3")
        assert await peer.hear() == b"2"
        peer.say(event("text", {"id": 1}))

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN), kind=Kind(generation=3))
            assert [arrival.payload for arrival in await take(session, 1)] == [{"id": 1}]
            session.abort()

    asyncio.run(scenario())


def test_acknowledging_can_be_left_to_the_caller() -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.say(b'0{"sid":"s","pingInterval":1,"pingTimeout":9000}', b'40{"sid":"s"}', success())
        peer.say(event("text", {}, 8), event("text", {}, 9))
        assert [await peer.hear(), await peer.hear()] == [b"40", b"439[]"]

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN), acknowledge=False)
            assert [arrival.ack for arrival in await take(session, 2)] == [8, 9]
            session.acknowledge(9)
            await session.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said, refused",
    [
        (event("system:error:invalid-token", {"body": {}}), "system:error:invalid-token"),
        (event("user:error:invalid-user", {"body": {}}, 3), "user:error:invalid-user"),
        (b"41", "session:error:invalid"),
        (b'44"no"', "session:error:invalid"),
    ],
)
def test_refusals(said: bytes, refused: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.say(b'0{"sid":"s","pingInterval":9000,"pingTimeout":9000}', b'40{"sid":"s"}', said)
        await peer.hear()

    async def scenario() -> None:
        async with serving(script) as url:
            with pytest.raises(SessionRefused) as caught:
                await Session.open(Login(url, TOKEN))
            assert caught.value.type == refused

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said",
    [
        event("session:success", {"body": {}}),
        event("session:success", {"body": {"id": 1, "user_id": "u", "name": "n"}}),
        b"9", b"1", b'42["x"', b'40{"sid":"again"}',
    ],
)  # fmt: skip
def test_logins_that_are_none(said: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.say(b'0{"sid":"s","pingInterval":9000,"pingTimeout":9000}', b'40{"sid":"s"}', said)
        await peer.hear()

    async def scenario() -> None:
        async with serving(script) as url:
            with pytest.raises(Dropped):
                await Session.open(Login(url, TOKEN))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: forged\r\n\r\n",
        b"nonsense\r\n\r\n", b"HTTP/1.1 101", b"x" * 200_000,
    ],
)  # fmt: skip
def test_handshakes_that_are_none(head: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(head)

    async def scenario() -> None:
        async with serving(script) as url:
            with pytest.raises(Dropped):
                await Session.open(Login(url, TOKEN))

    asyncio.run(scenario())


def test_nobody_there() -> None:
    async def scenario() -> None:
        with pytest.raises(NoServer, match=r"127\.0\.0\.1:1"):
            await Session.open(Login("http://127.0.0.1:1", TOKEN))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said, error",
    [
        (b"\x81\x0241", SessionEnded),
        (b"\x81\x011", Dropped),
        (b"\x88\x00", Dropped),
        (b"\x88\x02\x03\xe9", Dropped),
        (b"\x81\x84maskmask", Dropped),
        (b"\x81\x05" + b"42[1]", Dropped),
        (b"\x81\x0a" + b'42["x",[]]', Dropped),
        (b"", Dropped),
    ],
)
def test_ends(said: bytes, error: type[Exception]) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(said)

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN))
            with pytest.raises(error):
                await take(session, 1)

    asyncio.run(scenario())


def test_a_server_that_says_nothing_any_more() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome(interval=20)
        peer.say(b"", opcode=PING)
        await peer.hear()
        with pytest.raises((EOFError, ConnectionError)):
            await peer.hear()

    async def scenario() -> None:
        async with serving(script) as url:
            session = await Session.open(Login(url, TOKEN))
            with pytest.raises(Dropped, match="says nothing"):
                await take(session, 1)

    asyncio.run(scenario())


# --- a session that lasts ---


def test_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia.client.lasting.FIRST_DELAY_S", 0.001)
    links: list[Link] = []
    tokens = iter("abcdefgh")

    async def first(peer: Peer) -> None:
        await peer.welcome()
        peer.say(event("text", {"id": 1}))
        peer.say(close_payload(1001), opcode=CLOSE)

    async def lost(peer: Peer) -> None:
        await peer.request()

    async def expired(peer: Peer) -> None:
        await peer.shake_hands()
        peer.say(b'0{"sid":"s","pingInterval":9000,"pingTimeout":9000}', b'40{"sid":"s"}')
        peer.say(event(EXPIRED, {"body": {}}))
        await peer.hear()

    async def resumed(peer: Peer) -> None:
        await peer.welcome(pending_events=[{"type": "text", "id": 2}])
        assert peer.query["session_id"] == "SES-1"
        peer.say(b"41")

    async def renewed(peer: Peer) -> None:
        await peer.welcome("SES-2")
        peer.say(event("text", {"id": 3}))
        await peer.hear()

    async def scenario() -> None:
        async with serving(first, lost, expired, resumed, renewed) as url:
            lasting = LastingSession(lambda: Login(url, next(tokens)), watch=links.append)
            await lasting.open()
            shown = []
            async for arrival in lasting.events():
                shown.append(arrival.payload.get("id", arrival.type))
                if shown[-1] == 3:
                    break
            assert shown == [1, "session:success", 2, "session:success", 3]
            assert links == [Link.LOST, Link.RESUMED, Link.LOST, Link.RENEWED]
            lasting.session.abort()

    asyncio.run(scenario())


async def _refuse(peer: Peer) -> None:
    await peer.shake_hands()
    peer.say(b'0{"sid":"s","pingInterval":9000,"pingTimeout":9000}', b'40{"sid":"s"}', b"41")
    await peer.hear()


async def _hang_up(peer: Peer) -> None:
    await peer.request()


@pytest.mark.parametrize("script, error", [(_refuse, SessionRefused), (_hang_up, Dropped)])
def test_it_gives_up_when_it_is_refused_or_has_tried_enough(
    script: Script, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.client.lasting.FIRST_DELAY_S", 0.001)

    async def welcome(peer: Peer) -> None:
        await peer.welcome()

    async def scenario() -> None:
        async with serving(welcome, script) as url:
            lasting = LastingSession(lambda: Login(url, TOKEN), attempts=2)
            await lasting.open()
            with pytest.raises(error):
                async for _ in lasting.events():
                    pass

    asyncio.run(scenario())


def test_delays_grow_to_an_end() -> None:
    assert [delay(tried, 1.0) for tried in (0, 1, 2, 9, 99)] == [0.25, 0.5, 1.0, 5.0, 5.0]
    assert delay(2, 0.0) == 0.5
