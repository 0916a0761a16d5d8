"""Arrivals: what carriers bring comes into the conversation of whoever has sent it.

An arrival is kept before its carrier hears that we have it.
"""

import asyncio
import logging
from weakref import WeakValueDictionary

from msgspec.structs import replace

from tertulia.model.ids import MessageId
from tertulia.model.sending import Arrival, Inbound, Outcome
from tertulia.ports import Clock, Ids
from tertulia.ports.messaging import MessageRecords
from tertulia.services.couriers import Couriers
from tertulia.services.placement import Placement
from tertulia.services.sendings import MessageRoutes, Sendings
from tertulia.services.strangers import Strangers

_log = logging.getLogger(__name__)


class Arrivals:
    """CarrierEars."""

    def __init__(
        self, placement: Placement, strangers: Strangers, *, sendings: Sendings,
        couriers: Couriers, records: MessageRecords, routes: MessageRoutes, clock: Clock, ids: Ids,
    ) -> None:  # fmt: skip
        self._placement = placement
        self._strangers = strangers
        self._sendings = sendings
        self._couriers = couriers
        self._records = records
        self._routes = routes
        self._clock = clock
        self._ids = ids
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def heard(self, outcome: Outcome) -> None:
        expected = self._couriers.is_expecting(outcome.carrier)
        if not await self._sendings.hear(outcome, may_be_early=expected):
            told = {"action": "outcome_unknown", "carrier": outcome.carrier}
            _log.warning("a carrier tells of a message that is not ours", extra=told)

    async def arrived(self, arrival: Arrival) -> None:
        """One that comes again before it was answered is one."""
        turn = self._turns.setdefault((arrival.carrier, arrival.ref), asyncio.Lock())
        async with turn:
            await self._arrived(arrival)

    async def _arrived(self, arrival: Arrival) -> None:
        if await self._records.inbound_of(arrival.carrier, arrival.ref) is not None:
            return
        application_id = self._routes.application_of(arrival.channel, arrival.to, arrival.carrier)
        if application_id is None:
            told = {"action": "arrival_unknown", "carrier": arrival.carrier}
            _log.warning("a message came for a number that is nobody's", extra=told)
            return
        inbound = Inbound(MessageId(self._ids.bare()), application_id, arrival, self._clock.now())
        if arrival.context:
            answered = await self._records.sending_of(arrival.carrier, arrival.context)
            inbound = replace(inbound, answers=answered.id if answered is not None else "")
        member = await self._placement.member(inbound)
        if member is not None and await self._placement.place(inbound, member):
            return
        inbound = replace(inbound, is_waiting=True)
        await self._placement.keep(inbound)
        self._strangers.decide_later(inbound)
