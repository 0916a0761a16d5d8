"""Timelines: what happened to a call, on one axis, for whoever wants to see why.

Kept in memory for the newest calls: the events among it are in the log anyway.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.ids import LegId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.script_orders import Order
from tertulia.model.state import Member
from tertulia.model.telephone import Stepped
from tertulia.ports import Clock
from tertulia.services.conductor import Reactions
from tertulia.services.timeline_words import of_event, of_order

CALLS_MAX = 500
MOMENTS_MAX = 400
"""Of one call; what comes later is not kept."""
TEXT_MAX = 300
MEMBERS_MAX = 10_000
"""That are known by their legs: those of conversations that are deleted do not leave."""
CONNECTED_MAX = 20
"""Calls that are known to belong to another."""


class _Channel(Struct, frozen=True):
    id: str | None = None


class _Body(Struct, frozen=True):
    channel: _Channel = _Channel()


class Moment(Struct, frozen=True):
    at: Instant
    lane: str
    """`sip`, `script`, `webhook`, `event`."""
    text: str
    detail: str = ""


_decode = msgspec.json.Decoder(_Body).decode


class Timelines:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moments: OrderedDict[str, list[Moment]] = OrderedDict()
        self._connected: OrderedDict[str, list[str]] = OrderedDict()
        self._legs: OrderedDict[str, str] = OrderedDict()
        """From a member to the leg by which it is there."""

    @property
    def reactions(self) -> Reactions:
        return {
            name: self._happened
            for name in (
                "leg:status:update", "member:joined", "member:media", "member:left", "sip:ringing",
                "sip:answered", "sip:hangup", "sip:status", "sip:machine", "sip:amd_machine",
                "audio:play", "audio:play:done", "audio:play:stop", "audio:say", "audio:say:done",
                "audio:say:stop", "audio:record", "audio:record:done", "audio:dtmf", "audio:asr",
                "audio:asr:done", "audio:mute:on", "audio:mute:off", "audio:earmuff:on",
                "audio:earmuff:off", "audio:speaking:on", "audio:speaking:off", "rtc:ringing",
                "rtc:answered", "rtc:hangup",
            )
        }  # fmt: skip

    def of(self, leg_id: LegId | str) -> Sequence[Moment]:
        """In the order of time; empty for a call that is not known, or no longer."""
        return sorted(self._moments.get(leg_id, ()), key=lambda moment: moment.at)

    def connected(self, leg_id: LegId | str) -> Sequence[str]:
        """The calls that this one was made to talk to, and those that made this one, in order."""
        return self._connected.get(leg_id, ())

    def connect(self, caller: str, callee: str) -> None:
        """The script of a call has called somebody."""
        for one, other in ((caller, callee), (callee, caller)):
            known = self._connected.setdefault(one, [])
            if len(known) < CONNECTED_MAX:
                known.append(other)
        while len(self._connected) > CALLS_MAX:
            self._connected.popitem(last=False)

    def note(self, leg_id: str, lane: str, text: str, detail: str = "") -> None:
        self._keep(leg_id, Moment(self._clock.now(), lane, text[:TEXT_MAX], detail[:TEXT_MAX]))

    def order(self, leg_id: str, order: Order) -> None:
        """What a call's script wants done."""
        self.note(leg_id, "script", type(order).__name__.lower(), of_order(order))

    def step(self, step: Stepped) -> None:
        """A SIP message of a call."""
        text = f"{'>' if step.sent else '<'} {step.line}"
        self._keep(step.leg, Moment(step.at, "sip", text[:TEXT_MAX], step.peer))

    async def _happened(self, event: Event) -> None:
        leg_id = self._leg_of(event)
        if leg_id is not None:
            text = event.type
            if isinstance(event.became, Leg):
                text += f" {event.became.status}"
            detail = of_event(event)[:TEXT_MAX]
            self._keep(leg_id, Moment(event.timestamp, "event", text, detail))

    def _leg_of(self, event: Event) -> str | None:
        """The leg itself, that by which a member is there, or the one that the body names."""
        became = event.became
        if isinstance(became, Leg):
            return became.id
        if isinstance(became, Member) and became.channel.id is not None:
            if became.is_present:
                self._legs[became.id] = became.channel.id
                while len(self._legs) > MEMBERS_MAX:
                    self._legs.popitem(last=False)
            else:
                self._legs.pop(became.id, None)
            return became.channel.id
        known = self._legs.get(event.recipient or event.sender or "")
        return known or _named(event.body)

    def _keep(self, leg_id: str, moment: Moment) -> None:
        moments = self._moments.get(leg_id)
        if moments is None:
            moments = self._moments[leg_id] = []
            while len(self._moments) > CALLS_MAX:
                self._moments.popitem(last=False)
        if len(moments) < MOMENTS_MAX:
            moments.append(moment)


def _named(body: bytes) -> str | None:
    """The leg of the channel that a body names."""
    try:
        return _decode(body).channel.id
    except msgspec.MsgspecError:
        return None
