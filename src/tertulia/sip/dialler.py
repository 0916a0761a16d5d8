"""Calls that we make, until they are answered or come to nothing."""

import asyncio
from collections.abc import Callable

from tertulia.model.telephone import Accepted, AnySignal, Declined, Dial, Rang
from tertulia.protocols.sip import signals
from tertulia.protocols.sip.uri import SipUri
from tertulia.protocols.sip.verbs import HangUp, Invite
from tertulia.sip.identity import ANONYMOUS, custom, told
from tertulia.sip.legs import CarriedLeg, CarriedLegs
from tertulia.sip.outgoing import Failure, Outgoing, Way
from tertulia.sip.routing import Router
from tertulia.sip.shell import Shell
from tertulia.sip.trunks import Meter, Trunks, enter

TOO_MANY = Failure(503, "Too many calls")
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
"""What those hear who rang in vain when somebody else has answered (RFC 3326)."""


class Dialler:
    def __init__(
        self, shell: Shell, router: Router, trunks: Trunks, legs: CarriedLegs,
        emit: Callable[[AnySignal], None],
    ) -> None:  # fmt: skip
        self._shell = shell
        self._router = router
        self._trunks = trunks
        self._legs = legs
        self._emit = emit

    def dial(self, dial: Dial) -> None:
        ways = self._router.ways(dial)
        meters = self._trunks.meters(dial.application_id)
        if isinstance(ways, Failure):
            self._soon(lambda: self._decline(dial.leg, ways))
        elif not self._enter(meters):
            self._soon(lambda: self._decline(dial.leg, TOO_MANY))
        else:
            self._shell.counts.note("calls_out")
            outgoing = Outgoing(dial, ways)
            leg = CarriedLeg(dial.leg, dial.application_id, dial.leg, (), meters, outgoing=outgoing)
            self._legs.add(leg)
            self._soon(lambda: self._try_next(leg, outgoing))

    def rang(self, signal: signals.Rang) -> None:
        leg = self._legs.of(signal.call)
        outgoing = leg.outgoing if leg is not None else None
        if leg is not None and outgoing is not None and signal.code > 100:
            # of several that ring at once nobody is to be heard
            early = signal.body if len(outgoing.live) == 1 else b""
            if outgoing.has_rung and not early:
                return
            outgoing.has_rung = True
            self._emit(Rang(leg.id, early.decode(errors="replace")))

    def answered(self, signal: signals.Answered) -> None:
        leg = self._legs.of(signal.call)
        outgoing = leg.outgoing if leg is not None else None
        if leg is None or outgoing is None:
            if leg is None or leg.call != signal.call:
                self._shell.tell(HangUp(signal.call))  # a second one was as fast
            return
        way = outgoing.ways[signal.call]
        leg.is_up, leg.call, leg.outgoing = True, signal.call, None
        leg.homes, leg.credentials = (way.domain,), way.credentials
        for call in outgoing.live - {signal.call}:
            self._give_up(leg, outgoing, call, ELSEWHERE)
        self._keep_meter(leg, way)
        sdp, headers = signal.body.decode(errors="replace"), told(signal.message)
        is_softphone = way.flow is not None
        self._emit(Accepted(leg.id, sdp, headers, is_softphone))

    def failed(self, signal: signals.Failed) -> None:
        leg = self._legs.of(signal.call)
        outgoing = leg.outgoing if leg is not None else None
        if leg is None or outgoing is None:
            return
        self._legs.drop(signal.call, by_us=False)
        self._leave_trunk(outgoing.ways[signal.call])
        outgoing.failed(signal.call, Failure(signal.code, signal.text))
        if outgoing.is_refused:
            for call in list(outgoing.live):
                self._give_up(leg, outgoing, call)
        if not outgoing.live:
            self._go_on(leg, outgoing)

    def hang_up(self, leg: CarriedLeg, outgoing: Outgoing) -> None:
        """Nobody is to answer any more."""
        for call in list(outgoing.live):
            self._give_up(leg, outgoing, call)
        self._legs.end(leg, by_us=True)

    def _go_on(self, leg: CarriedLeg, outgoing: Outgoing) -> None:
        if outgoing.goes_on:
            self._try_next(leg, outgoing)
            return
        self._legs.end(leg, by_us=False)
        self._decline(leg.id, outgoing.outcome)

    def _try_next(self, leg: CarriedLeg, outgoing: Outgoing) -> None:
        if self._legs.get(leg.id) is not leg:
            return  # hung up meanwhile
        for call, way in outgoing.next_wave().items():
            if way.trunk is not None and not self._enter([way.trunk.meter]):
                outgoing.failed(call, TOO_MANY)
                continue
            self._legs.name(call, leg)
            try:
                self._shell.tell(_invitation(call, outgoing.dial, way))
            except ValueError:
                self._legs.drop(call, by_us=False)
                self._leave_trunk(way)
                outgoing.failed(call, Failure(484))
        if not outgoing.live and self._legs.get(leg.id) is leg:
            self._go_on(leg, outgoing)

    def _give_up(self, leg: CarriedLeg, outgoing: Outgoing, call: str, reason: str = "") -> None:
        outgoing.live.discard(call)
        self._leave_trunk(outgoing.ways[call])
        self._legs.drop(call, by_us=True)
        self._shell.tell(HangUp(call, reason))

    def _keep_meter(self, leg: CarriedLeg, way: Way) -> None:
        """The call counts against its trunk until it ends."""
        if way.trunk is not None:
            leg.meters.append(way.trunk.meter)

    def _leave_trunk(self, way: Way) -> None:
        if way.trunk is not None:
            way.trunk.meter.leave()

    def _enter(self, meters: list[Meter]) -> bool:
        if enter(meters, self._shell.now) is None:
            return True
        self._shell.counts.note("calls_capped")
        return False

    def _decline(self, leg: str, failure: Failure) -> None:
        self._emit(Declined(leg, failure.code, failure.text))

    def _soon(self, then: Callable[[], None]) -> None:
        """Not before who has told us is ready to hear of it."""
        asyncio.get_running_loop().call_soon(then)


def _invitation(call: str, dial: Dial, way: Way) -> Invite:
    """A caller who wants to be unknown is told to a trunk as far as the trunk knows us."""
    known = dial.caller or (way.credentials.username if way.trunk and way.credentials else "")
    return Invite(
        call, way.uri, str(SipUri.make(way.domain, user=known)) if known else ANONYMOUS,
        dial.sdp.encode(), display=dial.display if dial.caller else "",
        withheld=not dial.caller, asserted=way.trunk is not None and bool(known),
        headers=custom(dial.headers, dial.user_to_user), flow=way.flow,
    )  # fmt: skip
