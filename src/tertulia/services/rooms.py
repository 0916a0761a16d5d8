"""Rooms: conversations that call scripts name, with who opens them, waits for them, ends them."""

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.conversation import ConversationDraft
from tertulia.model.errors import DuplicateConversationName, TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import AudioPlay, AudioRecord
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.model.script import Meeting, Record
from tertulia.model.state import Member
from tertulia.ports import ConversationFilter, Page
from tertulia.services.audiocontrol import Place
from tertulia.services.conductor import Reactions
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Line
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import VoiceHooks


class Stay(Struct):
    """A call in a room, from before it enters."""

    line: Line
    meeting: Meeting
    conversation_id: ConversationId
    waits: bool
    """It hears and is heard by nobody until somebody opens the room."""
    has_arrived: bool = False
    music: str | None = None

    @property
    def live(self) -> LiveLeg:
        return self.line.live

    @property
    def place(self) -> Place:
        return Place(self.conversation_id, self.live)


class Rooms:
    def __init__(self, board: Switchboard, hooks: VoiceHooks) -> None:
        self._calls = board.calls
        self._legs = board.legs
        self._conversations = board.conversations
        self._members = board.members
        self._audio = board.audio
        self._hooks = hooks
        self._stays: dict[LegId, Stay] = {}

    @property
    def reactions(self) -> Reactions:
        return {
            "member:joined": self._joined, "member:media": self._heard,
            "member:left": self._left, "leg:status:update": self._changed,
        }  # fmt: skip

    async def find(
        self, name: str, application_id: ApplicationId, *, given: ConversationId | None = None
    ) -> ConversationId:
        """The conversation of that name; made, with the id given, when it is not there."""
        system = Actor(application_id)
        while True:
            where = ConversationFilter(application_id, name=name)
            if found := await self._conversations.list(where, Page(limit=1)):
                return found[0].profile.id
            try:
                draft = ConversationDraft(name=name)
                return (await self._conversations.create(draft, system, given=given)).id
            except DuplicateConversationName:  # made meanwhile
                continue

    async def prepare(self, line: Line, meeting: Meeting, room: ConversationId) -> None:
        """Set a call's audio as the script says, before it enters."""
        if line.live.is_ending:
            return
        waits = not meeting.start_on_enter and not self._is_open(room)
        stay = self._stays[line.leg.id] = Stay(line, meeting, room, waits)
        if meeting.mute and not line.leg.muted:
            await self._calls.hear(stay.live, muted=True)
        self._restrict(stay)

    async def enter(self, line: Line, meeting: Meeting) -> None:
        """Bring a call into a room, if it is not there already. Raises TertuliaError."""
        leg = line.leg
        before = self._stays.get(leg.id)
        if before is not None and before.conversation_id == leg.conversation_id:
            return
        room = await self.find(meeting.name, leg.application_id)
        await self.prepare(line, meeting, room)
        await self._members.create(room, line.entry, Actor(leg.application_id))
        if before is not None:
            await self._close(before)

    async def open_own(self, line: Line) -> ConversationId:
        """A conversation for a call alone."""
        made = await self._conversations.create(ConversationDraft(), Actor(line.application_id))
        return made.id

    async def leave(self, line: Line) -> None:
        """Back into a conversation of the call's own."""
        if line.leg.conversation_id != line.own and not line.live.is_ending:
            if await self._conversations.newest(line.own) is None:
                line.own = await self.open_own(line)
            await self._members.create(line.own, line.entry, Actor(line.application_id))

    # ── what the log says ──

    async def _joined(self, event: Event) -> None:
        member = event.became
        if not isinstance(member, Member):
            return
        stay = self._stay_of(member)
        if stay is not None:
            await self._arrived(stay)
        await self._open(member.conversation_id)

    async def _heard(self, event: Event) -> None:
        if event.conversation_id is not None:
            await self._open(event.conversation_id)

    async def _left(self, event: Event) -> None:
        stay = self._stay_of(event.became) if isinstance(event.became, Member) else None
        if stay is not None:
            await self._exit(stay)

    async def _changed(self, event: Event) -> None:
        leg = event.became
        stay = self._stays.get(leg.id) if isinstance(leg, Leg) and leg.is_over else None
        if stay is not None:
            await self._exit(stay)

    async def _exit(self, stay: Stay) -> None:
        del self._stays[stay.line.leg.id]
        await self._close(stay)

    async def _close(self, stay: Stay) -> None:
        if stay.meeting.end_on_exit and stay.has_arrived:
            for live in self._legs.within(stay.conversation_id):
                await self._calls.end(live, Ending.REMOVED)

    def _stay_of(self, member: Member) -> Stay | None:
        stay = self._stays.get(LegId(member.channel.id)) if member.channel.id else None
        is_there = stay is not None and stay.conversation_id == member.conversation_id
        return stay if is_there else None

    async def _arrived(self, stay: Stay) -> None:
        if stay.has_arrived or stay.live.is_ending:  # a phone joins again when it is answered
            return
        stay.has_arrived = True
        system, meeting = Actor(stay.line.leg.application_id), stay.meeting
        try:
            if stay.waits and meeting.music_on_hold_url:
                music = AudioPlay(stream_url=meeting.music_on_hold_url, level=0, loop=0)
                stay.music = await self._audio.play(stay.place, music, system)
            if meeting.record and not self._audio.state(stay.conversation_id).recording:
                place = Place(stay.conversation_id)
                recording = await self._audio.record(place, AudioRecord(format="mp3"), system)
                self._hooks.keep_recording(recording, stay.line, Record())
        except TertuliaError as error:
            self._hooks.complain(stay.line, f"conversation: {error}")

    # ── waiting ──

    def _is_open(self, room: ConversationId) -> bool:
        """Somebody is there who does not wait."""
        there = [each.leg for each in self._legs.within(room) if each.leg.answered_at is not None]
        stays = [self._stays.get(leg.id) for leg in there]
        return any(stay is None or not stay.waits for stay in stays)

    async def _open(self, room: ConversationId) -> None:
        there = [self._stays.get(live.leg.id) for live in self._legs.within(room)]
        waiting = [each for each in there if each and each.waits and each.conversation_id == room]
        if not waiting or not self._is_open(room):
            return
        for stay in waiting:
            stay.waits = False
            self._restrict(stay)
        for stay in waiting:
            if stay.music is not None:
                system = Actor(stay.line.leg.application_id)
                await self._audio.stop_sound(stay.place, stay.music, system, speech=False)

    def _restrict(self, stay: Stay) -> None:
        meeting = stay.meeting
        can_hear = [] if stay.waits else meeting.can_hear
        can_speak = [] if stay.waits else meeting.can_speak
        if (can_hear, can_speak) != (stay.live.leg.can_hear, stay.live.leg.can_speak):
            self._calls.restrict(stay.live, can_hear=can_hear, can_speak=can_speak)
