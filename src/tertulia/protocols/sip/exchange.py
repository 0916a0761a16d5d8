"""A request of ours up to its final response: over other hops, and answering challenges."""

from collections.abc import Callable
from typing import Protocol

from tertulia.protocols.sip.fields import BRANCH_COOKIE
from tertulia.protocols.sip.flow import Flow, host_port
from tertulia.protocols.sip.machines import ClientTransaction
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.signals import Send
from tertulia.protocols.sip.stack import Stack
from tertulia.protocols.sip.transaction import GIVE_UP
from tertulia.protocols.sip.verbs import Pairs

ADDED = 300
"""Octets of a request beside its fields so far: start line, Via, Contact, line ends."""
CHALLENGES = 4
"""That are answered for one request: one of each kind, each once stale."""


class Hop:
    """Where a request goes next: a URI, and the flow once it is known."""

    __slots__ = ("flow", "hint", "pinned", "uri")

    def __init__(
        self, uri: str, flow: Flow | None = None, hint: Flow | None = None, pinned: bool = False
    ) -> None:
        self.uri = uri
        self.flow = flow
        self.hint = hint
        self.pinned = pinned
        """The flow was told; it was not found by resolving the URI."""


class ExchangeUser(Protocol):
    def provisional(self, exchange: "Exchange", response: Response) -> None:
        """100 to 199."""

    def finished(self, exchange: "Exchange", response: Response | None, status: int) -> None:
        """Final: 408 or 503 without a response if none came. Of an INVITE again with each 2xx."""


class Done:
    """Who wants to know only how it ends."""

    def __init__(self, then: Callable[[Response | None, int], None]) -> None:
        self._then = then

    def provisional(self, exchange: "Exchange", response: Response) -> None:
        pass

    def finished(self, exchange: "Exchange", response: Response | None, status: int) -> None:
        self._then(response, status)


class Exchange:
    def __init__(
        self,
        stack: Stack,
        call: str,
        request: Request,
        hop: Hop,
        user: ExchangeUser,
        next_cseq: Callable[[], int],
        contact: str | None = None,
    ) -> None:
        """`request` is without Via; `contact` is the user part of its Contact, None: it has
        none."""
        self.request = request
        self.hop = hop
        self.transaction: ClientTransaction | None = None
        self._stack = stack
        self._call = call
        self._user = user
        self._next_cseq = next_cseq
        self._contact = contact
        self._flows: list[Flow] = []
        self._ticket = 0
        self._challenges = 0
        self._fresh = False
        """The flow comes from resolving for this very request."""
        self._cancelled: Pairs | None = None
        self._cancelling = False

    def begin(self) -> None:
        if self.hop.flow is not None:
            self._send(self.hop.flow)
        else:
            self._resolve()

    def drop(self) -> None:
        """Give up before anything was sent, or whatever comes of it."""
        self._stack.core.tickets.pop(self._ticket, None)
        self._stack.core.stop(self, "resolve")
        if self.transaction is not None:
            self.transaction.end()

    def cancel(self, pairs: Pairs = ()) -> None:
        """Of INVITE: CANCEL, once something has come back (RFC 3261 9.1). It finishes all the
        same, with 487 or whatever was faster."""
        if self._cancelled is not None:
            return
        self._cancelled = pairs
        if self.transaction is None:
            self.drop()
            self._user.finished(self, None, 487)
        elif self.transaction.state == "proceeding":
            self._cancel()

    def _cancel(self) -> None:
        if self.transaction is not None:
            self._cancelling = True
            self._stack.transactions.cancel(self.transaction, self._cancelled or ())
            self._stack.core.start(self, "cancel", GIVE_UP)

    def resolved(self, flows: tuple[Flow, ...]) -> None:
        self._stack.core.stop(self, "resolve")
        self._flows = list(flows)
        self._fresh = True
        self._next()

    def fire(self, name: str) -> None:
        if name == "cancel":
            self.drop()
            self._user.finished(self, None, 487)
        else:
            self._stack.core.tickets.pop(self._ticket, None)
            self._user.finished(self, None, 503)

    def responded(self, response: Response) -> None:
        status = response.status
        if status < 200:
            if self._cancelled is not None and not self._cancelling:
                self._cancel()
            self._user.provisional(self, response)
            return
        self._stack.core.stop(self, "cancel")
        if self._cancelled is not None:
            self._user.finished(self, response, status)
        elif status in (401, 407) and self._authorize(response):
            self.begin()
        elif status == 503 and self._flows:
            self._advance()
        else:
            self._user.finished(self, response, status)

    def unanswered(self, lost: bool) -> None:
        self._stack.core.stop(self, "cancel")
        if self._cancelled is not None:
            self._user.finished(self, None, 487)
        elif self._flows:
            self._advance()
        elif lost and not self._fresh:
            self.hop.flow = None
            self._renumber()
            self._resolve()
        else:
            if lost:
                self.hop.flow = None
            self._user.finished(self, None, 503 if lost else 408)

    def _resolve(self) -> None:
        core = self._stack.core
        core.start(self, "resolve", GIVE_UP)
        size = sum(map(len, self.request.headers.lines())) + len(self.request.body) + ADDED
        self._ticket = core.resolve(self, self.hop.uri, self.hop.hint, size)

    def _next(self) -> None:
        if self._flows:
            self._send(self._flows.pop(0))
        else:
            self._user.finished(self, None, 503)

    def _advance(self) -> None:
        """Once more, as another request (RFC 3261 8.1.3.1, RFC 3263 4.3)."""
        self._renumber()
        self._next()

    def _renumber(self) -> None:
        self.request.headers.set("CSeq", f"{self._next_cseq()} {self.request.method}")

    def _send(self, flow: Flow) -> None:
        self.hop.flow = flow
        request = with_via(self.request, flow, self._stack.core.token())
        if self._contact is not None:
            request.headers.set("Contact", contact(self._contact, flow, request.target))
        self.transaction = self._stack.transactions.send(request, flow, self, self._call)

    def _authorize(self, response: Response) -> bool:
        """Whether an answer to the challenges could be given."""
        self._challenges += 1
        if self._challenges > CHALLENGES:
            return False
        if not self._stack.authorize(self._call, self.request, response):
            return False
        self._renumber()
        return True


class Acknowledgement:
    """The ACK of a 2xx, which is repeated with it (RFC 3261 13.2.2.4)."""

    def __init__(self, stack: Stack, call: str, request: Request, hop: Hop) -> None:
        self._stack = stack
        self._call = call
        self._request = request
        self._hop = hop
        self._flow: Flow | None = None
        self._data = b""
        if hop.flow is not None:
            self.resolved((hop.flow,))
        else:
            stack.core.start(self, "resolve", GIVE_UP)
            self._ticket = stack.core.resolve(self, hop.uri, hop.hint)

    def resolved(self, flows: tuple[Flow, ...]) -> None:
        self._stack.core.stop(self, "resolve")
        if flows:
            self._flow = self._hop.flow = flows[0]
            core = self._stack.core
            self._data = with_via(self._request, flows[0], core.token()).encode()
            self.again()

    def fire(self, name: str) -> None:
        self._stack.core.tickets.pop(self._ticket, None)

    def again(self) -> None:
        if self._flow is not None:
            core = self._stack.core
            core.post(Send(self._flow, self._data))
            core.trace(self._call, True, self._request.start_line, self._flow)


def with_via(request: Request, flow: Flow, branch: str) -> Request:
    """A copy to be sent by a flow."""
    copy = request.copy()
    where = f"{flow.transport.upper()} {host_port(flow.local)}"
    copy.headers.prepend("Via", f"SIP/2.0/{where};rport;branch={BRANCH_COOKIE}{branch}")
    return copy


def contact(user: str, flow: Flow, target: str = "") -> str:
    """Our Contact as reached by a flow; `user` is escaped already."""
    scheme = "sips" if target.startswith("sips:") else "sip"
    at = f"{user}@" if user else ""
    transport = (
        "" if flow.transport == "udp" or scheme == "sips" else f";transport={flow.transport}"
    )
    return f"<{scheme}:{at}{host_port(flow.local)}{transport}>"
