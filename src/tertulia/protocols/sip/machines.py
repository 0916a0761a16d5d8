"""A transaction at work: a table of transaction.py with its timers and what it sends."""

from collections.abc import Hashable
from typing import Protocol, cast

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.message import Request, Response, respond
from tertulia.protocols.sip.signals import Send
from tertulia.protocols.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Action,
    Event,
    State,
    Table,
    TimerName,
    interval,
)
from tertulia.protocols.sip.verbs import Pairs

_COPIED = ("Max-Forwards", "From", "To", "Call-ID", "Route")
_CREDENTIALS = ("Authorization", "Proxy-Authorization")


class ClientUser(Protocol):
    """Who sent a request."""

    def responded(self, response: Response) -> None:
        """Any response; of an INVITE each 2xx, also repeated."""

    def unanswered(self, lost: bool) -> None:
        """No response will come: the flow is lost, or the time is over."""


class ServerUser(Protocol):
    """Who answers an INVITE."""

    def cancelled(self, request: Request) -> None:
        """The caller does not want it any more; the CANCEL itself has been answered."""

    def acknowledged(self, request: Request) -> None:
        """An ACK of a 2xx came in the transaction itself (senders before RFC 3261)."""

    def lost(self) -> None:
        """It cannot be answered any more."""


class Layer(Protocol):
    """Who keeps transactions."""

    core: Core

    def forget(self, transaction: "Transaction") -> None:
        """It is over."""


class Transaction:
    """One machine. It forgets itself when it is over."""

    __slots__ = ("_intervals", "_table", "call", "flow", "key", "layer", "request", "state")

    def __init__(
        self,
        layer: Layer,
        table: Table,
        state: State,
        key: Hashable,
        request: Request,
        flow: Flow,
    ) -> None:
        self.layer = layer
        self.key = key
        self.request = request
        self.flow = flow
        self.state: State = state
        self.call = ""
        """Whose it is, for the trace."""
        self._table = table
        self._intervals: dict[TimerName, float] = {}

    def fire(self, name: str) -> None:
        self.step(cast(TimerName, name))

    def step(self, event: Event) -> None:
        entry = self._table.get((self.state, event))
        if entry is None:
            return
        state, actions = entry
        self.state = state
        for action in actions:
            self._act(action)
        if state == "terminated":
            self.end()

    def end(self) -> None:
        """Over, in whatever state."""
        self.state = "terminated"
        self.layer.core.stop(self, *self._intervals)
        self._intervals.clear()
        self.layer.forget(self)

    def _act(self, action: Action) -> None:
        if action == "send":
            self._send()
        elif action == "ack":
            self._acknowledge()
        elif action == "pass":
            self._pass()
        elif action == "fail":
            self._fail()
        else:
            self._time(action[0], cast(TimerName, action[1]))

    def _time(self, what: str, timer: TimerName) -> None:
        if what == "-":
            self._intervals.pop(timer, None)
            self.layer.core.stop(self, timer)
            return
        last = {"+": None, "2": self._intervals.get(timer), "c": 64.0}[what]
        seconds = interval(timer, self.flow.reliable, last)
        if seconds == 0:
            self.step(timer)
        elif seconds is not None and self.state != "terminated":
            self._intervals[timer] = seconds
            self.layer.core.start(self, timer, seconds)

    def _send(self) -> None:
        raise NotImplementedError

    def _acknowledge(self) -> None:
        raise NotImplementedError

    def _pass(self) -> None:
        raise NotImplementedError

    def _fail(self) -> None:
        raise NotImplementedError


class ClientTransaction(Transaction):
    """A request of ours. Its request is as sent, with our Via on top."""

    __slots__ = ("_ack", "_data", "_lost", "_response", "_user")

    def __init__(
        self, layer: Layer, request: Request, flow: Flow, user: ClientUser, call: str
    ) -> None:
        invite = request.method == "INVITE"
        table = INVITE_CLIENT if invite else CLIENT
        key = (request.via.branch, request.method)
        super().__init__(layer, table, "calling" if invite else "trying", key, request, flow)
        self.call = call
        self._user = user
        self._data = request.encode()
        self._ack: bytes | None = None
        self._response: Response | None = None
        self._lost = False

    def begin(self) -> None:
        self._send()
        names: tuple[TimerName, ...] = ("A", "B") if self.state == "calling" else ("E", "F")
        for timer in names:
            self._time("+", timer)

    def receive(self, response: Response) -> None:
        status = response.status
        self._response = response
        if status < 200:
            self.step("1xx")
        elif status < 300 or self._table is CLIENT:
            self.step("2xx")
        else:
            self.step("failure")
        self._response = None

    def lose(self) -> None:
        self._lost = True
        self.step("lost")

    def cancellation(self, pairs: Pairs) -> Request:
        """CANCEL of it (RFC 3261 9.1)."""
        request = self._beside("CANCEL")
        for name, value in pairs:
            request.headers.add(name, value)
        return request

    def _beside(self, method: str) -> Request:
        """ACK of a failure or CANCEL: of the same hop and branch."""
        ours = self.request.headers
        headers = Headers([("Via", self.request.via)])
        for name in _COPIED if method == "CANCEL" else (*_COPIED, *_CREDENTIALS):
            for value in ours.all(name):
                headers.add(name, value)
        headers.add("CSeq", f"{self.request.cseq.number} {method}")
        return Request(method, self.request.target, headers)

    def _send(self) -> None:
        self.layer.core.post(Send(self.flow, self._data))
        self.layer.core.trace(self.call, True, self.request.start_line, self.flow)

    def _acknowledge(self) -> None:
        if self._ack is None and self._response is not None:
            request = self._beside("ACK")
            request.headers.set("To", self._response.headers.get("To") or "")
            self._ack = request.encode()
        if self._ack is not None:
            self.layer.core.post(Send(self.flow, self._ack))
            line = f"ACK {self.request.target} SIP/2.0"
            self.layer.core.trace(self.call, True, line, self.flow)

    def _pass(self) -> None:
        if self._response is not None:
            self._user.responded(self._response)

    def _fail(self) -> None:
        self._user.unanswered(self._lost)


class ServerTransaction(Transaction):
    """A request that came in, until nobody repeats it any more."""

    __slots__ = ("_ack", "_data", "_line", "merge_key", "tag", "user")

    def __init__(
        self,
        layer: Layer,
        key: Hashable,
        merge_key: Hashable,
        request: Request,
        flow: Flow,
    ) -> None:
        invite = request.method == "INVITE"
        table = INVITE_SERVER if invite else SERVER
        state: State = "proceeding" if invite else "trying"
        super().__init__(layer, table, state, key, request, flow)
        self.merge_key = merge_key
        self.tag = request.to.tag or layer.core.token()
        """Ours, in To of the responses."""
        self.user: ServerUser | None = None
        self._data = b""
        self._line = ""
        self._ack: Request | None = None

    @property
    def answered(self) -> bool:
        """Whether a final response has been sent."""
        return self.state not in ("trying", "proceeding")

    def reply(self, status: int, text: str | None = None) -> None:
        """A plain response."""
        self.respond(self.response(status, text))

    def response(self, status: int, text: str | None = None) -> Response:
        """One to be completed, and given to `respond`."""
        tag = "" if status == 100 else self.tag
        return respond(self.request, status, text or None, tag=tag)

    def respond(self, response: Response) -> None:
        """Send it, if its place has not been taken by another."""
        status = response.status
        event: Event = "2xx"
        if status < 200:
            event = "1xx"
        elif status >= 300 and self._table is INVITE_SERVER:
            event = "failure"
        if (self.state, event) in self._table:
            self._data = response.encode()
            self._line = response.start_line
            self.step(event)

    def receive(self, request: Request) -> None:
        """The same request again, or an ACK."""
        if request.method == "ACK":
            self._ack = request
            self.step("ack")
        else:
            self.step("request")

    def lose(self) -> None:
        self.step("lost")

    def _send(self) -> None:
        if self._data:
            self.layer.core.post(Send(self.flow, self._data))
            self.layer.core.trace(self.call, True, self._line, self.flow)

    def _pass(self) -> None:
        if self.user is not None and self._ack is not None:
            self.user.acknowledged(self._ack)

    def _fail(self) -> None:
        if self.user is not None:
            self.user.lost()
