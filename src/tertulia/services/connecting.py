"""Connecting: a script has its call talk to somebody else, who is called for that.

The caller is answered when it hears the callee: until then it rings, or hears what is played to it.
"""

from collections.abc import Callable
from functools import partial

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending, status_of
from tertulia.model.commands import Digit, Play, Press, StopPlay
from tertulia.model.endpoints import OnAnswer, PhoneEndpoint
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import AudioPlay
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg
from tertulia.model.script import Connect
from tertulia.model.script_orders import (
    AskConnect,
    Connected,
    ConnectOver,
    Disconnect,
    Happening,
    MachineAnswered,
)
from tertulia.model.state import Endpoint, Member, Webhook
from tertulia.ports import Ids
from tertulia.services.audiocontrol import Place
from tertulia.services.conductor import Reactions
from tertulia.services.detecting import Detecting
from tertulia.services.dialling import Dialling, Outgoing
from tertulia.services.lines import Line
from tertulia.services.performance import Pair, Performance
from tertulia.services.switchboard import Switchboard
from tertulia.services.telephony import some_number
from tertulia.services.voicehooks import VoiceHooks

RINGBACK = "ringback"

Tell = Callable[[Performance, Happening], None]


class Connecting:
    def __init__(
        self, board: Switchboard, *, dialling: Dialling, detecting: Detecting, hooks: VoiceHooks,
        ids: Ids,
    ) -> None:  # fmt: skip
        self._calls = board.calls
        self._legs = board.legs
        self._audio = board.audio
        self._errands = board.errands
        self._dialling = dialling
        self._detecting = detecting
        self._pickup = board.pickup
        self._hooks = hooks
        self._numbers = board.telephony.numbers
        self._timelines = board.timelines
        self._ids = ids
        self._pairs: dict[LegId, Pair] = {}
        """By the leg of the callee."""
        self.tell: Tell = lambda performance, happening: None
        self.brief: Callable[[Pair, OnAnswer], None] = lambda pair, on_answer: None
        """Have a script carried out for the callee alone, who joins after it."""

    @property
    def reactions(self) -> Reactions:
        return {"member:media": self._heard, "leg:status:update": self._changed}

    async def connect(self, performance: Performance, action: Connect) -> None:
        line = performance.line
        pair = performance.pair = Pair(performance, action)
        room = line.leg.conversation_id or line.own
        wanted = Outgoing(
            action.callee, room, caller=self._caller(line, action),
            event_url=self._webhook(line, action), ring_seconds=action.timeout,
            limit_seconds=action.limit, detection=action.detection, is_asked=action.asks,
        )  # fmt: skip
        try:
            await self._dialling.dial(
                wanted, line.application_id, on_begin=partial(self._begun, pair),
                on_ring=partial(self._rang, pair), on_answer=partial(self._answered, pair),
            )  # fmt: skip
        except TertuliaError as error:
            if pair.is_open and pair.callee is None:  # otherwise its end is told
                pair.is_open = False
                self.tell(performance, ConnectOver("failed", f"connect: {error}"))

    async def disconnect(self, performance: Performance, _: Disconnect) -> None:
        """End the call of the callee: the script does something else."""
        pair = self._part(performance)
        if pair is not None and pair.callee is not None:
            live = pair.callee.live
            is_answered = live.leg.answered_at is not None
            await self._calls.end(live, Ending.REMOVED if is_answered else Ending.CANCELLED)

    def unlink(self, performance: Performance) -> None:
        """Let the callee be: the caller goes elsewhere."""
        self._part(performance)

    def hand_over(self, old: LegId, new: Line) -> None:
        """Somebody takes the place of a callee."""
        pair = self._pairs.pop(old, None)
        if pair is not None:
            pair.callee = new
            self._pairs[new.leg.id] = pair

    async def ask(self, performance: Performance, order: AskConnect) -> bytes:
        """What the application says to a call that did not succeed. Raises Unanswered."""
        line = performance.line
        webhook = self._webhook(line, order.action)
        if webhook is None:
            return b""
        callee = performance.pair.callee if performance.pair is not None else None
        members = (
            self._hooks.outcome(callee, callee.leg)
            if callee is not None
            else self._hooks.about(line)
        )
        members["status"] = order.status
        if order.sub_state is not None:
            members["sub_state"] = order.sub_state
        return await self._hooks.consult(line, webhook, members)

    def machine(self, line: Line, sub_state: str | None) -> bool:
        """A machine has answered a call: True when the script of its caller is asked about it."""
        pair = self._pairs.get(line.leg.id)
        if pair is None or not pair.action.asks:
            return False
        self.tell(pair.performance, MachineAnswered(sub_state))
        return True

    def pressed(self, report: Digit) -> None:
        """A key of one of two who talk: a phone knows of it when it is pressed again for that."""
        other = None if report.as_tones else self._other(report.leg)
        if other is not None and other.leg.type in (LegType.PHONE, LegType.SIP):
            self._legs.tell(other.application_id, Press(other.leg.id, report.digit))

    def _other(self, leg_id: str) -> Line | None:
        for pair in self._pairs.values():
            caller = pair.performance.line
            if pair.has_met and pair.callee is not None:
                if caller.leg.id == leg_id:
                    return pair.callee
                if pair.callee.leg.id == leg_id:
                    return caller
        return None

    # ── what becomes of the callee ──

    def _begun(self, pair: Pair, callee: Line) -> None:
        pair.callee = callee
        self._pairs[callee.leg.id] = pair
        self._timelines.connect(pair.performance.leg_id, callee.leg.id)
        if not pair.is_open:  # it was given up meanwhile
            self._errands.run(self._calls.end(callee.live, Ending.CANCELLED))

    async def _rang(self, pair: Pair, callee: Line, *, early: bool) -> None:
        caller = pair.performance.line
        if not pair.is_open or caller.live.is_ending:
            return
        url = _ringback(pair.action)
        if url is not None or early:
            self._pickup.let_hear(caller.live)
        if url is not None:
            await self._play(pair, caller, url)
        elif early:
            self._calls.preview(callee.live)
            await self._hush(pair)
        elif not caller.live.is_held_back and caller.leg.type is not LegType.APP:
            pair.tone = self._ids.bare()
            tone = Play(pair.tone, RINGBACK, "tone", leg=caller.leg.id, loop=0)
            self._legs.tell(caller.application_id, tone)

    async def _play(self, pair: Pair, caller: Line, url: str) -> None:
        """COMPAT: clients of apps make a ringing tone themselves, but not this one."""
        if pair.music is not None:
            return
        place = Place(caller.leg.conversation_id or caller.own, caller.live)
        body = AudioPlay(stream_url=[url], level=0, loop=0)
        try:
            pair.music = await self._audio.play(place, body, Actor(caller.application_id))
        except TertuliaError as error:
            self._hooks.complain(caller, f"connect: ringbackTone: {error}")
        if pair.has_met or not pair.is_open:  # that came while it was asked for
            await self._hush(pair)

    async def _answered(self, pair: Pair, callee: Line) -> None:
        if pair.action.detection is None:
            await self._join(pair, callee)
        else:
            join = partial(self._join, pair, callee)
            await self._detecting.begin(callee, pair.action.detection, join)

    async def _join(self, pair: Pair, callee: Line) -> None:
        endpoint = pair.action.callee
        if isinstance(endpoint, PhoneEndpoint) and endpoint.on_answer is not None:
            self.brief(pair, endpoint.on_answer)
        else:
            await self._dialling.join(callee)

    async def _heard(self, event: Event) -> None:
        """The callee is there with its voice: the caller is answered."""
        member = event.became
        leg_id = member.channel.id if isinstance(member, Member) else None
        pair = self._pairs.get(LegId(leg_id)) if leg_id else None
        if pair is None or pair.has_met or pair.callee is None or not pair.is_open:
            return
        caller = pair.performance.line
        if caller.leg.conversation_id != event.conversation_id:  # it hears its own script still
            return
        pair.has_met = True
        await self._hush(pair)
        await self._pickup.pick_up(caller.live)
        self.tell(pair.performance, Connected())

    async def _changed(self, event: Event) -> None:
        leg = event.became
        if not isinstance(leg, Leg) or not leg.is_over:
            return
        pair = self._pairs.pop(leg.id, None)
        if pair is None:
            return
        await self._hush(pair)
        if pair.is_open:
            pair.is_open = False
            self.tell(pair.performance, ConnectOver(_outcome(leg)))

    def _part(self, performance: Performance) -> Pair | None:
        pair, performance.pair = performance.pair, None
        if pair is None or not pair.is_open:
            return None
        pair.is_open = False
        if pair.callee is not None:
            self._pairs.pop(pair.callee.leg.id, None)
        self._errands.run(self._hush(pair))
        return pair

    async def _hush(self, pair: Pair) -> None:
        caller = pair.performance.line
        tone, pair.tone = pair.tone, None
        music, pair.music = pair.music, None
        if tone is not None:
            self._legs.tell(caller.application_id, StopPlay(tone))
        if music is not None and not caller.live.is_ending:
            place = Place(caller.leg.conversation_id or caller.own, caller.live)
            system = Actor(caller.application_id)
            try:
                await self._audio.stop_sound(place, music, system, speech=False)
            except TertuliaError as error:
                self._hooks.complain(caller, f"connect: ringbackTone: {error}")

    def _caller(self, line: Line, action: Connect) -> Endpoint:
        if action.from_:
            return Endpoint(type="phone", number=action.from_)
        numbers = self._numbers(line.application_id) if action.random_from_number else ()
        if not numbers:
            return line.leg.from_
        return Endpoint(type="phone", number=some_number(numbers, self._ids.bare()))

    def _webhook(self, line: Line, action: Connect) -> Webhook | None:
        urls = action.event_url
        return Webhook(urls[0], http_method=action.event_method) if urls else line.event_url


def _ringback(action: Connect) -> str | None:
    callee = action.callee
    if isinstance(callee, PhoneEndpoint) and callee.on_answer and callee.on_answer.ringback_tone:
        return callee.on_answer.ringback_tone
    return action.ringback_tone


def _outcome(leg: Leg) -> str:
    """In the words of scripts."""
    if leg.status is LegStatus.COMPLETED and leg.type is not LegType.WEBSOCKET:
        return "completed"
    return status_of(leg)
