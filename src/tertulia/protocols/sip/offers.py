"""Offers and answers in a call: re-INVITE (RFC 3261 14), UPDATE (RFC 3311), glare, refreshing."""

from tertulia.protocols.sip.bodies import description
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.exchange import Acknowledgement, Exchange, contact
from tertulia.protocols.sip.host import Host
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.repeated import Repeated
from tertulia.protocols.sip.signals import Agreed, Disagreed, Reoffered
from tertulia.protocols.sip.stack import extend, fill
from tertulia.protocols.sip.verbs import SDP, Pairs

PATIENCE = 25.0
"""Seconds that the owner has for what was Reoffered: less than the other end waits."""
_LONGEST = 60.0
"""Seconds that a re-INVITE of ours may take."""
_RETRIES = 8
"""After glare, one after the other."""
_FATAL = (408, 481, 503)


class Renewal:
    """A re-INVITE or UPDATE of ours; its ACK is repeated with the 2xx."""

    def __init__(self, offers: "Offers", dialog: Dialog, body: bytes, refreshes: bool) -> None:
        self.dialog = dialog
        self.body = body
        self.refreshes = refreshes
        """It only shows that the session lives: nobody waits for its end."""
        self._offers = offers
        self._ack: Acknowledgement | None = None
        self._exchange: Exchange | None = None

    def begin(self, request: Request) -> None:
        host = self._offers.host
        if request.method == "INVITE":
            host.core.start(self, "patience", _LONGEST)
        self._exchange = host.send(request, self.dialog, self)

    def fire(self, name: str) -> None:
        """Nothing final comes."""
        if self._exchange is not None:
            self._exchange.cancel()

    def provisional(self, exchange: Exchange, response: Response) -> None:
        pass

    def finished(self, exchange: Exchange, response: Response | None, status: int) -> None:
        self._offers.host.core.stop(self, "patience")
        if self._ack is not None:
            self._ack.again()
            return
        if response is not None and status < 300:
            self.dialog.refresh(response)
        if status < 300 and exchange.request.method == "INVITE":
            self._ack = self._offers.host.acknowledge(self.dialog, exchange.request)
        self._offers.finished(self, exchange.request, response, status)


class Offers:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.local = b""
        """The last description of ours that was agreed on, and theirs."""
        self.remote = b""
        self._ours: Renewal | None = None
        self._next: tuple[bytes, bool] | None = None
        """What is to be offered when there is room; refreshing gives way to the owner's."""
        self._theirs: ServerTransaction | None = None
        self._dialog: Dialog | None = None
        """In which."""
        self._offered = b""
        """By a 2xx of ours whose ACK brings the answer."""
        self._retries = 0
        self._is_resting = False
        """After glare."""
        self._is_stopped = False

    @property
    def is_asked(self) -> bool:
        """Something was Reoffered and has no answer."""
        return self._theirs is not None

    # ours

    def offer(self, body: bytes) -> None:
        self._next = (body, False)
        self.proceed()

    def refresh(self) -> None:
        if self._next is None and self._ours is None:
            self._next = (b"", True)
            self.proceed()

    def proceed(self) -> None:
        """Offer what waits, if nothing is in the way."""
        host, dialog = self.host, self.host.dialog
        busy = self._ours or self._theirs or self._is_resting or host.unacknowledged
        if self._next is None or self._is_stopped or busy or dialog is None:
            return
        body, refreshes = self._next
        self._next = None
        updating = "UPDATE" in dialog.allowed and (refreshes or not host.is_up)
        if not host.is_up and not (updating and self.local and self.remote):
            host.post(Disagreed(host.name, 491, "Not Answered Yet"))
            return
        request = dialog.request("UPDATE" if updating else "INVITE")
        host.stack.describe(request)
        extend(request, host.timer.wish())
        fill(request, self.local if refreshes and not updating else body)
        self._ours = Renewal(self, dialog, request.body, refreshes)
        self._ours.begin(request)

    def finished(
        self, renewal: Renewal, request: Request, response: Response | None, status: int
    ) -> None:
        if renewal is not self._ours or self._is_stopped:
            return
        self._ours = None
        if response is not None and status < 300:
            self._agreed(renewal, response)
        elif status == 491 and self._retries < _RETRIES:
            self._retry(renewal)
        elif response is not None and status == 422 and self.host.timer.rise(response):
            self._again(renewal)
        elif response is None or status in _FATAL:
            self.host.lose(408 if status == 487 else status, "")
        else:
            self._refused(renewal, request, response, status)
        self.proceed()

    def _agreed(self, renewal: Renewal, response: Response) -> None:
        self._retries = 0
        self.host.timer.settle(response)
        if renewal.body:
            self.local = renewal.body
            self.remote = description(response) or self.remote
        if not renewal.refreshes:
            self.host.post(Agreed(self.host.name, description(response) or b""))

    def _refused(
        self, renewal: Renewal, request: Request, response: Response | None, status: int
    ) -> None:
        self._retries = 0
        if not renewal.refreshes:
            reason = response.reason if response is not None else ""
            self.host.post(Disagreed(self.host.name, status, reason))
        elif request.method == "UPDATE" and status in (405, 501):
            renewal.dialog.allowed -= {"UPDATE"}
            self._next = self._next or (b"", True)

    def _retry(self, renewal: Renewal) -> None:
        """Both offered at the same time (RFC 3261 14.1): who made the call waits longer."""
        self._retries += 1
        self._again(renewal)
        spread = self.host.core.fraction()
        seconds = 2.1 + 1.9 * spread if self.host.is_ours else 2.0 * spread
        self._is_resting = True
        self.host.core.start(self, "retry", seconds)

    def _again(self, renewal: Renewal) -> None:
        if self._next is None or self._next[1]:
            self._next = (b"" if renewal.refreshes else renewal.body, renewal.refreshes)

    # theirs

    def came(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE."""
        request, stack = transaction.request, self.host.stack
        body = description(request)
        invite = request.method == "INVITE"
        if self.host.timer.is_too_small(request):
            stack.refuse(transaction, 422, "", self.host.timer.least)
        elif body is None:
            stack.refuse(transaction, 415, "", (("Accept", SDP),))
        elif not invite and not body:
            self._grant(dialog, transaction)
        elif self._ours is not None or self.host.unacknowledged:
            stack.refuse(transaction, 491)
        elif self._theirs is not None or not self._may_be_offered(invite):
            later = str(int(10 * self.host.core.fraction()))
            stack.refuse(transaction, 500, "", (("Retry-After", later),))
        else:
            self._reoffered(dialog, transaction, body)

    def _may_be_offered(self, invite: bool) -> bool:
        """Before the call is answered only UPDATE may, once both have described themselves."""
        return self.host.is_up or (not invite and bool(self.local and self.remote))

    def _reoffered(self, dialog: Dialog, transaction: ServerTransaction, body: bytes) -> None:
        self._theirs, self._dialog = transaction, dialog
        request = transaction.request
        if request.method == "INVITE":
            transaction.user = self
            transaction.reply(100)
        if body and self.local and body == self.remote:
            self.answer(self.local, ())
            return
        self.host.core.start(self, "owner", PATIENCE)
        self.host.post(Reoffered(self.host.name, body, request))

    def answer(self, body: bytes, pairs: Pairs) -> None:
        """What was Reoffered."""
        transaction, dialog = self._taken()
        if transaction is None or dialog is None:
            return
        request, invite = transaction.request, transaction.request.method == "INVITE"
        response = self._accepting(transaction, dialog)
        extend(response, pairs)
        fill(response, body)
        self.local = body or self.local
        if request.body:
            self.remote = description(request) or b""
        elif invite:
            self._offered = body
        if invite:
            repeat_until_ack(self.host, transaction, response)
        else:
            transaction.respond(response)
        self.proceed()

    def refuse(self, code: int, text: str, pairs: Pairs) -> None:
        transaction, _ = self._taken()
        if transaction is not None:
            self.host.stack.refuse(transaction, max(code, 300), text, pairs)
            self.proceed()

    def agree(self, local: bytes, remote: bytes) -> None:
        """What the setting up of the call led to; an empty one is not known yet."""
        self.local, self.remote = local or self.local, remote or self.remote

    def expect(self, offered: bytes) -> None:
        """A 2xx of ours made an offer: the ACK brings the answer."""
        self._offered = offered

    def settle(self, request: Request) -> None:
        """The ACK of our 2xx has come."""
        offered, self._offered = self._offered, b""
        body = description(request)
        if offered and body:
            self.remote = body
            self.host.post(Agreed(self.host.name, body))

    def _grant(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        """UPDATE without an offer: the session lives."""
        transaction.respond(self._accepting(transaction, dialog))

    def _accepting(self, transaction: ServerTransaction, dialog: Dialog) -> Response:
        response = transaction.response(200)
        dialog.refresh(transaction.request)
        response.headers.add("Contact", contact(dialog.contact, transaction.flow))
        self.host.stack.describe(response)
        extend(response, self.host.timer.grant(transaction.request))
        return response

    def _taken(self) -> tuple[ServerTransaction | None, Dialog | None]:
        """What waits for the owner; it does not any more."""
        taken, self._theirs = self._theirs, None
        self.host.core.stop(self, "owner")
        return taken, self._dialog

    # as the user of a re-INVITE that came

    def cancelled(self, request: Request) -> None:
        self.refuse(487, "", ())

    def acknowledged(self, request: Request) -> None:
        self.host.acknowledged(request)

    def lost(self) -> None:
        self._taken()
        self.proceed()

    def fire(self, name: str) -> None:
        if name == "owner":
            self.refuse(500, "", ())
        else:
            self._is_resting = False
            self.proceed()

    def stop(self) -> None:
        """The call is over."""
        self.refuse(487, "", ())
        self._is_stopped = True
        self._next = None
        self.host.core.stop(self, "retry", "owner")


def repeat_until_ack(host: Host, transaction: ServerTransaction, response: Response) -> None:
    """Send a 2xx to an INVITE; without an ACK the call is lost (RFC 3261 13.3.1.4)."""
    number = transaction.request.cseq.number

    def gone() -> None:
        host.unacknowledged.pop(number, None)
        host.unheard()

    host.unacknowledged[number] = Repeated(host.core, transaction, response, gone)
