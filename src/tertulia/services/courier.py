"""A courier brings sendings to one carrier, as many at once and as fast as that will have.

Messages to one address go one after the other.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Protocol

from msgspec import Struct

from tertulia.model.bucket import Bucket
from tertulia.model.ids import MessageId
from tertulia.model.instant import Instant
from tertulia.model.message_errors import Code
from tertulia.model.sending import Problem, Sending, SendingStatus
from tertulia.ports.messaging import Congested, Declined, MessageCarrier, OutOfReach
from tertulia.services.errands import Errands, insist
from tertulia.services.sendings import Sendings

HELD_MAX = 5_000
"""Sendings in memory for one carrier; those beyond it wait in the store only."""
PAUSE_MIN, PAUSE_MAX = 0.25, 30.0
"""Seconds until a carrier that failed is tried again; doubled from one time to the next."""
HOPELESS_SECONDS = 900.0
"""For which a carrier may be too busy for a message, while it takes others."""
LOOK_SECONDS = 0.25
"""Within which it is noticed that a carrier is back."""
UP, DOWN = "up", "down"
EXPIRED = Problem(Code.EXPIRED, "The message was not delivered within its time to live.")
DOUBTFUL = Problem(Code.UNKNOWN, "It is not known whether the carrier has taken the message.")
HOPELESS = Problem(Code.THROTTLED, "The carrier was too busy for this message, time and again.")

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


class Office(Protocol):
    """What a courier belongs to."""

    @property
    def now(self) -> Instant: ...

    @property
    def is_closing(self) -> bool: ...

    def move(self, sending: Sending, from_: str) -> bool:
        """To another carrier that is within reach; False when there is none."""

    def give_up(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        """End it."""

    def release(self, sending: Sending) -> None:
        """It waits no longer."""

    def came_back(self) -> None:
        """Somebody who had been on the way."""


class _After(Enum):
    """What becomes of a sending that was to be handed over."""

    DONE = auto()
    AGAIN = auto()
    MOVED = auto()
    """Another courier has it."""


class Courier:
    """Of one carrier."""

    def __init__(
        self, carrier: MessageCarrier, office: Office, sendings: Sendings,
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
        self._carried: set[MessageId] = set()
        self._put_off: dict[MessageId, tuple[float, int]] = {}
        """Those that it was too busy for: since when, and how many it had taken until then."""
        self._doubtful: set[MessageId] = set()
        """Those that it may have, and that nobody else is to have."""
        self.held = 0
        self.is_behind = False
        """There is more in the store than in memory."""

    @property
    def name(self) -> str:
        return self._carrier.name

    @property
    def under_way(self) -> int:
        return len(self._carried)

    @property
    def has_room(self) -> bool:
        return self.held < HELD_MAX

    @property
    def is_open(self) -> bool:
        """Nothing is known to be in its way; its rate is not."""
        is_failing = self._is_paused and self._pause > 0
        return not is_failing and self._carrier.health.state != DOWN

    def is_carrying(self, sending: Sending) -> bool:
        return sending.id in self._carried

    def report(self) -> CarrierReport:
        carrier, health = self._carrier, self._carrier.health
        waiting = len(self._queue) + sum(map(len, self._busy.values()))
        return CarrierReport(
            carrier.name, carrier.kind, sorted(carrier.terms.channels), health.state,
            health.detail, waiting, self.under_way, self._submitted,
        )  # fmt: skip

    def take(self, sending: Sending) -> None:
        self.held += 1
        self._queue.append(sending)
        self._go_on()

    def let_go(self, sending: Sending) -> None:
        """If it waits here."""
        for queue in (self._queue, *self._busy.values()):
            for each in queue:
                if each.id == sending.id:
                    queue.remove(each)
                    self.held -= 1
                    return

    def expire(self, now: int) -> None:
        """Let go of what has waited too long."""
        for queue in (self._queue, *self._busy.values()):
            if not any(_is_late(each, now) for each in queue):
                continue
            waiting = list(queue)
            queue.clear()
            queue.extend(each for each in waiting if not self._is_let_go(each, now))

    def _is_let_go(self, sending: Sending, now: int) -> bool:
        if _is_late(sending, now):
            self.held -= 1
            self._office.give_up(sending, SendingStatus.UNDELIVERABLE, EXPIRED)
            return True
        return False

    def _go_on(self) -> None:
        window = self._carrier.terms.window
        while self._may_go_on and self._queue and self.under_way < window:
            sending = self._queue[0]
            waiting = self._busy.get(sending.order.to)
            if sending.expires_at and self._is_let_go(sending, self._office.now):
                self._queue.popleft()
            elif waiting is not None:
                waiting.append(self._queue.popleft())
            elif wait := self._wait:
                self._rest(wait)
            else:
                self._busy[sending.order.to] = deque()
                self._carried.add(sending.id)
                self._errands.run(self._carry(self._queue.popleft()))

    @property
    def _wait(self) -> float:
        """Seconds until one may go; 0.0 is for one."""
        return self._bucket.take(self._monotonic()) if self._bucket is not None else 0.0

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
        except Exception:  # whether the carrier has it, nobody can know
            told = {"action": "courier_broken", "carrier": self.name, "message_uuid": sending.id}
            _log.exception("a message met a bug on its way", extra=told)
            self._office.give_up(sending, SendingStatus.UNDELIVERABLE, DOUBTFUL)
            after = _After.MOVED
        finally:
            self._carried.discard(sending.id)
            behind = self._busy.pop(sending.order.to)
            self._queue.extendleft(reversed(behind))
            self._office.came_back()
        self._leave(sending, after)
        self._go_on()

    def _leave(self, sending: Sending, after: _After) -> None:
        if after is _After.AGAIN:
            self._queue.appendleft(sending)
            return
        self.held -= 1
        self._put_off.pop(sending.id, None)
        self._doubtful.discard(sending.id)
        if after is _After.DONE:
            self._office.release(sending)

    async def _hand_over(self, sending: Sending) -> _After:
        if self._gives_up:
            if self._carrier.health.state == DOWN:  # what is not tried is never in doubt
                return self._elsewhere(sending)
            await insist(partial(self._sendings.tried, sending, self.name))
        try:
            refs = await self._carrier.submit(sending)
        except Declined as refusal:
            await self._end(sending, SendingStatus.REJECTED, refusal.problem)
            return _After.DONE
        except Congested as congestion:
            if self._is_hopeless(sending):
                await self._end(sending, SendingStatus.UNDELIVERABLE, HOPELESS)
                return _After.DONE
            await self._not_taken(sending, congestion)
            self._back_off(congestion.seconds)
            return _After.AGAIN
        except OutOfReach as failure:
            if failure.in_doubt and self._gives_up:
                await self._end(sending, SendingStatus.UNDELIVERABLE, DOUBTFUL)
                return _After.DONE
            await self._not_taken(sending, failure)
            if failure.in_doubt and not self._carrier.terms.resends:
                self._doubtful.add(sending.id)
            return self._elsewhere(sending)
        await self._taken(sending, refs)
        return _After.DONE

    def _is_hopeless(self, sending: Sending) -> bool:
        """The carrier is there for others, and never for this one."""
        now = self._monotonic()
        since, submitted = self._put_off.setdefault(sending.id, (now, self._submitted))
        return now - since > HOPELESS_SECONDS and self._submitted > submitted

    @property
    def _gives_up(self) -> bool:
        """Rather than that it hands over twice."""
        terms = self._carrier.terms
        return not terms.resends and not terms.is_repeatable

    async def _not_taken(self, sending: Sending, failure: Congested | OutOfReach) -> None:
        """After a crash it is one that was not tried."""
        if self._gives_up and not failure.in_part:
            await insist(partial(self._sendings.not_taken, sending))

    async def _taken(self, sending: Sending, refs: Sequence[str]) -> None:
        self._pause = 0.0
        self._submitted += 1
        terms = self._carrier.terms
        patience = terms.patience if terms.tells else None
        await insist(partial(self._sendings.submitted, sending, self.name, refs, patience))

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
        is_moved = self._moves(sending)
        to = sending.order.to
        staying = self._busy.keys() - {to} if is_moved else self._busy.keys()
        for queue in (self._busy[to], self._queue):
            waiting = list(queue)
            queue.clear()
            for each in waiting:  # nothing overtakes what is under way to the same address
                if each.order.to in staying or not self._moves(each):
                    queue.append(each)
                else:
                    self.held -= 1
        return _After.MOVED if is_moved else _After.AGAIN

    def _moves(self, sending: Sending) -> bool:
        return sending.id not in self._doubtful and self._office.move(sending, self.name)


def _is_late(sending: Sending, now: int) -> bool:
    return sending.expires_at is not None and sending.expires_at <= now
