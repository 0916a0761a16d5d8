"""Clients of live sessions that keep a record of what they got, and the rooms they are in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from msgspec import Struct, field
from tests.system.caller import Caller, fresh_token
from tests.system.proxy import Plan, Proxy, never

from tertulia.client.login import Login, NoServer
from tertulia.client.session import Arrival, Kind, Session, SessionEnded
from tertulia.client.websocket import Dropped
from tertulia.devkit import DevDocument

Name = tuple[str, int]
"""Of an event: its conversation and its number."""


class Room(Struct):
    id: str
    members: dict[str, str] = field(default_factory=dict)
    """Member ids by user name."""
    posted: list[int] = field(default_factory=list)
    """Numbers of the messages that the server took."""

    async def post(self, caller: Caller, user: str, type_: str, body: object) -> int:
        """The number; 0 of what is not kept. The caller speaks for the application."""
        made = await caller.post(
            f"/v0.3/conversations/{self.id}/events?post={uuid4()}",
            {"type": type_, "from": self.members[user], "body": body},
        )
        return int(made.get("id", 0))

    async def say(self, caller: Caller, user: str, text: str = "") -> int:
        body = {"message_type": "text", "text": text or str(uuid4())}
        number = await self.post(caller, user, "message", body)
        self.posted.append(number)
        return number


async def make_room(caller: Caller, users: Sequence[str]) -> Room:
    """A conversation that all of them have joined; the users are there already."""
    made = await caller.post("/v1/conversations", {"name": f"room {uuid4()}"})
    room = Room(made["id"])
    for user in users:
        joining = {"state": "joined", "user": {"name": user}, "channel": {"type": "app"}}
        member = await caller.post(f"/v1/conversations/{room.id}/members", joining)
        room.members[user] = member["id"]
    return room


async def make_users(caller: Caller, count: int) -> list[str]:
    names = [f"user {number}" for number in range(count)]
    for name in names:
        await caller.post("/v1/users", {"name": name})
    return names


class Got(NamedTuple):
    """One delivery of a numbered event."""

    link: int
    """Which of the client's connections brought it."""
    name: Name
    ack: int
    """By which it was acknowledged."""
    type: str


class Listener:
    """One client behind its own proxy. It comes back whenever it loses its connection."""

    def __init__(
        self, document: DevDocument, user: str, proxy: Proxy, url: str, kind: Kind | None = None
    ) -> None:
        self.user = user
        self.proxy = proxy
        self.got: list[Got] = []
        self.faults: list[str] = []
        self.logins = 0
        self.session_id: str | None = None
        self._login = Login(url, fresh_token(document, user))
        self._kind = kind
        self._grown = asyncio.Event()

    async def open(self) -> Session:
        """Connect, anew or again, and take what was pending."""
        before = self.session_id
        session = await Session.open(self._login, kind=self._kind, session_id=before)
        self.logins += 1
        self.session_id = session.id
        if before is not None and not session.is_resumed:
            self.faults.append(f"{self.user}: {before} became {session.id}")
        for arrival in session.pending:
            self._take(arrival, session.login_ack or 0)
        session.pending.clear()
        return session

    async def listen(self, session: Session | None = None) -> None:
        """For ever. A refusal ends it: there is no reason for one."""
        while True:
            try:
                session = session or await self.open()
                async for arrival in session.events():
                    self._take(arrival, arrival.ack or 0)
            except (Dropped, NoServer):
                await asyncio.sleep(0.001)
            except SessionEnded as end:
                self.faults.append(f"{self.user}: {end}")
                return
            finally:
                if session is not None:
                    session.abort()
                session = None

    async def has(self, wanted: set[Name], *, within: float) -> bool:
        """Wait until all of these have come."""
        try:
            async with asyncio.timeout(within):
                while wanted - {each.name for each in self.got}:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True

    def repeats(self) -> list[str]:
        """Events that came again although the server had been given their acknowledgement."""
        found = []
        known: dict[Name, Got] = {}
        surely = [link.acknowledged() for link in self.proxy.links]
        for each in self.got:
            first = known.setdefault(each.name, each)
            if first is each:
                continue
            if first.link == each.link or first.ack in surely[first.link]:
                found.append(f"{self.user}: {first} and again {each}")
            known[each.name] = each
        return found

    def disorder(self) -> list[str]:
        """Events that came for the first time behind a later one of their conversation."""
        found = []
        newest: dict[str, int] = {}
        seen: set[Name] = set()
        for each in self.got:
            conversation, number = each.name
            if each.name not in seen and number <= newest.get(conversation, 0):
                found.append(f"{self.user}: {each} behind {newest[conversation]}")
            seen.add(each.name)
            newest[conversation] = max(number, newest.get(conversation, 0))
        return found

    def _take(self, arrival: Arrival, ack: int) -> None:
        number = arrival.payload.get("id")
        if isinstance(number, int):
            name = (arrival.payload["cid"], number)
            self.got.append(Got(len(self.proxy.links) - 1, name, ack, arrival.type))
            self._grown.set()


@asynccontextmanager
async def listening(
    document: Callable[[], DevDocument], user: str, plan: Plan = never, kind: Kind | None = None
) -> AsyncIterator[Listener]:
    """A listener and its proxy in front of the server, wherever that is at the time."""

    def upstream() -> tuple[str, int]:
        address = urlsplit(document().api_url)
        return address.hostname or "", address.port or 0

    proxy = Proxy(upstream, plan)
    async with proxy.listening() as url:
        yield Listener(document(), user, proxy, url, kind)
