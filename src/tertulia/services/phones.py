"""Phones: what carriers signal becomes legs and what happens to them, and back.

Session descriptions go between the carrier and the media worker of the leg; nobody here reads them.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending, declined, hung_up
from tertulia.model.commands import RTP, Answer, Answered, Command, Digit, Offer, Offered, Report
from tertulia.model.commands import Accept as AcceptAnswer
from tertulia.model.errors import TertuliaError, TooManyLegs, Unavailable, ValidationFailed
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg, advanced
from tertulia.model.state import User
from tertulia.model.telephone import (
    Accepted,
    AnySignal,
    Called,
    Declined,
    HungUp,
    Keyed,
    Rang,
    Referred,
    Reoffered,
    Stepped,
)
from tertulia.ports import Clock, Ids
from tertulia.services.answering import Answering
from tertulia.services.dialling import Dialling
from tertulia.services.errands import insist
from tertulia.services.keys import Keys
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Line
from tertulia.services.switchboard import Switchboard
from tertulia.services.transfers import Transfers
from tertulia.services.users import Users

UNACCEPTABLE, NO_ROOM, FAILED = 488, 503, 500
"""SIP: no common media; too many calls; something is wrong here."""


class PhoneGate:
    """Of a call that a phone makes: it rings until it is let in."""

    is_patient = True

    def __init__(self, line: Line, board: Switchboard) -> None:
        self._line = line
        self._board = board
        self._is_in = False

    def is_waiting(self) -> bool:
        return not self._is_in and not self._line.live.is_ending

    async def admit(self, room: ConversationId, *, answer: bool) -> bool:
        if not self.is_waiting():
            return False
        if answer:
            self._board.pickup.take(self._line.live)
        system = Actor(self._line.application_id)
        await self._board.members.create(room, self._line.entry, system)
        self._is_in = True
        return True

    async def refuse(self, ending: Ending) -> None:
        await self._board.calls.end(self._line.live, ending)


class Phones:
    def __init__(
        self, board: Switchboard, *, users: Users, dialling: Dialling, answering: Answering,
        transfers: Transfers, keys: Keys, clock: Clock, ids: Ids,
    ) -> None:  # fmt: skip
        self._board = board
        self._calls = board.calls
        self._legs = board.legs
        self._errands = board.errands
        self._carrier = board.telephony.carrier
        self._users = users
        self._dialling = dialling
        self._answering = answering
        self._transfers = transfers
        self._keys = keys
        self._timelines = board.timelines
        self._clock = clock
        self._ids = ids
        self._hearing: dict[type, Callable[[Any], Coroutine[Any, Any, None]]] = {
            Called: self._called, Rang: self._rang, Accepted: self._accepted,
            Declined: self._declined, HungUp: self._hung_up, Reoffered: self._reoffered,
            Keyed: self._keyed, Referred: self._referred,
        }  # fmt: skip

    def hear(self, signal: AnySignal) -> None:
        """About one call one after the other."""
        if isinstance(signal, Stepped):
            self._timelines.step(signal)
            return
        hearing = self._hearing[type(signal)]
        self._errands.in_turn(("phone", signal.leg), partial(hearing, signal))

    # ── inbound ──

    async def _called(self, call: Called) -> None:
        try:
            line = await self._incoming(call)
        except ValidationFailed as error:
            self._carrier.refuse(call.leg, UNACCEPTABLE, str(error)[:80])
        except (TooManyLegs, Unavailable) as error:
            self._carrier.refuse(call.leg, NO_ROOM, str(error)[:80])
        except TertuliaError as error:
            self._carrier.refuse(call.leg, FAILED, str(error)[:80])
        else:
            self._carrier.ring(call.leg)
            await insist(partial(self._calls.place, line.live, None, LegStatus.RINGING))
            self._errands.run(self._decide(line))

    async def _decide(self, line: Line) -> None:
        """Apart: the caller may give up while its application thinks."""
        gate = PhoneGate(line, self._board)
        try:
            await self._answering.decide(line, gate)
        finally:
            if gate.is_waiting():
                await gate.refuse(Ending.NO_SCRIPT)

    async def _incoming(self, call: Called) -> Line:
        """Raises TertuliaError: there is no leg."""
        user = await self._user(call)
        now = self._clock.now()
        is_phone = call.user_id is None and call.from_.type != "sip"
        leg = Leg(
            id=LegId(call.leg), application_id=call.application_id,
            type=LegType.PHONE if is_phone else LegType.SIP, direction=Direction.INBOUND,
            status=LegStatus.STARTED, started_at=now, from_=call.from_, to=call.to,
            user_id=user.id, is_call=True,
        )  # fmt: skip
        leg = advanced(leg, LegStatus.STARTED, now)
        command: Command = Answer(leg.id, call.sdp, RTP) if call.sdp else Offer(leg.id, RTP)
        live, report = await self._legs.open(leg, command, "sdp")
        live.is_softphone = call.user_id is not None
        live.description = _description(report)
        return Line(live, user, self._ids.conversation(), headers=call.headers)

    async def _user(self, call: Called) -> User:
        if call.user_id is not None:
            return await self._users.find(call.user_id, call.application_id)
        return await self._dialling.user(call.from_, call.application_id)

    # ── both ──

    async def _rang(self, signal: Rang) -> None:
        live = self._legs.live(signal.leg)
        if live is None or live.is_ending:
            return
        is_early = bool(signal.sdp) and await self._agree(live, signal.sdp)
        await self._dialling.rang(live, early=is_early)

    async def _accepted(self, signal: Accepted) -> None:
        live = self._legs.live(signal.leg)
        if live is None or live.is_ending:
            return
        if signal.sdp and not await self._agree(live, signal.sdp):
            await self._calls.end(live, Ending.UNREADABLE)
            return
        live.is_softphone = live.is_softphone or signal.is_softphone
        await self._dialling.answered(live)

    async def _agree(self, live: LiveLeg, sdp: str) -> bool:
        """Hand the worker an answer; False if it cannot take it."""
        try:
            await self._ask(live, AcceptAnswer(live.leg.id, sdp))
        except (ValidationFailed, Unavailable):
            return False
        return True

    async def _declined(self, signal: Declined) -> None:
        live = self._legs.live(signal.leg)
        if live is not None:
            await self._calls.end(live, declined(signal.code, signal.text))

    async def _hung_up(self, signal: HungUp) -> None:
        live = self._legs.live(signal.leg)
        if live is not None:
            await self._board.pickup.told(live)
            self._transfers.hung_up(live)
            await self._calls.end(live, hung_up(live.leg, signal.code, signal.text))

    async def _reoffered(self, signal: Reoffered) -> None:
        live = self._legs.live(signal.leg)
        if live is None or live.is_ending:
            return
        command: Command = Offer(live.leg.id, RTP)
        if signal.sdp:
            command = Answer(live.leg.id, signal.sdp, RTP)
        try:
            report = await self._ask(live, command)
        except (ValidationFailed, Unavailable) as error:
            self._carrier.refuse(signal.leg, UNACCEPTABLE, str(error)[:80])
        else:
            self._carrier.answer(signal.leg, _description(report))

    async def _keyed(self, signal: Keyed) -> None:
        await self._keys.pressed(
            Digit(signal.leg, signal.digit, signal.milliseconds, self._clock.now())
        )

    async def _referred(self, signal: Referred) -> None:
        live = self._legs.live(signal.leg)
        if live is None or live.is_ending:
            self._carrier.referred(signal.leg, 481)
        else:
            await self._transfers.refer(live, signal.to, signal.replaces)

    async def _ask(self, live: LiveLeg, command: Command) -> Report:
        return await self._legs.ask(live.leg.application_id, command, "sdp")


def _description(report: Report) -> str:
    assert isinstance(report, Answered | Offered)
    return report.sdp
