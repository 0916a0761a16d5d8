"""What call scripts order of the audio: sounds, recordings, listening; and what becomes of it."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from tertulia.model.errors import NothingSounds, TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import (
    AudioAsrDone,
    AudioAsrRecordDone,
    AudioPlayDone,
    AudioPlayStop,
    AudioRecordDone,
    AudioSayDone,
    AudioSayStop,
)
from tertulia.model.ids import LegId
from tertulia.model.script import Record, Stream, Talk
from tertulia.model.script_orders import (
    Happening,
    Heard,
    Hush,
    Listen,
    Reading,
    RecordOver,
    SoundOver,
    Unlisten,
)
from tertulia.services.audio_actions import played, recorded, said
from tertulia.services.audiocontrol import AudioControl
from tertulia.services.conductor import Reactions
from tertulia.services.performance import Performance
from tertulia.services.reactions import body_of
from tertulia.services.recognition import Wanted
from tertulia.services.voicehooks import VoiceHooks

Obeying = dict[type, Callable[[Performance, Any], Awaitable[None]]]
"""What is done about each kind of order."""


class ScriptAudio:
    def __init__(
        self,
        actions: AudioControl,
        hooks: VoiceHooks,
        tell: Callable[[Performance, Happening], None],
    ) -> None:
        """`tell`: takes a script on."""
        self._actions = actions
        self._hooks = hooks
        self._tell = tell
        self._awaited: dict[str, Performance] = {}
        """By the id of a sound, a recording or a listening."""

    @property
    def orders(self) -> Obeying:
        return {
            Talk: self._sound, Stream: self._sound, Hush: self._hush, Record: self._record,
            Listen: self._listen, Unlisten: self._unlisten,
        }  # fmt: skip

    @property
    def reactions(self) -> Reactions:
        return {
            "audio:say:done": self._sounded, "audio:say:stop": self._sounded,
            "audio:play:done": self._sounded, "audio:play:stop": self._sounded,
            "audio:record:done": self._recorded, "audio:asr:done": self._understood,
            "audio:asr:record:done": self._saved,
        }  # fmt: skip

    def forget(self, performance: Performance) -> None:
        """Whatever it waits for."""
        for each in [each for each, whose in self._awaited.items() if whose is performance]:
            del self._awaited[each]

    async def _sound(self, performance: Performance, action: Talk | Stream) -> None:
        try:
            place = await self._actions.leg(performance.leg_id, performance.system)
            if isinstance(action, Talk):
                sound_id = await self._actions.say(place, said(action), performance.system)
            else:
                sound_id = await self._actions.play(place, played(action), performance.system)
        except TertuliaError as error:
            self._tell(performance, SoundOver(str(error)))
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
            place = await self._actions.leg(performance.leg_id, performance.system)
            await self._actions.stop_sound(
                place, sound_id, performance.system, speech=performance.is_speech
            )
        except TertuliaError as error:
            self._hooks.complain(performance.line, str(error))

    async def _record(self, performance: Performance, action: Record) -> None:
        try:
            place = await self._actions.leg(performance.leg_id, performance.system)
            recording = await self._actions.record(place, recorded(action), performance.system)
        except TertuliaError as error:
            self._hooks.complain(performance.line, f"record: {error}")
            if action.has_end:
                self._tell(performance, RecordOver())
            return
        if not performance.line.live.is_ending:
            self._hooks.keep_recording(recording, performance.line, action)
        if action.has_end:
            performance.recording = recording
            self._await(performance, recording)

    async def _listen(self, performance: Performance, order: Listen) -> None:
        speech = order.speech
        leg_id = LegId(speech.uuid[0]) if speech.uuid else performance.leg_id
        wanted = Wanted(
            language=speech.language, hints=speech.context, end_on_silence=speech.end_on_silence,
            start_timeout=order.start_timeout, max_duration=speech.max_duration,
            save_audio=speech.save_audio, sensitivity=speech.sensitivity,
        )  # fmt: skip
        try:
            place = await self._actions.leg(leg_id, performance.system)
            asr_id = self._actions.listen(place, wanted)
        except TertuliaError as error:
            self._tell(performance, Heard(error=str(error)))
            return
        performance.listening = (place, asr_id)
        performance.saves = speech.save_audio
        self._await(performance, asr_id)

    async def _unlisten(self, performance: Performance, _: Unlisten) -> None:
        if performance.listening is None:
            return
        place, asr_id = performance.listening
        try:
            self._actions.stop_listening(place, asr_id)
        except NothingSounds:
            return  # it has been read meanwhile

    # ── what is heard of it ──

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
            self._tell(performance, SoundOver(error))

    async def _recorded(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioRecordDone):
            return
        performance = self._awaited.pop(body.recording_id, None)
        if performance is not None and performance.recording == body.recording_id:
            self._tell(performance, RecordOver())  # of an error the hooks have told

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
            self._tell(performance, heard)

    def _await(self, performance: Performance, what: str) -> None:
        if not performance.line.live.is_ending:
            self._awaited[what] = performance
