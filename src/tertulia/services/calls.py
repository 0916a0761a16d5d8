"""Calls: how legs come into conversations, what becomes of their media there, and how they end.

What a leg does in a conversation follows from the log: a member that joins with a leg's id as its
channel puts the leg there, one that leaves takes it away. What the media workers report makes the
rest happen.
"""

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import (
    End,
    Ending,
    answered,
    ended,
    media_fact,
    status_fact,
    transferred,
)
from tertulia.model.commands import Answer, Answered, Closed, Down, Hearing, Join, Up
from tertulia.model.decision import Decision
from tertulia.model.errors import ConversationNotFound
from tertulia.model.event import Fact
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import ConversationId, LegId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced, moved
from tertulia.model.membership import leave
from tertulia.model.state import Conversation, Endpoint, Member, MemberState, Reason, User
from tertulia.ports import Clock, Directory, Ids
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs, LiveLeg

TRANSFERRED = Reason(code="transferred", text="The leg was transferred.")


class Patience(Struct, frozen=True):
    """Seconds that a call waits for this and that."""

    moment: float = 0.25
    """Between the media path and `member:media`. COMPAT: a caller that hears of its media before
    it has seen it up itself never learns its leg (wire-clients 4.6)."""
    unused: float = 60.0
    """For a leg to join a conversation."""
    ringing: float = 60.0
    lost: float = 20.0
    """For a client to make a new media path: it tries five times, three seconds apart."""
    closed: float = 3.0
    """For a client that has ended its media path to say so."""
    answer: float = 2.5
    """For an application to say what becomes of a call; then the caller is let in without that.
    COMPAT: a client gives up after five (wire-clients 4.4)."""
    again: float = 1.0
    """Between the two tries to tell an application something."""
    house: float = 1.0
    """That the house line rings: the caller's client has to learn of its own call first."""


class Calls:
    def __init__(
        self, *, legs: Legs, conversations: Conversations, directory: Directory, clock: Clock,
        ids: Ids, errands: Errands, patience: Patience,
    ) -> None:  # fmt: skip
        self._legs = legs
        self._conversations = conversations
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._errands = errands
        self._patience = patience

    async def open(self, sdp: str, actor: Actor, *, name: str) -> tuple[Leg, str]:
        """Take a client's offer of a leg that will call; the leg and the answer to it.

        `name` is the user's. Raises ValidationFailed, MediaUnavailable.
        """
        leg = self.started(actor, Endpoint(type="app", user=name), is_call=True)
        answer = await self.answer(leg, sdp)
        live = await self._legs.begin(leg)
        self._errands.after(self._patience.unused, partial(self._give_up, live))
        return leg, answer

    def started(self, actor: Actor, caller: Endpoint, *, is_call: bool) -> Leg:
        """A leg that its client has begun."""
        now = self._clock.now()
        leg = Leg(
            id=LegId(self._ids.bare()), application_id=actor.application_id, type=LegType.APP,
            direction=Direction.INBOUND, status=LegStatus.STARTED, started_at=now, from_=caller,
            user_id=actor.user_id, is_call=is_call,
        )  # fmt: skip
        return advanced(leg, LegStatus.STARTED, now)

    async def answer(self, leg: Leg, sdp: str) -> str:
        """Have the worker take an offer, for a new leg or a new path of one that is there."""
        report = await self._legs.ask(leg.application_id, Answer(leg.id, sdp), "body.offer.sdp")
        assert isinstance(report, Answered)
        return report.sdp

    # ── what the log says ──

    async def entered(self, member: Member) -> None:
        """A member has joined by a leg: bring the leg there."""
        live = self._legs.live(member.channel.id)
        if live is None or live.is_ending:
            return
        origin = live.leg
        if origin.member_id == member.id and origin.answered_at is not None:
            return
        if origin.conversation_id is not None and origin.member_id is not None:
            if origin.conversation_id != member.conversation_id:
                await self._transfer(live, member)
                return
        await self.attach(live, member)

    async def attach(self, live: LiveLeg, member: Member) -> Leg:
        """Put a leg into the conversation of its member; from now on it is answered."""
        self._join(live, member)

        def change(leg: Leg, now: Instant) -> Leg:
            placed = replace(leg, conversation_id=member.conversation_id, member_id=member.id)
            return advanced(placed, LegStatus.ANSWERED, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            return (*answered(leg), *self._media(live, conversation, leg))

        return await self._legs.change(live, change, telling)

    async def departed(self, member: Member) -> None:
        """A member has left by another way than `farewell`: what it had as a leg ends too."""
        live = self._legs.live(member.channel.id)
        if live is not None and live.leg.member_id == member.id and not live.is_ending:
            await self.end(live, Ending.REMOVED)

    async def closed(self, conversation_id: ConversationId) -> None:
        """A conversation was deleted: its legs end."""
        for live in self._legs.within(conversation_id):
            await self.end(live, Ending.REMOVED)

    # ── how legs end ──

    async def farewell(self, member: Member, actor: Actor) -> tuple[Fact, ...]:
        """End the leg of a member that is about to leave; what is to be told before it leaves."""
        live = self._legs.live(member.channel.id)
        if live is None or live.is_ending or live.leg.member_id not in (None, member.id):
            return ()
        return await self._over(live, _why(member, live.leg, actor))

    async def end(self, live: LiveLeg, ending: Ending) -> None:
        """End a leg and say so; its member leaves, if it came with the leg."""
        if live.is_ending:
            return
        account = await self._legs.close(live)
        end, user = ending.value, await self._user(live.leg)

        def change(leg: Leg, now: Instant) -> Leg:
            return advanced(leg, end.status, now, end=end.end)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            told = ended(leg, account, end)
            return (*told, *_left(conversation, leg, end, now, user)) if user else told

        await self._legs.change(live, change, telling)

    async def _over(self, live: LiveLeg, ending: Ending) -> tuple[Fact, ...]:
        """End a leg, and let the caller tell it."""
        account = await self._legs.close(live)
        end: End = ending.value
        async with live.turn:
            live.leg = advanced(live.leg, end.status, self._clock.now(), end=end.end)
            self._legs.forget(live)
        return ended(live.leg, account, end)

    async def bury(self) -> None:
        """Legs of an earlier life of this server: their media ended with it."""
        for leg in await self._directory.open_legs():
            if self._legs.live(leg.id) is None:
                live = self._legs.restore(leg)
                await self.end(live, Ending.BROKEN)

    # ── what the workers say ──

    async def up(self, report: Up) -> None:
        live = self._legs.live(report.leg)
        if live is None or live.is_up:
            return
        live.is_up = True
        self._errands.after(self._patience.moment, partial(self._tell_media, live))

    async def down(self, report: Down) -> None:
        live = self._legs.live(report.leg)
        if live is None or live.is_ending:
            return
        was_up, live.is_up = live.is_up, False
        patience = self._patience.lost if report.reason == "timeout" else self._patience.closed
        ending = Ending.LOST if was_up else Ending.FAILED
        if report.reason == "closed":
            ending = Ending.HUNG_UP
        self._errands.after(patience, partial(self._end_if_down, live, ending))

    async def gone(self, report: Closed) -> None:
        """A leg was closed: as it was told to be, or because its worker died."""
        live = self._legs.live(report.leg)
        if live is None:
            return
        if not live.closed.done():
            live.closed.set_result(report.account)
        if not live.is_ending:
            await self.end(live, Ending.BROKEN)

    async def _end_if_down(self, live: LiveLeg, ending: Ending) -> None:
        if not live.is_up:
            await self.end(live, ending)

    async def _give_up(self, live: LiveLeg) -> None:
        if live.leg.conversation_id is None:
            await self.end(live, Ending.UNUSED)

    async def _tell_media(self, live: LiveLeg) -> None:
        if live.leg.member_id is None or live.leg.conversation_id is None or live.is_ending:
            return
        system = Actor(live.leg.application_id)

        def decide(conversation: Conversation, now: Instant) -> Decision:
            return Decision(self._media(live, conversation, live.leg))

        await self._conversations.commit(live.leg.conversation_id, system, decide)

    def _media(self, live: LiveLeg, conversation: Conversation, leg: Leg) -> tuple[Fact, ...]:
        """`member:media`, once the media path is up, of what is not known yet."""
        member = conversation.members.get(leg.member_id) if leg.member_id else None
        if not live.is_up or member is None or member.state is not MemberState.JOINED:
            return ()
        fact = media_fact(member, leg)
        return (fact,) if fact.became != member else ()

    # ── audio settings ──

    async def hear(self, live: LiveLeg, *, muted: bool | None = None,
                   earmuffed: bool | None = None) -> None:  # fmt: skip
        """Mute or earmuff a leg, really, and let its member's audio settings say so."""
        leg = live.leg
        live.leg = leg = replace(
            leg, muted=leg.muted if muted is None else muted,
            earmuffed=leg.earmuffed if earmuffed is None else earmuffed,
        )  # fmt: skip
        self._hearing(leg)
        await self._tell_media(live)

    def restrict(
        self, live: LiveLeg, *, can_hear: list[str] | None, can_speak: list[str] | None
    ) -> None:
        """Let a leg hear, and be heard by, these legs only; None is all."""
        live.leg = replace(live.leg, can_hear=can_hear, can_speak=can_speak)
        self._hearing(live.leg)

    def _hearing(self, leg: Leg) -> None:
        hearing = Hearing(leg.id, leg.muted, leg.earmuffed, leg.can_hear, leg.can_speak)
        self._legs.tell(leg.application_id, hearing)

    def _join(self, live: LiveLeg, member: Member) -> None:
        self._legs.tell(live.leg.application_id, Join(live.leg.id, member.conversation_id))

    # ── transfer ──

    async def _transfer(self, live: LiveLeg, member: Member) -> None:
        """The leg of a member that joined elsewhere leaves where it was."""
        was = live.leg
        assert was.conversation_id is not None and was.member_id is not None
        self._join(live, member)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            told = transferred(leg, member.user_id, was_member, origin)
            return (status_fact(leg), told, *self._media(live, conversation, leg))

        origin, was_member = was.conversation_id, was.member_id
        await self._legs.change(
            live, lambda leg, now: moved(leg, member.conversation_id, member.id, now), telling
        )
        await self._leave(origin, was_member, was)

    async def _leave(self, origin: ConversationId, was: MemberId, leg: Leg) -> None:
        user = await self._user(leg)

        def decide(conversation: Conversation, now: Instant) -> Decision:
            member = conversation.members.get(was)
            if member is None or not member.is_present or user is None:
                return Decision()
            return Decision((leave(conversation, member, now, user=user, reason=TRANSFERRED),))

        try:
            await self._conversations.commit(origin, Actor(leg.application_id), decide)
        except ConversationNotFound:
            return

    async def _user(self, leg: Leg) -> User | None:
        return await self._directory.user(leg.user_id) if leg.user_id else None


def _left(
    conversation: Conversation, leg: Leg, end: End, now: Instant, user: User
) -> tuple[Fact, ...]:
    """What becomes of the member of a leg that has ended."""
    member = conversation.members.get(leg.member_id) if leg.member_id else None
    if member is None or not member.is_present:
        return ()
    if not leg.is_call:
        return (media_fact(member, leg, on=False),) if member.channel.id == leg.id else ()
    reason = Reason(code=end.code.lower(), text=end.text)
    return (leave(conversation, member, now, user=user, reason=reason),)


def _why(member: Member, leg: Leg, actor: Actor) -> Ending:
    """Of a leg whose member is made to leave: by itself, or by others."""
    own = _is_own(member, actor)
    if leg.answered_at is None:
        return Ending.REJECTED if own else Ending.CANCELLED
    return Ending.HUNG_UP if own else Ending.REMOVED


def _is_own(member: Member, actor: Actor) -> bool:
    return not actor.is_system and actor.user_id == member.user_id
