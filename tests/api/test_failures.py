"""When nothing can be stored: no write is half done, none is lost, and none is told too early."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.api.cast import (
    ACCOUNT,
    conversation,
    entrance,
    history,
    joined,
    refusal,
    say,
    stranger,
    text,
    user,
)
from tests.api.conftest import SETTINGS, Play
from tests.api.late import LateStore
from tests.store.disk import Disk

from tertulia.model.actor import Actor
from tertulia.model.ids import ConversationId
from tertulia.store.memory import MemoryStore
from tertulia.store.sqlite import SqliteStore
from tertulia.testing.world import Answer, World

ONE = "/v1/conversations/CON-1"
POLICY = "/tertulia/v1/webhooks/policy"
OTHER = "/v2/applications/application-2"
DOWN = (503, "system:error:unavailable")
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/conversations", {"name": "new"}), ("PUT", ONE, {"name": "renamed"}),
    ("POST", f"{ONE}/members", entrance("carol")),
    ("POST", f"{ONE}/members", entrance("carol", "invited")),
    ("PATCH", f"{ONE}/members/MEM-2", {"state": "joined"}),
    ("PUT", f"{ONE}/members/MEM-1", {"state": "left"}), ("DELETE", f"{ONE}/members/MEM-1", None),
    ("POST", f"{ONE}/events", text("lost", "MEM-1")), ("POST", f"{ONE}/events", text("lost")),
    ("POST", f"{ONE}/events", {"type": "message:seen", "from": "MEM-1", "body": {"event_id": 3}}),
    ("DELETE", f"{ONE}/events/3", None), ("POST", "/v1/users", {"name": "new"}),
    ("PATCH", "/v1/users/alice", {"name": "renamed"}), ("DELETE", "/v1/users/alice", None),
    ("DELETE", "/v1/users/carol", None), ("DELETE", ONE, None),
]  # fmt: skip
READS = (
    ONE, "/v1/conversations", f"{ONE}/members", f"{ONE}/members/MEM-1", f"{ONE}/events",
    f"{ONE}/events/3", "/v1/users", "/v1/users/alice", "/v1/users/alice/conversations",
)  # fmt: skip


async def scene(world: World) -> None:
    """CON-1 with alice (MEM-1), bob invited (MEM-2), and a message; carol stands outside."""
    await conversation(world, name="room")
    await joined(world, "CON-1", "alice")
    await joined(world, "CON-1", "bob", state="invited")
    await say(world, "CON-1", "MEM-1", "Hi")
    await user(world, "carol")


async def looks(world: World) -> list[Answer]:
    return [await world.call("GET", target) for target in READS]


def memory(world: World) -> MemoryStore:
    assert isinstance(world.store, MemoryStore)
    return world.store


@pytest.mark.parametrize("method, target, body", WRITES)
def test_a_write_that_fails_leaves_nothing_behind_and_can_be_repeated(
    play: Play, method: str, target: str, body: Any
) -> None:
    async def scenario(world: World) -> None:
        await scene(world)
        before, head = await looks(world), await world.store.head()
        token = world.token()
        memory(world).fail()
        for _ in range(2):
            down = await world.call(method, target, body, token=token)
            assert refusal(down) == DOWN
            assert down.headers["Retry-After"] == "1"
            assert down.headers["Access-Control-Allow-Origin"] == "*"
            assert b"told to fail" not in down.raw
        assert [look.raw for look in await looks(world)] == [look.raw for look in before]
        memory(world).fail(False)
        assert await world.store.head() == head
        await world.check_replay()
        again = await world.call(method, target, body, token=token)
        assert again.status < 300, again.json
        grown = await world.store.head() > head
        assert grown or target.startswith("/v1/users")
        if method == "POST" and "/events" in target:
            assert again.json["id"] == 4  # the number that was not used up

    play(scenario)


def test_applications_wait_too(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        memory(world).fail()
        changed = {"name": "renamed"}
        for method, target, body in (
            ("POST", "/v2/applications", {"name": "third"}), ("PUT", OTHER, changed),
            ("DELETE", OTHER, None),
        ):  # fmt: skip
            assert refusal(await world.call(method, target, body, headers=ACCOUNT)) == DOWN
        listed = await world.call("GET", "/v2/applications", headers=ACCOUNT)
        names = [item["name"] for item in listed.json["_embedded"]["applications"]]
        assert names == ["test", "stranger"]
        assert (await world.call("GET", "/v1/users", token=other.token())).status == 200
        memory(world).fail(False)
        answer = await world.call("PUT", OTHER, changed, headers=ACCOUNT)
        assert (answer.status, answer.json["name"]) == (200, "renamed")

    play(scenario)


def test_what_is_not_kept_needs_no_store(play: Play) -> None:
    async def scenario(world: World) -> None:
        await scene(world)
        memory(world).fail()
        made = await world.call("POST", f"{ONE}/events", {"type": "ephemeral", "from": "MEM-1"})
        assert made.status == 201
        assert [event.type for event in world.announced] == ["ephemeral"]

    play(scenario)


def test_refusals_need_no_store_either(play: Play) -> None:
    async def scenario(world: World) -> None:
        await scene(world)
        memory(world).fail()
        assert (await world.call("POST", f"{ONE}/events", {"type": "x"})).status == 400
        assert (await world.call("POST", f"{ONE}/members", entrance("alice"))).status == 400
        assert (await world.call("DELETE", "/v1/conversations/CON-9")).status == 404

    play(scenario)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("first, second, status", [
    (("DELETE", ONE, None), ("POST", f"{ONE}/events", text("Hi", "MEM-1")), 201),
    (("DELETE", ONE, None), ("PUT", ONE, {"name": "renamed"}), 200),
    (("DELETE", ONE, None), ("DELETE", "/v1/users/alice", None), 204),
    (("DELETE", ONE, None), ("GET", f"{ONE}/events", None), 200),
    (("POST", f"{ONE}/members", entrance("carol")),
     ("POST", f"{ONE}/members", entrance("carol")), 201),
    (("PUT", ONE, {"name": "same"}), ("PUT", ONE, {"name": "same"}), 200),
    (("PATCH", f"{ONE}/members/MEM-1", {"state": "left"}),
     ("POST", f"{ONE}/events", text("Hi", "MEM-1")), 201),
])  # fmt: skip
def test_nobody_is_refused_for_what_then_did_not_happen(
    keys: tuple[str, str], first: tuple[str, str, Any], second: tuple[str, str, Any], status: int
) -> None:
    async def whole() -> None:
        store = LateStore()
        world = await World.open(keys=keys, store=store, settings=SETTINGS)
        await scene(world)
        store.is_held, store.fates = True, iter([False])
        one = asyncio.create_task(world.call(*first))
        await turns(20)
        other = asyncio.create_task(world.call(*second))
        await turns(20)  # enough to be decided upon what is not yet on disk
        assert store.waiting == 1 and not other.done()
        store.release()
        failed, done = await one, await other
        assert refusal(failed) == DOWN
        assert done.status == status, done.json
        await world.check_replay()
        live = await store.conversation(ConversationId("CON-1"))
        assert live is not None and live.profile.state == "ACTIVE"
        if second[0] == "PUT":
            assert live.profile.name == second[2]["name"]
        if "users" in second[1]:
            assert {member.state for member in live.members.values()} == {"LEFT", "INVITED"}

    asyncio.run(whole())


# The store on a disk that fails now and then.


@asynccontextmanager
async def on_disk(
    folder: Path, keys: tuple[str, str], disk: Disk | None = None
) -> AsyncIterator[World]:
    disk = disk or Disk()
    store = await SqliteStore.open(folder / "tertulia.db", connect=disk.connect)
    try:
        yield await World.open(keys=keys, store=store, settings=SETTINGS)
    finally:
        await store.close()


class FlakyDisk(Disk):
    """Once it is `armed`, every third commit finds it full."""

    def __init__(self) -> None:
        self.armed = False
        self._commits = 0
        super().__init__()

    @property
    def is_full(self) -> bool:
        self._commits += self.armed
        return self.armed and self._commits % 3 == 0

    @is_full.setter
    def is_full(self, full: bool) -> None:
        assert not full


async def _burst(world: World, sender: str, member_id: str, count: int) -> dict[str, Answer]:
    """Send messages one after the other, as one client does; the answers by their words."""
    answers: dict[str, Answer] = {}
    for number in range(count):
        words = f"{sender} {number}"
        target = f"{ONE}/events"
        answers[words] = await world.call("POST", target, text(words, member_id), user=sender)
    return answers


async def _report(world: World, sender: str, member_id: str) -> list[Answer]:
    """Report on a message, and delete one's own, again and again."""
    answers = []
    for number in (4, 5, 6):
        body = {"type": "message:seen", "from": member_id, "body": {"event_id": number}}
        answers.append(await world.call("POST", f"{ONE}/events", body, user=sender))
        answers.append(await world.call("DELETE", f"{ONE}/events/{number}"))
    return answers


async def _flicker(world: World) -> list[Answer]:
    """A member that comes and goes, and a conversation that changes its name."""
    answers = []
    for number in range(6):
        made = await world.call("POST", f"{ONE}/members", entrance("dave"))
        answers.append(made)
        if made.status == 201:
            target = f"{ONE}/members/{made.json['id']}"
            answers.append(await world.call("PATCH", target, {"state": "left"}))
        answers.append(await world.call("PUT", ONE, {"name": f"room {number}"}))
    return answers


async def _on_flaky_disk(world: World, disk: FlakyDisk) -> None:
    names = ("alice", "bob", "carol")
    await conversation(world, name="room")
    members = [(await joined(world, "CON-1", name))["id"] for name in names]
    for number in (4, 5, 6):
        await say(world, "CON-1", members[0], f"early {number}")
    await user(world, "dave")
    disk.armed = True
    cast = tuple(zip(names, members, strict=True))
    talk, reports, coming = await asyncio.gather(
        asyncio.gather(*(_burst(world, name, mid, 25) for name, mid in cast)),
        asyncio.gather(*(_report(world, name, mid) for name, mid in cast)),
        _flicker(world),
    )
    disk.armed = False
    said = {words: answer for each in talk for words, answer in each.items()}
    everything = [*said.values(), *coming, *(answer for each in reports for answer in each)]
    # a member that could not leave cannot join again, and what is deleted cannot be seen
    assert {answer.status for answer in everything} <= {200, 201, 204, 400, 404, 503}
    assert {answer.status for answer in said.values()} == {201, 503}

    told = await history(world, "CON-1")
    assert [event["id"] for event in told] == list(range(1, len(told) + 1))
    shown = {
        event["body"]["text"]: event["id"]
        for event in told
        if event["type"] == "message" and "text" in event["body"]
    }
    acknowledged = {words: a.json["id"] for words, a in said.items() if a.status == 201}
    assert {words: n for words, n in shown.items() if not words.startswith("early")} == acknowledged
    for sender in names:  # each in the order in which it spoke
        own = [n for words, n in acknowledged.items() if words.startswith(sender)]
        assert own == sorted(own)

    cid, system = ConversationId("CON-1"), Actor(world.application.id)
    live = await world.hub.services.conversations.seen(cid, system)
    assert live == await world.store.conversation(cid)
    assert live.sequence == len(told)
    await world.check_replay()
    assert (await say(world, "CON-1", members[0], "well again"))["id"] == len(told) + 1


def test_a_burst_on_a_failing_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path, keys: tuple[str, str]
) -> None:
    async def whole() -> None:
        disk = FlakyDisk()
        async with on_disk(tmp_path, keys, disk) as world:
            await _on_flaky_disk(world, disk)

    asyncio.run(whole())


def test_a_disk_that_stays_full_stops_nothing_but_writes(
    tmp_path: Path, keys: tuple[str, str]
) -> None:
    async def whole() -> None:
        disk = Disk()
        async with on_disk(tmp_path, keys, disk) as world:
            await scene(world)
            with disk.full():
                send = partial(world.call, "POST", f"{ONE}/events")
                answers = await asyncio.gather(*(send(text(str(n))) for n in range(20)))
                assert {refusal(answer) for answer in answers} == {DOWN}
                assert len(await history(world, "CON-1")) == 3
            assert (await send(text("now"))).json["id"] == 4
            await world.check_replay()

    asyncio.run(whole())


def test_what_was_acknowledged_is_there_after_a_restart(
    tmp_path: Path, keys: tuple[str, str]
) -> None:
    async def before() -> list[dict[str, Any]]:
        async with on_disk(tmp_path, keys) as world:
            await scene(world)
            return await history(world, "CON-1")

    async def after(told: list[dict[str, Any]]) -> None:
        async with on_disk(tmp_path, keys) as world:
            assert await history(world, "CON-1") == told
            assert (await say(world, "CON-1", "MEM-1", "again"))["id"] == len(told) + 1
            await world.check_replay()

    asyncio.run(after(asyncio.run(before())))


def test_who_asks_at_the_same_time_is_told_one_truth(tmp_path: Path, keys: tuple[str, str]) -> None:
    async def whole() -> None:
        async with on_disk(tmp_path, keys) as world:
            await scene(world)
            await race(world)
            await world.check_replay()

    asyncio.run(whole())


async def race(world: World) -> None:
    async def statuses(method: str, target: str, *bodies: Any) -> list[int]:
        calls = (world.call(method, target, body) for body in bodies)
        return sorted(answer.status for answer in await asyncio.gather(*calls))

    assert await statuses("POST", f"{ONE}/members", *[entrance("carol")] * 4) == [
        201,
        400,
        400,
        400,
    ]
    assert await statuses("DELETE", f"{ONE}/events/3", *[None] * 4) == [204] * 4
    assert await statuses("POST", "/v1/users", *[{"name": "new"}] * 4) == [201, 409, 409, 409]
    assert await statuses("POST", "/v1/conversations", *[{"name": "n"}] * 3) == [201, 409, 409]
    changes = ({"display_name": "A"}, {"image_url": "https://i/a.png"})
    assert await statuses("PATCH", "/v1/users/alice", *changes) == [200, 200]
    alice = (await world.call("GET", "/v1/users/alice")).json
    assert (alice["display_name"], alice["image_url"]) == ("A", "https://i/a.png")
    said = await say(world, "CON-1", "MEM-1", "who am I?")
    assert said["_embedded"]["from_user"]["display_name"] == "A"
    assert await statuses("DELETE", "/v1/users/carol", None, None) == [204, 404]
    both = await asyncio.gather(_rename_application(world), _skip_after(world, 3))
    assert set(both) == {200}
    assert (await world.call("GET", POLICY)).json == {"policy": "skip", "tries": 3}
    shown = await world.call("GET", "/v2/applications/application-1", headers=ACCOUNT)
    assert shown.json["name"] == "renamed"
    types = [event["type"] for event in await history(world, "CON-1")]
    assert types[3:] == ["member:joined", "event:delete", "message", "member:left"]
    assert await statuses("DELETE", ONE, *[None] * 3) == [204, 404, 404]


async def _rename_application(world: World) -> int:
    target = "/v2/applications/application-1"
    return (await world.call("PUT", target, {"name": "renamed"}, headers=ACCOUNT)).status


async def _skip_after(world: World, tries: int) -> int:
    return (await world.call("PUT", POLICY, {"policy": "skip", "tries": tries})).status
