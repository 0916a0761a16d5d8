"""Whatever happens in whatever order: each session is told what its user may hear, once, in order.

What was to be heard is told by the log alone, read from its beginning when all is over.
"""

import asyncio
import random
from collections.abc import Coroutine
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.api.cast import conversation, entrance, text, user
from tests.live.conftest import SETTINGS
from tests.live.visitor import BASE, TYPED, Client, Told, settle

from tertulia.live import catchup
from tertulia.live.dialect import TYPED as PARSED
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, MemberId, Position, UserId
from tertulia.model.instant import Instant
from tertulia.model.state import Conversation, Member, MemberState, Profile, User
from tertulia.ports import Joined
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import World

USERS = ("ada", "ben", "cid")
ROOMS = 2
DEVICES_MAX = 6
PAGES = ((1000, 12), (3, 1))
"""Events of a page, and looks at the clock within a millisecond: in a full page, times tell."""

RINGING = {"type": "audio:ringing:start", "body": {}}
"""Which the typed client cannot parse."""

Key = tuple[str, int]
"""Conversation and number of an event."""


class SlowStore(MemoryStore):
    """Reads take a few turns of the loop, in which others go on."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def _take_time(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 3, 9))):
            await asyncio.sleep(0)

    async def joined(self, user_id: UserId) -> Joined:
        await self._take_time()
        found = await super().joined(user_id)
        await self._take_time()
        return found

    async def user(self, user_id: UserId) -> User | None:
        await self._take_time()
        return await super().user(user_id)

    async def conversation(self, conversation_id: ConversationId) -> Conversation | None:
        await self._take_time()
        return await super().conversation(conversation_id)

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        await self._take_time()
        found = await super().follow_user(after, user_id, limit=limit)
        await self._take_time()
        return found


class Connection:
    """What one connection of a session was told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.base = 0
        """All up to here was acknowledged before, or is older than the session."""
        self.sent: list[int] = []
        self.acknowledged: set[int] = set()
        self.heard: list[Key] = []
        self.is_greeted = False

    def listen(self, reached: int | None) -> None:
        """`reached` is how far connections before it have acknowledged."""
        for told in self.client.told():
            if told.name == "session:success":
                self._welcome(told, reached)
            else:
                assert self.is_greeted, told
                self.heard.append((told.payload["cid"], told.payload["id"]))
            assert told.ack is not None
            self.sent.append(told.ack)

    def _welcome(self, told: Told, reached: int | None) -> None:
        self.is_greeted = True
        self.session_id = told.payload["body"]["id"]
        self.base = reached if reached is not None else told.ack or 0
        assert reached is not None or "pending_events" not in told.payload["body"]
        for event in told.payload["body"].get("pending_events", ()):
            self.heard.append((event["cid"], event["id"]))

    def acknowledge(self, picks: list[int]) -> None:
        if not self.client.wire.is_open:
            return
        waiting = [number for number in self.sent if number not in self.acknowledged]
        for number in [waiting[pick] for pick in picks if pick < len(waiting)]:
            self.client.text(b"43%d[]" % number)
            self.acknowledged.add(number)

    @property
    def reached(self) -> int:
        """All up to here was acknowledged."""
        reached = self.base
        for number in self.sent:
            if number not in self.acknowledged:
                break
            reached = number
        return reached


class Device:
    """A client with its session and all connections of it, the newest last."""

    def __init__(self, user: str, *, is_typed: bool) -> None:
        self.user = user
        self.is_typed = is_typed
        self.connections: list[Connection] = []
        self.is_connected = False

    @property
    def now(self) -> Connection:
        return self.connections[-1]

    @property
    def session_id(self) -> str | None:
        return next((each.session_id for each in self.connections if each.is_greeted), None)

    def listen(self) -> None:
        for connection in self.connections:
            greeted = [each.reached for each in self.connections if each.is_greeted]
            connection.listen(max(greeted, default=None))


class Step(NamedTuple):
    kind: str
    one: int
    two: int
    turns: int
    """Of the loop, until the next step."""


class Stage:
    def __init__(self, world: World, tokens: dict[str | None, str], rooms: list[str]) -> None:
        self._world = world
        self._tokens = tokens
        self._rooms = rooms
        self._devices: list[Device] = []
        self._work: list[asyncio.Task[None]] = []

    async def play(self, steps: list[Step]) -> None:
        for step in steps:
            self._do(step)
            for _ in range(step.turns):
                await asyncio.sleep(0)
        await asyncio.gather(*self._work)
        await settle()
        log = await self._world.store.follow(Position(0), limit=100_000)
        for device in self._devices:
            self._check(device, log)

    def _do(self, step: Step) -> None:
        room, name = self._rooms[step.one % ROOMS], USERS[step.two % len(USERS)]
        members = f"/v1/conversations/{room}/members"
        match step.kind:
            case "say":
                self._run(self._say(room, step.two))
            case "join" | "invite":
                state = "joined" if step.kind == "join" else "invited"
                self._run(self._call("POST", members, entrance(name, state)))
            case "accept" | "leave":
                state = "joined" if step.kind == "accept" else "left"
                self._run(self._change(room, name, state))
            case "delete":
                self._run(self._delete(step.one % ROOMS))
            case "connect" if len(self._devices) < DEVICES_MAX:
                device = Device(name, is_typed=bool(step.one % 2))
                self._devices.append(device)
                self._connect(device)
            case _ if self._devices:
                self._handle(step, self._devices[step.two % len(self._devices)])

    def _handle(self, step: Step, device: Device) -> None:
        device.listen()
        match step.kind:
            case "lose":
                device.is_connected = False
                for connection in device.connections:
                    connection.client.lose()
            case "resume" if session_id := device.session_id:
                # also while the one before still seems to be there, or is only coming
                self._connect(device, session_id)
            case "acknowledge":
                device.now.acknowledge(list(range(step.one)))
            case "acknowledge some":
                device.now.acknowledge([step.one + 1, 0, step.one // 2 + 3])

    def _connect(self, device: Device, session_id: str | None = None) -> None:
        query = dict(TYPED) if device.is_typed and session_id is None else {}
        if session_id is not None:
            query = {**dict.fromkeys(BASE.keys() - {"EIO", "transport"}, "")}
            query["session_id"] = session_id
        client = Client(self._world)
        device.connections.append(Connection(client))
        device.is_connected = True
        token = self._tokens[device.user]
        client.enter({**query, "token": token})
        client.text(b"40")

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._work.append(asyncio.get_running_loop().create_task(work))

    async def _call(self, method: str, target: str, body: object = None) -> None:
        await self._world.call(method, target, body, token=self._tokens[None])

    async def _say(self, room: str, number: int) -> None:
        said = (text("hello"), {"type": "custom:thing", "body": {}}, RINGING)[number % 3]
        await self._call("POST", f"/v0.3/conversations/{room}/events", said)

    async def _change(self, room: str, name: str, state: str) -> None:
        """Of the newest member of the user."""
        found = await self._world.store.conversation(ConversationId(room))
        assert found is not None
        user = await self._world.store.user_named(self._world.application.id, name)
        assert user is not None
        own = [member for member in found.members.values() if member.user_id == user.id]
        if own:
            target = f"/v1/conversations/{room}/members/{own[-1].id}"
            await self._call("PATCH", target, {"state": state})

    async def _delete(self, place: int) -> None:
        room = self._rooms[place]
        self._rooms[place] = (await conversation(self._world))["id"]
        await self._call("DELETE", f"/v1/conversations/{room}")

    def _check(self, device: Device, log: list[Event]) -> None:
        user_id = UserId(f"USR-{USERS.index(device.user) + 1}")
        meant = heard_by(user_id, log, is_typed=device.is_typed)
        positions: dict[Key, Position] = {
            (each.conversation_id, each.id): each.position
            for each in log
            if each.conversation_id is not None and each.id is not None
        }
        gone = {
            each.became.id
            for each in log
            if isinstance(each.became, Profile) and each.became.destroyed_at
        }
        device.listen()
        here = [each for each in device.connections if each.client.wire.is_open]
        assert len(here) == device.is_connected
        assert all(each.is_greeted for each in here)
        for connection in device.connections:
            if not connection.is_greeted:
                continue
            told = [positions[key] for key in connection.heard]
            assert told == sorted(set(told))
            told = [positions[key] for key in connection.heard if key[0] not in gone]
            wanted = [
                each.position
                for each in meant
                if each.position > connection.base and each.conversation_id not in gone
            ]
            if connection not in here:
                wanted = wanted[: len(told)]
            assert told == wanted


def heard_by(user_id: UserId, log: list[Event], *, is_typed: bool) -> list[Event]:
    """What a user with a session all the time is told of."""
    joined: set[tuple[ConversationId, MemberId]] = set()
    found = []
    for event in log:
        member = event.became if isinstance(event.became, Member) else None
        own = member is not None and member.user_id == user_id
        if member is not None and own and member.state is MemberState.JOINED:
            joined.add((member.conversation_id, member.id))
        is_there = any(name == event.conversation_id for name, _ in joined)
        if member is not None and own and member.state is MemberState.LEFT:
            joined.discard((member.conversation_id, member.id))
        can_parse = not is_typed or event.type in PARSED or event.type.startswith("custom:")
        if event.id is not None and (own or is_there) and can_parse:
            found.append(event)
    return found


KINDS = (
    "say", "say", "say", "join", "join", "invite", "accept", "leave", "delete",
    "connect", "connect", "lose", "resume", "resume", "acknowledge", "acknowledge some",
)  # fmt: skip
STEPS = st.lists(
    st.builds(
        Step, st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5),
        st.sampled_from((0, 0, 1, 2, 5, 20)),
    ),
    min_size=5, max_size=60,
)  # fmt: skip


@pytest.mark.parametrize("near", [200, -1], ids=["from memory", "from the store"])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)
@given(STEPS, st.integers(0, 1 << 16), st.sampled_from(PAGES))
def test_everybody_is_told_what_is_meant_for_them(
    keys: tuple[str, str], near: int, steps: list[Step], seed: int, pages: tuple[int, int]
) -> None:
    page, looks_per_millisecond = pages

    async def scenario() -> None:
        sessions = replace(SETTINGS.sessions, create_users=False)
        world = await World.open(
            keys=keys, store=SlowStore(random.Random(seed)),
            settings=replace(SETTINGS, sessions=sessions),
        )  # fmt: skip
        looks = 0

        def now() -> Instant:
            nonlocal looks
            looks += 1
            world.clock.time = Instant(world.clock.time + (looks % looks_per_millisecond == 0))
            return world.clock.time

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catchup, "NEAR", near)
            patch.setattr(catchup, "PAGE", page)
            patch.setattr(world.clock, "now", now)
            tokens = {name: world.token(name) for name in (None, *USERS)}
            for name in USERS:
                await user(world, name)
            rooms = [(await conversation(world))["id"] for _ in range(ROOMS)]
            await Stage(world, tokens, rooms).play(steps)
            await world.hub.live.close()

    asyncio.run(scenario())
