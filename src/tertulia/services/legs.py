"""Legs that have not ended: the one who changes them and tells their media workers.

A leg is an event before anybody hears of it, in its conversation or, while it has none, in the
application's own stream. Changes of one leg are made one after the other.
"""

import asyncio
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import NOTHING, status_fact
from tertulia.model.commands import Account, Close, Command, Refused, Report
from tertulia.model.decision import Decision
from tertulia.model.errors import ConversationNotFound, LegNotFound, ValidationFailed
from tertulia.model.event import Fact
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.state import Conversation
from tertulia.ports import Clock, Directory, LegFilter, ListedLeg, MediaUnavailable, Page, Workers
from tertulia.services.conversations import Conversations

CLOSE_SECONDS = 1.0
"""For a worker to close a leg and account for it."""

Change = Callable[[Leg, Instant], Leg]
Telling = Callable[[Conversation, Leg, Instant], tuple[Fact, ...]]
"""From the conversation, the leg as it is now, and the time: all facts to tell, the leg's own
status among them."""


class LiveLeg:
    """A leg that has not ended."""

    __slots__ = ("closed", "is_ending", "is_up", "leg", "turn")

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.is_up = False
        """Its media path is open."""
        self.is_ending = False
        self.turn = asyncio.Lock()
        self.closed: asyncio.Future[Account | None] = asyncio.get_running_loop().create_future()


class Legs:
    def __init__(
        self, *, conversations: Conversations, directory: Directory, workers: Workers, clock: Clock
    ) -> None:
        self._conversations = conversations
        self._directory = directory
        self._workers = workers
        self._clock = clock
        self._live: dict[LegId, LiveLeg] = {}

    def live(self, leg_id: LegId | str | None) -> LiveLeg | None:
        return self._live.get(LegId(leg_id)) if leg_id else None

    def __iter__(self) -> Iterator[LiveLeg]:
        return iter(list(self._live.values()))

    def within(self, conversation_id: ConversationId) -> list[LiveLeg]:
        """Those in a conversation."""
        return [each for each in self if each.leg.conversation_id == conversation_id]

    def of_member(self, conversation_id: ConversationId, member_id: str | None) -> Leg | None:
        """The leg of a member; None also when no member is named."""
        for each in self.within(conversation_id) if member_id else ():
            if each.leg.member_id == member_id:
                return each.leg
        return None

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

    async def begin(self, leg: Leg) -> LiveLeg:
        """Enter a leg that has just started, and tell so."""
        live = self._live[leg.id] = LiveLeg(leg)
        try:
            await self._conversations.happen(leg.application_id, status_fact(leg))
        except BaseException:
            del self._live[leg.id]
            raise
        return live

    def restore(self, leg: Leg) -> LiveLeg:
        """A leg as it was left when this server last ended; it has no media any more."""
        live = self._live[leg.id] = LiveLeg(leg)
        live.closed.set_result(None)
        return live

    async def change(self, live: LiveLeg, change: Change, telling: Telling) -> Leg:
        """Change a leg and tell it in its conversation; the leg as it is now."""
        async with live.turn:
            return await self._change(live, change, telling)

    async def _change(self, live: LiveLeg, change: Change, telling: Telling) -> Leg:
        made = live.leg

        def decide(conversation: Conversation, now: Instant) -> Decision:
            nonlocal made
            made = change(live.leg, now)
            return Decision(telling(conversation, made, now))

        where = change(live.leg, self._clock.now()).conversation_id
        system = Actor(live.leg.application_id)
        try:
            if where is None:
                raise ConversationNotFound()
            await self._conversations.commit(where, system, decide)
        except ConversationNotFound:
            made = replace(change(live.leg, self._clock.now()), conversation_id=where)
            await self._conversations.happen(live.leg.application_id, status_fact(made))
        live.leg = made
        if made.is_over:
            self.forget(live)
        return made

    def forget(self, live: LiveLeg) -> None:
        """It is over; its caller tells so."""
        self._live.pop(live.leg.id, None)

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
        if isinstance(report, Refused):
            raise ValidationFailed.of(
                where, f"must be a usable session description: {report.reason}"
            )
        return report

    def tell(self, application_id: ApplicationId, command: Command) -> None:
        """Without a worker there is nothing that could obey, and what was there has ended."""
        try:
            self._workers.tell(application_id, command)
        except MediaUnavailable:
            return
