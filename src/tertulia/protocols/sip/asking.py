"""Requests outside of calls: those the owner asks (registrations too), and those it answers."""

from msgspec.structs import replace

from tertulia.protocols.sip.composing import identify, question
from tertulia.protocols.sip.exchange import Exchange, Hop
from tertulia.protocols.sip.fields import MIN_EXPIRES
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Response
from tertulia.protocols.sip.reasons import phrase
from tertulia.protocols.sip.signals import Asked, Replied
from tertulia.protocols.sip.stack import Stack, extend, fill
from tertulia.protocols.sip.transaction import GIVE_UP
from tertulia.protocols.sip.verbs import Ask, Challenge, Respond

_RAISES = 2
"""Times that 423 makes us ask for longer."""


class Question:
    """What goes by the name of an Ask. A registration is one over all its refreshes."""

    def __init__(self, stack: Stack, name: str, registry: "dict[str, Question]") -> None:
        self._stack = stack
        self._name = name
        self._registry = registry
        self._call_id = stack.core.token(16)
        self._cseq = 0
        self._verb: Ask | None = None
        self._exchange: Exchange | None = None
        self._raises = 0

    def ask(self, verb: Ask) -> None:
        """Raises Malformed. What is under way is forgotten."""
        request = question(self._stack, verb, self._call_id, self._next_cseq())
        if self._exchange is not None:
            self._exchange.drop()
        self._verb = verb
        uri = verb.route[0] if verb.route else request.target
        hop = Hop(uri, verb.flow, verb.flow, verb.flow is not None)
        self._exchange = Exchange(
            self._stack, self._name, request, hop, self, self._next_cseq, identify(verb)
        )
        self._exchange.begin()

    def forget(self) -> None:
        if self._exchange is not None:
            self._exchange.drop()
        self._exchange = None
        self._registry.pop(self._name, None)

    def provisional(self, exchange: Exchange, response: Response) -> None:
        pass

    def finished(self, exchange: Exchange, response: Response | None, status: int) -> None:
        verb = self._verb
        if verb is None or exchange is not self._exchange:
            return
        self._exchange = None
        if response is not None and status == 423 and self._raise(verb, response):
            return
        self._raises = 0
        if verb.method != "REGISTER" or verb.expires == 0:
            self._registry.pop(self._name, None)
        text = response.reason if response is not None else phrase(status)
        flow = exchange.transaction.flow if exchange.transaction is not None else None
        self._stack.core.post(Replied(self._name, status, text, response, flow))

    def _raise(self, verb: Ask, response: Response) -> bool:
        """Whether it was asked again, for as long as the registrar wants (RFC 3261 10.2.8)."""
        least = response.headers.read(MIN_EXPIRES)
        if least is None or least <= (verb.expires or 0) or self._raises >= _RAISES:
            return False
        self._raises += 1
        self.ask(replace(verb, expires=least))
        return True

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq


class Inquiry:
    """A request that the owner is asked to answer."""

    def __init__(
        self,
        stack: Stack,
        name: str,
        transaction: ServerTransaction,
        flow: Flow,
        registry: "dict[str, Inquiry]",
    ) -> None:
        self._stack = stack
        self._name = name
        self._registry = registry
        self._transaction = transaction
        transaction.call = name
        stack.core.start(self, "owner", GIVE_UP)
        stack.core.post(Asked(name, transaction.request, flow))

    def respond(self, verb: Respond | Challenge) -> None:
        self.forget()
        if isinstance(verb, Challenge):
            self._stack.challenge(self._transaction, verb)
            return
        response = self._transaction.response(verb.code, verb.text)
        extend(response, verb.headers)
        self._stack.sign(response)
        fill(response, verb.body, verb.content_type)
        self._transaction.respond(response)

    def forget(self) -> None:
        self._stack.core.stop(self, "owner")
        self._registry.pop(self._name, None)

    def fire(self, name: str) -> None:
        """The owner has not answered: the other end does not wait any more."""
        self.forget()
        self._transaction.end()
