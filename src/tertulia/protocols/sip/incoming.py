"""A call that comes in, until it is answered (RFC 3261 13.3): what the callee does."""

from tertulia.protocols.sip.bodies import description, takes_description
from tertulia.protocols.sip.call import Call, why
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.exchange import contact
from tertulia.protocols.sip.fields import RACK, REPLACES, REQUIRE, SUPPORTED
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.offers import repeat_until_ack
from tertulia.protocols.sip.repeated import ReliableProvisionals
from tertulia.protocols.sip.signals import Ended, Invited
from tertulia.protocols.sip.stack import Stack, extend, fill
from tertulia.protocols.sip.verbs import (
    SDP,
    Answer,
    AnyVerb,
    Challenge,
    Pairs,
    Progress,
    Refuse,
    Ring,
)

_AGAIN = 60.0
"""Seconds after which a provisional response is repeated, so that no proxy gives up (13.3.1.1)."""


class IncomingCall(Call):
    def __init__(self, stack: Stack, name: str, transaction: ServerTransaction, flow: Flow) -> None:
        super().__init__(stack, name)
        self._transaction = transaction
        self._flow = flow
        self._last: Response | None = None
        self._answer: Answer | None = None
        """It waits for a PRACK."""
        request = transaction.request
        options = {*request.headers.read_all(SUPPORTED), *request.headers.read_all(REQUIRE)}
        self._is_able = "100rel" in options
        self._must = "100rel" in request.headers.read_all(REQUIRE)
        self._reliable = ReliableProvisionals(self.core, transaction, self._unheard)
        self.dialog = Dialog.answering(request, transaction.tag, flow)
        transaction.user = self
        transaction.call = name

    def begin(self) -> None:
        """100, and the owner is asked."""
        request = self._transaction.request
        body = description(request)
        if refusal := self._unacceptable(body):
            self.end(None)
            self.stack.refuse(self._transaction, *refusal)
            return
        replaces = request.headers.read(REPLACES)
        other = self.stack.find(replaces) if replaces is not None else None
        if self.dialog is not None:
            self.dialogs.add(self.dialog)
        self._transaction.reply(100)
        self.core.start(self, "patience", self.stack.preferences.patience)
        early = replaces is not None and replaces.early_only
        name = other.name if other is not None else ""
        self.core.post(Invited(self.name, request, self._flow, body or b"", name, early))

    def _unacceptable(self, body: bytes | None) -> tuple[int, str, Pairs] | None:
        request = self._transaction.request
        if body is None:
            return 415, "", (("Accept", SDP),)
        if not takes_description(request):
            return 406, "", (("Accept", SDP),)
        if self.timer.is_too_small(request):
            return 422, "", self.timer.least
        replaces = request.headers.read(REPLACES)
        if replaces is None:
            return None
        if request.headers.count("Replaces") > 1:
            return 400, "Several Replaces", ()
        other = self.stack.find(replaces)
        if other is None or (not other.is_up and not other.is_ours):
            return 481, "", ()
        return (486, "", ()) if replaces.early_only and other.is_up else None

    # what the owner tells

    def _tell_early(self, verb: AnyVerb) -> None:
        if isinstance(verb, Ring):
            self._progress(180, b"")
        elif isinstance(verb, Progress):
            self._progress(verb.code, verb.body)
        elif isinstance(verb, Answer):
            self._accept(verb)
        elif isinstance(verb, Refuse):
            self._refuse(max(verb.code, 300), verb.text, verb.headers)
        elif isinstance(verb, Challenge):
            self._challenge(verb)

    def hang_up(self, pairs: Pairs) -> None:
        if not self.is_up:
            self._refuse(480, "", pairs)
            return
        self.end(None)
        self.farewell = pairs
        if not self._is_unheard:
            self.bye(pairs)

    @property
    def _is_unheard(self) -> bool:
        """Our 2xx has no ACK yet: BYE has to wait for it (RFC 3261 15)."""
        return self._transaction.request.cseq.number in self.unacknowledged

    def _progress(self, status: int, body: bytes) -> None:
        if self._answer is not None:
            return
        response = self._transaction.response(status)
        if self.dialog is not None:
            response.headers.add("Contact", contact(self.dialog.contact, self._flow))
        self.stack.describe(response)
        fill(response, body)
        offered = bool(self._transaction.request.body)
        if body and offered:
            self.offers.agree(body, description(self._transaction.request) or b"")
        if self._must or (self._is_able and body and offered):
            self._reliable.send(response)
            return
        self._last = response
        self.core.start(self, "again", _AGAIN)
        self._transaction.respond(response)

    def _accept(self, verb: Answer) -> None:
        if self._reliable.is_waiting:
            self._answer = self._answer or verb
            return
        self._settle()
        request = self._transaction.request
        response = self._transaction.response(200)
        if self.dialog is not None:
            response.headers.add("Contact", contact(self.dialog.contact, self._flow))
            self.dialog.confirmed = True
        self.stack.describe(response)
        extend(response, (*self.timer.grant(request), *verb.headers))
        fill(response, verb.body)
        theirs = description(request) or b""
        self.offers.agree(verb.body, theirs)
        if not theirs:
            self.offers.expect(verb.body)
        self.is_up = True
        repeat_until_ack(self, self._transaction, response)

    def _refuse(self, code: int, text: str, pairs: Pairs) -> None:
        self._settle()
        self.end(None)
        self.stack.refuse(self._transaction, code, text, pairs)
        self.forget()

    def _challenge(self, verb: Challenge) -> None:
        """Nothing stays: who repeats the request is challenged again."""
        self._settle()
        self.end(None)
        self.stack.challenge(self._transaction, verb)
        self.forget()

    # what the caller does

    def cancelled(self, request: Request) -> None:
        self._give_up(*why(request, 487), request)

    def lost(self) -> None:
        self._give_up(503, "Connection Lost", "", None)

    def _prack_came(self, transaction: ServerTransaction) -> None:
        rack = transaction.request.headers.read(RACK)
        if rack is None or not self._reliable.acknowledge(rack):
            self.stack.refuse(transaction, 481)
            return
        self.stack.refuse(transaction, 200)
        if self._answer is not None and not self._reliable.is_waiting:
            self._accept(self._answer)

    def lose(self, code: int, text: str) -> None:
        if self.is_up:
            super().lose(code, text)
        else:
            self._give_up(code, text, "", None)

    def _close_early(self) -> None:
        if not self.is_up:
            self._settle()
            self.stack.refuse(self._transaction, 487)

    def fire(self, name: str) -> None:
        if name == "again":
            if self._last is not None:
                self._transaction.respond(self._last)
                self.core.start(self, "again", _AGAIN)
        else:
            self._give_up(480, "", "", None)

    def _unheard(self) -> None:
        """No PRACK has come."""
        self._give_up(504, "No PRACK", "", None)

    def _give_up(self, code: int, text: str, reason: str, request: Request | None) -> None:
        if self.is_up or self.is_over:
            return
        self._settle()
        self.end(Ended(self.name, code, text, reason, request))
        status = 487 if request is not None else code
        self.stack.refuse(self._transaction, status)
        self.forget()

    def _settle(self) -> None:
        """The final response goes out: nothing provisional any more."""
        self._reliable.stop()
        self.core.stop(self, "again", "patience")
