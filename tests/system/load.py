"""Writers that do all kinds of things at once, and remember what was acknowledged to them."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct, field
from tests.system.caller import Answer, Caller, Dropped

from tertulia.devkit import DevDocument

REFUSED = (404, 409)
"""Two writers can meet: a message that is to be reported on may be deleted by another."""


class Acknowledged(Struct):
    """What the server has said is so, and `faults`: what it must never say."""

    events: dict[tuple[str, int], tuple[str, Any]] = field(default_factory=dict)
    """By conversation and id: type and body."""
    deleted: set[tuple[str, int]] = field(default_factory=set)
    members: dict[str, str] = field(default_factory=dict)
    """By member id: its newest acknowledged state."""
    users: list[str] = field(default_factory=list)
    dropped: int = 0
    """Requests that were never answered."""
    faults: list[str] = field(default_factory=list)

    def event(self, conversation: str, made: Any) -> None:
        key = (conversation, made["id"])
        if key in self.events:
            self.faults.append(f"{key} was given twice")
        self.events[key] = (made["type"], made["body"])


class Member(Struct):
    """One writer's place in one conversation."""

    conversation: str
    id: str
    said: list[int] = field(default_factory=list)
    """Ids of messages that it knows of."""
    guests: list[str] = field(default_factory=list)
    """Member ids of those it has let in."""


class Writer:
    def __init__(self, told: Acknowledged, chance: random.Random) -> None:
        self._told = told
        self._chance = chance
        self._members: list[Member] = []
        self._caller: Caller

    async def settle(self, document: DevDocument, conversations: Sequence[str]) -> None:
        """Become a member of every conversation."""
        async with Caller(document) as self._caller:
            user = await self._user()
            for conversation in conversations:
                made = await self._caller.post(
                    f"/v1/conversations/{conversation}/members", _joining(user)
                )
                self._members.append(Member(conversation, made["id"]))

    async def write(self, document: DevDocument) -> None:
        """Go on until the server is gone."""
        async with Caller(document) as self._caller:
            try:
                while not self._told.faults:
                    await self._do_something(self._chance.choice(self._members))
            except Dropped:
                self._told.dropped += 1

    async def _do_something(self, member: Member) -> None:
        deeds = (self._say, self._report, self._delete, self._let_in, self._see_off)
        (deed,) = self._chance.choices(deeds, (65, 12, 5, 9, 9))
        await deed(member)

    async def _say(self, member: Member) -> None:
        body = {"message_type": "text", "text": str(uuid4())}
        answer = await self._call("POST", member, "events", {
            "type": "message", "from": member.id, "body": body,
        })  # fmt: skip
        if answer is not None:
            made = answer.json
            if made["body"] != body:
                self._told.faults.append(f"{made} instead of {body}")
            self._told.event(member.conversation, made)
            member.said.append(made["id"])

    async def _report(self, member: Member) -> None:
        if member.said:
            kind = self._chance.choice(("seen", "delivered"))
            # the query makes it another request than an earlier report with the same token
            answer = await self._call("POST", member, f"events?report={uuid4()}", {
                "type": f"message:{kind}", "from": member.id,
                "body": {"event_id": self._chance.choice(member.said)},
            })  # fmt: skip
            if answer is not None:
                self._told.event(member.conversation, answer.json)

    async def _delete(self, member: Member) -> None:
        if member.said:
            event_id = member.said.pop(self._chance.randrange(len(member.said)))
            if await self._call("DELETE", member, f"events/{event_id}") is not None:
                self._told.deleted.add((member.conversation, event_id))

    async def _let_in(self, member: Member) -> None:
        answer = await self._call("POST", member, "members", _joining(await self._user()))
        if answer is not None:
            guest = answer.json["id"]
            member.guests.append(guest)
            self._told.members[guest] = "JOINED"

    async def _see_off(self, member: Member) -> None:
        if member.guests:
            guest = member.guests.pop()
            del self._told.members[guest]  # not known until it is answered
            answer = await self._call("PATCH", member, f"members/{guest}", {"state": "left"})
            if answer is not None:
                self._told.members[guest] = "LEFT"

    async def _user(self) -> str:
        made = await self._caller.post("/v1/users", {"name": str(uuid4())})
        user: str = made["id"]
        self._told.users.append(user)
        return user

    async def _call(
        self, method: str, member: Member, path: str, body: object = None
    ) -> Answer | None:
        """The answer; None when it was refused."""
        path = f"/v1/conversations/{member.conversation}/{path}"
        answer = await self._caller.call(method, path, body)
        if answer.status in (200, 201, 204):
            return answer
        if answer.status not in REFUSED:
            self._told.faults.append(f"{method} {path} {body}: {answer}")
        return None


def _joining(user: str) -> dict[str, object]:
    return {"state": "joined", "user": {"id": user}, "channel": {"type": "app"}}


class Load:
    """Some writers in some conversations; what was acknowledged to all of them."""

    def __init__(self, chance: random.Random, *, writers: int, conversations: int) -> None:
        self.told = Acknowledged()
        self._writers = [Writer(self.told, chance) for _ in range(writers)]
        self._size = conversations

    async def settle(self, document: DevDocument) -> None:
        async with Caller(document) as caller:
            made = [
                (await caller.post("/v1/conversations", {"name": f"number {number}"}))["id"]
                for number in range(self._size)
            ]
        for writer in self._writers:
            await writer.settle(document, made)

    async def write(self, document: DevDocument) -> None:
        """Until the server is gone."""
        async with asyncio.TaskGroup() as writers:
            for writer in self._writers:
                writers.create_task(writer.write(document))
