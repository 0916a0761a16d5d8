"""A call to the application's own number, carried back to the hub: what each end says, the other
hears. Audio goes between the ends directly."""

from collections.abc import Callable

from tertulia.protocols.sip import signals, verbs


class Bridge:
    """Between the call `caller`, which came, and `called`, which is being made for it.

    `over` is called when both have ended.
    """

    def __init__(
        self, caller: str, called: str, tell: Callable[[verbs.AnyVerb], None],
        over: Callable[[], None],
    ) -> None:  # fmt: skip
        self._caller, self._called = caller, called
        self._tell, self._over = tell, over
        self._asks = ""
        """The end whose offer waits for an answer of the other."""
        self._called_offers = False
        """The caller left the offer to the called: the caller's answer goes there."""

    def take(self, signal: signals.AnySignal) -> None:
        other = self._caller if signal.call == self._called else self._called
        match signal:
            case signals.Rang(body=body, code=code):
                ring = verbs.Progress(other, body, code) if body else verbs.Ring(other)
                self._tell(ring)
            case signals.Answered(body=body, offer=offer):
                self._called_offers = offer
                self._tell(verbs.Answer(other, body))
            case signals.Agreed(body=body):
                self._agreed(other, body)
            case signals.Disagreed(code=code, text=text):
                self._tell(verbs.Refuse(self._asks or other, code, text))
            case signals.Reoffered(call=call, body=body):
                self._reoffered(call, other, body)
            case signals.Keyed(digit=digit, milliseconds=milliseconds):
                self._tell(verbs.Key(other, digit, milliseconds))
            case signals.Referred(call=call):
                self._tell(verbs.Refuse(call, 603))
            case signals.Failed(code=code, text=text):
                self._tell(verbs.Refuse(other, code, text))
                self._over()
            case signals.Ended(reason=reason):
                self._tell(verbs.HangUp(other, reason))
                self._over()
            case _:
                pass  # what only concerns one end

    def hang_up(self) -> None:
        for call in (self._caller, self._called):
            self._tell(verbs.HangUp(call))
        self._over()

    def _agreed(self, other: str, body: bytes) -> None:
        if self._called_offers:
            self._called_offers = False
            self._tell(verbs.Accept(other, body))
        else:
            self._tell(verbs.Answer(other, body))

    def _reoffered(self, call: str, other: str, body: bytes) -> None:
        if not body:
            self._tell(verbs.Refuse(call, 488))
            return
        self._asks = call
        self._tell(verbs.Offer(other, body))
