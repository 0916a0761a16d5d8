"""Meters: what those see who look at the legs of a conversation, and how loud each is.

The media worker measures while somebody looks. A meter holds no more than the newest levels, so a
slow one costs no memory and shows what is so now.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.commands import Levels, Watch
from tertulia.model.errors import Forbidden, TooManyRequests
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.leg import Leg
from tertulia.services.conductor import Conductor
from tertulia.services.conversations import Conversations
from tertulia.services.legs import Legs

SILENCE_SECONDS = 1.0
"""Without levels for so long, the worker is told again: it may be another by now."""
RETRY_AFTER = 5.0
"""Seconds."""


class Metered(Struct, frozen=True):
    """A leg that is looked at."""

    leg: Leg
    is_up: bool
    """Its media path is open."""


class Reading(Struct, frozen=True):
    legs: tuple[Metered, ...] | None
    """All legs of the conversation; None when they are as the last reading had them."""
    levels: dict[str, float]
    """By leg, decibels below full scale: 0 to -100."""


class Meter:
    """One look at a conversation."""

    def __init__(
        self, application_id: ApplicationId, conversation_id: ConversationId,
        look: Callable[[], tuple[Metered, ...]], renew: Callable[[], None],
    ) -> None:  # fmt: skip
        self.application_id = application_id
        self.conversation_id = conversation_id
        self.is_over = False
        """Nothing more is worth waiting for: the server ends."""
        self._look = look
        self._renew = renew
        self._levels: dict[str, float] = {}
        self._known: tuple[Metered, ...] | None = None
        self._news = asyncio.Event()

    async def next(self) -> Reading:
        """What is so when levels have come, or none for a while. The first comes at once."""
        if self._known is not None:
            await self._wait()
        self._news.clear()
        levels, self._levels = self._levels, {}
        legs = self._look()
        if legs == self._known:
            return Reading(None, levels)
        self._known = legs
        return Reading(legs, levels)

    def show(self, levels: dict[str, float]) -> None:
        self._levels = levels
        self._news.set()

    def end(self) -> None:
        self.is_over = True
        self._news.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            self._renew()


class Metering:
    """`per_application`: how many meters an application may have at a time."""

    def __init__(self, *, legs: Legs, conversations: Conversations, per_application: int) -> None:
        self._legs = legs
        self._conversations = conversations
        self._per_application = per_application
        self._meters: dict[ConversationId, set[Meter]] = {}
        self._counts: Counter[ApplicationId] = Counter()

    def conduct(self, conductor: Conductor) -> None:
        conductor.hear_at_once(Levels, self._heard)

    async def authorise(self, conversation_id: ConversationId, actor: Actor) -> None:
        """Raises ConversationNotFound, and Forbidden for a user who has not joined it."""
        conversation = await self._conversations.seen(conversation_id, actor)
        if not actor.is_system and actor.membership(conversation) is None:
            raise Forbidden("Only who has joined the conversation may look at its legs.")

    @contextmanager
    def meter(
        self, application_id: ApplicationId, conversation_id: ConversationId
    ) -> Iterator[Meter]:
        """Raises TooManyRequests."""
        if self._counts[application_id] >= self._per_application:
            raise TooManyRequests(
                f"The application has {self._per_application} meters open.",
                retry_after=RETRY_AFTER,
            )
        meter = Meter(
            application_id, conversation_id, lambda: self._look(conversation_id),
            lambda: self._watch(meter, on=True),
        )  # fmt: skip
        others = self._meters.setdefault(conversation_id, set())
        if not others:
            self._watch(meter, on=True)
        others.add(meter)
        self._counts[application_id] += 1
        try:
            yield meter
        finally:
            self._counts -= Counter({application_id: 1})
            others.discard(meter)
            if not others:
                del self._meters[conversation_id]
                self._watch(meter, on=False)

    def end(self) -> None:
        """Have all who look stop looking."""
        for meters in self._meters.values():
            for meter in meters:
                meter.end()

    def _look(self, conversation_id: ConversationId) -> tuple[Metered, ...]:
        return tuple(Metered(each.leg, each.is_up) for each in self._legs.within(conversation_id))

    def _watch(self, meter: Meter, *, on: bool) -> None:
        self._legs.tell(meter.application_id, Watch(meter.conversation_id, on))

    def _heard(self, report: Levels) -> None:
        for meter in self._meters.get(ConversationId(report.room), ()):
            meter.show(report.legs)
