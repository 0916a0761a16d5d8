"""The conductor: follows the log, and lets what it says happen to legs and their audio.

What a program asks for is an event like any other, stored and told before it is carried out; what
the media workers then report becomes events again. Everything about one conversation, or one leg,
happens in its order; conversations do not wait for each other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from tertulia.model.commands import AnyReport
from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.state import Member
from tertulia.ports import EventLog, Workers
from tertulia.ports.cluster import Homes
from tertulia.services.errands import Errands

RETRY_SECONDS = 0.2

Reaction = Callable[[Event], Awaitable[None]]
Reactions = Mapping[str, Reaction]
"""By type of event."""
Hearings = Mapping[type[Any], Callable[[Any], Awaitable[None]]]
"""By type of report."""
Listener = Callable[[Any], None]

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Conductor:
    def __init__(self, *, log: EventLog, workers: Workers, errands: Errands, homes: Homes) -> None:
        self._log = log
        self._homes = homes
        self._workers = workers
        self._errands = errands
        self._reactions: dict[str, list[Reaction]] = {}
        self._hearings: dict[type[Any], list[Callable[[Any], Awaitable[None]]]] = {}
        self._at_once: dict[type[Any], Listener] = {}
        self._announced: dict[str, Listener] = {}
        self._cursor = Position(0)
        self._begins: dict[ApplicationId, Position] = {}
        self._news = asyncio.Event()

    def add(self, reactions: Reactions, hearings: Hearings | None = None) -> None:
        """Let somebody react to events, and hear reports."""
        for name, reaction in reactions.items():
            self._reactions.setdefault(name, []).append(reaction)
        for kind, hearing in (hearings or {}).items():
            self._hearings.setdefault(kind, []).append(hearing)

    def hear_at_once(self, kind: type[Any], listener: Listener) -> None:
        """Let somebody hear reports that are of their moment only: they wait for nothing."""
        self._at_once[kind] = listener

    def announce(self, name: str, listener: Listener) -> None:
        """Let somebody know of events before their turn to react comes."""
        self._announced[name] = listener

    async def start(self) -> None:
        """From now on: what was asked of legs that are no more is over."""
        self._cursor = await self._log.head()
        self._log.on_append(self._news.set)
        self._workers.on_report(self._hear)

    @property
    def cursor(self) -> Position:
        """All events up to here have had their turn."""
        return self._cursor

    def begin(self, application_id: ApplicationId, after: Position) -> None:
        """React to what an application says after that only: before, it was at home elsewhere."""
        self._begins[application_id] = after

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.catch_up()
            except Unavailable as error:
                told = {"action": "conductor_waits", "error": str(error)}
                _log.warning("the conductor waits for the store", extra=told)
                await asyncio.sleep(RETRY_SECONDS)
                self._news.set()

    async def catch_up(self) -> None:
        """React to all that is in the log by now."""
        while True:
            found = self._log.attended(self._cursor)
            events = found.events if found else await self._log.follow(self._cursor)
            for event in events:
                self._react(event)
            if found is not None:
                self._cursor = max(self._cursor, found.through)
                return
            if not events:
                return
            self._cursor = events[-1].position

    def _react(self, event: Event) -> None:
        reactions = self._reactions.get(event.type)
        if reactions is None or _is_of_chat(event) or not self._is_ours(event):
            return
        if (listener := self._announced.get(event.type)) is not None:
            listener(event)
        for reaction in reactions:
            key = event.conversation_id or event.application_id
            self._errands.in_turn(key, partial(_react, reaction, event))

    def _is_ours(self, event: Event) -> bool:
        """What follows from an event follows at the home of its application, once."""
        name = event.application_id
        return self._homes.has(name) and event.position > self._begins.get(name, 0)

    def _hear(self, report: AnyReport) -> None:
        if (listener := self._at_once.get(type(report))) is not None:
            listener(report)
            return
        for hearing in self._hearings.get(type(report), ()):
            self._errands.in_turn(_key(report), partial(_react, hearing, report))


def _is_of_chat(event: Event) -> bool:
    """Who joins without a leg brings no audio: by far most do, and nothing follows from it here."""
    member = event.became
    return (
        event.type == "member:joined" and isinstance(member, Member) and member.channel.id is None
    )


def _key(report: AnyReport) -> str:
    """What a report is about: its first field names it."""
    return str(getattr(report, report.__struct_fields__[0]))


async def _react(reaction: Callable[[T], Awaitable[None]], to: T) -> None:
    await reaction(to)
