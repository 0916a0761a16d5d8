"""Random walks: whoever does whatever in whichever order, numbers and states stay true."""

import asyncio
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.api.cast import conversation, entrance, history, text, user
from tests.api.conftest import SETTINGS
from tests.api.late import LateStore

from tertulia.model.ids import ConversationId, Position
from tertulia.testing.replay import replay
from tertulia.testing.world import Answer, World

NAMES = ("alice", "bob", "carol")
ROOMS = ("CON-1", "CON-2")


class Step(Struct, frozen=True):
    """What somebody does; each operation takes of it what it needs."""

    operation: str
    by: str | None
    """None: the application."""
    room: str
    name: str
    member: int
    """Number of a member that may be there, in this conversation or the other one."""
    event: int
    """Number of an event that may be there."""


def _joining(step: Step) -> tuple[str, str, Any]:
    return "POST", "/members", entrance(step.name)


def _inviting(step: Step) -> tuple[str, str, Any]:
    return "POST", "/members", entrance(step.name, "invited")


def _accepting(step: Step) -> tuple[str, str, Any]:
    return "PATCH", f"/members/MEM-{step.member}", {"state": "joined"}


def _leaving(step: Step) -> tuple[str, str, Any]:
    return "PATCH", f"/members/MEM-{step.member}", {"state": "left"}


def _speaking(step: Step) -> tuple[str, str, Any]:
    return "POST", "/events", text(f"word {step.event}", f"MEM-{step.member}")


def _declaring(step: Step) -> tuple[str, str, Any]:
    return "POST", "/events", {"type": "custom:done", "body": {"n": step.event}}


def _whispering(step: Step) -> tuple[str, str, Any]:
    return "POST", "/events", {"type": "ephemeral", "from": f"MEM-{step.member}"}


def _reporting(step: Step) -> tuple[str, str, Any]:
    body = {"event_id": step.event}
    return "POST", "/events", {"type": "message:seen", "from": f"MEM-{step.member}", "body": body}


def _deleting(step: Step) -> tuple[str, str, Any]:
    return "DELETE", f"/events/{step.event}", None


def _renaming(step: Step) -> tuple[str, str, Any]:
    return "PUT", "", {"display_name": step.name}


OPERATIONS = {
    function.__name__.lstrip("_"): function
    for function in (
        _joining, _inviting, _accepting, _leaving, _speaking, _declaring, _whispering, _reporting,
        _deleting, _renaming,
    )
}  # fmt: skip
# what people do most is most often drawn
WEIGHTS = ["joining"] * 3 + ["speaking"] * 4 + ["reporting"] * 2 + ["deleting"] * 2
ENDINGS = ("closing", "retiring")

STEPS = st.builds(
    Step,
    operation=st.sampled_from([*WEIGHTS, *OPERATIONS, *ENDINGS]),
    by=st.sampled_from([None, *NAMES]),
    room=st.sampled_from(ROOMS),
    name=st.sampled_from(NAMES),
    member=st.integers(1, 6),
    event=st.integers(1, 12),
)


class Walk:
    """A world, and what of it has been acknowledged."""

    def __init__(self, world: World, *, is_alone: bool) -> None:
        self.world = world
        self._is_alone = is_alone
        """Nobody else does anything at the same time."""
        self.said: dict[tuple[str, int], Any] = {}
        """What was said in answer to its creation, by conversation and number."""
        self.closed: set[str] = set()

    async def take(self, step: Step) -> None:
        if step.operation == "closing":
            answer = await self._call(step, "DELETE", f"/v1/conversations/{step.room}")
            if answer.status == 204:
                self.closed.add(step.room)
        elif step.operation == "retiring":
            await self._call(step, "DELETE", f"/v1/users/{step.name}")
        else:
            method, path, body = OPERATIONS[step.operation](step)
            target = f"/v0.3/conversations/{step.room}{path}"
            answer = await self._call(step, method, target, body)
            if path == "/events" and answer.status == 201 and "id" in answer.json:
                self.said[step.room, answer.json["id"]] = answer.json

    async def _call(self, step: Step, method: str, target: str, body: Any = None) -> Answer:
        head = await self.world.store.head()
        answer = await self.world.call(method, target, body, user=step.by)
        assert answer.status in (200, 201, 204, 400, 401, 403, 404, 503), (step, answer.json)
        if self._is_alone:
            assert answer.status != 503
            if answer.status >= 400:  # a refusal changes nothing
                assert await self.world.store.head() == head, step
        return answer

    async def check(self) -> None:
        await self.world.check_replay()
        folds = (await replay(self.world.store)).conversations
        for room in ROOMS:
            if room in self.closed:
                gone = await self.world.call("GET", f"/v1/conversations/{room}/events")
                assert gone.status == 404
                continue
            told = await history(self.world, room)
            assert [event["id"] for event in told] == list(range(1, len(told) + 1))
            shown = (await self.world.call("GET", f"/v1/conversations/{room}")).json
            assert shown["sequence_number"] == len(told)
            await self._check_log(room, told)
            fold = folds[ConversationId(room)]
            states = {str(member.id): member.state.value for member in fold.members.values()}
            await self._check_members(room, states)

    async def _check_log(self, room: str, told: list[dict[str, Any]]) -> None:
        log = [e for e in await self.world.store.follow(Position(0)) if e.conversation_id == room]
        assert [(e.id, e.type, e.sender) for e in log] == [
            (event["id"], event["type"], event["from"]) for event in told
        ]
        erased = {event["body"]["event_id"] for event in told if event["type"] == "event:delete"}
        for kept, event in zip(log, told, strict=True):
            if event["id"] in erased:
                assert set(event["body"]) == {"timestamp"}
                continue
            assert event["body"] == msgspec.json.decode(kept.body)
            if said := self.said.get((room, event["id"])):
                assert {key: event[key] for key in said} == said

    async def _check_members(self, room: str, folded: dict[str, str]) -> None:
        listed = await self.world.call("GET", f"/v1/conversations/{room}/members?page_size=100")
        members = listed.json["_embedded"]["members"]
        assert {member["id"]: member["state"] for member in members} == folded
        present = [m["_embedded"]["user"]["id"] for m in members if m["state"] != "LEFT"]
        assert len(set(present)) == len(present)  # by the one channel that they all come by
        for user_id in present:
            assert (await self.world.call("GET", f"/v1/users/{user_id}")).status == 200


async def begin(world: World, *, is_alone: bool) -> Walk:
    for name in NAMES:
        await user(world, name)
    for _ in ROOMS:
        await conversation(world)
    return Walk(world, is_alone=is_alone)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_whatever_is_done_history_and_state_agree(keys: tuple[str, str], steps: list[Step]) -> None:
    async def whole() -> None:
        walk = await begin(await World.open(keys=keys, settings=SETTINGS), is_alone=True)
        for step in steps:
            await walk.take(step)
        await walk.check()

    asyncio.run(whole())


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, min_size=10, max_size=40), fates=st.lists(st.booleans(), max_size=12))
def test_all_at_once_and_with_failures_they_agree_too(
    keys: tuple[str, str], steps: list[Step], fates: list[bool]
) -> None:
    async def whole() -> None:
        store = LateStore()
        walk = await begin(
            await World.open(keys=keys, settings=SETTINGS, store=store), is_alone=False
        )
        for room in ROOMS:
            for name in NAMES:
                target = f"/v1/conversations/{room}/members"
                assert (await walk.world.call("POST", target, entrance(name))).status == 201
        store.fates = iter(fates)
        await asyncio.gather(*(walk.take(step) for step in steps))
        store.fates = iter(())
        await walk.check()
        # what has failed left no trace: everybody can go on
        await walk.take(Step("declaring", None, "CON-1", "alice", 1, 1))
        await walk.check()

    asyncio.run(whole())
