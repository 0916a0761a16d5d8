"""Where requests arrive: repeated ones, those of calls, new ones (RFC 3261 8.2)."""

from tertulia.protocols.sip.asking import Inquiry
from tertulia.protocols.sip.dialog import tags
from tertulia.protocols.sip.fields import MAX_FORWARDS, REQUIRE
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.incoming import IncomingCall
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Request, respond
from tertulia.protocols.sip.signals import Send
from tertulia.protocols.sip.stack import ALLOW, EXTENSIONS, METHODS, Stack
from tertulia.protocols.sip.transactions import answer_flow
from tertulia.protocols.sip.verbs import SDP, Pairs

_KNOWN = frozenset({"REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH", *METHODS})
_OF_DIALOGS = frozenset({"BYE", "INFO", "UPDATE", "PRACK", "NOTIFY"})
_SCHEMES = frozenset({"sip", "sips", "tel"})
_LATER = (("Retry-After", "10"),)


class Reception:
    def __init__(self, stack: Stack) -> None:
        self.inquiries: dict[str, Inquiry] = {}
        self._stack = stack

    def request(self, request: Request, flow: Flow) -> None:
        """Raises Malformed when something in it cannot be read."""
        request.stamp(*flow.peer)
        transactions = self._stack.transactions
        transaction = transactions.of_request(request)
        if transaction is not None:
            self._trace(transaction.call, request, flow)
            transaction.receive(request)
        elif request.method == "ACK":
            self._acknowledge(request, flow)
        elif request.method == "CANCEL":
            self._cancel(request, flow)
        elif transactions.is_merged(request):
            self._refuse_briefly(request, flow, 482)
        elif request.to.tag:
            self._in_dialog(request, flow)
        elif self._stack.is_full:
            self._refuse_briefly(request, flow, 503, _LATER)
        else:
            transaction = transactions.open(request, flow)
            self._outside(transaction, flow)
            if transaction.answered:
                transaction.end()  # the same again if it is repeated: strangers fill no tables

    def _acknowledge(self, request: Request, flow: Flow) -> None:
        call = self._stack.dialogs.get(tags(request))
        if call is None:
            self._stack.core.dropped += 1
            return
        self._trace(call.name, request, flow)
        call.acknowledged(request)

    def _cancel(self, request: Request, flow: Flow) -> None:
        invite = self._stack.transactions.of_cancel(request)
        if invite is None:
            self._refuse_briefly(request, flow, 481)
            return
        transaction = self._stack.transactions.open(request, flow)
        transaction.tag = invite.tag
        transaction.call = invite.call
        self._trace(invite.call, request, flow)
        self._stack.refuse(transaction, 200)
        if invite.user is not None and not invite.answered:
            invite.user.cancelled(request)

    def _in_dialog(self, request: Request, flow: Flow) -> None:
        call = self._stack.dialogs.get(tags(request))
        if call is None:
            self._refuse_briefly(request, flow, 481)
            return
        if self._stack.is_busy and request.method != "BYE":
            self._refuse_briefly(request, flow, 503, _LATER)
            return
        transaction = self._stack.transactions.open(request, flow)
        transaction.call = call.name
        self._trace(call.name, request, flow)
        if not self._is_refused(transaction):
            call.in_dialog(transaction)

    def _outside(self, transaction: ServerTransaction, flow: Flow) -> None:
        request, stack = transaction.request, self._stack
        method = request.method
        if method in stack.preferences.asked:
            self._ask(transaction, flow)
        elif self._is_refused(transaction):
            return
        elif method in _OF_DIALOGS:
            stack.refuse(transaction, 481)
        elif method == "OPTIONS":
            response = transaction.response(200)
            stack.describe(response)
            response.headers.add("Accept", SDP)
            transaction.respond(response)
        elif method == "INVITE":
            self._invite(transaction, flow)
        else:
            stack.refuse(transaction, 405, "", (("Allow", ALLOW),))

    def _invite(self, transaction: ServerTransaction, flow: Flow) -> None:
        request, stack = transaction.request, self._stack
        if request.headers.read(MAX_FORWARDS) == 0:
            stack.refuse(transaction, 483)
        elif not request.contacts:
            stack.refuse(transaction, 400, "No Contact")
        else:
            call = IncomingCall(stack, stack.name_call(), transaction, flow)
            self._trace(call.name, request, flow)
            call.begin()

    def _ask(self, transaction: ServerTransaction, flow: Flow) -> None:
        if len(self.inquiries) >= self._stack.limits.questions:
            self._stack.refuse(transaction, 503, "", _LATER)
            return
        name = self._stack.name_call()
        self._trace(name, transaction.request, flow)
        self.inquiries[name] = Inquiry(self._stack, name, transaction, flow, self.inquiries)

    def _is_refused(self, transaction: ServerTransaction) -> bool:
        """Whether it asks for what we cannot do (RFC 3261 8.2.1 to 8.2.3)."""
        request, stack = transaction.request, self._stack
        missing = [each for each in request.headers.read_all(REQUIRE) if each not in EXTENSIONS]
        if request.method not in METHODS:
            known = request.method in _KNOWN
            stack.refuse(transaction, 405 if known else 501, "", (("Allow", ALLOW),))
        elif request.uri.scheme not in _SCHEMES:
            stack.refuse(transaction, 416)
        elif missing:
            stack.refuse(transaction, 420, "", [("Unsupported", each) for each in missing])
        else:
            return False
        return True

    def _refuse_briefly(self, request: Request, flow: Flow, status: int, pairs: Pairs = ()) -> None:
        """Without a transaction: who repeats it gets the same again."""
        response = respond(request, status, tag=self._stack.core.token())
        for name, value in pairs:
            response.headers.add(name, value)
        self._stack.sign(response)
        self._stack.core.post(Send(answer_flow(request, flow), response.encode()))

    def _trace(self, call: str, request: Request, flow: Flow) -> None:
        self._stack.core.trace(call, False, request.start_line, flow)
