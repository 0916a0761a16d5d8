"""How the carriers of messages do. Our own surface, for operators."""

from collections.abc import Callable

from msgspec import Struct

from tertulia.model.errors import Forbidden
from tertulia.protocols.http1 import Response
from tertulia.services.courier import CarrierReport
from tertulia.web import answers
from tertulia.web.routing import Call, Guard, route

PATH = "/tertulia/v1/message-carriers"


class MessageCarrierList(Struct, frozen=True):
    carriers: list[CarrierReport]
    """In the order of the plan: the first that a channel and sender can use is tried first."""


class MessageCarrierResource:
    def __init__(self, report: Callable[[], list[CarrierReport]]) -> None:
        self._report = report

    @route("GET", PATH, guard=Guard.EITHER, answers={200: MessageCarrierList})
    async def list_message_carriers(self, call: Call) -> Response:
        """List the carriers of messages, whether they are within reach, and what waits for them"""
        if call.actor is not None and not call.actor.is_system:
            raise Forbidden("Carriers are the application's.")
        return answers.json(200, MessageCarrierList(self._report()))
