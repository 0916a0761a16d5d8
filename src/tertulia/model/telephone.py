"""Phone calls as those who decide about them see them: what a carrier is told and what it reports.

A call is named by its leg. Session descriptions pass through: only media workers read them.
"""

from msgspec import Struct

from tertulia.model.ids import ApplicationId, UserId
from tertulia.model.instant import Instant
from tertulia.model.state import Endpoint


class Dial(Struct, frozen=True):
    """A call to be made."""

    leg: str
    application_id: ApplicationId
    to: Endpoint
    """Type `phone` with a number, `sip` with a URI, or `vbc` with an extension."""
    sdp: str
    """Our offer."""
    caller: str = ""
    """Number or user part by which the call is known; empty withholds it."""
    display: str = ""
    headers: dict[str, str] = {}
    """Custom header fields: their names begin with `X-`."""
    user_to_user: str | None = None


class Signal(Struct, frozen=True, tag=True):
    """From a carrier: something that happened to a call."""


class Called(Signal, frozen=True):
    """Somebody calls. The leg's id is the carrier's choice; nothing has been answered yet."""

    leg: str
    application_id: ApplicationId
    to: Endpoint
    from_: Endpoint
    """`phone` with a number, or `sip` with a URI; without either, the caller withheld it."""
    sdp: str
    """The offer; empty when the caller leaves that to us: then Accepted brings the answer."""
    headers: dict[str, str] = {}
    """Those that begin with `X-`, and `User-to-User`."""
    user_id: UserId | None = None
    """Whose softphone it is, authenticated."""
    trunk: str = ""
    """By which it came; empty for a softphone."""
    replaces: str | None = None
    """The leg whose place it is to take (attended transfer): hang that up when this is answered."""


class Rang(Signal, frozen=True):
    """The other end rings; with a description it is to be heard already (early media)."""

    leg: str
    sdp: str = ""


class Accepted(Signal, frozen=True):
    """The other end has answered, with its description."""

    leg: str
    sdp: str
    headers: dict[str, str] = {}
    is_softphone: bool = False
    """It is one that a user has registered."""


class Declined(Signal, frozen=True):
    """A call that we made has come to nothing: a final answer from 300 to 699, or none (408)."""

    leg: str
    code: int
    text: str = ""


class HungUp(Signal, frozen=True):
    """The other end has ended a call: by BYE, by CANCEL while it was not answered, or lost."""

    leg: str
    code: int = 200
    text: str = ""


class Reoffered(Signal, frozen=True):
    """The other end offers another media path, or the same on hold: answer or refuse it. An empty
    description asks for ours."""

    leg: str
    sdp: str


class Keyed(Signal, frozen=True):
    """A key, by SIP INFO."""

    leg: str
    digit: str
    milliseconds: int


class Referred(Signal, frozen=True):
    """The other end asks that the call be transferred; `Carrier.referred` tells what became of
    it."""

    leg: str
    to: Endpoint
    replaces: str | None = None
    """The leg whose other end is to take the place of this one's (attended transfer)."""


class Stepped(Signal, frozen=True):
    """A SIP message of a call, for whoever wants to see what happened."""

    leg: str
    at: Instant
    sent: bool
    line: str
    """Its first line."""
    peer: str


AnySignal = (
    Called | Rang | Accepted | Declined | HungUp | Reoffered | Keyed | Referred | Stepped
)  # fmt: skip
