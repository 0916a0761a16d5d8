"""A log, a receiver and a dispatcher between them, all in memory but the journal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tests.dispatch.virtual import START, InlineExecutor, VirtualClock

from tertulia.dispatch.answer import Answer, Call, Failure, Response
from tertulia.dispatch.dispatcher import Dispatcher
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.reading import JournalReader
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sqlite_tables import SqliteTables
from tertulia.dispatch.tables import Tables
from tertulia.dispatch.work import AllWork, WebhookWork
from tertulia.model.event import Event
from tertulia.model.ids import (
    ApplicationId,
    ConversationId,
    EventId,
    MemberId,
    Position,
    SessionId,
    UserId,
)
from tertulia.model.state import (
    Application,
    Callback,
    Capability,
    ConversationState,
    Profile,
    Webhook,
)
from tertulia.ports import EventQuery, ListedConversation

APP = ApplicationId("app-1")
OTHER = ApplicationId("app-2")
URL = "http://receiver.example/rtc"
SETTINGS = DispatchSettings(signing_secret="secret", api_key="key")


def conversation(number: int) -> ConversationId:
    return ConversationId(f"CON-{number}")


def application(
    application_id: ApplicationId = APP, url: str | None = URL, policy: str = "hold"
) -> Application:
    hooks = {"event_url": Webhook(url)} if url else {}
    return Application(
        application_id, "App", "", START,
        capabilities={"rtc": Capability(webhooks=hooks)}, webhook_policy=policy,
    )  # fmt: skip


def profile(conversation_id: ConversationId, callback: Callback | None) -> Profile:
    return Profile(conversation_id, APP, "name", ConversationState.ACTIVE, START, callback=callback)


class FakeLog:
    """ReadableLog and ReadableDirectory, in lists. Every read lets others run first."""

    def __init__(self, *applications: Application) -> None:
        self.epoch = "epoch-1"
        self.log: list[Event] = []
        self.by_id = {one.id: one for one in applications}
        self.callbacks: dict[ConversationId, Callback] = {}
        self.reads = 0

    def append(
        self,
        conversation_id: ConversationId | None = None,
        type_: str = "message",
        *,
        application_id: ApplicationId = APP,
        became: Profile | None = None,
        timestamp: int = START,
    ) -> Event:
        number = 1 + sum(event.conversation_id == conversation_id for event in self.log)
        event = Event(
            application_id, conversation_id, EventId(number) if conversation_id else None, type_,
            START, b'{"text":"hello"}', sender=MemberId("MEM-1"), became=became,
            position=Position(len(self.log) + 1),
        )  # fmt: skip
        self.log.append(event)
        return event

    def change_callback(self, conversation_id: ConversationId, callback: Callback | None) -> None:
        """As the hub does it: the row, and the event that tells."""
        if callback is None:
            self.callbacks.pop(conversation_id, None)
        else:
            self.callbacks[conversation_id] = callback
        changed = profile(conversation_id, callback)
        self.append(conversation_id, "conversation:updated", became=changed)

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]:
        await asyncio.sleep(0)
        found = [
            event
            for event in self.log
            if event.conversation_id == conversation_id and (event.id or 0) > query.after
        ]
        return found[: query.limit]

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        self.reads += 1
        await asyncio.sleep(0)
        found = (
            event
            for event in self.log[after:]
            if application_id is None or event.application_id == application_id
        )
        return [event for event, _ in zip(found, range(limit), strict=False)]

    async def applications(self) -> list[Application]:
        await asyncio.sleep(0)
        return list(self.by_id.values())

    async def profile(self, conversation_id: ConversationId) -> ListedConversation | None:
        await asyncio.sleep(0)
        found = profile(conversation_id, self.callbacks.get(conversation_id))
        return ListedConversation(key=(), profile=found, sequence=EventId(0))


class Receipt(Struct, frozen=True):
    """A call as the receiver saw it."""

    call: Call
    at: float
    url: str
    position: int
    attempt: int
    event: dict[str, Any]
    ok: bool


class Receiver:
    """Sender: takes every call, answers as told, and remembers."""

    def __init__(self, answer: Callable[[Call], Awaitable[Answer]] | None = None) -> None:
        self.answer = answer or always(200)
        self.seen: list[Receipt] = []
        self.under_way = 0
        self.most_under_way = 0
        self._came = asyncio.Event()

    async def has_seen(self, calls: int) -> None:
        """Wait for so many calls."""
        while len(self.seen) < calls:
            self._came.clear()
            await self._came.wait()

    async def send(self, call: Call) -> Answer:
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            answer = await self.answer(call)
        finally:
            self.under_way -= 1
        headers = dict(line.split(": ", 1) for line in call.headers.decode().splitlines())
        self.seen.append(
            Receipt(
                call,
                asyncio.get_running_loop().time(),
                call.url,
                int(headers.get("Tertulia-Position", 0)),
                int(headers["Tertulia-Attempt"]),
                msgspec.json.decode(call.body) if call.body else {},
                isinstance(answer, Response) and answer.status == 200,
            )
        )
        self._came.set()
        return answer

    def accepted(self, url: str | None = None) -> list[Receipt]:
        return [one for one in self.seen if one.ok and url in (None, one.url)]

    def ids(self, conversation_id: ConversationId | None, url: str | None = None) -> list[int]:
        """Numbers accepted for a conversation, or positions in the application's stream."""
        return [
            one.event.get("id", one.position)
            for one in self.accepted(url)
            if one.event.get("conversation_id") == conversation_id
        ]


def always(status: int) -> Callable[[Call], Awaitable[Answer]]:
    async def answer(call: Call) -> Answer:
        await asyncio.sleep(0.001)
        return Response(status, b"")

    return answer


async def stuck(call: Call) -> Answer:
    """What the client makes of a receiver that never answers."""
    await asyncio.sleep(call.total_timeout_ms / 1000)
    return Failure("no answer")


class CountedIds:
    """Ids, as far as the dispatcher needs them."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def bare(self) -> str:
        return f"id-{next(self._numbers)}"

    def conversation(self) -> ConversationId:
        return ConversationId(self.bare())

    def member(self) -> MemberId:
        return MemberId(self.bare())

    def user(self) -> UserId:
        return UserId(self.bare())

    def application(self) -> ApplicationId:
        return ApplicationId(self.bare())

    def session(self) -> SessionId:
        return SessionId(self.bare())


class World:
    """One log and one receiver, and a dispatcher that may be started again and again."""

    def __init__(
        self, folder: Path, log: FakeLog, receiver: Receiver, settings: DispatchSettings = SETTINGS
    ) -> None:
        self.path = folder / "dispatch.db"
        self.log = log
        self.receiver = receiver
        self.settings = settings

    def tables(self) -> Tables:
        return SqliteTables(self.path, executor=InlineExecutor())

    def journal(self) -> Journal:
        return Journal(self.tables(), attempts_kept=self.settings.attempts_kept)

    def dispatcher(self, journal: Journal, work: WebhookWork | None = None) -> Dispatcher:
        return Dispatcher(
            self.settings, store=self.log, journal=journal, work=work or AllWork(),
            sender=self.receiver, clock=VirtualClock(), ids=CountedIds(), jitter=lambda: 0.0,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, journal: Journal | None = None) -> AsyncIterator[Dispatcher]:
        """A dispatcher's life; at the end it is cancelled and writes what it knows."""
        opened = journal or self.journal()
        dispatcher = self.dispatcher(opened)
        task = asyncio.create_task(dispatcher.run())
        try:
            await asyncio.sleep(0.01)
            yield dispatcher
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await opened.close()

    async def dispatch_for(self, seconds: float) -> None:
        async with self.running():
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[JournalReader]:
        reader = JournalReader(self.tables())
        try:
            yield reader
        finally:
            await reader.close()

    def with_settings(self, **changed: Any) -> None:
        self.settings = replace(self.settings, **changed)
