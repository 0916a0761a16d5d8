"""A call that goes out, until it is answered (RFC 3261 13.2): what the caller does."""

from tertulia.protocols.sip.bodies import description
from tertulia.protocols.sip.call import EARLY_DIALOGS, Call
from tertulia.protocols.sip.composing import identify, invitation
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.exchange import Acknowledgement, Exchange, Hop
from tertulia.protocols.sip.fields import REQUIRE, RSEQ
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.reasons import phrase
from tertulia.protocols.sip.signals import Answered, Failed, Rang
from tertulia.protocols.sip.stack import Stack, extend
from tertulia.protocols.sip.transaction import GIVE_UP
from tertulia.protocols.sip.verbs import Accept, AnyVerb, Invite, Pairs

_ACCEPTING = GIVE_UP - 2


class OutgoingCall(Call):
    is_ours = True

    def __init__(self, stack: Stack, verb: Invite) -> None:
        """Raises Malformed for URIs that are none."""
        request = invitation(stack, verb)
        super().__init__(stack, verb.call)
        self._verb = verb
        self._request = request
        self._contact = identify(verb)
        self._cseq = request.cseq.number
        self._exchange: Exchange | None = None
        self._targets: list[str] = []
        """From 3xx, the best first; and all that have been tried."""
        self._tried = {request.target}
        self._redirects = 0
        self._acks: dict[str, Acknowledgement | None] = {}
        """By the callee's tag; None: ours is to be told the answer first."""
        self._offer_came: Request | None = None

    def begin(self) -> None:
        extend(self._request, self.timer.wish())
        self.core.start(self, "timeout", self._verb.timeout)
        self._invite()

    def _invite(self) -> None:
        request = self._request
        routes = request.headers.all("Route")
        uri = self._verb.route[0] if routes else request.target
        hop = Hop(uri, self._verb.flow, self._verb.flow, self._verb.flow is not None)
        self._exchange = Exchange(
            self.stack, self.name, request, hop, self, self._next_cseq, self._contact
        )
        self._exchange.begin()

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    # what the owner tells

    def _tell_early(self, verb: AnyVerb) -> None:
        if isinstance(verb, Accept) and self._offer_came is not None and self.dialog is not None:
            self._accept(self.dialog, verb.body)

    def hang_up(self, pairs: Pairs) -> None:
        self._leave(pairs, None)

    def _leave(self, pairs: Pairs, signal: Failed | None) -> None:
        """Before the answer by CANCEL, after it by BYE."""
        self.core.stop(self, "timeout")
        self.end(signal)
        if self._is_answered:
            self._settle_offer()
            self.bye(pairs)
            return
        self.forget()
        if self._exchange is not None:
            self._exchange.cancel(pairs)

    # what the callee does

    def provisional(self, exchange: Exchange, response: Response) -> None:
        if self.is_over or self.is_up or response.status == 100:
            return
        dialog = self._dialog_of(exchange, response)
        if "100rel" in response.headers.read_all(REQUIRE):
            if dialog is None or not self._is_next(dialog, exchange, response):
                return
        elif dialog is not None and dialog.rseq < 0:
            dialog.refresh(response)
        body = description(response) or b""
        if body and self._verb.body:
            self.offers.agree(self._verb.body, body)
        self.core.post(Rang(self.name, response.status, body, response.to.tag, response))

    def finished(self, exchange: Exchange, response: Response | None, status: int) -> None:
        if response is not None and status < 300:
            self._answered(exchange, response)
        elif self.is_over or self.is_up or exchange is not self._exchange:
            return
        elif response is not None and 300 <= status < 400 and self._redirect(response):
            return
        elif response is not None and status == 422 and self.timer.rise(response):
            self._resize()
        elif self._targets:
            self._follow()
        else:
            self._fail(status, response)

    def _dialog_of(self, exchange: Exchange, response: Response) -> Dialog | None:
        tag = response.to.tag
        found = self.dialogs.get(tag)
        if found is not None:
            return found
        sent = exchange.transaction.request if exchange.transaction is not None else None
        if not tag or sent is None or len(self.dialogs) >= EARLY_DIALOGS:
            return None
        dialog = Dialog.asking(sent, response, exchange.hop, self._contact)
        self.dialogs.add(dialog)
        self.dialog = dialog
        return dialog

    def _is_next(self, dialog: Dialog, exchange: Exchange, response: Response) -> bool:
        """Acknowledge a reliable provisional response, if it is not repeated or out of order
        (RFC 3262 4)."""
        rseq = response.headers.read(RSEQ)
        if rseq is None or (dialog.rseq >= 0 and rseq != dialog.rseq + 1):
            return False
        dialog.rseq = rseq
        dialog.refresh(response)
        request = dialog.request("PRACK")
        request.headers.add("RAck", f"{rseq} {response.cseq.number} INVITE")
        self.ask(request, dialog, lambda _r, _s: None)
        return True

    def _answered(self, exchange: Exchange, response: Response) -> None:
        tag = response.to.tag
        if tag in self._acks:
            ack = self._acks[tag]
            if ack is not None:
                ack.again()
            return
        sent = (
            exchange.transaction.request if exchange.transaction is not None else exchange.request
        )
        taken = self.is_over or self.is_up or bool(self._acks)
        dialog = None if taken else self.dialogs.get(tag)
        dialog = dialog or Dialog.asking(sent, response, exchange.hop, self._contact)
        dialog.settle(response)
        if taken:
            if len(self._acks) < EARLY_DIALOGS:
                self._acknowledge(dialog, sent, b"")
                self.bye((), dialog)
            return
        self._take(dialog, sent, response)

    def _take(self, dialog: Dialog, sent: Request, response: Response) -> None:
        """The first 2xx: the call is with this callee."""
        self.core.stop(self, "timeout")
        self.dialog = dialog
        self.dialogs.add(dialog)
        self.dialogs.keep_only(dialog)
        self.timer.settle(response)
        body = description(response) or b""
        self.offers.agree(self._verb.body, body)
        if self._verb.body:
            self._acknowledge(dialog, sent, b"")
            self.is_up = True
        else:
            self._acks[dialog.remote.tag] = None
            self._offer_came = sent
            self.core.start(self, "accept", _ACCEPTING)
        self.core.post(Answered(self.name, body, not self._verb.body, response))
        self.offers.proceed()

    def _accept(self, dialog: Dialog, body: bytes) -> None:
        """The owner's answer to the offer of the 2xx."""
        if self._offer_came is None:
            return
        self.core.stop(self, "accept")
        self._acknowledge(dialog, self._offer_came, body)
        self._offer_came = None
        self.offers.agree(body, b"")
        self.is_up = True
        self.offers.proceed()

    def _acknowledge(self, dialog: Dialog, sent: Request, body: bytes) -> None:
        self._acks[dialog.remote.tag] = self.acknowledge(dialog, sent, body)

    def _redirect(self, response: Response) -> bool:
        """Whether there is somewhere else to go (RFC 3261 8.1.3.4)."""
        self._redirects += 1
        if self._redirects > self.stack.preferences.redirects or self._verb.flow is not None:
            return False
        found = [
            str(each.uri.bare())
            for each in sorted(response.contacts, key=lambda each: -each.q)
            if each.uri.is_sip
        ]
        new = [uri for uri in dict.fromkeys(found) if uri not in self._tried]
        room = self.stack.preferences.redirects
        self._targets = [*new, *self._targets][:room]
        self._tried.update(self._targets)
        if self._targets:
            self._follow()
        return bool(new)

    def _follow(self) -> None:
        self._again(Request("INVITE", self._targets.pop(0)))

    def _resize(self) -> None:
        for name, value in self.timer.wish():
            self._request.headers.set(name, value)
        self._again(self._request)

    def _again(self, request: Request) -> None:
        """The same to another target, or changed."""
        headers = self._request.headers.copy()
        headers.set("CSeq", f"{self._next_cseq()} INVITE")
        for name in ("Authorization", "Proxy-Authorization"):
            headers.remove(name)
        self._request = Request("INVITE", request.target, headers, self._request.body)
        self.forget()
        self.dialog = None
        self._invite()

    def _fail(self, status: int, response: Response | None) -> None:
        text = response.reason if response is not None else phrase(status)
        self.core.stop(self, "timeout")
        self.end(Failed(self.name, status, text, response))
        self.forget()

    @property
    def _is_answered(self) -> bool:
        return self.dialog is not None and self.dialog.confirmed

    def lose(self, code: int, text: str) -> None:
        if not self._is_answered:
            self._leave((), Failed(self.name, code, text or phrase(code), None))
            return
        self._settle_offer()
        super().lose(code, text)

    def _close_early(self) -> None:
        """BYE in an early dialog: its 2xx was lost. Others may still come."""
        self._settle_offer()
        if not self._is_answered and not self.is_over:
            self._leave((), Failed(self.name, 487, phrase(487), None))

    def _settle_offer(self) -> None:
        """The owner has not told an answer, and will not: the 2xx is acknowledged all the same."""
        self.core.stop(self, "accept")
        if self._offer_came is not None and self.dialog is not None:
            self._acknowledge(self.dialog, self._offer_came, b"")
            self._offer_came = None

    def fire(self, name: str) -> None:
        if name == "timeout":
            self._leave((), Failed(self.name, 408, phrase(408), None))
        else:
            self.lose(500, "No Answer Given")
