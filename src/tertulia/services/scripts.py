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
from tertulia.model.errors import NothingSounds, TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import (
    AudioAsrDone,
    AudioAsrRecordDone,
    AudioDtmf,
    AudioPlayDone,
    AudioPlayStop,
    AudioRecordDone,
    AudioSayDone,
    AudioSayStop,
    AudioSpeakingOn,
)
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.model.script import (
    Connect,
    Meeting,
    Record,
    Script,
    ScriptRefused,
    Stream,
    Talk,
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
    Heard,
    HungUp,
    Hush,
    Leave,
    Listen,
    NewScript,
    Pressed,
    Reading,
    RecordOver,
    Report,
    SoundOver,
    Spoke,
    Submit,
    Timer,
    Told,
    Unlisten,
)
from tertulia.model.state import Member, Webhook
from tertulia.services.audio_actions import played, recorded, said
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.connecting import Connecting
from tertulia.services.detecting import MACHINE
from tertulia.services.lines import Line
from tertulia.services.performance import Pair, Performance
from tertulia.services.reactions import body_of
from tertulia.services.recognition import Wanted
from tertulia.services.rooms import Rooms
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import Unanswered, VoiceHooks

UNANSWERED = (Connect, Disconnect, AskConnect, Announce, Timer, Complain, End, Report, Leave)
"""Orders that a phone need not be answered for."""


class Scripts:
    def __init__(
        self, board: Switchboard, *, rooms: Rooms, hooks: VoiceHooks, connecting: Connecting
    ) -> None:
        self._audio = board.audio
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
        self._obeying: dict[type, Callable[[Performance, Any], Awaitable[None]]] = {
            Talk: self._sound, Stream: self._sound, Hush: self._hush, Record: self._record,
            Meeting: self._enter, Transfer: self._transfer, Leave: self._leave,
            Connect: connecting.connect, Disconnect: connecting.disconnect,
            Listen: self._listen, Unlisten: self._unlisten, Timer: self._wait,
            Submit: self._ask, Announce: self._ask, AskConnect: self._ask,
            Report: self._report, Complain: self._complain, End: self._end,
        }  # fmt: skip
        self._running: dict[LegId, Performance] = {}
        self._moving: dict[LegId, tuple[ConversationId, Line, Script]] = {}
        self._awaited: dict[str, Performance] = {}
        """By the id of a sound, a recording or a listening."""

    @property
    def reactions(self) -> Reactions:
        return {
            "member:joined": self._joined, "leg:status:update": self._changed,
            "audio:say:done": self._sounded, "audio:say:stop": self._sounded,
            "audio:play:done": self._sounded, "audio:play:stop": self._sounded,
            "audio:record:done": self._recorded, "audio:asr:done": self._understood,
            "audio:asr:record:done": self._saved,
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
        for each in [each for each, whose in self._awaited.items() if whose is performance]:
            del self._awaited[each]

    def _await(self, performance: Performance, what: str) -> None:
        if not performance.line.live.is_ending:
            self._awaited[what] = performance

    def _moved(self, leg: Leg) -> None:
        room, line, script = self._moving.get(leg.id, (None, None, ()))
        if line is not None and leg.conversation_id == room:
            del self._moving[leg.id]
            self.replace(line, script)

    async def _sounded(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioSayDone | AudioSayStop):
            sound_id = body.say_id
        elif isinstance(body, AudioPlayDone | AudioPlayStop):
            sound_id = body.play_id
        else:
            return
        performance = self._awaited.pop(sound_id, None)
        if performance is not None and performance.sound == sound_id:
            performance.sound = None
            error = body.error if isinstance(body, AudioSayDone | AudioPlayDone) else None
            self._in_turn(performance, SoundOver(error))

    async def _recorded(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioRecordDone):
            return
        performance = self._awaited.pop(body.recording_id, None)
        if performance is not None and performance.recording == body.recording_id:
            self._in_turn(performance, RecordOver())  # of an error the hooks have told

    async def _understood(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioAsrDone):
            return
        asr = body.asr
        performance = self._awaited.get(asr.asr_id)
        if performance is None:
            return
        results = tuple(Reading(each.word, each.confidence) for each in asr.results)
        heard = Heard(results, asr.timeout_reason, asr.error)
        if performance.saves and results:  # what was heard is being kept, and told next
            performance.heard = heard
        else:
            self._tell_heard(performance, asr.asr_id, heard)

    async def _saved(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioAsrRecordDone):
            return
        asr = body.asr
        performance = self._awaited.get(asr.asr_id)
        if performance is not None and performance.heard is not None:
            heard = replace(performance.heard, recording_url=asr.destination_url or None)
            performance.heard = None
            self._tell_heard(performance, asr.asr_id, heard)

    def _tell_heard(self, performance: Performance, asr_id: str, heard: Heard) -> None:
        self._awaited.pop(asr_id, None)
        if performance.listening is not None and performance.listening[1] == asr_id:
            self._in_turn(performance, heard)

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

    async def _sound(self, performance: Performance, action: Talk | Stream) -> None:
        try:
            place = await self._audio.leg(performance.leg_id, performance.system)
            if isinstance(action, Talk):
                sound_id = await self._audio.say(place, said(action), performance.system)
            else:
                sound_id = await self._audio.play(place, played(action), performance.system)
        except TertuliaError as error:
            self._in_turn(performance, SoundOver(str(error)))
            return
        # its done event needs an append of its own, so it cannot have been told yet
        performance.sound, performance.is_speech = sound_id, isinstance(action, Talk)
        self._await(performance, sound_id)

    async def _hush(self, performance: Performance, _: Hush) -> None:
        sound_id, performance.sound = performance.sound, None
        if sound_id is None:
            return
        self._awaited.pop(sound_id, None)
        try:
            place = await self._audio.leg(performance.leg_id, performance.system)
            await self._audio.stop_sound(
                place, sound_id, performance.system, speech=performance.is_speech
            )
        except TertuliaError as error:
            self._hooks.complain(performance.line, str(error))

    async def _record(self, performance: Performance, action: Record) -> None:
        try:
            place = await self._audio.leg(performance.leg_id, performance.system)
            recording = await self._audio.record(place, recorded(action), performance.system)
        except TertuliaError as error:
            self._hooks.complain(performance.line, f"record: {error}")
            if action.has_end:
                self._in_turn(performance, RecordOver())
            return
        if not performance.line.live.is_ending:
            self._hooks.keep_recording(recording, performance.line, action)
        if action.has_end:
            performance.recording = recording
            self._await(performance, recording)

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

    async def _listen(self, performance: Performance, order: Listen) -> None:
        speech = order.speech
        leg_id = LegId(speech.uuid[0]) if speech.uuid else performance.leg_id
        wanted = Wanted(
            language=speech.language, hints=speech.context, end_on_silence=speech.end_on_silence,
            start_timeout=order.start_timeout, max_duration=speech.max_duration,
            save_audio=speech.save_audio, sensitivity=speech.sensitivity,
        )  # fmt: skip
        try:
            place = await self._audio.leg(leg_id, performance.system)
            asr_id = self._audio.listen(place, wanted)
        except TertuliaError as error:
            self._in_turn(performance, Heard(error=str(error)))
            return
        performance.listening = (place, asr_id)
        performance.saves = speech.save_audio
        self._await(performance, asr_id)

    async def _unlisten(self, performance: Performance, _: Unlisten) -> None:
        if performance.listening is None:
            return
        place, asr_id = performance.listening
        try:
            self._audio.stop_listening(place, asr_id)
        except NothingSounds:
            return  # it has been read meanwhile

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
