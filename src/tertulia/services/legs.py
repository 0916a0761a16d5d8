"""Legs that have not ended: the one who changes them and tells their media workers.

A leg is an event before anybody hears of it, in its conversation or, while it has none, in the
application's own stream. Changes of one leg are made one after the other.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator

from tertulia.model.actor import Actor
from tertulia.model.calling import NOTHING, status_fact
from tertulia.model.commands import FULL, Account, Close, Command, Refused, Report
from tertulia.model.decision import Decision
from tertulia.model.errors import (
    ConversationNotFound,
    LegNotFound,
    TertuliaError,
    TooManyLegs,
    ValidationFailed,
)
from tertulia.model.event import Event, Fact
from tertulia.model.events.leg import LegType
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, as_set
from tertulia.model.state import Conversation, Member
from tertulia.ports import Clock, Directory, LegFilter, ListedLeg, MediaUnavailable, Page, Workers
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Timer

CLOSE_SECONDS = 1.0
"""For a worker to close a leg and account for it."""
MOVES_KEPT = 4
"""A transfer is two; what was asked of a leg is carried out within that."""

Change = Callable[[Leg, Instant], Leg]
Telling = Callable[[Conversation, Leg, Instant], tuple[Fact, ...]]
"""From the conversation, the leg as it is now, and the time: all facts to tell, the leg's own
status among them."""


class LiveLeg:
    """A leg that has not ended."""

    __slots__ = (
        "closed", "description", "earlier", "is_ending", "is_softphone", "is_up", "leg", "timers",
        "turn", "waiting", "was_up",
    )  # fmt: skip

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.earlier: deque[tuple[Leg, Instant]] = deque(maxlen=MOVES_KEPT)
        """As it was before each of its last moves, and when that was."""
        self.is_up = False
        """Its media path is open."""
        self.was_up = False
        """It was open at some time."""
        self.is_ending = False
        self.description: str | None = None
        """By which it can be answered, while it is a phone that calls us and rings."""
        self.is_softphone = False
        """At its other end is the phone of one of our users, which has shown its password."""
        self.waiting: Timer | None = None
        """Until the leg ends if its media path is not open by then."""
        self.timers: list[Timer] = []
        """Others that are of no use when it has ended."""
        self.turn = asyncio.Lock()
        self.closed: asyncio.Future[Account | None] = asyncio.get_running_loop().create_future()

    @property
    def is_held_back(self) -> bool:
        """It may be in a conversation without having been answered: a phone that rings still."""
        return self.description is not None

    def wait(self, timer: Timer | None) -> None:
        """Wait for this instead of what was waited for."""
        if self.waiting is not None:
            self.waiting.cancel()
        self.waiting = timer

    def hang_up(self, account: Account | None) -> None:
        """Its worker has closed it; None when it died."""
        if not self.closed.done():
            self.closed.set_result(account)


class Legs:
    def __init__(
        self, *, conversations: Conversations, directory: Directory, workers: Workers, clock: Clock,
        per_application: int, per_user: int,
    ) -> None:  # fmt: skip
        """The last two: legs that may be open at once; of a user only those of its clients."""
        self._conversations = conversations
        self._directory = directory
        self._workers = workers
        self._clock = clock
        self._per_application = per_application
        self._per_user = per_user
        self._live: dict[LegId, LiveLeg] = {}
        self._there: dict[ConversationId, dict[LegId, LiveLeg]] = {}
        """Those in a conversation: nearly every event of one asks for its legs."""
        self._counts: Counter[str] = Counter()
        """By application and by user."""

    def live(self, leg_id: LegId | str | None) -> LiveLeg | None:
        return self._live.get(LegId(leg_id)) if leg_id else None

    def __iter__(self) -> Iterator[LiveLeg]:
        return iter(list(self._live.values()))

    def has_any(self, application_id: ApplicationId) -> bool:
        return self._counts[application_id] > 0

    def within(self, conversation_id: ConversationId) -> list[LiveLeg]:
        """Those in a conversation, in the order in which they came there."""
        return list(self._there.get(conversation_id, {}).values())

    def of_member(self, conversation_id: ConversationId, member_id: str | None) -> Leg | None:
        """The newest leg of a member; None also when no member is named."""
        for each in reversed(self.within(conversation_id)) if member_id else ():
            if each.leg.member_id == member_id:
                return each.leg
        return None

    def recipient(self, event: Event) -> Leg | None:
        """The leg of the member that an event is for, also when it has moved on since."""
        conversation_id, member_id = event.conversation_id, event.recipient
        if conversation_id is None or member_id is None:
            return None
        return self.of_member(conversation_id, member_id) or next(
            (each.leg for each in self._live.values() if _was(each, event)), None
        )

    def named(self, member: Member) -> LiveLeg | None:
        """The leg that a member names as its channel, if it is one of its user: whoever knows the
        id of a leg could name it."""
        live = self.live(member.channel.id)
        return live if live is not None and live.leg.user_id == member.user_id else None

    async def find(self, leg_id: LegId, actor: Actor) -> Leg:
        """Raises LegNotFound, also for what is not the actor's to see."""
        live = self._live.get(leg_id)
        leg = live.leg if live is not None else await self._directory.leg(leg_id)
        if leg is None or leg.application_id != actor.application_id:
            raise LegNotFound()
        if not actor.is_system and leg.user_id != actor.user_id:
            if leg.conversation_id is None:
                raise LegNotFound()
            try:
                await self._conversations.seen(leg.conversation_id, actor)
            except ConversationNotFound:
                raise LegNotFound() from None
        return leg

    async def list(self, where: LegFilter, page: Page) -> list[ListedLeg]:
        return await self._directory.legs(where, page)

    async def open(self, leg: Leg, command: Command, where: str) -> tuple[LiveLeg, Report]:
        """Have a worker make the leg of a client, and tell that it has started.

        Raises TooManyLegs, and as `ask`.
        """
        self._require_room(leg)
        live = self._enter(leg)
        try:
            report = await self.ask(leg.application_id, command, where)
        except BaseException:
            self.forget(live)
            raise
        await self._announce(live)
        return live, report

    async def begin(self, leg: Leg) -> LiveLeg:
        """Enter a leg that has just started, and tell so. Raises TooManyLegs."""
        self._require_room(leg)
        live = self._enter(leg)
        await self._announce(live)
        return live

    def restore(self, leg: Leg) -> LiveLeg:
        """A leg as it was left when this server last ended; it has no media any more."""
        live = self._enter(leg)
        live.closed.set_result(None)
        return live

    def _require_room(self, leg: Leg) -> None:
        if self._counts[leg.application_id] >= self._per_application:
            raise TooManyLegs(f"The application has {self._per_application} open legs.")
        if leg.user_id is not None and self._counts[leg.user_id] >= self._per_user:
            raise TooManyLegs(f"The user has {self._per_user} open legs.")

    def _enter(self, leg: Leg) -> LiveLeg:
        live = self._live[leg.id] = LiveLeg(leg)
        self._counts.update(_counted(leg))
        self._arrive(live)
        return live

    def _arrive(self, live: LiveLeg) -> None:
        room = live.leg.conversation_id
        if room is not None and live.leg.id in self._live:
            self._there.setdefault(room, {})[live.leg.id] = live

    def _depart(self, live: LiveLeg) -> None:
        room = live.leg.conversation_id
        there = self._there.get(room, {}) if room is not None else {}
        if there.pop(live.leg.id, None) is not None and not there and room is not None:
            del self._there[room]

    async def _announce(self, live: LiveLeg) -> None:
        async with live.turn:
            try:
                if live.is_ending:
                    raise MediaUnavailable("The media worker of the leg has ended.")
                await self._conversations.happen(live.leg.application_id, status_fact(live.leg))
            except TertuliaError:
                self.forget(live)
                self.tell(live.leg.application_id, Close(live.leg.id))
                raise

    async def change(self, live: LiveLeg, change: Change, telling: Telling) -> Leg:
        """Change a leg and tell it in its conversation; the leg as it is now.

        One that is over stays as it is. Raises Unavailable, and ConversationNotFound unless the
        leg ends by this: then only that is told.
        """
        async with live.turn:
            return live.leg if live.leg.is_over else await self._change(live, change, telling)

    async def _change(self, live: LiveLeg, change: Change, telling: Telling) -> Leg:
        made = live.leg

        def decide(conversation: Conversation, now: Instant) -> Decision:
            nonlocal made
            made = change(live.leg, now)
            return Decision(telling(conversation, made, now))

        planned = change(live.leg, self._clock.now())
        where, application_id = planned.conversation_id, live.leg.application_id
        try:
            if where is None:
                raise ConversationNotFound()
            await self._conversations.commit(where, Actor(application_id), decide)
        except ConversationNotFound:
            if where is not None and not planned.is_over:
                raise
            made = planned
            await self._conversations.happen(application_id, status_fact(made))
        has_moved = made.conversation_id != live.leg.conversation_id
        if has_moved:
            live.earlier.append((live.leg, self._clock.now()))
            self._depart(live)
        live.leg = as_set(made, live.leg)  # they may have been set meanwhile
        if has_moved:
            self._arrive(live)
        if made.is_over:
            self.forget(live)
        return live.leg

    def forget(self, live: LiveLeg) -> None:
        """It is over; its caller tells so."""
        live.wait(None)
        for timer in live.timers:
            timer.cancel()
        self._depart(live)
        if self._live.pop(live.leg.id, None) is not None:
            self._counts -= Counter(_counted(live.leg))

    async def close(self, live: LiveLeg) -> Account:
        """End its media; what it carried."""
        live.is_ending = True
        self.tell(live.leg.application_id, Close(live.leg.id))
        if not live.closed.done():
            await asyncio.wait([live.closed], timeout=CLOSE_SECONDS)
        return (live.closed.result() if live.closed.done() else None) or NOTHING

    async def ask(self, application_id: ApplicationId, command: Command, where: str) -> Report:
        """Have a worker negotiate. Raises ValidationFailed naming `where` for a description that
        is refused, MediaUnavailable."""
        report = await self._workers.ask(application_id, command)
        if isinstance(report, Refused) and report.reason == FULL:
            raise MediaUnavailable("The media worker has no room for another leg.")
        if isinstance(report, Refused):
            raise ValidationFailed.of(
                where, f"must be a usable session description: {report.reason}"
            )
        return report

    def tell(self, application_id: ApplicationId, command: Command) -> bool:
        """False without a worker: there is nothing that could obey, and what was there has
        ended."""
        try:
            self._workers.tell(application_id, command)
        except MediaUnavailable:
            return False
        return True


def _was(live: LiveLeg, event: Event) -> bool:
    """Whether it was the recipient when the event came."""
    asked = (event.conversation_id, event.recipient)
    return any(
        (leg.conversation_id, leg.member_id) == asked and event.timestamp <= until
        for leg, until in live.earlier
    )


def _counted(leg: Leg) -> list[str]:
    """Under what it is counted."""
    if leg.type is LegType.APP and leg.user_id is not None:
        return [leg.application_id, leg.user_id]
    return [leg.application_id]
