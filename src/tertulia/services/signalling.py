"""Signalling of app legs: offers and answers between clients and media workers.

A client's offer makes a leg or gives one a new media path; the server's offer rides in an
invitation, and makes the invited user's clients ring.
"""

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending, rang
from tertulia.model.commands import Accept
from tertulia.model.decision import Decision
from tertulia.model.errors import (
    ConversationNotFound,
    Forbidden,
    InvalidMemberState,
    LegNotFound,
    LegOver,
    MemberNotFound,
    Unavailable,
)
from tertulia.model.event import Fact
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.registry import encode_body
from tertulia.model.events.rtc import RtcAnswer, RtcOffer, RtcTerminate
from tertulia.model.events.values import Direction
from tertulia.model.ids import ConversationId, LegId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced
from tertulia.model.membership import MemberDraft
from tertulia.model.state import Conversation, Endpoint, Member, MemberState, User
from tertulia.ports import Clock, Ids
from tertulia.services.calls import Calls, Foreword, Patience
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.openings import Openings

RINGING_MAX = 120.0
"""Seconds."""


class Sdp(Struct, frozen=True):
    sdp: str
    session: str | None = None
    """Of the client that sent it."""


class Ringing(Struct, frozen=True):
    """An invitation that is a call: the leg that waits to be answered, and its offer."""

    live: LiveLeg
    sdp: str
    draft: MemberDraft
    """With the leg in its channel."""


class Signalling:
    def __init__(
        self, *, openings: Openings, calls: Calls, legs: Legs, conversations: Conversations,
        clock: Clock, ids: Ids, errands: Errands, patience: Patience,
    ) -> None:  # fmt: skip
        self._openings = openings
        self._calls = calls
        self._legs = legs
        self._conversations = conversations
        self._clock = clock
        self._ids = ids
        self._errands = errands
        self._patience = patience

    # ── the client offers ──

    async def enable(
        self, conversation_id: ConversationId, member_id: MemberId, given: Sdp, actor: Actor,
    ) -> LegId:  # fmt: skip
        """Give a joined member audio; the answer follows as an event for its user alone.

        Who was invited by a call and answers with an offer of its own has the leg of the call.
        """
        member = await self._joined(conversation_id, member_id, actor)
        live = self._unused(member)
        if live is not None:
            answer = await self._openings.renewed(live, given.sdp)
        else:
            who = replace(actor, user_id=member.user_id)
            leg = self._openings.started(who, Endpoint(type="app"), is_call=False)
            live, answer = await self._openings.taken(leg, given.sdp)
        tell = _answer(live.leg, answer, member.id, given.session)
        # in one commit, behind the HTTP answer: from that the client knows the leg that is meant
        try:
            await self._calls.attach(live, member, tell)
        except BaseException:
            self._errands.run(self._calls.end(live, Ending.UNUSED))
            raise
        return live.leg.id

    def _unused(self, member: Member) -> LiveLeg | None:
        """The leg by which a member was invited, or that it has lost."""
        live = self._legs.named(member)
        if live is None or live.is_up or live.is_ending or live.leg.member_id != member.id:
            return None
        return live

    async def renew(
        self, conversation_id: ConversationId, leg_id: LegId, given: Sdp, actor: Actor
    ) -> None:
        """Give a leg a new media path, for a client that has lost the old one."""
        live, member = await self._own(conversation_id, leg_id, actor)
        answer = await self._openings.renewed(live, given.sdp)
        tell = _answer(live.leg, answer, member.id, given.session)
        system = Actor(actor.application_id)
        await self._conversations.commit(
            conversation_id, system, lambda conversation, _: Decision((tell(conversation),))
        )

    async def terminate(
        self, conversation_id: ConversationId, leg_id: LegId, actor: Actor, *, session: str | None
    ) -> None:
        """Take the audio of a member away; its membership stays, if it did not come by the leg."""
        live, member = await self._own(conversation_id, leg_id, actor)
        body = RtcTerminate(member_id=member.id, rtc_id=leg_id, session_destination=session)
        fact = Fact("rtc:terminate", encode_body(body), sender=member.id)
        await self._conversations.tell(conversation_id, actor.application_id, fact)
        await self._calls.end(live, Ending.HUNG_UP)

    # ── the server offers ──

    async def ring(
        self, user: User, draft: MemberDraft, actor: Actor, *, caller: str | None
    ) -> Ringing | None:
        """Prepare a call to a user who is about to be invited with audio; None when it is not a
        call, or nobody could carry it."""
        settings = draft.media.audio_settings if draft.media else None
        if settings is None or not settings.enabled or draft.channel.type != "app":
            return None
        if draft.channel.id is not None or draft.state.upper() != MemberState.INVITED:
            return None
        leg = self._outbound(user, draft, actor, caller)
        try:
            live, sdp = await self._openings.offered(leg)
        except Unavailable:
            return None
        channel = replace(draft.channel, id=leg.id, from_=leg.from_, to=leg.to)
        return Ringing(live, sdp, replace(draft, channel=channel))

    async def rang(self, ringing: Ringing, member: Member, name: str) -> None:
        """The invitation is out: the leg rings until it is answered, or for so long."""
        offer = RtcOffer(
            sdp=ringing.sdp, leg_id=ringing.live.leg.id, member_leg_id=ringing.live.leg.id,
            media_settings={"audio": True}, name=name, member_id=member.id,
        )  # fmt: skip

        def change(leg: Leg, now: Instant) -> Leg:
            placed = replace(leg, conversation_id=member.conversation_id, member_id=member.id)
            return advanced(placed, LegStatus.RINGING, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            known = conversation.members.get(member.id, member)
            told = Fact("rtc:offer", encode_body(offer), sender=member.id, became=known)
            return (*rang(leg), told)

        await self._legs.change(ringing.live, change, telling)
        wanted = (ringing.draft.channel.ring_timeout or 0) / 1000
        seconds = min(wanted, RINGING_MAX) if wanted > 0 else self._patience.ringing
        stop = partial(self._stop_ringing, ringing.live, Ending.RANG_OUT)
        ringing.live.timers.append(self._errands.after(seconds, stop))
        conversation = await self._conversations.newest(member.conversation_id)
        known = conversation.members.get(member.id) if conversation is not None else None
        if known is None or not known.is_present:  # it was made to leave before it rang
            await self._stop_ringing(ringing.live, Ending.CANCELLED)

    def unwanted(self, ringing: Ringing) -> None:
        """The invitation has come to nothing: nobody rings."""
        self._errands.run(self._calls.end(ringing.live, Ending.CANCELLED))

    async def accept(
        self, conversation_id: ConversationId, leg_id: LegId, given: Sdp, actor: Actor
    ) -> None:
        """Take the answer to the server's offer."""
        live, _ = await self._own(conversation_id, leg_id, actor)
        if live.leg.direction is not Direction.OUTBOUND or live.is_up:
            raise LegOver("The leg waits for no answer.")
        accept = Accept(live.leg.id, given.sdp)
        await self._legs.ask(live.leg.application_id, accept, "body.answer")

    async def abandoned(self, caller: Member) -> None:
        """Whoever called is gone: those who have not answered need not ring any longer."""
        conversation = await self._conversations.newest(caller.conversation_id)
        for member in list(conversation.members.values()) if conversation else ():
            if member.state is MemberState.INVITED and member.invited_by == caller.id:
                live = self._legs.named(member)
                if live is not None and live.leg.member_id == member.id:
                    await self._stop_ringing(live, Ending.CANCELLED)

    async def _stop_ringing(self, live: LiveLeg, ending: Ending) -> None:
        if live.leg.answered_at is None:
            await self._calls.end(live, ending)

    def _outbound(self, user: User, draft: MemberDraft, actor: Actor, caller: str | None) -> Leg:
        channel, now = draft.channel, self._clock.now()
        from_ = channel.from_ if channel.from_ and channel.from_.type else Endpoint(type="app")
        if from_.type == "app" and from_.user is None:
            from_ = replace(from_, user=caller)
        leg = Leg(
            id=LegId(self._ids.bare()), application_id=actor.application_id, type=LegType.APP,
            direction=Direction.OUTBOUND, status=LegStatus.STARTED, started_at=now,
            from_=from_, to=Endpoint(type="app", user=user.name), user_id=user.id, is_call=True,
        )  # fmt: skip
        return advanced(leg, LegStatus.STARTED, now)

    # ── both ──

    async def _joined(
        self, conversation_id: ConversationId, member_id: MemberId, actor: Actor
    ) -> Member:
        conversation = await self._conversations.seen(conversation_id, actor)
        member = conversation.members.get(member_id)
        if member is None:
            raise MemberNotFound()
        if not actor.owns(member):
            raise Forbidden("A user may only act as a member of its own.")
        if member.state is not MemberState.JOINED:
            raise InvalidMemberState("The member has not joined the conversation.")
        return member

    async def _own(
        self, conversation_id: ConversationId, leg_id: LegId, actor: Actor
    ) -> tuple[LiveLeg, Member]:
        """A leg of the conversation, and its member, which the actor may act as."""
        live = self._legs.live(leg_id)
        if live is None or live.leg.conversation_id != conversation_id:
            raise LegNotFound()
        if live.leg.member_id is None or live.leg.application_id != actor.application_id:
            raise LegNotFound()
        if live.is_ending:
            raise LegOver("The leg has ended.")
        try:
            return live, await self._joined(conversation_id, live.leg.member_id, actor)
        except ConversationNotFound:
            raise LegNotFound() from None


def _answer(leg: Leg, answer: str, member_id: MemberId, session: str | None) -> Foreword:
    """The server's answer, for the member that has made the offer."""
    body = encode_body(RtcAnswer(answer=answer, rtc_id=leg.id, session_destination=session))

    def told(conversation: Conversation) -> Fact:
        known = conversation.members.get(member_id)
        if known is None or known.state is not MemberState.JOINED:
            raise InvalidMemberState("The member has left the conversation.")
        became = replace(known, channel=replace(known.channel, id=leg.id))
        return Fact("rtc:answer", body, member_id, member_id, became)

    return told
