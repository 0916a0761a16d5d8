"""Control of single legs, as programs ask for it: one by one, by id."""

from collections.abc import Sequence

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.errors import Forbidden, LegOver, UserNotFound
from tertulia.model.event import Fact
from tertulia.model.events.audio import LegAudio
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg
from tertulia.model.state import MemberState
from tertulia.ports import Directory, LegFilter, ListedLeg, Page
from tertulia.services.calls import Calls
from tertulia.services.conversations import Conversations
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.openings import Openings

_SETTINGS = {
    "mute": ("audio:mute:on", {"muted": True}), "unmute": ("audio:mute:off", {"muted": False}),
    "earmuff": ("audio:earmuff:on", {"earmuffed": True}),
    "unearmuff": ("audio:earmuff:off", {"earmuffed": False}),
}  # fmt: skip


class LegControl:
    def __init__(
        self, *, openings: Openings, calls: Calls, legs: Legs, conversations: Conversations,
        directory: Directory,
    ) -> None:  # fmt: skip
        self._openings = openings
        self._calls = calls
        self._legs = legs
        self._conversations = conversations
        self._directory = directory

    async def open(self, sdp: str, actor: Actor) -> tuple[Leg, str]:
        user = await self._directory.user(actor.user_id) if actor.user_id else None
        if user is None:
            raise UserNotFound()
        return await self._openings.call(sdp, actor, name=user.name)

    async def find(self, leg_id: LegId, actor: Actor) -> Leg:
        return await self._legs.find(leg_id, actor)

    async def list(self, where: LegFilter, page: Page) -> Sequence[ListedLeg]:
        """Those that have not ended as they are now: their audio settings are stored only with
        their next status."""
        found = await self._legs.list(where, page)
        return [self._as_it_is(each) for each in found]

    async def act(self, leg_id: LegId, action: str, actor: Actor) -> Leg:
        """Raises LegNotFound, LegOver, Forbidden."""
        live = await self.control(leg_id, actor)
        if action == "hangup":
            await self._calls.end(live, _ending(live, actor))
        elif action == "answer":
            await self._answer(live)
        else:
            return await self._set(live, action)
        return live.leg

    async def end(self, leg_id: LegId, actor: Actor) -> None:
        """End it; once more is fine and does nothing."""
        leg = await self.find(leg_id, actor)
        if not leg.is_over:
            live = await self.control(leg_id, actor)
            await self._calls.end(live, _ending(live, actor))

    async def control(self, leg_id: LegId, actor: Actor) -> LiveLeg:
        """A live leg that the actor may act upon: the application's any, a user's its own."""
        leg = await self.find(leg_id, actor)
        if not actor.is_system and leg.user_id != actor.user_id:
            raise Forbidden("A user may only act on a leg of its own.")
        live = self._legs.live(leg_id)
        if live is None or live.is_ending:
            raise LegOver("The leg has ended.")
        return live

    def _as_it_is(self, listed: ListedLeg) -> ListedLeg:
        live = self._legs.live(listed.leg.id)
        return replace(listed, leg=live.leg) if live is not None else listed

    async def _set(self, live: LiveLeg, action: str) -> Leg:
        """The event is the cause: the conductor makes it true. The leg as it will be then."""
        leg = live.leg
        if leg.conversation_id is None:
            raise LegOver("The leg is in no conversation.")
        name, changed = _SETTINGS[action]
        fact = Fact(name, encode_body(LegAudio(leg.id)), leg.member_id, leg.member_id)
        await self._conversations.tell(leg.conversation_id, leg.application_id, fact)
        return replace(live.leg, **changed)

    async def _answer(self, live: LiveLeg) -> None:
        leg = live.leg
        if leg.answered_at is not None or leg.conversation_id is None:
            raise LegOver("The leg waits for no answer.")
        conversation = await self._conversations.newest(leg.conversation_id)
        member = conversation.members.get(leg.member_id) if conversation and leg.member_id else None
        if member is None or member.state is not MemberState.JOINED:
            raise LegOver("The leg's member has not joined the conversation.")
        await self._calls.attach(live, member)


def _ending(live: LiveLeg, actor: Actor) -> Ending:
    own = not actor.is_system
    if live.leg.answered_at is None:
        return Ending.REJECTED if own else Ending.CANCELLED
    return Ending.HUNG_UP if own else Ending.REMOVED
