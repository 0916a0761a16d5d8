"""A call from its first message to its last: what is the same for those that come in and those
that go out. How they are set up is in incoming.py and outgoing.py."""

from collections.abc import Callable

from tertulia.protocols.sip.bodies import DTMF, RELAY, key, kind, relay
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.exchange import Acknowledgement, Done, Exchange, ExchangeUser, contact
from tertulia.protocols.sip.fields import REASON, Replaces
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.offers import Offers
from tertulia.protocols.sip.repeated import Repeated
from tertulia.protocols.sip.session_timer import SessionTimer
from tertulia.protocols.sip.signals import Acknowledged, AnySignal, Ended, Failed, Keyed
from tertulia.protocols.sip.stack import ALLOW, Participant, Stack, fill, with_reason
from tertulia.protocols.sip.transfer import Transfer
from tertulia.protocols.sip.verbs import (
    Answer,
    AnyVerb,
    HangUp,
    Key,
    Offer,
    Pairs,
    Refer,
    ReferResult,
    Refuse,
)

EARLY_DIALOGS = 16
"""That one INVITE may have."""


class OwnDialogs:
    """Those of one call, by the other's tag. Requests find the call by them."""

    def __init__(self, stack: Stack, owner: Participant) -> None:
        self._stack = stack
        self._owner = owner
        self._dialogs: dict[str, Dialog] = {}

    def __len__(self) -> int:
        return len(self._dialogs)

    def get(self, tag: str) -> Dialog | None:
        return self._dialogs.get(tag)

    def add(self, dialog: Dialog) -> None:
        self._dialogs[dialog.remote.tag] = dialog
        self._stack.dialogs[dialog.key] = self._owner

    def keep_only(self, dialog: Dialog) -> None:
        """Of several early ones it has been confirmed."""
        for other in list(self._dialogs.values()):
            if other is not dialog:
                del self._dialogs[other.remote.tag]
                self._stack.dialogs.pop(other.key, None)

    def forget(self) -> None:
        for dialog in self._dialogs.values():
            self._stack.dialogs.pop(dialog.key, None)
        self._dialogs.clear()


class Call:
    is_ours = False

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.core = stack.core
        self.name = name
        self.is_up = False
        self.is_over = False
        """For the owner: no signal follows, no verb counts."""
        self.farewell: Pairs = ()
        """Fields for a BYE that has to wait."""
        self.dialog: Dialog | None = None
        """The one that counts."""
        self.dialogs = OwnDialogs(stack, self)
        self.unacknowledged: dict[int, Repeated] = {}
        """2xx of ours, by CSeq."""
        self.offers = Offers(self)
        self.transfer = Transfer(self)
        self.timer = SessionTimer(
            self.core, stack.preferences, self.offers.refresh, lambda: self.lose(408, "Expired")
        )
        stack.calls[name] = self

    # what the owner tells

    def tell(self, verb: AnyVerb) -> None:
        if self.is_over:
            return
        if isinstance(verb, HangUp):
            self.hang_up(with_reason(verb.headers, verb.reason))
        elif isinstance(verb, Offer):
            self.offers.offer(verb.body)
        elif isinstance(verb, Answer) and (self.is_up or self.offers.is_asked):
            self.offers.answer(verb.body, verb.headers)
        elif isinstance(verb, Refuse) and (self.is_up or self.offers.is_asked):
            self.offers.refuse(verb.code, verb.text, verb.headers)
        elif not self.is_up:
            self._tell_early(verb)
        elif isinstance(verb, Key):
            self._press(verb)
        elif isinstance(verb, Refer):
            self.transfer.refer(verb)
        elif isinstance(verb, ReferResult):
            self.transfer.result(verb.code, verb.text)

    def _tell_early(self, verb: AnyVerb) -> None:
        """While it is being set up."""
        raise NotImplementedError

    def hang_up(self, pairs: Pairs) -> None:
        raise NotImplementedError

    # requests in its dialogs

    def in_dialog(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialog = self.dialogs.get(request.from_.tag)
        if dialog is None or (self.is_over and request.method != "BYE"):
            self.stack.refuse(transaction, 481)
        elif dialog.is_late(request):
            self.stack.refuse(transaction, 500, "Out of Order")
        elif request.method == "BYE":
            self._bye_came(transaction)
        elif request.method in ("INVITE", "UPDATE"):
            self.offers.came(dialog, transaction)
        elif request.method == "PRACK":
            self._prack_came(transaction)
        elif request.method in ("REFER", "NOTIFY"):
            self.transfer.came(dialog, transaction)
        elif request.method == "INFO":
            self._info_came(transaction)
        else:
            self.confirm(transaction, dialog)

    def acknowledged(self, request: Request) -> None:
        repeated = self.unacknowledged.pop(request.cseq.number, None)
        if repeated is None:
            return
        repeated.stop()
        if self.is_over:
            self.bye(self.farewell)
        else:
            self.offers.settle(request)
            self.core.post(Acknowledged(self.name))
            self.offers.proceed()

    def _prack_came(self, transaction: ServerTransaction) -> None:
        self.stack.refuse(transaction, 481)

    def _bye_came(self, transaction: ServerTransaction) -> None:
        self.stack.refuse(transaction, 200)
        request = transaction.request
        code, text, reason = why(request, 200)
        self._close_early()
        self.end(Ended(self.name, code, text, reason, request))
        self.forget()

    def _close_early(self) -> None:
        """The other end has ended a call that is not up yet."""

    def _info_came(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if not request.body:
            self.stack.refuse(transaction, 200)
        elif kind(request) not in (RELAY, DTMF):
            self.stack.refuse(transaction, 415, "", (("Accept", f"{RELAY}, {DTMF}"),))
        elif (pressed := key(request)) is None:
            self.stack.refuse(transaction, 400, "Unknown Key")
        else:
            self.stack.refuse(transaction, 200)
            self.core.post(Keyed(self.name, *pressed))

    # sending

    def confirm(
        self, transaction: ServerTransaction, dialog: Dialog, pairs: Pairs = (), status: int = 200
    ) -> None:
        """A 2xx without a body."""
        own = (("Contact", contact(dialog.contact, transaction.flow)), ("Allow", ALLOW))
        self.stack.refuse(transaction, status, "", (*own, *pairs))

    def ask(
        self, request: Request, dialog: Dialog, then: Callable[[Response | None, int], None]
    ) -> Exchange:
        """Send a request in a dialog, which is lost when the other end does not know it."""

        def finished(response: Response | None, status: int) -> None:
            then(response, status)
            if status == 481 and request.method not in ("BYE", "NOTIFY", "PRACK"):
                self.lose(481, "")

        return self.send(request, dialog, Done(finished))

    def send(self, request: Request, dialog: Dialog, user: ExchangeUser) -> Exchange:
        self.stack.sign(request)
        own = dialog.contact if request.method in ("INVITE", "UPDATE", "REFER", "NOTIFY") else None
        exchange = Exchange(
            self.stack, self.name, request, dialog.hop(), user, dialog.next_cseq, own
        )
        exchange.begin()
        return exchange

    def acknowledge(self, dialog: Dialog, invite: Request, body: bytes = b"") -> Acknowledgement:
        """ACK of a 2xx to an INVITE of ours."""
        request = dialog.request("ACK", invite.cseq.number)
        for name in ("Authorization", "Proxy-Authorization"):
            for value in invite.headers.all(name):
                request.headers.add(name, value)
        fill(request, body)
        return Acknowledgement(self.stack, self.name, request, dialog.hop())

    def bye(self, pairs: Pairs, dialog: Dialog | None = None) -> None:
        """End a dialog; without one that of the call, which is forgotten afterwards."""
        ending = dialog or self.dialog
        if ending is None:
            self.forget()
            return
        request = ending.request("BYE")
        for name, value in pairs:
            request.headers.add(name, value)
        own = dialog is None
        self.ask(request, ending, lambda _r, _s: self.forget() if own else None)

    def _press(self, verb: Key) -> None:
        if self.dialog is not None:
            request = self.dialog.request("INFO")
            fill(request, relay(verb.digit, verb.milliseconds), RELAY)
            self.ask(request, self.dialog, lambda _r, _s: None)

    # the end

    def lose(self, code: int, text: str) -> None:
        """It is not to be saved: the other end is told, in case it lives."""
        if self.is_over:
            return
        self.end(Ended(self.name, code, text, "", None))
        self.bye((("Reason", f'SIP;cause={code};text="{text}"'),) if text else ())

    def unheard(self) -> None:
        """No ACK has come for our 2xx."""
        if self.is_over:
            self.bye(self.farewell)
        else:
            self.lose(408, "No ACK")

    def end(self, signal: Ended | Failed | None) -> None:
        """For the owner it is over. Its dialogs stay until `forget`."""
        if self.is_over:
            return
        self.is_over = True
        self.timer.stop()
        self.offers.stop()
        self.transfer.stop()
        if signal is not None:
            self.core.post(signal)
        self.stack.calls.pop(self.name, None)

    def forget(self) -> None:
        """No request finds it any more."""
        for repeated in self.unacknowledged.values():
            repeated.stop()
        self.unacknowledged.clear()
        self.dialogs.forget()

    def post(self, signal: AnySignal) -> None:
        if not self.is_over:
            self.core.post(signal)

    def replaces(self) -> Replaces | None:
        dialog = self.dialog
        if dialog is None:
            return None
        return Replaces(dialog.call_id, dialog.remote.tag, dialog.local.tag)


def why(request: Request, code: int) -> tuple[int, str, str]:
    """Code, text and value of a Reason (RFC 3326); without one of SIP's the code told."""
    value = ", ".join(request.headers.all("Reason"))
    for reason in request.headers.read_all(REASON):
        if reason.protocol.upper() == "SIP" and reason.cause is not None:
            return reason.cause, reason.text, value
    return code, "", value
