"""Control of single legs, as programs ask for it: one by one, by id."""

from collections.abc import Sequence

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.decision import Decision
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

_SETTINGS = {
    "mute": "audio:mute:on", "unmute": "audio:mute:off",
    "earmuff": "audio:earmuff:on", "unearmuff": "audio:earmuff:off",
}  # fmt: skip


class LegControl:
    def __init__(
        self, *, calls: Calls, legs: Legs, conversations: Conversations, directory: Directory
    ) -> None:
        self._calls = calls
        self._legs = legs
        self._conversations = conversations
        self._directory = directory

    async def open(self, sdp: str, actor: Actor) -> tuple[Leg, str]:
        user = await self._directory.user(actor.user_id) if actor.user_id else None
        if user is None:
            raise UserNotFound()
        return await self._calls.open(sdp, actor, name=user.name)

    async def find(self, leg_id: LegId, actor: Actor) -> Leg:
        return await self._legs.find(leg_id, actor)

    async def list(self, where: LegFilter, page: Page) -> Sequence[ListedLeg]:
        return await self._legs.list(where, page)

    async def act(self, leg_id: LegId, action: str, actor: Actor) -> Leg:
        """Raises LegNotFound, LegOver, Forbidden."""
        live = await self.control(leg_id, actor)
        if action == "hangup":
            await self._calls.end(live, _ending(live, actor))
        elif action == "answer":
            await self._answer(live)
        else:
            await self._set(live, _SETTINGS[action])
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

    async def _set(self, live: LiveLeg, name: str) -> None:
        """The event is the cause: the conductor makes it true."""
        leg = live.leg
        if leg.conversation_id is None:
            raise LegOver("The leg is in no conversation.")
        fact = Fact(name, encode_body(LegAudio(leg.id)), leg.member_id, leg.member_id)
        system = Actor(leg.application_id)
        await self._conversations.commit(leg.conversation_id, system, lambda *_: Decision((fact,)))

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
