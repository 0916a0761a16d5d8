"""Audio of a leg or of a whole conversation, as programs ask for it by REST.

Each request is an event like one that a program posts; what follows from it is the conductor's.
"""

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.errors import Forbidden, LegOver, NothingSounds
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import (
    AudioDtmf,
    AudioPlay,
    AudioPlayStop,
    AudioRecord,
    AudioRecordStop,
    AudioSay,
    AudioSayStop,
)
from tertulia.model.events.registry import Body, encode_body, find, mint
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.ports import Ids
from tertulia.services.audio import Audio
from tertulia.services.conductor import Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.legcontrol import LegControl
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.reactions import body_of
from tertulia.services.recognition import Wanted


class Place(Struct, frozen=True):
    """Where audio is wanted: in a conversation, or in one of its legs."""

    conversation_id: ConversationId
    live: LiveLeg | None = None

    @property
    def leg_id(self) -> LegId | None:
        return self.live.leg.id if self.live else None


class MediaState(Struct, frozen=True):
    """What is going on in a conversation or a leg. COMPAT: all are there (wire-clients 5.5)."""

    mute: bool = False
    earmuff: bool = False
    play_stream: bool = False
    tts: bool = False
    recording: bool = False
    transcribing: bool = False


class AudioControl:
    def __init__(
        self, *, audio: Audio, control: LegControl, legs: Legs, conversations: Conversations,
        ids: Ids,
    ) -> None:  # fmt: skip
        self._audio = audio
        self._control = control
        self._legs = legs
        self._conversations = conversations
        self._ids = ids
        self._asked: dict[str, tuple[str, Place]] = {}
        """What is about to sound, by its id: how it was asked for, and where."""

    @property
    def reactions(self) -> Reactions:
        """Behind those of the sounds."""
        return {"audio:play": self._begun, "audio:say": self._begun}

    async def leg(self, leg_id: LegId, actor: Actor) -> Place:
        """A leg in a conversation, which the actor may act upon. Raises LegOver, LegNotFound."""
        live = await self._control.control(leg_id, actor)
        if live.leg.conversation_id is None:
            raise LegOver("The leg is in no conversation.")
        await self._authorise(live.leg.conversation_id, actor)
        return Place(live.leg.conversation_id, live)

    async def conversation(self, conversation_id: ConversationId, actor: Actor) -> Place:
        """Raises ConversationNotFound, Forbidden."""
        await self._authorise(conversation_id, actor)
        return Place(conversation_id)

    async def play(self, place: Place, body: AudioPlay, actor: Actor) -> str:
        """Its id."""
        return await self._ask(place, "audio:play", body, actor)

    async def say(self, place: Place, body: AudioSay, actor: Actor) -> str:
        return await self._ask(place, "audio:say", body, actor)

    async def record(self, place: Place, body: AudioRecord, actor: Actor) -> str:
        return await self._ask(place, "audio:record", body, actor)

    async def press(self, place: Place, digits: str, actor: Actor) -> None:
        """COMPAT: the client SDK needs `digit` and the channel (wire-clients 5.5)."""
        channel = place.live.leg.channel if place.live else None
        body = AudioDtmf(digit=digits, digits=digits, channel=channel)
        await self._ask(place, "audio:dtmf", body, actor)

    async def stop_sounds(self, place: Place, actor: Actor, *, speech: bool) -> None:
        """Stop what is played, or said, there, or is about to be. Raises NothingSounds."""
        kind = "audio:say" if speech else "audio:play"
        sounding = [
            each.id
            for each in self._audio.sounds.sounding(place.conversation_id, place.leg_id)
            if each.is_speech is speech
        ]
        sounding += [each for each, asked in self._asked.items() if asked == (kind, place)]
        if not sounding:
            raise NothingSounds()
        for each in dict.fromkeys(sounding):
            await self.stop_sound(place, each, actor, speech=speech)

    async def stop_sound(self, place: Place, sound_id: str, actor: Actor, *, speech: bool) -> None:
        """Stop one that was asked for, be it sounding yet or not."""
        if speech:
            await self._ask(place, "audio:say:stop", AudioSayStop(sound_id), actor)
        else:
            await self._ask(place, "audio:play:stop", AudioPlayStop(sound_id), actor)

    async def stop_recordings(self, place: Place, actor: Actor) -> None:
        """Raises NothingSounds."""
        taking = self._audio.recordings.taking(place.conversation_id, place.leg_id)
        if not taking:
            raise NothingSounds()
        for each in taking:
            await self._ask(place, "audio:record:stop", AudioRecordStop(each), actor)

    def listen(self, place: Place, wanted: Wanted, *, instead: bool = False) -> str:
        """Recognise what is said on a leg next; the id of that. `instead` of what listens now."""
        recognition, live = self._audio.recognition, _listened(place)
        earlier = recognition.of_leg(live.leg.id) if instead else []
        for each in earlier:
            recognition.stop(each)
        return recognition.start(live, wanted)

    def listen_again(self, place: Place, asr_id: str) -> None:
        """For what was wanted before by this id. Raises NothingSounds."""
        self._audio.recognition.start_again(_listened(place), asr_id)

    def stop_listening(self, place: Place, asr_id: str | None = None) -> None:
        """Raises NothingSounds."""
        listening = self._audio.recognition.of_leg(place.leg_id or "")
        if asr_id is not None:
            listening = [each for each in listening if each == asr_id]
        if not listening:
            raise NothingSounds()
        for each in listening:
            self._audio.recognition.stop(each)

    def state(self, conversation_id: ConversationId) -> MediaState:
        legs = self._legs.within(conversation_id)
        sounds, recordings = self._audio.sounds, self._audio.recordings
        return MediaState(
            mute=bool(legs) and all(each.leg.muted for each in legs),
            earmuff=bool(legs) and all(each.leg.earmuffed for each in legs),
            play_stream=sounds.is_sounding(conversation_id, speech=False),
            tts=sounds.is_sounding(conversation_id, speech=True),
            recording=recordings.is_taking(conversation_id),
            transcribing=recordings.is_transcribing(conversation_id),
        )

    def leg_state(self, leg: Leg) -> MediaState:
        """The same of one leg; what is played to all of its conversation is not the leg's."""
        where = leg.conversation_id
        sounds = self._audio.sounds.sounding(where, leg.id) if where else []
        return MediaState(
            mute=leg.muted, earmuff=leg.earmuffed,
            play_stream=any(not each.is_speech for each in sounds),
            tts=any(each.is_speech for each in sounds),
            recording=bool(where and self._audio.recordings.taking(where, leg.id)),
        )  # fmt: skip

    async def _authorise(self, conversation_id: ConversationId, actor: Actor) -> None:
        """What goes on in a conversation is its members' and the application's to say: they could
        ask for it by events too."""
        conversation = await self._conversations.seen(conversation_id, actor)
        if not actor.is_system and actor.membership(conversation) is None:
            raise Forbidden("Only who has joined the conversation may control its audio.")

    async def _ask(self, place: Place, name: str, body: Body, actor: Actor) -> str:
        event_type = find(name)
        assert event_type is not None
        minted = self._ids.bare()
        kept = mint(event_type, body, minted)
        recipient = place.live.leg.member_id if place.live else None
        conversation = await self._conversations.seen(place.conversation_id, actor)
        sender = actor.membership(conversation)
        fact = Fact(name, encode_body(kept), sender.id if sender else None, recipient)
        if name in self.reactions:
            self._asked[minted] = (name, place)
        try:
            await self._conversations.tell(place.conversation_id, actor.application_id, fact)
        except BaseException:
            self._asked.pop(minted, None)
            raise
        return minted

    async def _begun(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioPlay):
            self._asked.pop(body.play_id, None)
        elif isinstance(body, AudioSay):
            self._asked.pop(body.say_id, None)


def _listened(place: Place) -> LiveLeg:
    if place.live is None:
        raise LegOver("Only a leg can be listened to.")
    return place.live
