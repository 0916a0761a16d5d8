"""Nodes on one database, as far as webhooks are concerned."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import asyncpg
import msgspec
from msgspec.structs import replace
from tests.dispatch.fakes import APP, SETTINGS, CountedIds, FakeLog, application, conversation
from tests.postgres import PostgresServer

from tertulia.dispatch.answer import Answer, Call, Response, Sender, Withheld
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.dispatcher import Dispatcher
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.leased_work import LeasedWork, awake
from tertulia.dispatch.postgres_tables import PostgresTables
from tertulia.dispatch.target import TargetGuard
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.store.postgres_migrations import migrate

LEASE = 1.0


def made(server: PostgresServer, homes: Mapping[ApplicationId, str] | None = None) -> str:
    """The address of a new store, its applications at home with these nodes."""
    url = server.new_database()

    async def make() -> None:
        connection = await asyncpg.connect(url, server_settings={"search_path": "tertulia"})
        await migrate(connection)
        await connection.close()

    server.run(make())
    for application_id, node in (homes or {}).items():
        move(server, url, application_id, node)
    return url


def move(server: PostgresServer, url: str, application_id: ApplicationId, node: str) -> None:
    """An application's home, to that node."""
    server.execute(
        url,
        f"INSERT INTO tertulia.homes VALUES ('{application_id}', '{node}', 'one')"
        " ON CONFLICT (application) DO UPDATE SET node = excluded.node",
    )


@asynccontextmanager
async def work(
    url: str, node: str, *, lease_s: float = LEASE, now: Callable[[], float] = awake
) -> AsyncIterator[LeasedWork]:
    opened = LeasedWork(url, node, lease_s, now=now)
    try:
        yield opened
    finally:
        await opened.close()


FAST = replace(
    SETTINGS, first_retry_ms=40, longest_retry_ms=160, flush_ms=10, poll_ms=200,
    poll_spacing_ms=10, pause_ms=50, page=20, window_events=60,
)  # fmt: skip
CONVERSATIONS = [conversation(number) for number in range(6)]


def story(events: int, seed: int = 7) -> FakeLog:
    """The same log at every node: some conversations, and the application's own stream."""
    dice = random.Random(seed)
    log = FakeLog(application())
    for _ in range(events):
        log.append(dice.choice([*CONVERSATIONS, None]))
    return log


class WallClock:
    """Right, or wrong by some minutes."""

    def __init__(self, minutes: float = 0) -> None:
        self._off = int(minutes * 60_000)

    def now(self) -> Instant:
        return Instant(int(time.time() * 1000) + self._off)


@asynccontextmanager
async def node(
    name: str, url: str, log: FakeLog, sender: Sender, *, minutes: float = 0
) -> AsyncIterator[Dispatcher]:
    """A dispatcher, which is stopped in good order at the end."""
    journal, leased = Journal(PostgresTables(url)), LeasedWork(url, name, LEASE)
    dispatcher = Dispatcher(
        replace(FAST, user_agent=name), store=log, journal=journal, work=leased, sender=sender,
        clock=WallClock(minutes), ids=CountedIds(),
    )  # fmt: skip
    running = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
        assert not running.done(), running.exception()
    finally:
        dispatcher.stop()
        await asyncio.wait([running], timeout=5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()
        await leased.close()


class Arrival(NamedTuple):
    """A request as the receiver saw it."""

    node: str
    stream: str | None
    position: int
    ok: bool


class Inbox:
    """What has arrived, from whichever node; a part of it is refused."""

    def __init__(self, refused: float = 0.1, seed: int = 1) -> None:
        self._dice = random.Random(seed)
        self._refused = refused
        self.arrivals: list[Arrival] = []
        self._came = asyncio.Condition()

    async def take(self, node: str, body: bytes, position: int) -> int:
        """The status of the answer."""
        await asyncio.sleep(self._dice.random() * 0.01)
        ok = self._dice.random() >= self._refused
        stream = msgspec.json.decode(body).get("conversation_id")
        async with self._came:
            self.arrivals.append(Arrival(node, stream, position, ok))
            self._came.notify_all()
        return 200 if ok else 500

    def of(self, node: str) -> list[Arrival]:
        return [one for one in self.arrivals if one.node == node and one.ok]

    async def has(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(enough)

    async def has_all(self, log: FakeLog) -> None:
        wanted = {event.position for event in log.log}
        await self.has(lambda: {one.position for one in self.arrivals if one.ok} >= wanted)

    def check(self, log: FakeLog) -> None:
        """Nothing is lost, and what came first came in order; repeats are what they are."""
        for stream in (*CONVERSATIONS, None):
            expected = [event.position for event in log.log if event.conversation_id == stream]
            came = [one.position for one in self.arrivals if one.ok and one.stream == stream]
            assert list(dict.fromkeys(came)) == expected

    def sender(self, name: str) -> "Post":
        return Post(self, name)


class Post:
    """Sender to an inbox."""

    def __init__(self, inbox: Inbox, node: str) -> None:
        self._inbox = inbox
        self._node = node

    async def send(self, call: Call) -> Answer:
        if not call.may_go():
            return Withheld("too late")
        position = _header(call.headers.decode(), "Tertulia-Position")
        return Response(await self._inbox.take(self._node, call.body, int(position)), b"")


def _header(head: str, name: str) -> str:
    return head.partition(f"{name}: ")[2].partition("\r\n")[0]


@asynccontextmanager
async def receiver(inbox: Inbox) -> AsyncIterator[int]:
    """A server in front of the inbox; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = await reader.readexactly(int(_header(head, "Content-Length")))
                position = int(_header(head, "Tertulia-Position"))
                status = await inbox.take(_header(head, "User-Agent"), body, position)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def main(name: str, url: str, port: str, events: str) -> None:
    """A node as a process of its own: it can be stopped and killed."""
    log = story(int(events))
    log.by_id[APP] = application(url=f"http://127.0.0.1:{port}/")
    sender = HttpSender(FAST, TargetGuard(["127.0.0.0/8"]))
    async with node(name, url, log, sender):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
