"""Messages beyond the app: who carries them, and what is kept of them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from tertulia.model.errors import TertuliaError
from tertulia.model.ids import ApplicationId, MessageId, Position
from tertulia.model.instant import Instant
from tertulia.model.sending import Arrival, Inbound, Outcome, Problem, Sending
from tertulia.model.state import Member


class Declined(TertuliaError):
    """The carrier will not have this message, now or later."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


class Congested(TertuliaError):
    """The carrier has not taken it, and asks for patience. `seconds`: for how long, if it says;
    `in_part`: it has a part of it, as only we remember."""

    def __init__(
        self, message: str = "", seconds: float | None = None, *, in_part: bool = False
    ) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.in_part = in_part


class OutOfReach(TertuliaError):
    """There is no carrier to be reached. `in_doubt`: it may have taken the message all the same;
    `in_part`: it has a part of it, as only we remember."""

    def __init__(self, message: str = "", *, in_doubt: bool = False, in_part: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt
        self.in_part = in_part


class Unsupported(TertuliaError):
    """The carrier has no such thing."""


class Terms(Struct, frozen=True):
    """What a carrier is like to work with."""

    channels: frozenset[str]
    window: int = 10
    """Messages that may be under way to it without an answer."""
    rate: float = 0.0
    """Messages a second; 0 for as many as it takes."""
    tells: bool = True
    """It tells what became of a message. Otherwise one that it has taken is at its end."""
    patience: float = 72 * 3600.0
    """Seconds until what was not told will not be told."""
    is_repeatable: bool = False
    """It knows a message that comes again by the sending's id, and takes it once."""
    resends: bool = True
    """When it may have a message, without having said so: hand it over again, rather than give up.
    The first may deliver one twice, the second never."""


class CarrierHealth(Struct, frozen=True):
    state: str
    """`up`, `down`, or `starting`."""
    detail: str = ""
    """For people: why it is down, since when it is up. No secrets."""


class CarrierEars(Protocol):
    """Who hears what carriers have to tell. When a call returns, it is kept; raises Unavailable
    when it is not: the carrier is not to be told that it was."""

    async def heard(self, outcome: Outcome) -> None: ...
    async def arrived(self, arrival: Arrival) -> None: ...


class MessageCarrier(Protocol):
    """Somebody who brings messages to addresses, by one or more channels.

    - `submit` returns when the carrier has taken the message; what it calls its parts. It may be
      called `terms.window` times at once, and again for one that failed with Congested, OutOfReach.
    - What is told of a message may come before its `submit` returns.
    - Nothing that was told is told to the carrier as heard before the ears have returned.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """`smpp`, `whatsapp`, `messenger`, `viber` or `http`."""

    @property
    def terms(self) -> Terms: ...

    @property
    def health(self) -> CarrierHealth: ...

    async def start(self, ears: CarrierEars) -> None:
        """From now on; does not wait for the carrier to be reached."""

    async def close(self) -> None: ...

    async def submit(self, sending: Sending) -> Sequence[str]:
        """Raises Declined, Congested, OutOfReach."""

    async def revoke(self, sending: Sending) -> None:
        """Take it back. Raises Unsupported, Declined, OutOfReach."""

    async def mark_read(self, arrival: Arrival, *, typing: bool = False) -> None:
        """Raises Unsupported, Declined, OutOfReach."""


class Knock(Struct, frozen=True):
    """A request of a carrier's to us."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


class KnockAnswer(Struct, frozen=True):
    status: int
    body: bytes = b""
    content_type: str = "text/plain"


class CarrierDoor(Protocol):
    """A carrier that tells by requests to `/carriers/{name}`."""

    async def knock(self, knock: Knock) -> KnockAnswer:
        """401 for one that is not signed as agreed, 400 for what is none, 503 for what could not be
        kept. Raises nothing."""


class Unsent(Struct, frozen=True):
    """A sending with its place in the order of acceptance."""

    number: int
    sending: Sending


class MessageRecords(Protocol):
    """Sendings and inbound messages as the log has left them.

    Reads see every append that has returned.
    """

    async def sending(self, message_id: MessageId) -> Sending | None: ...

    async def sending_of(self, carrier: str, ref: str) -> Sending | None:
        """The newest that the carrier calls so."""

    async def unsent(self, after: int = 0, limit: int = 500) -> list[Unsent]:
        """Accepted, and not with a carrier yet, in the order of acceptance."""

    async def overdue(self, now: Instant, limit: int = 500) -> list[Sending]:
        """Submitted, with nothing heard by `due_at`."""

    async def inbound(self, message_id: MessageId) -> Inbound | None: ...

    async def inbound_of(self, carrier: str, ref: str) -> Inbound | None: ...

    async def undecided(self, limit: int = 500) -> list[Inbound]:
        """Inbound messages that are waiting, in the order of arrival."""

    async def members_at(self, application_id: ApplicationId, address: str) -> list[Member]:
        """Joined members whom a messaging channel reaches at that address (`sms:447700900123`), of
        conversations that are not deleted; the newest first."""

    async def bookmark(self, name: str) -> Position | None:
        """How far a follower had come when it last said so."""

    async def put_bookmark(
        self, name: str, position: Position, application_id: ApplicationId
    ) -> None:
        """`application_id`: of the event there. Raises Unavailable."""
