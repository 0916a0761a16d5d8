"""Couriers: they bring sendings to carriers, as many at once and as fast as each carrier will have.

What waits is in the store; memory holds the part of it that is next. Messages to one address go one
after the other. A carrier that is out of reach is tried again ever more slowly, and what waits for
it goes to the next one that may have it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.message_errors import Code
from tertulia.model.sending import Problem, Sending, SendingStatus
from tertulia.ports import Clock
from tertulia.ports.messaging import MessageCarrier, MessageRecords
from tertulia.services.courier import DOUBTFUL, HELD_MAX, CarrierReport, Courier
from tertulia.services.errands import Errands, insist
from tertulia.services.sendings import MessageRoutes, Sendings

PAGE = 500
SWEEP_SECONDS = 2.0
UNHEARD = Problem(Code.EXPIRED, "The carrier told nothing of the message in time.")
NO_CARRIER = Problem(Code.UNROUTABLE, "There is no carrier for this channel and sender.")

_log = logging.getLogger(__name__)


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
        self._held: dict[MessageId, ApplicationId] = {}
        """Those that somebody here looks after, and whose they are."""
        self._has_missed = False
        """Something was left to be found in the store."""
        self._couriers = {
            name: Courier(carrier, self, sendings, monotonic, errands)
            for name, carrier in carriers.items()
        }
        self._room, self._arrived = asyncio.Event(), asyncio.Event()
        self.is_closing = False

    @property
    def now(self) -> Instant:
        return self._clock.now()

    def report(self) -> list[CarrierReport]:
        return [each.report() for each in self._couriers.values()]

    def is_expecting(self, carrier: str) -> bool:
        """Messages are under way to it that have no names yet."""
        courier = self._couriers.get(carrier)
        return courier is not None and courier.under_way > 0

    def take(self, sending: Sending) -> None:
        """Bring it to a carrier, now or when it is its turn."""
        if sending.id not in self._held:
            self._place(sending)

    def _place(self, sending: Sending, behind: Sequence[Courier] = ()) -> None:
        """With the first carrier that is within reach, or with the first at all; `behind`: those
        who are given what was left in the store."""
        found = self._couriers_of(sending)
        if not found:
            self.give_up(sending, SendingStatus.REJECTED, NO_CARRIER)
            return
        courier = next((each for each in found if each.is_open), found[0])
        if courier.has_room and (courier in behind or not courier.is_behind):
            self._held[sending.id] = sending.application_id
            courier.take(sending)
        else:
            courier.is_behind = True
            self._has_missed = self._has_missed or courier.has_room

    def move(self, sending: Sending, from_: str) -> bool:
        """To another carrier that is within reach; False when there is none."""
        for each in self._couriers_of(sending):
            if each.is_open and each.name != from_:
                each.take(sending)
                return True
        return False

    def _couriers_of(self, sending: Sending) -> list[Courier]:
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

    async def revoke(self, sending: Sending) -> bool:
        """Carry it to nobody. False: a carrier has it, or may have it. Raises Unavailable."""
        known = self._sendings.newest(sending)
        is_kept = known.status is SendingStatus.ACCEPTED and not known.is_tried
        if not is_kept or any(each.is_carrying(known) for each in self._couriers.values()):
            return False
        for courier in self._couriers.values():
            courier.let_go(known)
        self._held[known.id] = known.application_id
        try:
            await self._sendings.revoke(known)
        except Unavailable:
            self._held.pop(known.id, None)
            self.take(known)
            raise
        self.release(known)
        return True

    def give_up(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        self._held[sending.id] = sending.application_id
        self._errands.run(self._end(sending, status, problem))

    async def _end(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        try:
            await insist(partial(self._sendings.end, sending, status, problem))
        finally:
            self.release(sending)

    def release(self, sending: Sending) -> None:
        """It waits no longer."""
        self._held.pop(sending.id, None)
        if any(each.is_behind and each.held < HELD_MAX // 2 for each in self._couriers.values()):
            self._room.set()

    def came_back(self) -> None:
        """Somebody who had been on the way."""
        self._arrived.set()

    def look_again(self) -> None:
        """Something may wait in the store that was not accepted here."""
        for courier in self._couriers.values():
            courier.is_behind = True
        self._room.set()

    def holds(self, application_id: ApplicationId) -> bool:
        """Something of the application is here, waiting or under way."""
        return application_id in self._held.values()

    async def run(self) -> None:
        """Take up what was left waiting, and look after what takes too long."""
        self.look_again()
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
        await self._catch_up()
        now = self.now
        for courier in self._couriers.values():
            courier.expire(now)
        overdue = await self._records.overdue(now, PAGE)
        for sending in overdue:
            if sending.id not in self._held:
                self.give_up(sending, SendingStatus.UNDELIVERABLE, UNHEARD)
        if len(overdue) == PAGE:
            self._room.set()

    async def _catch_up(self) -> None:
        """Fill the memory from the store, in the order of acceptance. Until it has all, what is
        accepted meanwhile is left to be found there: nothing overtakes."""
        behind = [each for each in self._couriers.values() if each.is_behind and each.has_room]
        after = 0
        while behind:
            self._has_missed = False
            page = await self._records.unsent(after, PAGE)
            for unsent in page:
                after = unsent.number
                self._take_up(unsent.sending, behind)
            behind = [each for each in behind if each.has_room]
            if len(page) < PAGE and not self._has_missed:
                break
        for courier in behind:
            courier.is_behind = False

    def _take_up(self, read: Sending, behind: Sequence[Courier]) -> None:
        """What was read may have been handed over since."""
        sending = self._sendings.newest(read)
        if sending.id in self._held or sending.status is not SendingStatus.ACCEPTED:
            return
        if sending.is_tried:
            self.give_up(sending, SendingStatus.UNDELIVERABLE, DOUBTFUL)
        else:
            self._place(sending, behind)
