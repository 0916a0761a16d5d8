"""Nothing is missed: sessions that lose their connection, their server, or their token."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant
from tests.system.listener import Room, listening, make_room, make_users
from tests.system.stage import ARRIVES_WITHIN, OLDER, TYPED, Stage, cancel, numbers, stage, taken

from tertulia.client.login import Login
from tertulia.client.session import Kind, Session, SessionEnded, SessionRefused
from tertulia.devkit import DevDocument
from tertulia.protocols.jwt import load_private_key, mint

pytestmark = pytest.mark.system

# --- away and back ---


@pytest.mark.parametrize("kind", [Kind(), OLDER, TYPED], ids=["current", "older", "typed"])
def test_what_is_sent_while_a_client_is_away_comes_when_it_is_back(
    plant: Plant, kind: Kind
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            session = await Session.open(here.login(bob), kind=kind)
            sent = [await room.say(here.caller, alice) for _ in range(3)]
            assert numbers(await taken(session, 3)) == sent
            await session.close()

            missed = [await room.say(here.caller, alice) for _ in range(1500)]
            back = await Session.open(here.login(bob), kind=kind, session_id=session.id)
            assert (back.id, back.is_resumed) == (session.id, True)
            assert numbers(back.pending) == missed[: len(back.pending)] != []
            assert {arrival.type for arrival in back.pending} == {"message"}
            live = await room.say(here.caller, alice)
            assert numbers(await taken(back, 1501)) == [*missed, live]
            await back.close()

            again = await Session.open(here.login(bob), kind=kind, session_id=session.id)
            assert again.pending == []
            assert await again.logout()

    asyncio.run(scenario())


def test_only_what_was_not_acknowledged_comes_again(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            first = await Session.open(here.login(bob), acknowledge=False)
            first.acknowledge(first.login_ack or 0)
            sent = [await room.say(here.caller, alice) for _ in range(5)]
            arrivals = await taken(first, 5)
            for arrival in (arrivals[0], arrivals[1], arrivals[3]):
                first.acknowledge(arrival.ack or 0)
            await first.close()

            second = await Session.open(here.login(bob), session_id=first.id, acknowledge=False)
            # an acknowledgement is a cursor: it stands before the first that is missing
            assert numbers(second.pending) == sent[2:]
            second.abort()
            third = await Session.open(here.login(bob), session_id=first.id)
            assert numbers(third.pending) == sent[2:]
            await third.close()
            fourth = await Session.open(here.login(bob), session_id=first.id)
            assert fourth.pending == []
            await fourth.close()

    asyncio.run(scenario())


def test_a_session_that_was_ended_is_not_resumed(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            first = await Session.open(here.login(bob))
            assert await first.logout()
            second = await Session.open(here.login(bob), session_id=first.id)
            assert second.id != first.id
            with pytest.raises(SessionRefused) as caught:
                await Session.open(here.login(alice), session_id=second.id)
            assert caught.value.type == "session:error:invalid"
            await second.close()

    asyncio.run(scenario())


# --- the typed client ---


SAID: list[tuple[str, dict[str, Any]]] = [
    ("message", {"message_type": "text", "text": "for all"}),
    ("text", {"text": "for the older"}),
    ("custom:order", {"n": 1}),
    ("message:seen", {"event_id": 0}),
    ("text:seen", {"event_id": 1}),
    ("text:typing:on", {"activity": 1}),
    ("ephemeral", {"n": 1}),
    ("message", {"message_type": "text", "text": "the last"}),
]
KNOWN = ["message", "custom:order", "message:seen", "ephemeral", "message"]
"""Of these, what the typed client can parse (wire-clients 5.4)."""


async def say_everything(here: Stage, room: Room, user: str) -> None:
    made: list[int] = []
    for type_, body in SAID:
        target = body.get("event_id")
        body = body | ({"event_id": made[target]} if isinstance(target, int) else {})
        made.append(await room.post(here.caller, user, type_, body))


@pytest.mark.parametrize(
    "kind, known", [(TYPED, KNOWN), (Kind(), [type_ for type_, _ in SAID])], ids=["typed", "open"]
)
def test_each_kind_of_client_gets_what_it_can_parse(
    plant: Plant, kind: Kind, known: list[str]
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            session = await Session.open(here.login(bob), kind=kind)
            await say_everything(here, room, alice)
            live = await taken(session, len(known))
            assert [arrival.type for arrival in live] == known
            await session.close()

            await say_everything(here, room, alice)
            # the reconnection does not say again what kind of client it is
            back = await Session.open(here.login(bob), session_id=session.id)
            kept = [type_ for type_ in known if type_ not in ("text:typing:on", "ephemeral")]
            assert [arrival.type for arrival in back.pending] == kept
            assert [arrival.payload["type"] for arrival in back.pending] == kept
            await back.close()

    asyncio.run(scenario())


# --- the server goes ---


def test_a_killed_server_costs_nothing(plant: Plant) -> None:
    """What was acknowledged does not come again, what was not does, live goes on."""

    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob, carol = await make_users(here.caller, 3)
            room = await make_room(here.caller, [alice, bob, carol])
            there = await Session.open(here.login(bob))
            away = await Session.open(here.login(carol), kind=TYPED)
            first = [await room.say(here.caller, alice) for _ in range(10)]
            assert numbers(await taken(there, 10)) == numbers(await taken(away, 10)) == first
            await away.close()
            missed = [await room.say(here.caller, alice) for _ in range(10)]
            assert numbers(await taken(there, 10)) == missed
            await settled(here, there)
            await asyncio.to_thread(here.tree.kill)
            there.abort()
            here.document = await asyncio.to_thread(here.tree.start)

            back = await Session.open(here.login(bob), session_id=there.id)
            assert (back.is_resumed, back.pending) == (True, [])
            late = await Session.open(here.login(carol), session_id=away.id)
            assert (late.is_resumed, numbers(late.pending)) == (True, missed)
            async with Caller(here.document) as caller:
                number = await room.say(caller, alice)
                await room.post(caller, alice, "text", {"text": "not for the typed"})
            assert numbers(await taken(back, 2)) == [number, number + 1]
            assert numbers(await taken(late, 11)) == [*missed, number]
            await late.close()
            again = await Session.open(here.login(carol), session_id=away.id)
            assert again.pending == []
            await again.close()
            await back.close()

    asyncio.run(scenario())


async def settled(here: Stage, session: Session) -> None:
    """Until the server has read what the session acknowledged: it answers behind that."""
    session.emit("session:update-token", {"tid": "1", "body": {"token": "none"}})
    while (await taken(session, 1))[0].payload.get("rid") != "1":
        pass


def test_a_server_killed_under_load_loses_nothing_for_its_sessions(
    plant: Plant, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here, AsyncExitStack() as stack:
            users = await make_users(here.caller, 6)
            room = await make_room(here.caller, users)
            listeners = [
                await stack.enter_async_context(listening(here.tree.document, user))
                for user in users
            ]
            sessions = [await listener.open() for listener in listeners]
            work = [
                asyncio.create_task(listener.listen(session))
                for listener, session in zip(listeners, sessions, strict=True)
            ]
            try:
                for _ in range(3):
                    writing = [
                        asyncio.create_task(_write_until_killed(here.document, room, user))
                        for user in users
                    ]
                    await asyncio.sleep(0.4)
                    await asyncio.to_thread(here.tree.kill)
                    await asyncio.gather(*writing)
                    here.document = await asyncio.to_thread(here.tree.start)
                stored = await _history(here.document, room)
                assert set(room.posted) <= stored
                wanted = {(room.id, number) for number in stored}
                for listener in listeners:
                    assert await listener.has(wanted, within=ARRIVES_WITHIN), listener.user
            finally:
                await cancel(work)
            for listener in listeners:
                assert (listener.faults, listener.disorder()) == ([], [])
                assert {each.name for each in listener.got} == wanted

    asyncio.run(scenario())


async def _write_until_killed(document: DevDocument, room: Room, user: str) -> None:
    async with Caller(document) as caller:
        try:
            while True:
                await room.say(caller, user)
        except ConnectionError:
            return


async def _history(document: DevDocument, room: Room) -> set[int]:
    """Numbers of all messages."""
    found: set[int] = set()
    path = f"/v0.3/conversations/{room.id}/events?page_size=100&order=asc&event_type=message"
    async with Caller(document) as caller:
        first = 1
        while events := (await caller.get(f"{path}&start_id={first}"))["_embedded"]["events"]:
            found |= {event["id"] for event in events}
            first = events[-1]["id"] + 1
    return found


# --- tokens expire ---


def short_token(document: DevDocument, user: str, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "application_id": document.application_id, "sub": user, "iat": now, "exp": now + seconds,
        "jti": str(uuid4()),
    }  # fmt: skip
    return mint(load_private_key(Path(document.private_key_file).read_text()), claims)


def test_a_token_expires_in_the_middle_of_a_session(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob, carol = await make_users(here.caller, 3)
            room = await make_room(here.caller, [alice, bob, carol])
            logins = [
                Login(here.document.api_url, short_token(here.document, user, 2))
                for user in (bob, carol)
            ]
            expiring, renewed = [await Session.open(login) for login in logins]
            async with Caller(here.document, fresh_token(here.document, carol)) as own:
                answer = await own.call("PUT", f"/v0.2/sessions/{renewed.id}")
            assert answer.status == 200

            with pytest.raises(SessionEnded):
                await taken(expiring, 1)
            with pytest.raises(SessionRefused) as caught:
                await Session.open(logins[0], session_id=expiring.id)
            assert caught.value.type == "system:error:expired-token"
            number = await room.say(here.caller, alice)
            back = await Session.open(here.login(bob), session_id=expiring.id)
            assert (back.is_resumed, numbers(back.pending)) == (True, [number])
            assert numbers(await taken(renewed, 1)) == [number]
            await back.close()
            await renewed.close()

    asyncio.run(scenario())
