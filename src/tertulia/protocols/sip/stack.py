"""What lives in an agent: its calls by name and by dialog, its transactions, what it insists on."""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.digest import (
    Credentials,
    answer,
    parse_authorization,
    parse_challenge,
    strongest,
)
from tertulia.protocols.sip.fields import Replaces
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Message, Request, Response
from tertulia.protocols.sip.signals import Send
from tertulia.protocols.sip.transactions import Transactions
from tertulia.protocols.sip.verbs import SDP, AnyVerb, Challenge, Pairs

METHODS = (
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY",
)  # fmt: skip
"""Those that an agent answers by itself."""
EXTENSIONS = ("100rel", "timer", "replaces", "norefersub")
ALLOW = ", ".join(METHODS)
SUPPORTED = ", ".join(EXTENSIONS)

_ANSWERS = (
    ("WWW-Authenticate", "Authorization"),
    ("Proxy-Authenticate", "Proxy-Authorization"),
)

DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the other's tag."""


class Limits(Struct, frozen=True):
    """Beyond them: 503 to requests from outside, Failed or Replied with 503 to our own."""

    calls: int = 4096
    transactions: int = 40_000
    questions: int = 4096
    """Ask and Asked that have no answer yet, and registrations."""


class Preferences(Struct, frozen=True):
    """What the agent says of itself and insists on."""

    product: str = "tertulia"
    """Server and User-Agent; empty: neither."""
    asked: frozenset[str] = frozenset({"REGISTER"})
    """Methods outside of calls that the owner answers (Asked); others get 405 or 501."""
    session_expires: int = 1800
    """Seconds (RFC 4028); 0: no session timer of our own wish."""
    min_expires: int = 90
    redirects: int = 5
    """3xx that are followed for one call."""
    patience: float = 300.0
    """Seconds that a call may ring here, or wait for the owner, before it is refused with 480."""


class Participant(Protocol):
    """A call as the agent and other calls see it."""

    name: str
    is_up: bool
    """It has been answered."""
    is_ours: bool
    """We made it."""

    def tell(self, verb: AnyVerb) -> None: ...

    def in_dialog(self, transaction: ServerTransaction) -> None:
        """A request other than ACK and CANCEL."""

    def acknowledged(self, request: Request) -> None:
        """An ACK of a 2xx."""

    def replaces(self) -> Replaces | None:
        """How a third party names its dialog, from the other end's point of view."""


class Stack:
    def __init__(
        self,
        core: Core,
        name_call: Callable[[], str],
        credentials: Callable[[str, str], Credentials | None],
        preferences: Preferences,
        limits: Limits,
    ) -> None:
        self.core = core
        self.transactions = Transactions(core)
        self.calls: dict[str, Participant] = {}
        self.dialogs: dict[DialogKey, Participant] = {}
        self.name_call = name_call
        self.preferences = preferences
        self.limits = limits
        self._credentials = credentials

    @property
    def is_full(self) -> bool:
        """No room for another call."""
        return len(self.calls) >= self.limits.calls or self.is_busy

    @property
    def is_busy(self) -> bool:
        """No room for another transaction."""
        return len(self.transactions) >= self.limits.transactions

    def find(self, replaces: Replaces) -> Participant | None:
        """Our call that a Replaces names: its to-tag is ours (RFC 3891 3)."""
        return self.dialogs.get((replaces.call_id, replaces.to_tag, replaces.from_tag))

    def authorize(self, call: str, request: Request, response: Response) -> bool:
        """Put answers to a 401 or 407 into a request; False: not all can be given."""
        found = [
            (ours, realm, challenges)
            for theirs, ours in _ANSWERS
            for realm, challenges in _by_realm(response.headers.all(theirs)).items()
        ]
        return bool(found) and all([self._answer(call, request, *asked) for asked in found])

    def _answer(self, call: str, request: Request, name: str, realm: str, asked: list[str]) -> bool:
        best = strongest(asked)
        given = {value: parse_authorization(value) for value in request.headers.all(name)}
        others = [value for value, read in given.items() if read is None or read.realm != realm]
        if best is None or (len(others) < len(given) and not best.stale):
            return False
        credentials = self._credentials(call, realm)
        if credentials is None:
            return False
        cnonce = self.core.token()
        value = answer(
            asked,
            credentials,
            method=request.method,
            uri=request.target,
            body=request.body,
            cnonce=cnonce,
        )
        request.headers.remove(name)
        extend(request, [(name, each) for each in (*others, value or "")])
        return True

    def describe(self, message: Message) -> None:
        """What we are and can, in an INVITE, UPDATE, or the responses that establish a dialog."""
        message.headers.add("Allow", ALLOW)
        message.headers.add("Supported", SUPPORTED)
        self.sign(message)

    def sign(self, message: Message) -> None:
        if self.preferences.product:
            name = "User-Agent" if isinstance(message, Request) else "Server"
            message.headers.add(name, self.preferences.product)

    def refuse(
        self,
        transaction: ServerTransaction,
        status: int,
        text: str = "",
        pairs: Iterable[tuple[str, str]] = (),
    ) -> None:
        """A response without a body."""
        response = transaction.response(status, text)
        extend(response, pairs)
        self.sign(response)
        transaction.respond(response)

    def challenge(self, transaction: ServerTransaction, verb: Challenge) -> None:
        """Answer and forget (RFC 3261 8.2.7): a flood of strangers leaves nothing behind."""
        response = transaction.response(verb.code)
        extend(response, verb.headers)
        self.sign(response)
        self.core.post(Send(transaction.flow, response.encode()))
        self.core.trace(transaction.call, True, response.start_line, transaction.flow)
        transaction.end()


def _by_realm(values: list[str]) -> dict[str, list[str]]:
    realms: dict[str, list[str]] = {}
    for value in values:
        challenge = parse_challenge(value)
        if challenge is not None:
            realms.setdefault(challenge.realm, []).append(value)
    return realms


def extend(message: Message, pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        message.headers.add(name, value)


def fill(message: Message, body: bytes, content_type: str = SDP) -> None:
    if body:
        message.headers.set("Content-Type", content_type)
        message.body = body


def with_reason(pairs: Pairs, reason: str) -> Pairs:
    """Further fields, with Reason if there is one."""
    return (*pairs, ("Reason", reason)) if reason else pairs
