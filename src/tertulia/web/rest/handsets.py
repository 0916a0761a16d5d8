"""The simulated handsets of development mode: what they show, and texts that they send.

The way to try messages beyond the app with no account anywhere. Our own surface.
"""

from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from tertulia.model.errors import Forbidden, NotFound
from tertulia.protocols.http1 import Response
from tertulia.web import answers
from tertulia.web.routing import Call, route

PATH = "/tertulia/v1/handsets"
ONE = PATH + "/{channel}/{address}"

Address = Annotated[str, Meta(min_length=1, max_length=200)]


class HandsetNumber(Struct, frozen=True):
    """A handset with a number of its own."""

    number: str
    """Digits: whatever address ends with them is this handset's."""
    about: str
    """What it does with messages."""


class HandsetSummary(Struct, frozen=True):
    """A handset that has something to show."""

    channel: str
    address: str
    messages: int
    newest: dict[str, Any]


class HandsetList(Struct, frozen=True):
    numbers: list[HandsetNumber]
    handsets: list[HandsetSummary]
    """The one that something happened to last comes first."""


class Handset(Struct, frozen=True):
    """What one shows."""

    channel: str
    address: str
    about: str
    messages: list[dict[str, Any]]
    """The oldest first: `id`, `direction` (`in` to the handset, or `out`), `from`, `to`, `at`,
    `status`, `message_type`, and the member of that type."""


class HandsetDraft(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message that the handset's owner writes."""

    to: Address
    """A number or an id of the application."""
    text: Annotated[str, Meta(max_length=10_000)] = ""
    image: Annotated[str, Meta(max_length=2000)] = ""
    """Address of a picture; the text is its caption then."""


class HandsetMessage(Struct, frozen=True):
    id: str


class HandsetDesk(Protocol):
    """The simulated network. Each raises Unavailable: it cannot be reached just now."""

    async def handsets(self) -> HandsetList: ...

    async def handset(self, channel: str, address: str) -> Handset:
        """Raises NotFound: there is no such channel."""

    async def write(self, channel: str, address: str, draft: HandsetDraft) -> HandsetMessage:
        """Raises NotFound, or ValidationFailed with the reason why it cannot be sent."""


class HandsetResource:
    """`desk`: None where no network is simulated."""

    def __init__(self, desk: HandsetDesk | None) -> None:
        self._given = desk

    @route("GET", PATH, answers={200: HandsetList, 404: None})
    async def list_handsets(self, call: Call) -> Response:
        """List the simulated handsets"""
        return answers.json(200, await self._desk(call).handsets())

    @route("GET", ONE, answers={200: Handset})
    async def get_handset(self, call: Call) -> Response:
        """Show the messages of a simulated handset"""
        desk = self._desk(call)
        return answers.json(200, await desk.handset(call.params["channel"], call.params["address"]))

    @route("POST", ONE + "/messages", body=HandsetDraft, answers={201: HandsetMessage})
    async def write_on_handset(self, call: Call) -> Response:
        """Send a message from a simulated handset"""
        desk = self._desk(call)
        channel, address = call.params["channel"], call.params["address"]
        return answers.json(201, await desk.write(channel, address, call.body))

    def _desk(self, call: Call) -> HandsetDesk:
        if not call.actor.is_system:
            raise Forbidden("Handsets are the application's.")
        if self._given is None:
            raise NotFound("No network is simulated here: handsets come with development mode.")
        return self._given
