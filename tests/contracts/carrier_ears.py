"""What carriers may rely on when they tell something (tertulia/ports/messaging, CarrierEars)."""

from abc import abstractmethod
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from tests.contracts.builders import NOW, application_event
from tests.contracts.message_records import TEXT, sending
from tests.contracts.scenario import StoreContract, scenario

from tertulia.app.outside import Store
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, EventId
from tertulia.model.sending import Arrival, Outcome, Problem, Sending, SendingStatus, handed
from tertulia.ports import Append
from tertulia.ports.messaging import CarrierEars

DELIVERED = SendingStatus.DELIVERED


class Listener(NamedTuple):
    ears: CarrierEars
    application_id: ApplicationId
    number: str
    """The application's."""


class CarrierEarsContract(StoreContract):
    """Over a store of any kind."""

    @abstractmethod
    async def listener(self, store: Store) -> Listener: ...

    @scenario
    async def test_an_arrival_is_kept_once_when_the_call_returns(self, store: Store) -> None:
        ears, _, number = await self.listener(store)
        arrival = Arrival("post", "7", "sms", "447700900123", number, TEXT)
        await ears.arrived(arrival)
        kept = await store.inbound_of("post", "7")
        assert kept is not None
        assert kept.arrival == arrival
        await ears.arrived(arrival)
        again = await store.inbound_of("post", "7")
        assert again is not None
        assert again.id == kept.id

    @scenario
    async def test_an_arrival_for_nobody_is_heard(self, store: Store) -> None:
        ears, _, _ = await self.listener(store)
        await ears.arrived(Arrival("post", "8", "sms", "447700900123", "999", TEXT))
        assert await store.inbound_of("post", "8") is None

    @scenario
    async def test_an_outcome_is_kept_when_the_call_returns(self, store: Store) -> None:
        ears, application_id, _ = await self.listener(store)
        taken = await submitted(store, application_id)
        await ears.heard(Outcome("post", "a", SendingStatus.SUBMITTED))
        await ears.heard(Outcome("post", "a", DELIVERED))
        await ears.heard(Outcome("post", "a", SendingStatus.UNDELIVERABLE, Problem("1260")))
        kept = await store.sending(taken.id)
        assert kept is not None
        assert (kept.status, kept.problem) == (DELIVERED, None)

    @scenario
    async def test_what_is_told_of_no_message_is_heard(self, store: Store) -> None:
        ears, _, _ = await self.listener(store)
        await ears.heard(Outcome("nobody", "b", DELIVERED))
        await ears.heard(Outcome("nobody", "b", None, is_read=True))

    @scenario
    async def test_what_cannot_be_kept_is_unavailable_and_may_come_again(
        self, store: Store
    ) -> None:
        ears, application_id, number = await self.listener(store)
        taken = await submitted(store, application_id)
        arrival = Arrival("post", "9", "sms", "447700900123", number, TEXT)
        with self.failing(store):
            with pytest.raises(Unavailable):
                await ears.heard(Outcome("post", "a", DELIVERED))
            with pytest.raises(Unavailable):
                await ears.arrived(arrival)
        await ears.heard(Outcome("post", "a", DELIVERED))
        await ears.arrived(arrival)
        kept = await store.sending(taken.id)
        assert kept is not None
        assert kept.status is DELIVERED
        assert await store.inbound_of("post", "9") is not None


async def submitted(store: Store, application_id: ApplicationId) -> Sending:
    """A message that the carrier `post` has as `a`."""
    taken = handed(replace(sending(application_id), carrier="post"), ("a",), NOW, None)
    event = replace(application_event(), application_id=application_id, became=taken)
    await store.append(Append(application_id, None, EventId(0), [event], (taken,)))
    return taken
