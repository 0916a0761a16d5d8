"""Who says something in a run: posters, who are members all the time, and roamers, who come and
go."""

import asyncio
import random
from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field
from tests.system.chaos.asking import Asker, Reply
from tests.system.chaos.history import Asked, Read, Seen

READ_SHARE = 0.25
"""Of what was acknowledged and is then read at some node."""
KNOWN_MAX = 20


class Place(Struct):
    """A conversation."""

    id: str
    members: dict[str, str]
    """Member ids of those who stay, by user name."""
    known: deque[int] = field(default_factory=lambda: deque(maxlen=KNOWN_MAX))
    """Numbers of messages that can be deleted."""

    @property
    def path(self) -> str:
        return f"/v1/conversations/{self.id}"


class Poster:
    """`nodes`: addresses of all nodes, to read at. One request at a time."""

    def __init__(
        self, name: str, asker: Asker, places: Sequence[Place], nodes: Sequence[tuple[str, str]],
        chance: random.Random,
    ) -> None:  # fmt: skip
        self._name = name
        self._asker = asker
        self._places = places
        self._nodes = nodes
        self._chance = chance
        self._count = 0

    async def post(self, enough: asyncio.Event, pause_s: float) -> None:
        while not enough.is_set():
            deeds = (self._say, self._delete, self._rename, self._announce)
            (deed,) = self._chance.choices(deeds, (90, 3, 2, 5))
            await deed(self._chance.choice(self._places))
            await asyncio.sleep(self._chance.uniform(0, 2 * pause_s))

    async def _say(self, place: Place) -> None:
        text = self._text()
        user = self._chance.choice(list(place.members))
        asked = self._asked(place, "message", text)
        reply = await self._asker.change("POST", f"{place.path}/events", asked, {
            "type": "message", "from": place.members[user],
            "body": {"message_type": "text", "text": text},
        })  # fmt: skip
        if reply.is_good:
            place.known.append(reply.members["id"])
            if self._chance.random() < READ_SHARE:
                await self._read(place, reply.members["id"])

    async def _read(self, place: Place, number: int) -> None:
        node, url = self._chance.choice(self._nodes)
        asked, history = self._asker.history.now, self._asker.history
        reply = await self._asker.call("GET", f"{place.path}/events/{number}", url=url)
        text = reply.members.get("body", {}).get("text")
        history.note(Read(history.now, node, place.id, number, asked, reply.status, text))

    async def _delete(self, place: Place) -> None:
        if place.known:
            number = place.known.popleft()
            asked = self._asked(place, "delete", target=number)
            await self._asker.change("DELETE", f"{place.path}/events/{number}", asked)

    async def _rename(self, place: Place) -> None:
        name = self._text()
        asked = self._asked(place, "rename", name)
        await self._asker.change("PUT", place.path, asked, {"display_name": name})

    async def _announce(self, place: Place) -> None:
        text = self._text()
        user = self._chance.choice(list(place.members))
        await self._asker.change(
            "POST", f"{place.path}/events", self._asked(place, "ephemeral", text),
            {"type": "ephemeral", "from": place.members[user], "body": {"text": text}},
        )  # fmt: skip

    def _asked(
        self, place: Place, deed: str, text: str | None = None, target: int | None = None
    ) -> Asked:
        return _asked(self._asker, place, deed, text, target)

    def _text(self) -> str:
        self._count += 1
        return f"{self._name} {self._count}"


class Roamer:
    """A user who joins and leaves."""

    def __init__(
        self, user: str, asker: Asker, places: Sequence[Place], nodes: Sequence[tuple[str, str]],
        chance: random.Random,
    ) -> None:  # fmt: skip
        self._user = user
        self._nodes = nodes
        self._asker = asker
        self._places = places
        self._chance = chance
        self._members: dict[str, str | None] = {}
        """By conversation: the member id, None when not in it. Absent: not known."""

    async def roam(self, enough: asyncio.Event, pause_s: float) -> None:
        for place in self._places:
            self._members[place.id] = None
        while not enough.is_set():
            place = self._chance.choice(self._places)
            if place.id not in self._members:
                await self._look(place)
            elif (member := self._members.pop(place.id)) is None:
                await self._join(place)
            else:
                await self._leave(place, member)
            await asyncio.sleep(self._chance.uniform(0, 2 * pause_s))

    async def _join(self, place: Place) -> None:
        body = {"state": "joined", "user": {"name": self._user}, "channel": {"type": "app"}}
        asked = _asked(self._asker, place, "join")
        reply = await self._asker.change("POST", f"{place.path}/members", asked, body)
        if reply.is_good:
            self._members[place.id] = reply.members["id"]
            await self._see(place, reply.members["id"], "JOINED")

    async def _leave(self, place: Place, member: str) -> None:
        path, asked = f"{place.path}/members/{member}", _asked(self._asker, place, "leave")
        reply = await self._asker.change("PATCH", path, asked, {"state": "left"})
        if reply.is_good:
            self._members[place.id] = None
            await self._see(place, member, "LEFT")

    async def _see(self, place: Place, member: str, wanted: str) -> None:
        """Whether a node, whichever, knows it."""
        node, url = self._chance.choice(self._nodes)
        history = self._asker.history
        asked = history.now
        reply = await self._asker.call("GET", f"{place.path}/members/{member}", url=url)
        got = reply.members.get("state")
        history.note(Seen(history.now, node, place.id, asked, reply.status, wanted, got))

    async def _look(self, place: Place) -> None:
        """What has become of a request without an answer."""
        reply = await self._asker.call("GET", f"{place.path}/members?page_size=100")
        if reply.is_good:
            self._members[place.id] = self._found(reply)

    def _found(self, reply: Reply) -> str | None:
        for member in reply.members["_embedded"]["members"]:
            name = member.get("_embedded", {}).get("user", {}).get("name")
            if name == self._user and member["state"] == "JOINED":
                return str(member["id"])
        return None


def _asked(
    asker: Asker, place: Place, deed: str, text: str | None = None, target: int | None = None
) -> Asked:
    history = asker.history
    return Asked(
        history.now, history.next_request(), asker.application_id, place.id, deed, text, target
    )
