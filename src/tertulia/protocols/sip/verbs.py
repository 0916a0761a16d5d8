"""What the owner of an agent tells it to do. A call is named by the owner; what is told of a call
that is over, or does not fit its state, does nothing.

URIs are text, bodies opaque bytes, `headers` further fields as they are to stand in the message.
"""

from msgspec import Struct

from tertulia.protocols.sip.flow import Flow

Pairs = tuple[tuple[str, str], ...]
"""Header fields by name, in order."""
SDP = "application/sdp"


class Verb(Struct, frozen=True):
    """Of which call."""

    call: str


class Invite(Verb, frozen=True):
    """Make a call. → Rang, then Answered or Failed."""

    to: str
    """Request URI, and that of To."""
    caller: str
    """URI of From, `sip:…`; stands in P-Asserted-Identity alone when the caller is withheld."""
    body: bytes = b""
    """The offer. Empty: the callee offers, and Answered is to be followed by Accept."""
    display: str = ""
    withheld: bool = False
    asserted: bool = False
    """Tell a trusted peer who calls by P-Asserted-Identity (RFC 3325)."""
    headers: Pairs = ()
    flow: Flow | None = None
    """Send it there, and what follows in the dialog too. Otherwise the next hop is resolved."""
    route: tuple[str, ...] = ()
    """URIs to go through, the nearest first (outbound proxy)."""
    max_forwards: int = 70
    timeout: float = 180.0
    """Seconds without an answer after which it is cancelled: Failed with 408."""


class Accept(Verb, frozen=True):
    """Our answer to the offer of an Answered that asks for one: it goes with the ACK."""

    body: bytes


class Ring(Verb, frozen=True):
    """180 without a body."""


class Progress(Verb, frozen=True):
    """183 with early media; reliable if the caller can (RFC 3262)."""

    body: bytes
    code: int = 183


class Answer(Verb, frozen=True):
    """Answer what was Invited or Reoffered; if that had no body, with our offer, and Agreed will
    bring the answer."""

    body: bytes
    headers: Pairs = ()


class Refuse(Verb, frozen=True):
    """Do not answer what was Invited (the call is over without a further signal) or Reoffered:
    codes from 300."""

    code: int
    text: str = ""
    headers: Pairs = ()


class Challenge(Verb, frozen=True):
    """401 to what was Invited or Asked, or another refusal of a stranger: nothing of the request is
    kept. Who repeats it comes as another call (or question)."""

    headers: Pairs
    """With WWW-Authenticate."""
    code: int = 401


class HangUp(Verb, frozen=True):
    """End a call at whatever stage: CANCEL, 480, or BYE. No signal follows."""

    reason: str = ""
    """Value of Reason (RFC 3326)."""
    headers: Pairs = ()


class Offer(Verb, frozen=True):
    """re-INVITE, or UPDATE before the call is answered (RFC 3311). → Agreed or Disagreed. A second
    one waits for the first; glare (491) is tried again by itself."""

    body: bytes


class Key(Verb, frozen=True):
    """A key by INFO (application/dtmf-relay)."""

    digit: str
    milliseconds: int = 100


class Refer(Verb, frozen=True):
    """Ask the other end to call somebody else (RFC 3515). → Transferred, once or more."""

    to: str
    """URI."""
    replaces: str = ""
    """One of our calls, whose other end is to be taken over (RFC 3891)."""


class ReferResult(Verb, frozen=True):
    """What became of what was Referred: 100 to 199 is progress, from 200 on the subscription
    ends."""

    code: int
    text: str = ""


class Ask(Verb, frozen=True):
    """A request of no call: OPTIONS, MESSAGE, REGISTER… `call` is a name for it. → Replied.
    A REGISTER again under the same name uses the same Call-ID with the next CSeq; `Forget` it."""

    method: str
    to: str
    """Request URI. For REGISTER the registrar's, without a user."""
    caller: str
    """URI of From; for REGISTER also of To: the address of record."""
    headers: Pairs = ()
    body: bytes = b""
    content_type: str = SDP
    flow: Flow | None = None
    route: tuple[str, ...] = ()
    expires: int | None = None
    """Of REGISTER: seconds; raised by itself when the registrar answers 423. 0 takes it back."""


class Forget(Verb, frozen=True):
    """Drop what is known of an Ask by its name."""


class Respond(Verb, frozen=True):
    """Answer what was Asked."""

    code: int
    text: str = ""
    headers: Pairs = ()
    body: bytes = b""
    content_type: str = SDP


AnyVerb = (
    Invite | Accept | Ring | Progress | Answer | Refuse | Challenge | HangUp | Offer | Key | Refer
    | ReferResult | Ask | Forget | Respond
)  # fmt: skip
