"""Authors that say all that a caller may say, at random, and remember what was answered."""

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from tests.system.caller import Caller
from tests.system.listener import Name, Room

from tertulia.model.event import RECEIPTS
from tertulia.model.events.registry import Creator, EventType, Keep, find
from tertulia.web.documents import read_examples

VECTORS = Path(__file__).parents[1] / "vectors/events"
RARELY = 0.06
"""How much of what happens is no event that is sent."""


class Sample(NamedTuple):
    """What a caller may send."""

    type: str
    body: dict[str, Any]


def samples() -> list[Sample]:
    """One of each type that a caller may create and that is kept, of messages one of each kind."""
    found = []
    for envelope in read_examples(VECTORS).values():
        assert isinstance(envelope, dict)
        row = find(envelope["type"])
        assert row is not None
        if row.creators & (Creator.REST | Creator.REST_LEGACY) and row.keep is Keep.CONVERSATION:
            found.append(Sample(envelope["type"], _as_sent(row, envelope["body"])))
    return found


def _as_sent(row: EventType, body: dict[str, Any]) -> dict[str, Any]:
    """Without what this server adds."""
    if row.name == "audio:dtmf":
        return {"digit": body["digit"]}
    return {name: value for name, value in body.items() if name != row.mints}


class Author:
    """A member of every room, who says things at random, about what it has said before."""

    def __init__(self, caller: Caller, user: str, rooms: list[Room], chance: random.Random) -> None:
        self.made: dict[Name, Any] = {}
        """The bodies as they were answered."""
        self.deleted: set[Name] = set()
        self.types: set[str] = set()
        self._caller = caller
        self._user = user
        self._rooms = rooms
        self._chance = chance
        self._said: dict[tuple[str, str], list[int]] = defaultdict(list)
        """Numbers of what can be referred to, by room and kind."""

    async def act(self, times: int, samples: list[Sample]) -> None:
        rare: tuple[Callable[[Room], Awaitable[None]], ...] = (
            self._delete,
            self._admit,
            self._name,
        )
        for _ in range(times):
            room = self._chance.choice(self._rooms)
            if self._chance.random() < RARELY:
                await self._chance.choice(rare)(room)
            else:
                await self._say(room, self._chance.choice(samples))

    async def _say(self, room: Room, sample: Sample) -> None:
        name = sample.type
        body = dict(sample.body)
        if "event_id" in body or "original_event_id" in body:
            kind = _target_of(name)
            if len(self._said[room.id, kind]) < 2:
                return await self._say(room, _plain(kind))
            earlier, later = sorted(self._chance.sample(self._said[room.id, kind], 2))
            numbers = {"event_id": later, "original_event_id": later, "reply_to": earlier}
            body |= {member: numbers[member] for member in numbers if member in body}
        if "text" in body:
            body["text"] = f"{uuid4()} “déjà vu” 👋🏽 </script>\\"
        made = await self._caller.post(
            f"/v0.3/conversations/{room.id}/events?post={uuid4()}",
            {"type": name, "from": room.members[self._user], "body": body},
        )
        self.made[room.id, made["id"]] = made["body"]
        self.types.add(name)
        self._said[room.id, _kind_of(name, body)].append(made["id"])

    async def _delete(self, room: Room) -> None:
        numbers = self._said[room.id, "message"]
        if numbers:
            number = numbers.pop(self._chance.randrange(len(numbers)))
            path = f"/v0.3/conversations/{room.id}/events/{number}"
            assert (await self._caller.call("DELETE", path)).status == 204
            self.deleted.add((room.id, number))

    async def _admit(self, room: Room) -> None:
        """A guest comes, and goes."""
        guest = f"guest {uuid4()}"
        await self._caller.post("/v1/users", {"name": guest, "display_name": "Gästin"})
        joining = {"state": "joined", "user": {"name": guest}, "channel": {"type": "app"}}
        member = await self._caller.post(f"/v1/conversations/{room.id}/members", joining)
        leaving = {"state": "left", "reason": {"code": "1", "text": "late"}}
        path = f"/v1/conversations/{room.id}/members/{member['id']}"
        assert (await self._caller.call("PATCH", path, leaving)).status == 200

    async def _name(self, room: Room) -> None:
        path = f"/v1/conversations/{room.id}"
        changed = await self._caller.call("PUT", path, {"display_name": str(uuid4())})
        assert changed.status == 200


def _target_of(name: str) -> str:
    if name in RECEIPTS:
        return name.partition(":")[0]
    return "text" if name == "text:update" else "words"


def _kind_of(name: str, body: dict[str, Any]) -> str:
    """Messages that have words are not deleted here: more is said of them."""
    return "words" if name == "message" and body["message_type"] == "text" else name


def _plain(kind: str) -> Sample:
    """Something that can be referred to."""
    bodies: dict[str, dict[str, Any]] = {
        "words": {"message_type": "text", "text": ""}, "text": {"text": ""},
        "message": {"message_type": "custom", "custom": {"n": 1}},
        "image": {"representations": {"id": "x"}},
    }  # fmt: skip
    return Sample("message" if kind == "words" else kind, bodies[kind])
