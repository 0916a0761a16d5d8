"""Transfer of a call: REFER and the subscription that comes with it (RFC 3515, RFC 4488)."""

from collections import deque

from tertulia.protocols.sip.bodies import FRAGMENT, fragment
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.fields import EVENT, REFER_TO, SUBSCRIPTION_STATE, parse_replaces
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.host import Host
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Response
from tertulia.protocols.sip.reasons import phrase
from tertulia.protocols.sip.signals import Referred, Transferred
from tertulia.protocols.sip.stack import fill
from tertulia.protocols.sip.uri import SipUri, parse_uri
from tertulia.protocols.sip.verbs import Refer

LASTS = 180
"""Seconds of a subscription."""
_QUEUED = 8


class Transfer:
    """Of one call: one that was asked of us, and one that we asked for, at a time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._theirs: Dialog | None = None
        """In which we were asked, until the end has been told."""
        self._event = "refer"
        self._is_repeated = False
        """It is not the first that was asked of us in this call."""
        self._is_told = True
        """They want to be notified."""
        self._notices: deque[tuple[str, str]] = deque(maxlen=_QUEUED)
        """Body and state of what is to be told when the one before has arrived."""
        self._is_notifying = False
        self._is_ours = False
        """We asked, and wait for the end."""

    def came(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        """REFER or NOTIFY."""
        if transaction.request.method == "REFER":
            self._referred(dialog, transaction)
        else:
            self._notified(transaction)

    # asked of us

    def result(self, code: int, text: str) -> None:
        """What came of it: it is told, and from 200 on it is over."""
        dialog = self._theirs
        if dialog is None:
            return
        over = code >= 200
        if over:
            self._theirs = None
            self._host.core.stop(self, "theirs")
        if self._is_told:
            state = "terminated;reason=noresource" if over else f"active;expires={LASTS}"
            self._notices.append((f"SIP/2.0 {code} {text or phrase(code)}\r\n", state))
            self._notify(dialog)

    def _referred(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        request, host = transaction.request, self._host
        targets = request.headers.all("Refer-To")
        found = request.headers.read(REFER_TO) if len(targets) == 1 else None
        if found is None:
            host.stack.refuse(transaction, 400, "Refer-To Missing or Several")
        elif found.uri.scheme not in ("sip", "sips", "tel"):
            host.stack.refuse(transaction, 416)
        elif (found.uri.param("method") or "INVITE").upper() != "INVITE":
            host.stack.refuse(transaction, 501, "Only INVITE Is Referred")
        elif self._theirs is not None or not host.is_up:
            host.stack.refuse(transaction, 500, "", (("Retry-After", "5"),))
        else:
            self._accept(dialog, transaction, found.uri)

    def _accept(self, dialog: Dialog, transaction: ServerTransaction, uri: SipUri) -> None:
        request, host = transaction.request, self._host
        self._is_told = (request.headers.get("Refer-Sub") or "").strip().lower() != "false"
        host.confirm(transaction, dialog, () if self._is_told else (("Refer-Sub", "false"),), 202)
        self._theirs = dialog
        self._event = f"refer;id={request.cseq.number}" if self._is_repeated else "refer"
        self._is_repeated = True
        host.core.start(self, "theirs", LASTS)
        host.post(Referred(host.name, str(uri.bare()), self._replaced(uri), request))
        self.result(100, "")

    def _replaced(self, uri: SipUri) -> str:
        """Name of our call that an attended transfer names."""
        value = uri.header("Replaces")
        try:
            replaces = parse_replaces(value) if value else None
        except Malformed:
            return ""
        found = self._host.stack.find(replaces) if replaces is not None else None
        return found.name if found is not None else ""

    def _notify(self, dialog: Dialog) -> None:
        if self._is_notifying or not self._notices:
            return
        body, state = self._notices.popleft()
        request = dialog.request("NOTIFY")
        request.headers.add("Event", self._event)
        request.headers.add("Subscription-State", state)
        fill(request, body.encode(), f"{FRAGMENT};version=2.0")
        self._is_notifying = True

        def finished(response: Response | None, status: int) -> None:
            self._is_notifying = False
            if status >= 300:
                self._is_told = False
                self._notices.clear()
            self._notify(dialog)

        self._host.ask(request, dialog, finished)

    # asked by us

    def refer(self, verb: Refer) -> None:
        host, dialog = self._host, self._host.dialog
        if dialog is None or self._is_ours:
            host.post(Transferred(host.name, 491, phrase(491)))
            return
        uri = parse_uri(verb.to)
        other = host.stack.calls.get(verb.replaces)
        replaces = other.replaces() if other is not None else None
        if replaces is not None:
            uri = SipUri.make(
                uri.address,
                user=uri.user,
                port=uri.port,
                params={name: uri.param(name) for name in uri.params},
                headers={"Replaces": str(replaces)},
                scheme=uri.scheme,
            )
        request = dialog.request("REFER")
        request.headers.add("Refer-To", f"<{uri}>")
        request.headers.add("Referred-By", f"<{dialog.local.uri}>")
        self._is_ours = True
        host.core.start(self, "ours", LASTS)
        host.ask(request, dialog, self._answered)

    def _answered(self, response: Response | None, status: int) -> None:
        silent = response is not None and response.headers.get("Refer-Sub") == "false"
        if status >= 300 or silent:
            self._over(status, response.reason if response is not None else "")

    def _notified(self, transaction: ServerTransaction) -> None:
        request, host = transaction.request, self._host
        event = request.headers.read(EVENT)
        if event is None or event.value.lower() != "refer":
            host.stack.refuse(transaction, 489, "", (("Allow-Events", "refer"),))
            return
        if not self._is_ours:
            host.stack.refuse(transaction, 481)
            return
        host.stack.refuse(transaction, 200)
        told = fragment(request)
        state = request.headers.read(SUBSCRIPTION_STATE)
        if told is not None and told[0] < 200:
            host.post(Transferred(host.name, *told))
        elif told is not None:
            self._over(*told)
        if state is not None and state.value.lower() == "terminated":
            self._over(487, "Subscription Ended")

    def _over(self, code: int, text: str) -> None:
        if self._is_ours:
            self._is_ours = False
            self._host.core.stop(self, "ours")
            self._host.post(Transferred(self._host.name, code, text))

    # the end

    def fire(self, name: str) -> None:
        if name == "ours":
            self._over(408, phrase(408))
        else:
            self.result(408, "")

    def stop(self) -> None:
        self._theirs = None
        self._is_ours = False
        self._host.core.stop(self, "ours", "theirs")
