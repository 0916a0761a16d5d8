"""The message API: send a message by a messaging channel, and change one."""

from msgspec import Struct

from tertulia.model.errors import ApplicationNotFound, Forbidden
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.message_request import MessageChange, MessageDraft, requested
from tertulia.model.sending import Order
from tertulia.ports.cluster import Homes
from tertulia.protocols.http1 import Response
from tertulia.services.messaging import MessageControl
from tertulia.web import answers
from tertulia.web.message_shapes import MessageReference
from tertulia.web.routing import Call, Edition, Guard, route

V1 = (Edition.V1,)
PATH = "/messages"
ONE = PATH + "/{message_id}"


class Nothing(Struct, frozen=True):
    """An object without members."""


class SendingResource:
    def __init__(self, control: MessageControl, homes: Homes) -> None:
        self._control = control
        self._homes = homes

    @route("POST", PATH, editions=V1, guard=Guard.EITHER, body=MessageDraft,
           answers={202: MessageReference, 404: None, 422: None})  # fmt: skip
    async def send_message(self, call: Call) -> Response:
        """Send a message by SMS, MMS, WhatsApp, Viber, Messenger, RCS or email"""
        _check_actor(call)
        orders = requested(call.body)
        if call.identity is not None:
            application_id = call.identity.application.id
        else:
            application_id = await sender(self._control, orders[0])
            await self._homes.require(application_id)
        sending = await self._control.send(orders, application_id)
        workflow = sending.workflow.id if sending.workflow is not None else None
        return answers.json(202, MessageReference(sending.id, workflow))

    @route("PATCH", ONE, editions=V1, guard=Guard.EITHER, body=MessageChange,
           answers={200: Nothing, 422: None})  # fmt: skip
    async def change_message(self, call: Call) -> Response:
        """Tell that an inbound message was read, or take back one that was sent"""
        _check_actor(call)
        message_id = MessageId(call.params["message_id"])
        if call.identity is not None:
            application_id = call.identity.application.id
        else:
            application_id = await self._control.owner_of(message_id)
            await self._homes.require(application_id)
        change: MessageChange = call.body
        if change.status == "read":
            await self._control.mark_read(message_id, application_id, typing=change.is_typing)
        else:
            await self._control.revoke(message_id, application_id)
        return answers.json(200, Nothing())


async def sender(control: MessageControl, order: Order) -> ApplicationId:
    """The application of the account that an order is meant for. Raises ApplicationNotFound."""
    found = await control.application_for(order.from_, order.channel)
    if found is None:
        raise ApplicationNotFound("The account has no application to send as.")
    return found


def _check_actor(call: Call) -> None:
    """Raises Forbidden: what is sent and received belongs to no user."""
    if call.actor is not None and call.actor.user_id is not None:
        raise Forbidden("Messages beyond the app are the application's own.")
