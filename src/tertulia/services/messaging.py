"""What messages beyond the app need of the world, and what their applications may do with them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from tertulia.model.errors import InvalidMessageState, MessageNotFound
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.sending import Form, Inbound, Order, Sending, SendingStatus
from tertulia.model.state import Application
from tertulia.ports import Directory
from tertulia.ports.messaging import (
    Declined,
    MessageCarrier,
    OutOfReach,
    Unsupported,
)
from tertulia.services.couriers import Couriers
from tertulia.services.sendings import MessageRoutes, Sendings
from tertulia.services.strangers import Unknown


class NoRoutes:
    """MessageRoutes of an installation without messaging."""

    def carriers_of(self, channel: str, from_: str) -> Sequence[str]:
        return ()

    def application_of(self, channel: str, to: str, carrier: str = "") -> ApplicationId | None:
        return None


class Messaging(Struct, frozen=True):
    carriers: Mapping[str, MessageCarrier] = field(default_factory=dict)
    routes: MessageRoutes = field(default_factory=NoRoutes)
    unknown: Unknown = Unknown.WEBHOOK


class MessageControl:
    """The message API, whoever speaks it."""

    def __init__(
        self, messaging: Messaging, *, sendings: Sendings, couriers: Couriers,
        directory: Directory,
    ) -> None:  # fmt: skip
        self._carriers = messaging.carriers
        self._routes = messaging.routes
        self._sendings = sendings
        self._couriers = couriers
        self._directory = directory

    async def send(
        self, orders: Sequence[Order], application_id: ApplicationId, *,
        form: Form = Form.MESSAGES,
    ) -> Sending:  # fmt: skip
        """Keep a message, and those to be tried when it fails; then it will be carried. Raises
        Unavailable."""
        return await self._sendings.send(orders, application_id, form=form)

    async def find(self, message_id: MessageId, application_id: ApplicationId) -> Sending | Inbound:
        """Raises MessageNotFound."""
        return await self._sendings.find(message_id, application_id)

    async def owner_of(self, message_id: MessageId) -> ApplicationId:
        """Raises MessageNotFound."""
        return await self._sendings.owner_of(message_id)

    async def application_for(self, from_: str, channel: str) -> ApplicationId | None:
        """Which application an account means that names none: the one whose number it sends from,
        or else the oldest that has to do with messages, or else the oldest."""
        owner = self._routes.application_of(channel, from_)
        if owner is not None:
            return owner
        known = await self._directory.applications()
        return next((each.id for each in sorted(known, key=_has_no_messages)), None)

    async def mark_read(
        self, message_id: MessageId, application_id: ApplicationId, *, typing: bool = False
    ) -> None:
        """Let the sender of an inbound message see that it was read, and perhaps that an answer is
        being typed. Raises MessageNotFound, InvalidMessageState."""
        found = await self._sendings.find(message_id, application_id)
        if not isinstance(found, Inbound):
            raise MessageNotFound()
        carrier = self._carrier(found.arrival.carrier)
        try:
            await carrier.mark_read(found.arrival, typing=typing)
        except (Unsupported, Declined, OutOfReach) as error:
            raise InvalidMessageState(_why(error, "cannot be marked as read")) from None

    async def revoke(self, message_id: MessageId, application_id: ApplicationId) -> None:
        """Take a message back; one that no carrier has is sent to none. Raises MessageNotFound,
        InvalidMessageState, Unavailable."""
        found = await self._sendings.find(message_id, application_id)
        if not isinstance(found, Sending):
            raise MessageNotFound()
        if found.status in (SendingStatus.REJECTED, SendingStatus.UNDELIVERABLE):
            raise InvalidMessageState("The message was not delivered.")
        if await self._couriers.revoke(found):
            return
        try:
            await self._carrier(found.carrier).revoke(found)
        except (Unsupported, Declined, OutOfReach) as error:
            raise InvalidMessageState(_why(error, "cannot be revoked")) from None

    def _carrier(self, name: str) -> MessageCarrier:
        carrier = self._carriers.get(name)
        if carrier is None:
            raise InvalidMessageState("No carrier has the message.")
        return carrier


def _has_no_messages(application: Application) -> bool:
    return "messages" not in application.capabilities


def _why(error: Exception, otherwise: str) -> str:
    return str(error) or f"The message {otherwise}."
