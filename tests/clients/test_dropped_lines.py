"""Published client packages that lose their line, their server or their token miss nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from tests.clients.conftest import Node
from tests.clients.witness import Witness, witness
from tests.system.caller import Caller, fresh_token
from tests.system.listener import Room, make_room, make_users
from tests.system.tree import Tree

from tertulia.devkit import DevDocument

pytestmark = [pytest.mark.clients, pytest.mark.system]

OLDER, TYPED = "nexmo-client", "@vonage/client-sdk"
SHORTLY = 5
"""Seconds that a token lives in which a session is begun."""
FOR_OLDER = frozenset({"text", "audio:ringing:start"})
"""Of what is said here, the types that the typed package does not know."""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    tree = Tree(tmp_path, environment={"TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0"})
    yield tree
    tree.end()


class Said(NamedTuple):
    type: str
    number: int
    text: str | None


class Stage:
    """A room with a speaker in it, and one who listens with each of the packages."""

    def __init__(self, tree: Tree, caller: Caller, room: Room, speaker: str) -> None:
        self.tree = tree
        self.said: list[Said] = []
        self.witnesses: list[Witness] = []
        self._room = room
        self._speaker = speaker
        self._caller = caller

    async def say(self, times: int) -> None:
        """A message, a text, and some more."""
        for number in range(times):
            await self._post("message", {"message_type": "text", "text": f"message {number}"})
            await self._post("text", {"text": f"text {number}"})
            await self._post("audio:ringing:start", {})
            await self._post("custom:note", {"text": f"note {number}"})

    async def _post(self, type_: str, body: dict[str, Any]) -> None:
        number = await self._room.post(self._caller, self._speaker, type_, body)
        self.said.append(Said(type_, number, body.get("text")))

    async def everyone_has_heard_it(self) -> None:
        for each in self.witnesses:
            await each.until(lambda told: len(told.heard) >= len(self.meant_for(told)))
            assert each.heard == self.meant_for(each)

    def meant_for(self, witness: Witness) -> list[tuple[int, str | None]]:
        unknown = FOR_OLDER if witness.package == TYPED else frozenset[str]()
        return [(number, text) for type_, number, text in self.said if type_ not in unknown]

    async def cut(self) -> None:
        await asyncio.gather(*(each.line.cut() for each in self.witnesses))

    def mend(self) -> None:
        for each in self.witnesses:
            each.line.mend()

    async def restart(self) -> None:
        """By SIGKILL. Nobody is let in until all is mended."""
        await asyncio.gather(*(each.line.close() for each in self.witnesses))
        await asyncio.to_thread(self.tree.kill)
        await self.close()
        self._caller = Caller(await asyncio.to_thread(self.tree.start))

    async def close(self) -> None:
        await self._caller.close()

    async def check(self) -> None:
        """Still the first session, and nothing came twice or in another order."""
        for each in self.witnesses:
            page = await self._caller.get(f"/v0.3/users/{quote(each.user)}/sessions")
            sessions = [session["id"] for session in page["_embedded"]["sessions"]]
            assert (each.faults, sessions) == ([], list(each.sessions)), each.package
            assert each.arrivals == sorted(set(each.arrivals)), each.package


@asynccontextmanager
async def stage(tree: Tree, node: Node, *, seconds: int = 3600) -> AsyncIterator[Stage]:
    document: DevDocument = await asyncio.to_thread(tree.start)
    async with AsyncExitStack() as stack:
        caller = Caller(document)
        speaker, *others = await make_users(caller, 3)
        room = await make_room(caller, [speaker, *others])
        here = Stage(tree, caller, room, speaker)
        stack.push_async_callback(here.close)
        here.witnesses = await asyncio.gather(*(
            stack.enter_async_context(witness(
                node, package, tree, user, room.id, fresh_token(document, user, seconds=seconds)
            ))
            for package, user in zip((OLDER, TYPED), others, strict=True)
        ))  # fmt: skip
        yield here


def test_what_is_said_while_the_line_is_cut_comes_when_it_is_mended(tree: Tree, node: Node) -> None:
    async def scenario() -> None:
        async with stage(tree, node) as here:
            await here.say(2)
            await here.everyone_has_heard_it()
            await here.cut()
            await here.say(10)
            here.mend()
            await here.everyone_has_heard_it()
            await here.say(1)
            await here.everyone_has_heard_it()
            await here.check()

    asyncio.run(scenario())


def test_a_killed_server_costs_nothing(tree: Tree, node: Node) -> None:
    async def scenario() -> None:
        async with stage(tree, node) as here:
            await here.say(2)
            await here.everyone_has_heard_it()
            await here.restart()
            await here.say(10)
            here.mend()
            await here.everyone_has_heard_it()
            await here.say(1)
            await here.everyone_has_heard_it()
            await here.check()

    asyncio.run(scenario())


def test_who_has_a_new_token_goes_on_where_the_old_one_ended(tree: Tree, node: Node) -> None:
    async def scenario() -> None:
        async with stage(tree, node, seconds=SHORTLY) as here:
            older, typed = here.witnesses
            await here.say(1)
            await here.everyone_has_heard_it()
            await older.tells("disconnect", reason="TokenExpired")
            await typed.tells("sessionError", reason="EXPIRED_TOKEN")
            await here.say(2)
            for each in here.witnesses:
                each.renew(fresh_token(tree.document(), each.user))
            await here.everyone_has_heard_it()
            await here.say(1)
            await here.everyone_has_heard_it()
            await here.check()

    asyncio.run(scenario())
