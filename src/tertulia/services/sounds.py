"""What is played and said: `audio:play`, `audio:say` and ringing, carried out and told when done.

The event is stored and told before anything sounds; the done event comes when the last sample has
gone out, or at once with the reason why none did.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from tertulia.model.commands import Play, Played, Ripe, StopPlay
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import (
    AudioPlay,
    AudioPlayDone,
    AudioPlayStop,
    AudioSay,
    AudioSayDone,
    AudioSayStop,
)
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.ports import MediaUnavailable
from tertulia.ports.speech import Speech, Utterance
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands, insist
from tertulia.services.legs import Legs
from tertulia.services.reactions import body_of

NOBODY = "nobody is there to hear it"
TOO_MUCH = "too much is to be played there"
SOUNDS_MAX = 100
"""In a conversation, with those that wait."""


class Downloads(Protocol):
    """Files that are played from elsewhere."""

    async def fetch(self, url: str) -> Path:
        """A local copy. Raises TertuliaError saying why there is none."""


class Sound(Struct):
    """What is being played, from its event to the last sample."""

    id: str
    application_id: ApplicationId
    conversation_id: ConversationId
    is_speech: bool
    leg: Leg | None = None
    """Who alone hears it."""
    scratch: Path | None = None
    """The speech, while it is said."""
    is_begun: bool = False
    """A worker has it, and will say when it is over."""
    is_stopped: bool = False


class Sounds:
    def __init__(
        self, *, conversations: Conversations, legs: Legs, speech: Speech, downloads: Downloads,
        errands: Errands, scratch: Path,
    ) -> None:  # fmt: skip
        """`scratch`: a folder for speech that is being said."""
        self._conversations = conversations
        self._legs = legs
        self._speech = speech
        self._downloads = downloads
        self._errands = errands
        self._scratch = scratch
        self._sounds: dict[str, Sound] = {}

    @property
    def reactions(self) -> Reactions:
        return {
            "audio:play": self._play, "audio:play:stop": self._stop, "audio:say": self._say,
            "audio:say:stop": self._stop, "audio:ringing:start": self._ring,
            "audio:ringing:stop": self._stop_ringing,
        }  # fmt: skip

    @property
    def hearings(self) -> Hearings:
        return {Played: self._played}

    def sounding(self, conversation_id: ConversationId, leg_id: LegId | None = None) -> list[Sound]:
        """What is being played to all of a conversation, or to one of its legs."""
        return [
            each
            for each in self._sounds.values()
            if each.conversation_id == conversation_id
            and (each.leg.id if each.leg else None) == leg_id
        ]

    def is_sounding(self, conversation_id: ConversationId, *, speech: bool) -> bool:
        return any(
            each.conversation_id == conversation_id and each.is_speech is speech
            for each in self._sounds.values()
        )

    async def _play(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioPlay):
            await self._sound(event, body.play_id, partial(self._start_play, body=body))

    async def _say(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioSay):
            await self._sound(event, body.say_id, partial(self._start_say, body=body))

    async def _sound(
        self, event: Event, sound_id: str, start: Callable[[Sound], Awaitable[None]]
    ) -> None:
        assert event.conversation_id is not None
        sound = Sound(
            id=sound_id, application_id=event.application_id,
            conversation_id=event.conversation_id, is_speech=event.type == "audio:say",
            leg=self._target(event),
        )  # fmt: skip
        refusal = self._refusal(event)
        self._sounds[sound.id] = sound
        if refusal is not None:
            await self._done(sound, refusal)
        else:
            self._errands.run(self._begin(sound, start))

    def _refusal(self, event: Event) -> str | None:
        """What is for a member without a leg is for nobody, and not for all."""
        assert event.conversation_id is not None
        if self._target(event) is None and (
            event.recipient is not None or not self._legs.within(event.conversation_id)
        ):
            return NOBODY
        there = sum(each.conversation_id == event.conversation_id for each in self._sounds.values())
        return TOO_MUCH if there >= SOUNDS_MAX else None

    async def _begin(self, sound: Sound, start: Callable[[Sound], Awaitable[None]]) -> None:
        """Beside the conversation's other events: a slow server must not hold them up."""
        try:
            await start(sound)
        except (TertuliaError, ValueError, OSError) as error:
            await self._done(sound, str(error))

    async def _start_play(self, sound: Sound, body: AudioPlay) -> None:
        """COMPAT: of several addresses the first that has something is played."""
        for index, url in enumerate(body.stream_url):
            try:
                path = await self._downloads.fetch(url)
                break
            except TertuliaError:
                if index + 1 == len(body.stream_url):
                    raise
        self._tell_play(sound, str(path), "file", body)

    async def _start_say(self, sound: Sound, body: AudioSay) -> None:
        sound.scratch = path = self._scratch / f"say-{sound.id}.raw"
        utterance = Utterance(
            text=body.text, is_ssml=bool(body.ssml), language=body.language,
            voice=body.voice_name, style=body.style or 0,
        )  # fmt: skip
        await asyncio.to_thread(path.touch)
        try:
            if self._tell_play(sound, str(path), "raw", body):
                await self._speak(sound, utterance, path)
        finally:
            if sound.id not in self._sounds:  # stopped, while this was being made
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _speak(self, sound: Sound, utterance: Utterance, path: Path) -> None:
        try:
            size = await self._speech.say(utterance, path)
        except (TertuliaError, ValueError) as error:
            self._legs.tell(sound.application_id, Ripe(sound.id, 0, str(error)))
            raise
        self._legs.tell(sound.application_id, Ripe(sound.id, size))

    def _tell_play(self, sound: Sound, path: str, kind: str, body: AudioPlay | AudioSay) -> bool:
        """False when it has been stopped meanwhile. Raises MediaUnavailable."""
        if sound.id not in self._sounds:
            return False
        leg_id = sound.leg.id if sound.leg else None
        command = Play(
            play=sound.id, path=path, kind=kind, leg=leg_id,
            room=None if leg_id else sound.conversation_id, level=float(body.level),
            loop=body.loop, queue=bool(body.queue),
        )  # fmt: skip
        sound.is_begun = self._legs.tell(sound.application_id, command)
        if not sound.is_begun:
            raise MediaUnavailable("No media worker is there.")
        return True

    async def _stop(self, event: Event) -> None:
        body = body_of(event)
        named = body.play_id if isinstance(body, AudioPlayStop) else ""
        if isinstance(body, AudioSayStop):
            named = body.say_id
        sound = self._sounds.get(named)
        if sound is not None and sound.conversation_id == event.conversation_id:
            sound.is_stopped = True
            self._legs.tell(sound.application_id, StopPlay(sound.id))
            if not sound.is_begun:
                await self._done(sound, None)

    async def _played(self, report: Played) -> None:
        sound = self._sounds.get(report.play)
        if sound is not None:
            await self._done(sound, report.error)

    async def _done(self, sound: Sound, error: str | None) -> None:
        """Once; of what was stopped on request the stop event has told."""
        if self._sounds.pop(sound.id, None) is None:
            return
        if sound.scratch is not None:
            await asyncio.to_thread(sound.scratch.unlink, missing_ok=True)
        if sound.is_stopped and error is None:
            return
        channel = sound.leg.channel if sound.leg else None
        if sound.is_speech:
            name, raw = "audio:say:done", encode_body(AudioSayDone(sound.id, error, channel))
        else:
            name, raw = "audio:play:done", encode_body(AudioPlayDone(sound.id, error, channel))
        tell, fact = self._conversations.tell_if_there, Fact(name, raw)
        await insist(partial(tell, sound.conversation_id, sound.application_id, fact))

    def _target(self, event: Event) -> Leg | None:
        """The leg of the member that the event is for."""
        return self._legs.recipient(event)

    async def _ring(self, event: Event) -> None:
        leg = self._target(event)
        if self._refusal(event) is not None:
            return
        command = Play(
            play=_ringing(event), path="ringback", kind="tone", leg=leg.id if leg else None,
            room=None if leg else event.conversation_id, loop=0,
        )  # fmt: skip
        self._legs.tell(event.application_id, command)

    async def _stop_ringing(self, event: Event) -> None:
        self._legs.tell(event.application_id, StopPlay(_ringing(event)))


def _ringing(event: Event) -> str:
    return f"ringing-{event.conversation_id}-{event.recipient or ''}"
