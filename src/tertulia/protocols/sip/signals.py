"""What an agent gives its owner: octets to send, hops to resolve, and what happened to calls.

`message` is what the signal was made from, for whoever wants its other fields.
"""

from msgspec import Struct

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request, Response


class Send(Struct, frozen=True):
    """Octets for a flow. A flow that cannot take them is told by `connection_lost`."""

    flow: Flow
    data: bytes


class Resolve(Struct, frozen=True):
    """A request waits for its next hop (RFC 3263): tell `resolved` with the ticket and the flows to
    try, best first; none if there is no way. Not telling is not fatal: it gives up by itself."""

    ticket: int
    uri: str
    """Of which host, port and `transport` count, and `maddr`."""
    hint: Flow | None
    """Where messages of the dialog last came from: the way back through a NAT."""
    size: int = 0
    """About so many octets: UDP may be too small for it (RFC 3261 18.1.1)."""


class Signal(Struct, frozen=True):
    """Something happened to a call (or to the question of that name)."""

    call: str


class Invited(Signal, frozen=True):
    """Somebody calls; 100 has been sent. Answer with Ring, Progress, Answer, Refuse, Challenge."""

    message: Request
    flow: Flow
    body: bytes
    """The offer; empty if ours is asked for: Answer brings it, Agreed the caller's answer."""
    replaces: str = ""
    """Our call that this one is to take the place of (RFC 3891): hang that up after answering."""
    early_only: bool = False
    """Of `replaces`: only if it has not been answered, otherwise refuse with 486."""


class Rang(Signal, frozen=True):
    """The callee rings, or is to be heard already if there is a body (early media)."""

    code: int
    body: bytes
    fork: str
    """Which of several callees: all answers of one have the same."""
    message: Response


class Answered(Signal, frozen=True):
    """The callee has answered."""

    body: bytes
    """Its answer; or its offer if we made none: tell Accept."""
    offer: bool
    message: Response


class Acknowledged(Signal, frozen=True):
    """The caller has had our answer: both ends know that the call is up."""


class Agreed(Signal, frozen=True):
    """The answer to our offer: to an Offer, or to one that Answer or Progress made."""

    body: bytes


class Disagreed(Signal, frozen=True):
    """Our Offer was refused: nothing has changed."""

    code: int
    text: str


class Reoffered(Signal, frozen=True):
    """The other end offers (empty: asks for our offer). Tell Answer or Refuse."""

    body: bytes
    message: Request


class Failed(Signal, frozen=True):
    """A call of ours has come to nothing: a final answer (300 to 699), or none (408, 503)."""

    code: int
    text: str
    message: Response | None


class Ended(Signal, frozen=True):
    """The other end has ended the call (BYE, CANCEL), or it is lost (408, 481, 503)."""

    code: int
    """Of Reason if there is one (RFC 3326), else 200 for BYE and 487 for CANCEL."""
    text: str
    reason: str
    """Value of Reason as it came."""
    message: Request | Response | None


class Keyed(Signal, frozen=True):
    """A key, by INFO."""

    digit: str
    milliseconds: int


class Referred(Signal, frozen=True):
    """The other end asks that we call somebody else: 202 has been sent. Tell ReferResult."""

    to: str
    """URI without embedded fields."""
    replaces: str
    """Our call whose other end is to be taken over; empty: none."""
    message: Request


class Transferred(Signal, frozen=True):
    """How our Refer goes on: from 200 on it is over."""

    code: int
    text: str


class Asked(Signal, frozen=True):
    """A request outside of calls that the agent does not answer itself (REGISTER, MESSAGE…): tell
    Respond or Challenge under the name that is `call`."""

    message: Request
    flow: Flow


class Replied(Signal, frozen=True):
    """The final answer to an Ask (408 or 503 without a message: none came)."""

    code: int
    text: str
    message: Response | None
    flow: Flow | None


class Stepped(Signal, frozen=True):
    """A message of a call as it came or went, with every repetition."""

    sent: bool
    line: str
    """Its first line."""
    flow: Flow


AnySignal = (
    Invited | Rang | Answered | Acknowledged | Agreed | Disagreed | Reoffered | Failed | Ended
    | Keyed | Referred | Transferred | Asked | Replied | Stepped
)  # fmt: skip
Output = Send | Resolve | AnySignal
