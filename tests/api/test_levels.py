"""The legs of a conversation for those who look at it: who hears whom, and how loud each is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.api.cast import (
    NO_CONVERSATION,
    NOT_GRANTED,
    conversation,
    joined,
    refusal,
    user,
)
from tests.api.conftest import SETTINGS
from tests.api.test_calls import enabled
from tests.api.test_stream import Frame, Play, Stream

from tertulia.model.commands import Watch
from tertulia.protocols.http1 import Streamed
from tertulia.services.metering import SILENCE_SECONDS
from tertulia.testing.world import Answer, World, with_limits
from tertulia.web.rest.stream import KEEP_ALIVE_SECONDS

LEVELS = "/tertulia/v1/conversations/CON-1/levels"


@pytest.fixture
def play(keys: tuple[str, str]) -> Play:
    return Play(keys)


class Levels(Stream):
    async def told(self) -> tuple[str, Any]:
        frame: Frame = await self.frame()
        return frame.type, json.loads(frame.data)


@asynccontextmanager
async def looking(world: World, **how: Any) -> AsyncIterator[Levels]:
    answer = await world.respond("GET", LEVELS, headers={"accept": "text/event-stream"}, **how)
    assert isinstance(answer, Streamed), answer
    opened = Levels(answer)
    try:
        assert await opened.block() == b"retry: 1000"
        yield opened
    finally:
        await answer.pieces.aclose()


async def look(world: World, **how: Any) -> Answer:
    return await world.call("GET", LEVELS, **how)


async def room(world: World) -> str:
    """CON-1 with the audible alice (MEM-1) in it; her leg."""
    await conversation(world)
    await joined(world, "CON-1", "alice")
    return await enabled(world, "MEM-1", "alice")


def test_legs_are_told_first_and_then_how_loud_they_are(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await room(world)
        async with looking(world) as looks:
            assert world.studio.told(Watch) == [Watch("CON-1", True)]
            name, page = await looks.told()
            assert (name, page["levels"]) == ("legs", {})
            assert page["legs"] == [{
                "id": leg, "type": "app", "status": "answered", "connected": True,
                "direction": "inbound", "from": {"type": "app"}, "to": {},
                "member_id": "MEM-1", "user_id": "USR-1", "muted": False, "earmuffed": False,
                "can_hear": None, "can_speak": None,
            }]  # fmt: skip
            for level in (-20.5, -31.0):
                world.studio.levels("CON-1", {leg: level})
                assert await looks.told() == ("levels", {"levels": {leg: level}})

    play(scenario)


def test_a_change_is_told_with_the_levels(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await room(world)
        async with looking(world) as looks:
            await looks.told()
            await world.call("PUT", f"/v0.3/legs/{leg}", {"action": "mute"})
            await world.settle()
            world.studio.levels("CON-1", {leg: -100.0})
            name, page = await looks.told()
            assert (name, page["legs"][0]["muted"]) == ("legs", True)
            assert page["levels"] == {leg: -100.0}
            await world.call("DELETE", f"/v0.3/legs/{leg}")
            await world.settle()
            assert await looks.told() == ("legs", {"legs": [], "levels": {}})

    play(scenario)


def test_who_is_slow_is_told_the_newest(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await room(world)
        async with looking(world) as looks:
            await looks.told()
            for level in range(50):
                world.studio.levels("CON-1", {leg: -level})
            assert await looks.told() == ("levels", {"levels": {leg: -49}})

    play(scenario)


def test_the_worker_measures_while_somebody_looks(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        async with looking(world):
            async with looking(world):
                pass
            assert world.studio.told(Watch) == [Watch("CON-1", True)]
        assert world.studio.told(Watch) == [Watch("CON-1", True), Watch("CON-1", False)]

    play(scenario)


def test_another_worker_is_told_to_measure_too(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        async with looking(world) as looks:
            await looks.told()
            world.studio.die()
            await world.settle()
            name, page = await looks.told()
            assert (name, page["legs"]) == ("legs", [])
            asyncio.get_running_loop().call_later(
                SILENCE_SECONDS * 1.5, world.studio.levels, "CON-1", {"leg": -1.0}
            )
            assert await looks.told() == ("levels", {"levels": {"leg": -1.0}})
            assert len(world.studio.told(Watch)) > 1
            world.studio.die(another=False)

    play(scenario)


def test_a_look_without_a_stream(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        assert (await look(world)).json == {"legs": [], "levels": {}}
        await joined(world, "CON-1", "alice")
        leg = await enabled(world, "MEM-1", "alice")
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, world.studio.levels, "CON-1", {leg: -12.0})
        page = (await look(world)).json
        assert [each["id"] for each in page["legs"]] == [leg]
        assert page["levels"] == {leg: -12.0}
        assert (await look(world)).json["levels"] == {}
        assert world.studio.told(Watch)[-1] == Watch("CON-1", False)

    play(scenario)


def test_it_is_for_the_application_and_for_members(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await joined(world, "CON-1", "alice")
        await joined(world, "CON-1", "carol", state="invited")
        await user(world, "mallory")
        assert (await look(world, user="alice")).status == 200
        assert refusal(await look(world, user="carol")) == (403, NOT_GRANTED)
        assert refusal(await look(world, user="mallory")) == (404, NO_CONVERSATION)
        unknown = await world.call("GET", LEVELS.replace("CON-1", "CON-none"))
        assert refusal(unknown) == (404, NO_CONVERSATION)
        token = world.token(acl={"paths": {"/v1/**": {}}})
        assert refusal(await look(world, token=token)) == (403, NOT_GRANTED)

    play(scenario)


def test_who_leaves_sees_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await joined(world, "CON-1", "alice")
        async with looking(world, user="alice") as looks:
            await looks.told()
            waiting = asyncio.create_task(looks.block())
            await asyncio.sleep(KEEP_ALIVE_SECONDS * 1.5)
            assert await waiting == b":"
            await world.call("DELETE", "/v0.3/conversations/CON-1/members/MEM-1")
            assert await looks.block() == b""
            assert refusal(await look(world, user="alice")) == (403, NOT_GRANTED)

    play(scenario)


def test_a_look_ends_with_the_conversation_and_with_the_token(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        async with looking(world) as one, looking(world) as other:
            await one.told()
            world.clock.advance(901)
            assert await one.block() == b""
            await other.told()
            await world.call("DELETE", "/v1/conversations/CON-1")
            assert await other.block() == b""

    play(scenario)


def test_too_many_looks_are_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        async with looking(world), looking(world):
            answer = await look(world)
            assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
        assert (await look(world)).status == 200

    play(scenario, with_limits(SETTINGS, streams=2))


def test_all_end_with_the_server(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        async with looking(world) as looks:
            await looks.told()
            world.hub.services.metering.end()
            assert await looks.block() == b""

    play(scenario)
