"""Where carriers tell what became of messages, and bring those that others sent.

Open to everybody: each carrier has its own way of showing who it is, which its adapter knows.
"""

from collections.abc import Mapping

from tertulia.model.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidToken,
    NotFound,
    TertuliaError,
    Unavailable,
    ValidationFailed,
)
from tertulia.ports.messaging import CarrierDoor, Knock
from tertulia.protocols.http1 import Response
from tertulia.web.routing import Call, Guard, route

BODY_MAX = 1024 * 1024
"""Octets of what is told at once."""
ONE = "/carriers/{carrier}"
_ANSWERS = {200: str, 401: None, 403: None, 413: None}
_REFUSALS: dict[int, tuple[type[TertuliaError], str]] = {
    400: (ValidationFailed, "This is nothing that the carrier tells."),
    401: (InvalidToken, "The request is not signed as was agreed with the carrier."),
    403: (Forbidden, "The request is not what was agreed with the carrier."),
    503: (Unavailable, "It cannot be kept right now."),
}


class CarrierResource:
    def __init__(self, doors: Mapping[str, CarrierDoor]) -> None:
        self._doors = doors

    @route("GET", ONE, guard=Guard.OPEN, answers=_ANSWERS)
    async def greet_carrier(self, call: Call) -> Response:
        """Answer a carrier that sets its webhook, or tells by GET"""
        return await self._knock(call)

    @route("POST", ONE, guard=Guard.OPEN, answers=_ANSWERS)
    async def hear_carrier(self, call: Call) -> Response:
        """Take what a carrier tells: statuses and messages"""
        return await self._knock(call)

    async def _knock(self, call: Call) -> Response:
        door = self._doors.get(call.params["carrier"])
        if door is None:
            raise NotFound()
        request = call.request
        if len(request.body) > BODY_MAX:
            raise BodyTooLarge(f"A carrier tells at most {BODY_MAX} octets at once.")
        method = "GET" if request.method == "HEAD" else request.method
        told = await door.knock(Knock(method, call.given, request.headers, request.body))
        if told.status in _REFUSALS:
            refusal, reason = _REFUSALS[told.status]
            raise refusal(reason)
        return Response(told.status, told.body, told.content_type)
