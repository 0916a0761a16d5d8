"""Delivery: follows the log of all that is attended, and hands what happens to live sessions.

Events go out in commit order. What one commit brings to a session leaves in one write: the events
of a run are joined here, the runs of a turn of the loop by the transport.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from tertulia.live.dialect import destination, reaches_sessions
from tertulia.live.packets import Packets
from tertulia.live.presence import Attendance, Presence, Room
from tertulia.live.session import Session
from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.hearing import DIRECTED
from tertulia.model.ids import ConversationId, Position
from tertulia.model.state import ConversationState, Member, MemberState, Profile
from tertulia.ports import EventLog, Stretch

RUN_BYTES = 256 * 1024
"""Of bodies in one joined write: a longer run is cut, so that a slow session is felt in time."""
RETRY_SECONDS = 0.2
REST_PER_WRITE = 40e-6
"""Seconds; four times what a write costs this process, with the receipt of what answers it.

After handing something on, delivery rests, and what comes meanwhile goes out together. So it takes
at most a fifth of the loop from those who post, and the busier a room, the more events one write
carries. Measured with 64 senders and 100 members: 415 000 deliveries a second without the rest,
670 000 with once the cost, 730 000 with four times, and a lower median delay.
"""
REST_MIN = 0.002
REST_MAX = 0.02

ANSWER_SECONDS = 0.05
"""For the answer of who rejects a call to arrive before the events that it causes.

COMPAT: else the client SDK takes its own rejection for one elsewhere (wire-clients 5.4); in a
browser, two turns of the loop are not enough for that.
"""

_log = logging.getLogger(__name__)


_NOTHING = Stretch([], Position(0))

Announced = tuple[Position, Event]
"""An event that is not kept, and the newest that had been stored when it happened."""


class Delivery:
    def __init__(self, log: EventLog, attendance: Attendance, *, outstanding_max: int) -> None:
        self._log = log
        self._attendance = attendance
        self._outstanding_max = outstanding_max
        self._announced: list[Announced] = []
        self._is_due = False
        self._reading: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()
        """Set for a moment when something has been handed on."""
        self._rests_until = 0.0
        """By the loop's clock."""
        self.cursor = Position(0)
        """All events up to here have been handed on."""
        self.delivered = 0
        """Writes to sessions since the start; one may carry several events."""

    async def start(self) -> None:
        """From now on; what came before is for those who resume."""
        self.cursor = await self._log.head()
        self._log.on_append(self.wake)

    async def reached(self, position: Position) -> None:
        """Wait until all events up to here have been handed on."""
        while self.cursor < position:
            await self._progress.wait()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def wake(self) -> None:
        """Look at the log soon: two turns of the loop later.

        In the turn between, whoever caused the events has its HTTP answer written: clients read
        the events that they cause by what that answer said (wire-clients 5.4, order rule).
        """
        if self._is_due:
            return
        self._is_due = True
        loop = asyncio.get_running_loop()
        if self._rests_until > loop.time():
            loop.call_at(self._rests_until, loop.call_soon, self._run)
        else:
            loop.call_soon(loop.call_soon, self._run)

    def announce(self, event: Event) -> None:
        """An event that is not kept: for who is there now, behind what has been stored by now."""
        found = self._log.attended(self.cursor)
        newest = found.events[-1].position if found and found.events else self.cursor
        self._announced.append((newest, event))
        self.wake()

    def _run(self) -> None:
        self._is_due = False
        before = self.delivered
        announced, self._announced = self._announced, []
        found = self._log.attended(self.cursor) if self._reading is None else _NOTHING
        if found is None:
            self._reading = asyncio.create_task(self._read())
        self._hand_on(found or _NOTHING, announced)
        rest = min(REST_MAX, max(REST_MIN, REST_PER_WRITE * (self.delivered - before)))
        self._rests_until = asyncio.get_running_loop().time() + rest

    async def _read(self) -> None:
        """Catch up from the store when memory does not reach back far enough."""
        try:
            while (found := self._log.attended(self.cursor)) is None:
                try:
                    events = await self._log.follow(self.cursor)
                    self._hand_on(Stretch(events, events[-1].position if events else self.cursor))
                except Unavailable as error:
                    told = {"action": "delivery_waits", "error": str(error)}
                    _log.warning("delivery waits for the store", extra=told)
                    await asyncio.sleep(RETRY_SECONDS)
            self._hand_on(found)
        finally:
            self._reading = None

    def _hand_on(self, found: Stretch, announced: Sequence[Announced] = ()) -> None:
        events = found.events
        self.cursor = max(self.cursor, found.through)
        for run in self._runs(_in_order(events, announced) if announced else events):
            try:
                self._send(run)
            except Exception:  # A supervisor: a bug met in one event must not keep others back.
                _log.exception("a delivery met a bug", extra={"action": "delivery_broken"})
        self._progress.set()
        self._progress.clear()

    def _runs(self, events: list[Event]) -> Iterator[list[Event]]:
        """Events of one conversation that are told together; one that changes who hears, alone.

        Lazy: whether anybody hears an event is asked when those before it have been sent.
        """
        run: list[Event] = []
        size = 0
        for event in events:
            if _changes_hearers(event):
                if run:
                    yield run
                    run, size = [], 0
                yield [event]
            elif event.conversation_id in self._attendance.rooms and reaches_sessions(event.type):
                if run and (run[0].conversation_id != event.conversation_id or size > RUN_BYTES):
                    yield run
                    run, size = [], 0
                run.append(event)
                size += len(event.body)
        if run:
            yield run

    def _send(self, run: list[Event]) -> None:
        """To all who have joined the conversation."""
        became = run[0].became
        if run[0].type in DIRECTED:
            self._send_directed(run[0])
        elif isinstance(became, Member):
            self._send_membership(run[0], became)
        elif isinstance(became, Profile) and became.state is ConversationState.DELETED:
            self._attendance.close(became.id)
        elif (room := self._room(run[0].conversation_id)) is not None:
            self._deliver(Packets(run), list(room.sessions))

    def _send_membership(self, event: Event, member: Member) -> None:
        """To all who have joined, and to whom it is about: the invited and the departed."""
        attendance = self._attendance
        if member.state is MemberState.JOINED:
            attendance.join(member.user_id, member.conversation_id, member.id)
        room = self._room(member.conversation_id)
        hearers = dict(room.sessions) if room is not None else {}
        presence = attendance.presences.get(member.user_id)
        if presence is not None:
            hearers.update(dict.fromkeys(presence.sessions))
            if event.type == "rtc:hangup":
                _hold(presence)
        try:
            if hearers and reaches_sessions(event.type):
                self._deliver(Packets([event]), list(hearers))
        finally:
            if member.state is MemberState.LEFT:
                attendance.leave(member.user_id, member.conversation_id, member.id)

    def _send_directed(self, event: Event) -> None:
        """Signalling: to the session that it answers, or to all of its user when that is gone."""
        user_id = event.became.user_id if isinstance(event.became, Member) else None
        presence = self._attendance.presences.get(user_id) if user_id else None
        if presence is None or not reaches_sessions(event.type):
            return
        wanted = destination(event)
        chosen = [each for each in presence.sessions if each.record.id == wanted]
        self._deliver(Packets([event]), chosen or list(presence.sessions))

    def _room(self, conversation_id: ConversationId | None) -> Room | None:
        return self._attendance.rooms.get(conversation_id) if conversation_id else None

    def _deliver(self, packets: Packets, sessions: list[Session]) -> None:
        slow = []
        outstanding_max = self._outstanding_max
        for session in sessions:
            packet = packets[session.variant]
            try:
                session.deliver(packet)
            except Exception:  # A supervisor: a session's bug is its own; cut, it may resume.
                _log.exception("a session met a bug", extra={"action": "session_broken"})
                slow.append(session)
            if len(session.outstanding) > outstanding_max:
                slow.append(session)
        self.delivered += len(sessions)
        for session in slow:
            if session.outlet is not None:
                session.outlet.drop()


def _hold(presence: Presence) -> None:
    loop = asyncio.get_running_loop()
    for session in presence.sessions:
        loop.call_later(ANSWER_SECONDS, session.hold())


def _changes_hearers(event: Event) -> bool:
    became = event.became
    return isinstance(became, Member) or (
        isinstance(became, Profile) and became.state is ConversationState.DELETED
    )


def _in_order(events: list[Event], announced: Sequence[Announced]) -> list[Event]:
    """What is kept and what is not, as it happened."""
    merged: list[Event] = []
    at = 0
    for newest, event in announced:
        while at < len(events) and events[at].position <= newest:
            merged.append(events[at])
            at += 1
        merged.append(event)
    return merged + events[at:]
