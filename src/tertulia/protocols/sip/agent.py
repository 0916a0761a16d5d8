"""A SIP user agent without I/O: messages, verbs and the time go in, values come out."""

from collections.abc import Callable

from tertulia.protocols.sip.asking import Question
from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.outgoing import OutgoingCall
from tertulia.protocols.sip.reception import Reception
from tertulia.protocols.sip.signals import Failed, Output, Replied
from tertulia.protocols.sip.stack import Limits, Preferences, Stack
from tertulia.protocols.sip.verbs import AnyVerb, Ask, Challenge, Forget, Invite, Respond

__all__ = ["Agent", "Limits", "Preferences"]


class Agent:
    """Drain `take` after every other method: outputs are in order.

    `draw` gives that many octets nobody can guess. `credentials` is asked, by name of the call or
    question and the realm, when a request of ours is challenged. `name_call` names a call (or
    question) that comes in. Nothing that comes in raises.
    """

    def __init__(
        self,
        draw: Callable[[int], bytes],
        name_call: Callable[[], str],
        credentials: Callable[[str, str], Credentials | None],
        preferences: Preferences | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._core = Core(draw)
        self._stack = Stack(
            self._core, name_call, credentials, preferences or Preferences(), limits or Limits()
        )
        self._reception = Reception(self._stack)
        self._questions: dict[str, Question] = {}

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """A message has come by a flow. Requests are stamped here (`received`, `rport`)."""
        self._core.now = now
        try:
            if isinstance(message, Request):
                self._reception.request(message, flow)
            else:
                self._respond(message, flow)
        except Malformed:
            self._core.dropped += 1

    def tell(self, verb: AnyVerb, now: float) -> None:
        """Do something about a call. Raises Malformed (a ValueError) for a URI that is none, and
        ValueError for a name that is taken."""
        self._core.now = now
        if isinstance(verb, Invite):
            self._invite(verb)
        elif isinstance(verb, Ask):
            self._ask(verb)
        elif isinstance(verb, Forget):
            question = self._questions.get(verb.call)
            if question is not None:
                question.forget()
        elif isinstance(verb, Respond | Challenge) and verb.call in self._reception.inquiries:
            self._reception.inquiries[verb.call].respond(verb)
        elif (call := self._stack.calls.get(verb.call)) is not None:
            call.tell(verb)

    def resolved(self, ticket: int, flows: tuple[Flow, ...], now: float) -> None:
        """Where a request that waits (`Resolve`) may go, best first; none: nowhere."""
        self._core.now = now
        waiting = self._core.tickets.pop(ticket, None)
        if waiting is not None:
            waiting.resolved(flows)

    def connection_lost(self, flow: Flow, now: float) -> None:
        """A connection ended, or a UDP peer cannot be reached (ICMP)."""
        self._core.now = now
        self._stack.transactions.lost(flow)

    def timeout(self, now: float) -> None:
        """Call it when `next_timer` has come; sooner does no harm."""
        self._core.now = now
        self._core.fire()

    def take(self) -> list[Output]:
        """What is to be done, oldest first; each once."""
        out, self._core.out = self._core.out, []
        return out

    @property
    def next_timer(self) -> float | None:
        """When `timeout` is due; None: nothing waits."""
        return self._core.next_timer

    @property
    def sizes(self) -> dict[str, int]:
        """Of all tables: empty when nothing goes on."""
        return {
            "calls": len(self._stack.calls),
            "dialogs": len(self._stack.dialogs),
            "transactions": len(self._stack.transactions),
            "questions": len(self._questions),
            "inquiries": len(self._reception.inquiries),
            "tickets": len(self._core.tickets),
            "deadlines": self._core.deadlines,
        }

    @property
    def dropped(self) -> int:
        """Messages that were not understood, or fitted nothing."""
        return self._core.dropped

    def _respond(self, response: Response, flow: Flow) -> None:
        transaction = self._stack.transactions.of_response(response)
        if transaction is None:
            self._core.dropped += 1
            return
        self._core.trace(transaction.call, False, response.start_line, flow)
        transaction.receive(response)

    def _invite(self, verb: Invite) -> None:
        if verb.call in self._stack.calls:
            raise ValueError("there is a call of that name")
        if self._stack.is_full:
            self._core.post(Failed(verb.call, 503, "Too Many Calls", None))
            return
        OutgoingCall(self._stack, verb).begin()

    def _ask(self, verb: Ask) -> None:
        question = self._questions.get(verb.call)
        if question is None:
            if len(self._questions) >= self._stack.limits.questions:
                self._core.post(Replied(verb.call, 503, "Too Many Questions", None, None))
                return
            question = Question(self._stack, verb.call, self._questions)
        question.ask(verb)
        self._questions[verb.call] = question
