"""Carriers by HTTP against the contracts, each with a far end that speaks its API."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.carriers.far_http import (
    Api,
    GatewayApi,
    MessengerApi,
    ViberApi,
    WhatsAppApi,
    rig,
)
from tests.contracts.message_carrier import (
    OURS,
    THEIRS,
    CarrierDoorContract,
    Ears,
    FarMessage,
    MessageCarrierContract,
    Rig,
)

from tertulia.app.messaging import http_carrier
from tertulia.carriers.doors import HttpCarrier
from tertulia.carriers.http import HttpAnswer, HttpCall
from tertulia.model.sending import SendingStatus
from tertulia.ports.messaging import CarrierDoor, Knock, OutOfReach


class TestWhatsApp(MessageCarrierContract):
    channel = "whatsapp"

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        return rig(WhatsAppApi())


class TestMessenger(MessageCarrierContract):
    channel = "messenger"
    tells_failures = False

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        return rig(MessengerApi())


class TestViber(MessageCarrierContract):
    channel = "viber"

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        return rig(ViberApi())


class TestGateway(MessageCarrierContract):
    channel = "mms"

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        return rig(GatewayApi())


class Nowhere:
    async def request(self, call: HttpCall) -> HttpAnswer:
        raise OutOfReach("there is no network")


class DoorOf(CarrierDoorContract):
    api: Api

    def door(self) -> CarrierDoor:
        return http_carrier(self.api.account(), Nowhere(), lambda: None)

    async def open(self, door: CarrierDoor, ears: Ears) -> None:
        assert isinstance(door, HttpCarrier)
        await door.start(ears)

    def signed(self, body: bytes) -> Knock:
        return self.api.signed(body)

    def delivered(self, ref: str) -> Any:
        return self.api.status(FarMessage(ref, OURS, THEIRS, ""), SendingStatus.DELIVERED)

    def message(self, ref: str, text: str) -> Any:
        return self.api.message(FarMessage(ref, THEIRS, OURS, text))


class TestWhatsAppDoor(DoorOf, CarrierDoorContract):
    api = WhatsAppApi()


class TestMessengerDoor(DoorOf, CarrierDoorContract):
    api = MessengerApi()


class TestViberDoor(DoorOf, CarrierDoorContract):
    api = ViberApi()


class TestGatewayDoor(DoorOf, CarrierDoorContract):
    api = GatewayApi()
