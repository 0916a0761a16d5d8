"""The house line: answers calls that no application answers, and says back what it hears.

So a developer who has set nothing up yet hears at once that a call works. It is a phone that is not
there: an echo leg with the life of any leg, and a user of its own as its member.
"""

from functools import partial

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending, rang
from tertulia.model.commands import Echo
from tertulia.model.conversation import ConversationDraft
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import AudioSay
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import ConversationId, LegId, UserId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced
from tertulia.model.membership import MemberChange, MemberDraft, UserReference
from tertulia.model.state import Channel, Conversation, Endpoint, Member
from tertulia.ports import Clock, Ids
from tertulia.services.audiocontrol import Place
from tertulia.services.conductor import Reactions
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Gate, Line
from tertulia.services.switchboard import Switchboard
from tertulia.services.users import Users

USER = "house"
GREETING = (
    "Hello. This is your own server. No application answers this call, so I say back what I hear."
)


class House:
    def __init__(self, board: Switchboard, *, users: Users, clock: Clock, ids: Ids) -> None:
        self._calls = board.calls
        self._legs = board.legs
        self._conversations = board.conversations
        self._members = board.members
        self._audio = board.audio
        self._errands = board.errands
        self._ring_seconds = board.patience.house
        self._users = users
        self._clock = clock
        self._ids = ids
        self._called: dict[LegId, Line] = {}
        """Calls that are on their way into their conversation."""
        self._pairs: dict[LegId, LegId] = {}
        """From a caller's leg to that of the house, and back."""

    @property
    def reactions(self) -> Reactions:
        return {"member:joined": self._joined, "member:left": self._left}

    async def take(self, line: Line, gate: Gate) -> None:
        """Answer a call."""
        system = Actor(line.application_id)
        conversation = await self._conversations.create(ConversationDraft(), system, given=line.own)
        self._called[line.leg.id] = line
        if not await gate.admit(conversation.id, answer=True):
            del self._called[line.leg.id]

    async def _joined(self, event: Event) -> None:
        member = event.became
        if not isinstance(member, Member) or member.channel.id is None:
            return
        leg_id = LegId(member.channel.id)
        line = self._called.pop(leg_id, None)
        if line is not None:
            self._errands.after(
                self._ring_seconds, partial(self._answer_in_turn, line, member.conversation_id)
            )
        elif leg_id in self._pairs and member.channel.type == LegType.WEBSOCKET:
            await self._greet(self._pairs[leg_id])

    async def _answer_in_turn(self, line: Line, conversation_id: ConversationId) -> None:
        """With what happens in the conversation, so that a caller who leaves is seen in time."""
        answer = partial(self._answer, line, conversation_id)
        self._errands.in_turn(conversation_id, answer)

    async def _answer(self, line: Line, conversation_id: ConversationId) -> None:
        user_id = await self._users.ensure(USER, line.application_id)
        if line.live.is_ending or user_id is None:
            return
        leg = self._leg(line, user_id)
        self._pairs |= {leg.id: line.leg.id, line.leg.id: leg.id}
        live = await self._legs.begin(leg)
        self._legs.tell(leg.application_id, Echo(leg.id))
        try:
            await self._enter(live, conversation_id)
        except TertuliaError:  # the caller has gone, and perhaps the conversation
            await self._calls.end(live, Ending.CANCELLED)
            raise

    async def _enter(self, live: LiveLeg, conversation_id: ConversationId) -> None:
        leg, system = live.leg, Actor(live.leg.application_id)
        draft = MemberDraft(
            state="invited", user=UserReference(id=leg.user_id),
            channel=Channel(type=leg.type, id=leg.id, from_=leg.from_, to=leg.to),
        )  # fmt: skip
        member, _ = await self._members.create(conversation_id, draft, system)
        await self._ring(live, member)
        await self._members.change(conversation_id, member.id, MemberChange("joined"), system)

    def _leg(self, line: Line, user_id: UserId) -> Leg:
        now = self._clock.now()
        leg = Leg(
            id=LegId(self._ids.bare()), application_id=line.application_id, type=LegType.WEBSOCKET,
            direction=Direction.OUTBOUND, status=LegStatus.STARTED, started_at=now,
            from_=line.leg.from_,
            to=Endpoint(type="websocket", uri=USER), user_id=user_id,
            is_call=True,
        )  # fmt: skip
        return advanced(leg, LegStatus.STARTED, now)

    async def _ring(self, live: LiveLeg, member: Member) -> None:
        def change(leg: Leg, now: Instant) -> Leg:
            placed = replace(leg, conversation_id=member.conversation_id, member_id=member.id)
            return advanced(placed, LegStatus.RINGING, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            return rang(leg)

        await self._legs.change(live, change, telling)

    async def _greet(self, caller: LegId) -> None:
        """The caller alone hears it, or the echo would say it once more."""
        live = self._legs.live(caller)
        if live is None or live.leg.conversation_id is None:
            return
        greeting = AudioSay(text=GREETING, level=0, loop=1, language="en-US")
        place = Place(live.leg.conversation_id, live)
        await self._audio.say(place, greeting, Actor(live.leg.application_id))

    async def _left(self, event: Event) -> None:
        """When one of the two has left, the other has nobody to talk to."""
        member = event.became
        if not isinstance(member, Member) or member.channel.id is None:
            return
        other = self._pairs.pop(LegId(member.channel.id), None)
        if other is not None:
            self._pairs.pop(other, None)
            live = self._legs.live(other)
            if live is not None:
                await self._calls.end(live, Ending.REMOVED)
