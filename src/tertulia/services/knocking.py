"""Knocking: a client calls the application, which decides what becomes of the call."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.errors import (
    Forbidden,
    KnockingNotFound,
    LegNotFound,
    LegOver,
    TertuliaError,
    ValidationFailed,
)
from tertulia.model.event import Fact
from tertulia.model.events.knocking import AppKnocking, AppKnockingCancel, Knocker
from tertulia.model.events.registry import BODY_MAX, Body, encode_body
from tertulia.model.events.values import CustomData
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.instant import Instant, iso
from tertulia.model.membership import MemberDraft, UserReference
from tertulia.model.state import Channel, Endpoint, Member, Reason, User
from tertulia.ports import Clock, Ids
from tertulia.services.calls import Calls
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.members import Members


class KnockDraft(Struct, frozen=True):
    """The body of a knocking (wire-api 4.1)."""

    channel: Channel
    properties: CustomData | None = None
    originating_session: str | None = None


class Knock(Struct, frozen=True):
    """A call that waits for the application to say where it goes."""

    id: str
    application_id: ApplicationId
    user: User
    live: LiveLeg
    to: Endpoint
    custom_data: dict[str, Any]
    created_at: Instant


class Knocking:
    def __init__(
        self, *, calls: Calls, legs: Legs, conversations: Conversations, members: Members,
        clock: Clock, ids: Ids, errands: Errands,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._legs = legs
        self._conversations = conversations
        self._members = members
        self._clock = clock
        self._ids = ids
        self._errands = errands
        self._waiting: dict[str, Knock] = {}
        self.decide: Callable[[Knock], Awaitable[None]] = self.refuse
        """What becomes of a knock: it is admitted or refused."""

    async def knock(self, draft: KnockDraft, user: User, actor: Actor) -> Knock:
        """Raises LegNotFound, LegOver: there is no leg of the user's that could be connected."""
        live = self._legs.live(draft.channel.id)
        if live is None or live.leg.user_id != user.id:
            raise LegNotFound()
        async with live.turn:
            knock = await self._begin(live, draft, user)
        self._errands.run(self._decide(knock))
        return knock

    async def _begin(self, live: LiveLeg, draft: KnockDraft, user: User) -> Knock:
        if live.is_ending or live.leg.knocking_id or live.leg.conversation_id:
            raise LegOver("The leg is in a call already.")
        channel = replace(
            draft.channel, from_=Endpoint(type="app", user=user.name),
            to=draft.channel.to or Endpoint(type="app"),
        )  # fmt: skip
        properties = draft.properties or CustomData({})
        knock = Knock(
            id=f"knocking-{self._ids.bare()}", application_id=user.application_id, user=user,
            live=live, to=channel.to or Endpoint(), custom_data=properties.custom_data,
            created_at=self._clock.now(),
        )  # fmt: skip
        body = AppKnocking(Knocker(user.id), channel, properties)
        if len(encode_body(body)) > BODY_MAX:
            raise ValidationFailed.of("body", f"must not be larger than {BODY_MAX} bytes")
        await self._tell("app:knocking", body, knock)
        live.leg = replace(
            live.leg, knocking_id=knock.id, from_=channel.from_ or Endpoint(), to=knock.to
        )
        self._waiting[knock.id] = knock
        return knock

    async def cancel(self, knock_id: str, actor: Actor, reason: Reason | None) -> None:
        """The client gives up. Raises KnockingNotFound, also when it is a call by now."""
        knock = self._waiting.get(knock_id)
        if knock is None or knock.application_id != actor.application_id:
            raise KnockingNotFound()
        if not actor.is_system and actor.user_id != knock.user.id:
            raise Forbidden("A user may only cancel a call of its own.")
        await self._close(knock, Ending.HUNG_UP, reason)

    async def admit(self, knock: Knock, conversation_id: ConversationId) -> Member | None:
        """Let the caller join a conversation by its leg; None when it has gone meanwhile."""
        if knock.live.is_ending or self._waiting.pop(knock.id, None) is None:
            return None
        leg = knock.live.leg
        channel = Channel(type="app", id=leg.id, from_=leg.from_, to=knock.to, knocking_id=knock.id)
        draft = MemberDraft(
            state="joined", user=UserReference(id=knock.user.id), channel=channel,
            knocking_id=knock.id,
        )  # fmt: skip
        system = Actor(knock.application_id)
        try:
            member, _ = await self._members.create(conversation_id, draft, system)
        except TertuliaError:
            self._waiting[knock.id] = knock  # to be refused
            raise
        return member

    async def refuse(self, knock: Knock, ending: Ending = Ending.NOT_FOUND) -> None:
        """Nobody wants the call."""
        await self._close(knock, ending, None)

    async def lost(self, leg_id: LegId) -> None:
        """The leg of a knock has ended: nobody waits any more."""
        for knock in list(self._waiting.values()):
            if knock.live.leg.id == leg_id:
                await self._close(knock, Ending.LOST, None)

    def is_waiting(self, knock: Knock) -> bool:
        return knock.id in self._waiting

    async def _decide(self, knock: Knock) -> None:
        try:
            await self.decide(knock)
        except TertuliaError:
            await self.refuse(knock)
            raise
        finally:
            if self.is_waiting(knock):
                await self.refuse(knock)

    async def _close(self, knock: Knock, ending: Ending, reason: Reason | None) -> None:
        if self._waiting.pop(knock.id, None) is None:
            return
        now = iso(self._clock.now())
        reason = reason or Reason(code=ending.value.code, text=ending.value.text)
        body = AppKnockingCancel(
            Knocker(knock.user.id), {"created": iso(knock.created_at), "destroyed": now}, reason
        )
        await self._tell("app:knocking:cancel", body, knock)
        await self._calls.end(knock.live, ending)

    async def _tell(self, name: str, body: Body, knock: Knock) -> None:
        await self._conversations.happen(knock.application_id, Fact(name, encode_body(body)))
