"""Couriers: they bring sendings to carriers, as many at once and as fast as each carrier will have.

What waits is in the store; memory holds the part of it that is next. Messages to one address go one
after the other. A carrier that is out of reach is tried again ever more slowly, and what waits for
it goes to the next one that may have it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial

from msgspec import Struct

from tertulia.model.bucket import Bucket
from tertulia.model.errors import Unavailable
from tertulia.model.ids import MessageId
from tertulia.model.message_errors import Code
from tertulia.model.sending import Problem, Sending, SendingStatus
from tertulia.ports import Clock
from tertulia.ports.messaging import (
    Congested,
    Declined,
    MessageCarrier,
    MessageRecords,
    OutOfReach,
)
from tertulia.services.errands import Errands, insist
from tertulia.services.sendings import MessageRoutes, Sendings

HELD_MAX = 5_000
"""Sendings in memory; those beyond it wait in the store only."""
PAGE = 500
SWEEP_SECONDS = 2.0
PAUSE_MIN, PAUSE_MAX = 0.25, 30.0
"""Seconds until a carrier that failed is tried again; doubled from one time to the next."""
LOOK_SECONDS = 0.25
"""Within which it is noticed that a carrier is back."""
UP = "up"
EXPIRED = Problem(Code.EXPIRED, "The message was not delivered within its time to live.")
UNHEARD = Problem(Code.EXPIRED, "The carrier told nothing of the message in time.")
DOUBTFUL = Problem(Code.UNKNOWN, "It is not known whether the carrier has taken the message.")
NO_CARRIER = Problem(Code.UNROUTABLE, "There is no carrier for this channel and sender.")

_log = logging.getLogger(__name__)


class CarrierReport(Struct, frozen=True):
    """How a carrier does, for people."""

    name: str
    kind: str
    channels: list[str]
    state: str
    detail: str
    waiting: int
    under_way: int
    submitted: int
    """Since the hub started."""


class Couriers:
    def __init__(
        self, *, carriers: Mapping[str, MessageCarrier], routes: MessageRoutes,
        sendings: Sendings, records: MessageRecords, clock: Clock,
        monotonic: Callable[[], float], errands: Errands,
    ) -> None:  # fmt: skip
        self._routes = routes
        self._sendings = sendings
        self._records = records
        self._clock = clock
        self._errands = errands
        self._held: set[MessageId] = set()
        self._is_behind = False
        """There is more in the store than in memory."""
        self._couriers = {
            name: _Courier(carrier, self, sendings, monotonic, errands)
            for name, carrier in carriers.items()
        }
        self._room, self._arrived = asyncio.Event(), asyncio.Event()
        self.is_closing = False

    def report(self) -> list[CarrierReport]:
        return [each.report() for each in self._couriers.values()]

    def is_expecting(self, carrier: str) -> bool:
        """Messages are under way to it that have no names yet."""
        courier = self._couriers.get(carrier)
        return courier is not None and courier.under_way > 0

    def take(self, sending: Sending) -> None:
        """Bring it to a carrier, now or when it is its turn."""
        if self._is_behind or len(self._held) >= HELD_MAX:
            self._is_behind = True
            return
        if sending.id not in self._held:
            self._held.add(sending.id)
            self._place(sending)

    def _place(self, sending: Sending) -> None:
        """With the first carrier that is within reach, or with the first at all."""
        found = self._couriers_of(sending)
        if not found:
            self.give_up(sending, SendingStatus.REJECTED, NO_CARRIER)
        else:
            next((each for each in found if each.is_open), found[0]).take(sending)

    def move(self, sending: Sending, from_: str) -> bool:
        """To another carrier that is within reach; False when there is none."""
        for each in self._couriers_of(sending):
            if each.is_open and each.name != from_:
                each.take(sending)
                return True
        return False

    def _couriers_of(self, sending: Sending) -> list["_Courier"]:
        names = self._routes.carriers_of(sending.order.channel, sending.order.from_)
        return [self._couriers[name] for name in names if name in self._couriers]

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and wait for what is under way."""
        self.is_closing = True
        try:
            async with asyncio.timeout(seconds):
                while any(each.under_way for each in self._couriers.values()):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            _log.warning("messages are left under way", extra={"action": "couriers_cut"})

    def give_up(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        self._errands.run(self._end(sending, status, problem))

    async def _end(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        await insist(partial(self._sendings.end, sending, status, problem))
        self.release(sending)

    def release(self, sending: Sending) -> None:
        """It waits no longer."""
        self._arrived.set()
        self._held.discard(sending.id)
        if self._is_behind and len(self._held) < HELD_MAX // 2:
            self._room.set()

    async def run(self) -> None:
        """Take up what was left waiting, and look after what takes too long."""
        self._is_behind = True
        self._room.set()
        while True:
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._room.wait()
            except TimeoutError:
                pass
            try:
                await self.sweep()
            except Unavailable as error:
                told = {"action": "couriers_wait", "error": str(error)}
                _log.warning("couriers wait for the store", extra=told)

    async def sweep(self) -> None:
        """Take up what waits in the store, let go of what has waited too long."""
        self._room.clear()
        if self._is_behind:
            await self._catch_up()
        now = self._clock.now()
        for courier in self._couriers.values():
            courier.expire(now)
        for sending in await self._records.overdue(now):
            await self._sendings.end(sending, SendingStatus.UNDELIVERABLE, UNHEARD)

    async def _catch_up(self) -> None:
        """Fill the memory from the store, in the order of acceptance."""
        after = 0
        while len(self._held) < HELD_MAX:
            self._is_behind = False  # what comes from here on is either read or taken
            page = await self._records.unsent(after, PAGE)
            for number, sending in ((each.number, each.sending) for each in page):
                after = number
                self._take_up(sending)
            if len(page) < PAGE:
                return
        self._is_behind = True

    def _take_up(self, sending: Sending) -> None:
        if sending.id in self._held:
            return
        if sending.is_tried:
            self.give_up(sending, SendingStatus.UNDELIVERABLE, DOUBTFUL)
            return
        self._held.add(sending.id)
        self._place(sending)


class _After(Enum):
    """What becomes of a sending that was to be handed over."""

    DONE = auto()
    AGAIN = auto()
    MOVED = auto()
    """Another courier has it."""


class _Courier:
    """Of one carrier."""

    def __init__(
        self, carrier: MessageCarrier, office: Couriers, sendings: Sendings,
        monotonic: Callable[[], float], errands: Errands,
    ) -> None:  # fmt: skip
        self._carrier = carrier
        self._office = office
        self._sendings = sendings
        self._monotonic = monotonic
        self._errands = errands
        self._queue: deque[Sending] = deque()
        self._busy: dict[str, deque[Sending]] = {}
        """By address to which a message is under way: those that wait for that."""
        rate = carrier.terms.rate
        self._bucket = Bucket(rate, max(1.0, rate / 10), monotonic()) if rate else None
        self._pause = self._until = 0.0
        self._is_paused = False
        self._was_up = True
        self._submitted = 0
        self.under_way = 0

    @property
    def name(self) -> str:
        return self._carrier.name

    @property
    def is_open(self) -> bool:
        """Nothing is known to be in its way."""
        return not self._is_paused and self._carrier.health.state != "down"

    def report(self) -> CarrierReport:
        carrier, health = self._carrier, self._carrier.health
        waiting = len(self._queue) + sum(map(len, self._busy.values()))
        return CarrierReport(
            carrier.name, carrier.kind, sorted(carrier.terms.channels), health.state,
            health.detail, waiting, self.under_way, self._submitted,
        )  # fmt: skip

    def take(self, sending: Sending) -> None:
        self._queue.append(sending)
        self._go_on()

    def expire(self, now: int) -> None:
        """Let go of what has waited too long."""
        for queue in (self._queue, *self._busy.values()):
            late = [each for each in queue if each.expires_at and each.expires_at <= now]
            for sending in late:
                queue.remove(sending)
                self._office.give_up(sending, SendingStatus.UNDELIVERABLE, EXPIRED)

    def _go_on(self) -> None:
        window = self._carrier.terms.window
        while self._may_go_on and self._queue and self.under_way < window:
            if self._bucket is not None and (wait := self._bucket.take(self._monotonic())) > 0:
                self._rest(wait)
                return
            sending = self._queue.popleft()
            waiting = self._busy.get(sending.order.to)
            if waiting is not None:
                waiting.append(sending)
                continue
            self._busy[sending.order.to] = deque()
            self.under_way += 1
            self._errands.run(self._carry(sending))

    @property
    def _may_go_on(self) -> bool:
        return not self._is_paused and not self._office.is_closing

    def _rest(self, seconds: float) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._until = self._monotonic() + seconds
            self._look_later(seconds)

    def _look_later(self, seconds: float) -> None:
        self._was_up = self._carrier.health.state == UP
        self._errands.after(min(seconds, LOOK_SECONDS), self._look)

    async def _look(self) -> None:
        """Go on when the time has come, or when the carrier is within reach again before."""
        left = self._until - self._monotonic()
        is_back = self._carrier.health.state == UP and not self._was_up
        if left > 0 and not is_back:
            self._look_later(left)
            return
        self._is_paused = False
        self._go_on()

    async def _carry(self, sending: Sending) -> None:
        after = _After.DONE
        try:
            after = await self._hand_over(sending)
        finally:
            self.under_way -= 1
            behind = self._busy.pop(sending.order.to)
            self._queue.extendleft(reversed(behind))
        if after is _After.AGAIN:
            self._queue.appendleft(sending)
        elif after is _After.DONE:
            self._office.release(sending)
        self._go_on()

    async def _hand_over(self, sending: Sending) -> _After:
        terms = self._carrier.terms
        gives_up = not terms.resends and not terms.is_repeatable
        if gives_up:
            await insist(partial(self._sendings.tried, sending, self.name))
        try:
            refs = await self._carrier.submit(sending)
        except Declined as refusal:
            await self._end(sending, SendingStatus.REJECTED, refusal.problem)
            return _After.DONE
        except Congested as congestion:
            self._back_off(congestion.seconds)
            return _After.AGAIN
        except OutOfReach as failure:
            if failure.in_doubt and gives_up:
                await self._end(sending, SendingStatus.UNDELIVERABLE, DOUBTFUL)
                return _After.DONE
            return self._elsewhere(sending)
        self._pause = 0.0
        self._submitted += 1
        patience = terms.patience if terms.tells else None
        submitted = partial(self._sendings.submitted, sending, self.name, refs, patience)
        await insist(submitted)
        return _After.DONE

    async def _end(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        await insist(partial(self._sendings.end, sending, status, problem))

    def _back_off(self, seconds: float | None) -> None:
        if self._is_paused:  # one of those that were under way together has failed before
            return
        self._pause = min(max(self._pause * 2, PAUSE_MIN), PAUSE_MAX)
        self._rest(self._pause if seconds is None else seconds)

    def _elsewhere(self, sending: Sending) -> _After:
        """What waits goes to whoever else may have it."""
        self._back_off(None)
        queue, self._queue = self._queue, deque()
        for each in queue:
            if not self._office.move(each, self.name):
                self._queue.append(each)
        return _After.MOVED if self._office.move(sending, self.name) else _After.AGAIN
