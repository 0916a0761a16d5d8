"""Call scripts, carried out: what a script orders becomes events and audio of the call's leg, and
what the log and the media workers tell of them takes the script on.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.commands import Up
from tertulia.model.errors import NothingSounds, TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import (
    AudioAsrDone,
    AudioDtmf,
    AudioPlay,
    AudioPlayDone,
    AudioPlayStop,
    AudioRecord,
    AudioRecordDone,
    AudioSay,
    AudioSayDone,
    AudioSayStop,
    AudioSpeakingOn,
    Transcription,
)
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg
from tertulia.model.script import Meeting, Record, Script, ScriptRefused, Stream, Talk, parse
from tertulia.model.script_run import (
    Barred,
    Complain,
    Elapsed,
    End,
    Happening,
    Heard,
    HungUp,
    Hush,
    Listen,
    Pressed,
    Reading,
    RecordOver,
    Run,
    SoundOver,
    Spoke,
    Submit,
    Told,
    Unlisten,
    Wait,
)
from tertulia.model.state import Member
from tertulia.services.audiocontrol import Place
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.reactions import body_of
from tertulia.services.recognition import Wanted
from tertulia.services.rooms import Rooms
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import Line, Unanswered, VoiceHooks


class Performance:
    """A script on its call, with the ids of what it has under way."""

    __slots__ = ("has_begun", "is_speech", "line", "listening", "recording", "run", "sound")

    def __init__(self, line: Line, script: Script) -> None:
        self.line = line
        self.run = Run(script)
        self.has_begun = False
        self.sound: str | None = None
        self.is_speech = False
        self.recording: str | None = None
        """The one that the script waits for."""
        self.listening: tuple[Place, str] | None = None

    @property
    def leg_id(self) -> LegId:
        return self.line.leg.id

    @property
    def system(self) -> Actor:
        return Actor(self.line.knock.application_id)


class Scripts:
    def __init__(self, board: Switchboard, rooms: Rooms, hooks: VoiceHooks) -> None:
        self._audio = board.audio
        self._calls = board.calls
        self._legs = board.legs
        self._errands = board.errands
        self._rooms = rooms
        self._hooks = hooks
        self._obeying: dict[type, Callable[[Performance, Any], Awaitable[None]]] = {
            Talk: self._sound, Stream: self._sound, Hush: self._hush, Record: self._record,
            Meeting: self._enter, Listen: self._listen, Unlisten: self._unlisten,
            Wait: self._wait, Submit: self._submit, Complain: self._complain, End: self._end,
        }  # fmt: skip
        self._running: dict[LegId, Performance] = {}
        self._awaited: dict[str, Performance] = {}
        """By the id of a sound, a recording or a listening."""

    @property
    def reactions(self) -> Reactions:
        return {
            "member:joined": self._joined, "leg:status:update": self._changed,
            "audio:say:done": self._sounded, "audio:say:stop": self._sounded,
            "audio:play:done": self._sounded, "audio:play:stop": self._sounded,
            "audio:record:done": self._recorded, "audio:asr:done": self._understood,
            "audio:dtmf": self._pressed, "audio:speaking:on": self._spoke,
        }  # fmt: skip

    @property
    def hearings(self) -> Hearings:
        return {Up: self._up}

    def start(self, line: Line, script: Script) -> None:
        """Begin once the call is in a conversation and its media path is open."""
        if not line.knock.live.is_ending:
            self._running[line.leg.id] = performance = Performance(line, script)
            self._ready(performance)

    async def abandon(self, line: Line) -> None:
        """End a call that has been let in and for which there is no usable script."""
        await self._calls.end(line.knock.live, Ending.NO_SCRIPT)

    # ── what happens ──

    async def _joined(self, event: Event) -> None:
        if isinstance(event.became, Member) and event.became.channel.id is not None:
            self._ready(self._running.get(LegId(event.became.channel.id)))

    async def _up(self, report: Up) -> None:
        self._ready(self._running.get(LegId(report.leg)))

    def _ready(self, performance: Performance | None) -> None:
        if performance is None or performance.has_begun:
            return
        live = performance.line.knock.live
        if live.is_up and live.leg.answered_at is not None:
            performance.has_begun = True
            self._in_turn(performance, None)

    async def _changed(self, event: Event) -> None:
        if not isinstance(event.became, Leg) or not event.became.is_over:
            return
        performance = self._running.pop(event.became.id, None)
        if performance is not None:
            self._in_turn(performance, HungUp())
            ids = [each for each, whose in self._awaited.items() if whose is performance]
            for each in ids:
                del self._awaited[each]

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
        performance = self._awaited.pop(asr.asr_id, None)
        if performance is None or performance.listening is None:
            return
        if performance.listening[1] == asr.asr_id:
            results = tuple(Reading(each.word, each.confidence) for each in asr.results)
            self._in_turn(performance, Heard(results, asr.timeout_reason, asr.error))

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
        run = performance.run
        if performance.line.knock.live.is_ending:  # its sounds end with it, and say so
            happening = HungUp()
        for order in run.begin() if happening is None else run.on(happening):
            await self._obeying[type(order)](performance, order)

    # ── what is to be done ──

    async def _sound(self, performance: Performance, action: Talk | Stream) -> None:
        try:
            place = await self._audio.leg(performance.leg_id, performance.system)
            if isinstance(action, Talk):
                sound_id = await self._audio.say(place, _said(action), performance.system)
            else:
                sound_id = await self._audio.play(place, _played(action), performance.system)
        except TertuliaError as error:
            self._in_turn(performance, SoundOver(str(error)))
            return
        # its done event needs an append of its own, so it cannot have been told yet
        performance.sound, performance.is_speech = sound_id, isinstance(action, Talk)
        self._awaited[sound_id] = performance

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
            recording = await self._audio.record(place, _recorded(action), performance.system)
        except TertuliaError as error:
            self._hooks.complain(performance.line, f"record: {error}")
            if action.has_end:
                self._in_turn(performance, RecordOver())
            return
        self._hooks.keep_recording(recording, performance.line, action)
        if action.has_end:
            performance.recording = recording
            self._awaited[recording] = performance

    async def _enter(self, performance: Performance, meeting: Meeting) -> None:
        try:
            await self._rooms.enter(performance.line, meeting)
        except TertuliaError as error:
            self._in_turn(performance, Barred(f"conversation: {error}"))

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
        self._awaited[asr_id] = performance

    async def _unlisten(self, performance: Performance, _: Unlisten) -> None:
        if performance.listening is None:
            return
        place, asr_id = performance.listening
        try:
            self._audio.stop_listening(place, asr_id)
        except NothingSounds:
            return  # it has been read meanwhile

    async def _wait(self, performance: Performance, wait: Wait) -> None:
        self._errands.after(wait.seconds, partial(self._elapsed, performance, wait.mark))

    async def _elapsed(self, performance: Performance, mark: int) -> None:
        self._in_turn(performance, Elapsed(mark))

    async def _complain(self, performance: Performance, complaint: Complain) -> None:
        self._hooks.complain(performance.line, complaint.reason)

    async def _end(self, performance: Performance, end: End) -> None:
        if end.error is None:
            await self._calls.end(performance.line.knock.live, Ending.REMOVED)
        else:
            await self.abandon(performance.line)

    async def _submit(self, performance: Performance, result: Submit) -> None:
        """Beside the script, which may be over before the application has spoken."""
        self._errands.run(self._ask(performance, result))

    async def _ask(self, performance: Performance, result: Submit) -> None:
        told = Told()
        try:
            said = await self._hooks.submit(performance.line, result)
            if said.lstrip().startswith(b"["):
                told = Told(parse(said))
        except Unanswered as error:
            self._hooks.complain(performance.line, f"input: {error}")
        except ScriptRefused as error:
            told = Told(error=f"input: {error}")
        self._in_turn(performance, told)


def _said(talk: Talk) -> AudioSay:
    is_ssml = talk.text.lstrip().startswith("<speak")
    return AudioSay(
        text=talk.text, level=talk.level, loop=talk.loop, language=talk.language,
        style=talk.style, premium=talk.premium or None, ssml=is_ssml or None,
    )  # fmt: skip


def _played(stream: Stream) -> AudioPlay:
    return AudioPlay(stream_url=stream.stream_url, level=stream.level, loop=stream.loop)


def _recorded(record: Record) -> AudioRecord:
    wanted = record.transcription
    return AudioRecord(
        format=record.format, split=True if record.split else None, channels=record.channels,
        end_on_silence=record.end_on_silence, end_on_key=record.end_on_key,
        time_limit=record.time_out, beep_start=record.beep_start or None,
        transcription=Transcription(
            language=wanted.language, sentiment_analysis=wanted.sentiment_analysis or None
        ) if wanted else None,
    )  # fmt: skip
