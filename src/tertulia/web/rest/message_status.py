"""What has become of a message beyond the app, for those without a webhook. Our own surface."""

from typing import Any

from msgspec import Struct

from tertulia.model.errors import Forbidden
from tertulia.model.ids import MessageId
from tertulia.model.message_hooks import READ, inbound_members, status_members
from tertulia.model.sending import Inbound
from tertulia.protocols.http1 import Response
from tertulia.services.messaging import MessageControl
from tertulia.web import answers
from tertulia.web.routing import Call, route

ONE = "/tertulia/v1/messages/{message_id}"


class MessageStatus(Struct, frozen=True):
    direction: str
    """`outbound` or `inbound`."""
    carrier: str
    """Name of the one that has it, or brought it; empty: none has it yet."""
    message: dict[str, Any]
    """As the newest status webhook says it, or the inbound webhook."""


class MessageStatusResource:
    def __init__(self, control: MessageControl) -> None:
        self._control = control

    @route("GET", ONE, answers={200: MessageStatus})
    async def get_message_status(self, call: Call) -> Response:
        """Tell what has become of a message by SMS or another messaging channel"""
        if not call.actor.is_system:
            raise Forbidden("Messages beyond the app are the application's own.")
        message_id = MessageId(call.params["message_id"])
        found = await self._control.find(message_id, call.actor.application_id)
        if isinstance(found, Inbound):
            told = MessageStatus("inbound", found.arrival.carrier, inbound_members(found))
            return answers.json(200, told)
        status = found.status if found.read_at is None else READ
        members = status_members(found, status, found.read_at or found.changed_at)
        return answers.json(200, MessageStatus("outbound", found.carrier, members))
