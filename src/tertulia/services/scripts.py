"""Call scripts, carried out: what a script orders becomes events and audio of the call's leg, and
what the log and the media workers tell of them takes the script on.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.commands import Up
from tertulia.model.endpoints import OnAnswer
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import (
    AudioDtmf,
    AudioSpeakingOn,
)
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.model.script import (
    Connect,
    Meeting,
    Script,
    ScriptRefused,
    Transfer,
    parse,
)
from tertulia.model.script_orders import (
    Announce,
    AskConnect,
    Barred,
    Complain,
    Disconnect,
    Elapsed,
    End,
    Happening,
    HungUp,
    Leave,
    NewScript,
    Pressed,
    Report,
    Spoke,
    Submit,
    Timer,
    Told,
)
from tertulia.model.state import Member, Webhook
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.connecting import Connecting
from tertulia.services.detecting import MACHINE
from tertulia.services.lines import Line
from tertulia.services.performance import Pair, Performance
from tertulia.services.reactions import body_of
from tertulia.services.rooms import Rooms
from tertulia.services.script_audio import Obeying, ScriptAudio
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import Unanswered, VoiceHooks

UNANSWERED = (Connect, Disconnect, AskConnect, Announce, Timer, Complain, End, Report, Leave)
"""Orders that a phone need not be answered for."""


class Scripts:
    def __init__(
        self, board: Switchboard, *, rooms: Rooms, hooks: VoiceHooks, connecting: Connecting
    ) -> None:
        self._audio = ScriptAudio(board.audio, hooks, self._in_turn)
        self._calls = board.calls
        self._members = board.members
        self._legs = board.legs
        self._errands = board.errands
        self._rooms = rooms
        self._hooks = hooks
        self._connecting = connecting
        self._pickup = board.pickup
        self._timelines = board.timelines
        connecting.tell, connecting.brief = self._in_turn, self._brief
        self._obeying: Obeying = {
            **self._audio.orders,
            Meeting: self._enter, Transfer: self._transfer, Leave: self._leave,
            Connect: connecting.connect, Disconnect: connecting.disconnect, Timer: self._wait,
            Submit: self._ask, Announce: self._ask, AskConnect: self._ask,
            Report: self._report, Complain: self._complain, End: self._end,
        }  # fmt: skip
        self._running: dict[LegId, Performance] = {}
        self._moving: dict[LegId, tuple[ConversationId, Line, Script]] = {}

    @property
    def reactions(self) -> Reactions:
        return {
            **self._audio.reactions,
            "member:joined": self._joined, "leg:status:update": self._changed,
            "audio:dtmf": self._pressed, "audio:speaking:on": self._spoke,
        }  # fmt: skip

    @property
    def hearings(self) -> Hearings:
        return {Up: self._up}

    def start(
        self, line: Line, script: Script, then: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Begin once the call is in a conversation and its media path is open, unless another one
        has been wanted meanwhile.

        `then` is done at the script's end; otherwise the call ends with it.
        """
        is_first = line.leg.id not in self._running and line.leg.id not in self._moving
        if is_first and not line.live.is_ending:
            self._running[line.leg.id] = performance = Performance(line, script, then)
            self._ready(performance)

    def replace(self, line: Line, script: Script) -> None:
        """Have another script carried out from now on, or a first one."""
        performance = self._running.get(line.leg.id)
        if performance is None:
            self.start(line, script)
        else:
            self._in_turn(performance, NewScript(script))

    def replace_in(self, room: ConversationId, line: Line, script: Script) -> None:
        """The same, once the call has come into that conversation."""
        self._moving[line.leg.id] = (room, line, script)

    def unlink(self, leg_id: LegId) -> None:
        """A call goes elsewhere: who it is connected to stays."""
        performance = self._running.get(leg_id)
        if performance is not None:
            self._connecting.unlink(performance)

    def hand_over(self, old: LegId, new: Line) -> None:
        """A line takes the place of a leg: as the callee of a script, or as its call."""
        self._connecting.hand_over(old, new)
        performance = self._running.pop(old, None)
        if performance is not None:
            performance.line = new
            self._running[new.leg.id] = performance

    async def learnt(self, line: Line, members: dict[str, Any]) -> None:
        """Who has answered a call has become known: the application may want something else done
        now."""
        if members["status"] == MACHINE and self._connecting.machine(
            line, members.get("sub_state")
        ):
            return
        if line.event_url is None:
            return
        told = {**self._hooks.about(line), "call_uuid": line.leg.id, **members}
        try:
            said = await self._hooks.consult(line, line.event_url, told)
            if said.lstrip().startswith(b"["):
                self.replace(line, parse(said))
        except (Unanswered, ScriptRefused) as error:
            self._hooks.complain(line, f"{members['status']}: {error}")

    async def abandon(self, line: Line) -> None:
        """End a call that has been let in and for which there is no usable script."""
        await self._calls.end(line.live, Ending.NO_SCRIPT)

    # ── what happens ──

    async def _joined(self, event: Event) -> None:
        if isinstance(event.became, Member) and event.became.channel.id is not None:
            self._ready(self._running.get(LegId(event.became.channel.id)))

    async def _up(self, report: Up) -> None:
        self._ready(self._running.get(LegId(report.leg)))

    def _ready(self, performance: Performance | None) -> None:
        if performance is None or performance.has_begun:
            return
        live = performance.line.live
        is_there = live.leg.answered_at is not None or live.is_held_back
        if live.is_up and is_there and live.leg.member_id is not None:
            performance.has_begun = True
            self._in_turn(performance, None)

    async def _changed(self, event: Event) -> None:
        leg = event.became
        if not isinstance(leg, Leg):
            return
        if not leg.is_over:
            self._moved(leg)
            return
        self._moving.pop(leg.id, None)
        performance = self._running.pop(leg.id, None)
        if performance is not None:
            self._in_turn(performance, HungUp())
            await self._connecting.disconnect(performance, Disconnect())
            self._forget(performance)

    def _forget(self, performance: Performance) -> None:
        for timer in performance.timers.values():
            timer.cancel()
        self._audio.forget(performance)

    def _moved(self, leg: Leg) -> None:
        room, line, script = self._moving.get(leg.id, (None, None, ()))
        if line is not None and leg.conversation_id == room:
            del self._moving[leg.id]
            self.replace(line, script)

    async def _pressed(self, event: Event) -> None:
        """A key that the worker heard, or that the client sent as an event."""
        body = body_of(event)
        if not self._running or not isinstance(body, AudioDtmf) or event.conversation_id is None:
            return
        leg = self._legs.of_member(event.conversation_id, event.sender)
        performance = self._running.get(leg.id) if leg is not None else None
        if performance is not None:
            for digit in body.digits or body.digit or "":
                self._in_turn(performance, Pressed(digit))

    async def _spoke(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioSpeakingOn) and body.channel.id is not None:
            performance = self._running.get(LegId(body.channel.id))
            if performance is not None:
                self._in_turn(performance, Spoke())

    def _in_turn(self, performance: Performance, happening: Happening | None) -> None:
        key = ("script", performance.leg_id)
        self._errands.in_turn(key, partial(self._take_on, performance, happening))

    async def _take_on(self, performance: Performance, happening: Happening | None) -> None:
        """None is the beginning."""
        run, live = performance.run, performance.line.live
        if live.is_ending:  # its sounds end with it, and say so
            happening = HungUp()
        for order in run.begin() if happening is None else run.on(happening):
            if performance.line.live.is_ending:
                return
            self._timelines.order(performance.leg_id, order)
            if live.is_held_back and not isinstance(order, UNANSWERED):
                await self._pickup.pick_up(live)
            await self._obeying[type(order)](performance, order)

    # ── what is to be done ──

    async def _enter(self, performance: Performance, meeting: Meeting) -> None:
        try:
            await self._rooms.enter(performance.line, meeting)
        except TertuliaError as error:
            self._in_turn(performance, Barred(f"conversation: {error}"))

    async def _transfer(self, performance: Performance, transfer: Transfer) -> None:
        line = performance.line
        entry = line.entry
        channel = replace(entry.channel, can_hear=transfer.can_hear, can_speak=transfer.can_speak)
        where = ConversationId(transfer.conversation_id)
        try:
            if transfer.mute:
                await self._calls.hear(line.live, muted=True)
            await self._members.create(where, replace(entry, channel=channel), performance.system)
        except TertuliaError as error:
            self._in_turn(performance, Barred(f"transfer: {error}"))

    async def _leave(self, performance: Performance, _: Leave) -> None:
        await self._rooms.leave(performance.line)

    async def _wait(self, performance: Performance, timer: Timer) -> None:
        elapsed = partial(self._elapsed, performance, timer.mark)
        performance.timers[timer.mark] = self._errands.after(timer.seconds, elapsed)

    async def _elapsed(self, performance: Performance, mark: int) -> None:
        performance.timers.pop(mark, None)
        self._in_turn(performance, Elapsed(mark))

    async def _complain(self, performance: Performance, complaint: Complain) -> None:
        self._hooks.complain(performance.line, complaint.reason)

    async def _end(self, performance: Performance, end: End) -> None:
        if performance.then is not None and end.error is None:
            self._running.pop(performance.leg_id, None)
            self._forget(performance)
            await performance.then()
        elif end.error is None:
            await self._calls.end(performance.line.live, Ending.REMOVED)
        else:
            await self.abandon(performance.line)

    async def _ask(self, performance: Performance, order: Submit | Announce | AskConnect) -> None:
        """Beside the script, which may be over before the application has spoken."""
        self._errands.run(self._consult(performance, order))

    async def _consult(
        self, performance: Performance, order: Submit | Announce | AskConnect
    ) -> None:
        told = Told(order.mark)
        what = order.action.__struct_config__.tag
        try:
            said = await self._asked(performance, order)
            if said.lstrip().startswith(b"["):
                told = Told(order.mark, parse(said))
        except Unanswered as error:
            self._hooks.complain(performance.line, f"{what}: {error}")
        except ScriptRefused as error:
            told = Told(order.mark, error=f"{what}: {error}")
        self._in_turn(performance, told)

    async def _asked(
        self, performance: Performance, order: Submit | Announce | AskConnect
    ) -> bytes:
        """Raises Unanswered."""
        match order:
            case Submit():
                return await self._hooks.submit(performance.line, order)
            case Announce():
                return await self._hooks.announce(performance.line, order)
            case AskConnect():
                return await self._connecting.ask(performance, order)

    async def _report(self, performance: Performance, report: Report) -> None:
        self._hooks.report(performance.line, report)

    def _brief(self, pair: Pair, on_answer: OnAnswer) -> None:
        """The callee hears a script of its own, in a conversation of its own, and joins then."""
        callee = pair.callee
        if callee is not None and not callee.live.is_ending:
            self._errands.run(self._briefed(callee, on_answer))

    async def _briefed(self, callee: Line, on_answer: OnAnswer) -> None:
        meeting_room = callee.own
        script: Script = ()
        try:
            script = parse(await self._hooks.ask(callee, Webhook(on_answer.url)))
        except (Unanswered, ScriptRefused) as error:
            self._hooks.complain(callee, f"onAnswer: {error}")
        system = Actor(callee.application_id)

        async def meet() -> None:
            if not callee.live.is_ending:
                await self._members.create(meeting_room, callee.entry, system)

        if script:
            callee.own = await self._rooms.open_own(callee)
            self.start(callee, script, meet)
            await self._members.create(callee.own, callee.entry, system)
        else:
            await meet()
