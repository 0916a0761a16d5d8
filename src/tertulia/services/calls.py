"""Calls: how legs come into conversations, what becomes of their media there, and how they end.

What a leg does in a conversation follows from the log: a member that joins with a leg's id as its
channel puts the leg there, one that leaves takes it away. What the media workers report makes the
rest happen.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import (
    End,
    Ending,
    answered,
    as_heard,
    ended,
    media_fact,
    over,
    rang,
    status_fact,
    told_to_invited,
    transferred,
)
from tertulia.model.commands import (
    Closed,
    Down,
    Hearing,
    Join,
    Up,
)
from tertulia.model.decision import Decision
from tertulia.model.errors import ConversationNotFound, Unavailable
from tertulia.model.event import Fact
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.ids import ApplicationId, ConversationId, LegId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced, as_entered, moved
from tertulia.model.membership import again, leave
from tertulia.model.state import Conversation, Member, MemberState, Reason, User
from tertulia.ports import Clock, Directory
from tertulia.ports.phones import Carrier
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.users import Users

TRANSFERRED = Reason(code="transferred", text="The leg was transferred.")
OVER = Reason(code="remote_hangup", text="The leg has ended.")

Foreword = Callable[[Conversation], Fact]
"""What is told first, from the conversation as it is then."""


class Patience(Struct, frozen=True):
    """Seconds that a call waits for this and that."""

    moment: float = 0.25
    """Between the media path and `member:media`. COMPAT: a caller that hears of its media before
    it has seen it up itself never learns its leg (wire-clients 4.6)."""
    unused: float = 60.0
    """For a leg to join a conversation."""
    ringing: float = 60.0
    connecting: float = 30.0
    """For the media path of a leg that has been answered."""
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
        self, *, legs: Legs, conversations: Conversations, directory: Directory, users: Users,
        carrier: Carrier, clock: Clock, errands: Errands, patience: Patience,
    ) -> None:  # fmt: skip
        self._legs = legs
        self._users = users
        self._carrier = carrier
        self._conversations = conversations
        self._directory = directory
        self._clock = clock
        self._errands = errands
        self._patience = patience

    # ── what the log says ──

    async def entered(self, member: Member) -> None:
        """A member has joined by a leg: bring the leg there."""
        live = self._legs.named(member)
        if live is None or live.is_ending:
            await self._turn_away(member)
            return
        origin = live.leg
        was_there = origin.member_id is not None or origin.answered_at is None
        is_elsewhere = was_there and origin.conversation_id not in (None, member.conversation_id)
        try:
            if not is_elsewhere and not _is_there(origin, member):
                await self.attach(live, member)
            elif is_elsewhere and origin.answered_at is not None:
                await self._transfer(live, member)
        except ConversationNotFound:  # deleted meanwhile
            await self.end(live, Ending.REMOVED)
        except Unavailable:
            self._errands.insist(partial(self.entered, member))

    async def _turn_away(self, member: Member) -> None:
        """Whoever came by a call leaves when it has ended meanwhile."""
        leg = await self._directory.leg(LegId(member.channel.id)) if member.channel.id else None
        if leg is None or leg.user_id != member.user_id or leg.member_id == member.id:
            return
        if leg.is_call:
            await self._leave(member.conversation_id, member.id, leg, OVER)

    async def attach(self, live: LiveLeg, member: Member, foreword: Foreword | None = None) -> Leg:
        """Put a leg into the conversation of its member; from now on it is answered.

        Raises ConversationNotFound, Unavailable.
        """
        live.leg = as_entered(live.leg, member)
        if not live.is_up and live.waiting is None:
            self._wait(live, self._patience.connecting, Ending.FAILED)

        def change(leg: Leg, now: Instant) -> Leg:
            placed = replace(leg, conversation_id=member.conversation_id, member_id=member.id)
            is_the_same = leg.answered_at is not None or live.is_held_back
            return placed if is_the_same else advanced(placed, LegStatus.ANSWERED, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            told = () if leg.status is live.leg.status else answered(leg)
            first = () if foreword is None else (foreword(conversation),)
            return (*first, *told, *self._media(live, conversation, leg))

        leg = await self._legs.change(live, change, telling)
        self._join(leg)
        return leg

    async def place(self, live: LiveLeg, room: ConversationId | None, status: LegStatus) -> None:
        """A phone rings, or a call that we make is answered: its member comes after that.

        Raises ConversationNotFound, Unavailable.
        """

        def change(leg: Leg, now: Instant) -> Leg:
            return advanced(replace(leg, conversation_id=room), status, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            return answered(leg) if status is LegStatus.ANSWERED else rang(leg)

        await self._legs.change(live, change, telling)

    async def pick_up(self, live: LiveLeg) -> None:
        """A phone that rings in a conversation is answered."""
        user = await self._user(live.leg)

        def change(leg: Leg, now: Instant) -> Leg:
            return leg if leg.answered_at is not None else advanced(leg, LegStatus.ANSWERED, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            member = conversation.members.get(leg.member_id) if leg.member_id else None
            if user is None or member is None or leg.status is live.leg.status:
                return ()
            joined = again(conversation, member, now, user)
            return (*answered(leg), joined, *self._media(live, conversation, leg))

        await self._legs.change(live, change, telling)

    def preview(self, live: LiveLeg) -> None:
        """Let a call that we make be heard before it is answered."""
        self._join(live.leg)

    async def departed(self, member: Member) -> None:
        """A member has left by another way than `farewell`: what it had as a leg ends too."""
        live = self._legs.named(member)
        if live is not None and live.leg.member_id in (None, member.id):
            await self.end(live, Ending.REMOVED)

    async def closed(self, conversation_id: ConversationId) -> None:
        """A conversation was deleted: its legs end."""
        there = self._legs.within(conversation_id)
        await asyncio.gather(*(self.end(live, Ending.REMOVED) for live in there))

    # ── how legs end ──

    async def farewell(self, member: Member, actor: Actor) -> tuple[Fact, ...]:
        """End the leg of a member that is about to leave; what is to be told before it leaves."""
        live = self._legs.named(member)
        if live is None or live.is_ending or live.leg.member_id not in (None, member.id):
            return ()
        ending = _why(member, live.leg, actor)
        try:
            return await self._over(live, ending)
        except asyncio.CancelledError:
            self._errands.insist(partial(self._finish, live, ending))
            raise

    def tell_late(
        self, conversation_id: ConversationId, actor: Actor, told: tuple[Fact, ...]
    ) -> None:
        """Tell what `farewell` gave to a caller that could not."""
        system = Actor(actor.application_id)

        def decide(conversation: Conversation, _: Instant) -> Decision:
            return Decision(told_to_invited(told, conversation))

        async def tell() -> None:
            try:
                await self._conversations.commit(conversation_id, system, decide)
            except ConversationNotFound:
                await self._conversations.happen(actor.application_id, told[0])

        if told:
            self._errands.insist(tell)

    async def end(self, live: LiveLeg, ending: Ending | End) -> None:
        """End a leg and say so; its member leaves, if it came with the leg. Begun, it is carried
        through."""
        if live.is_ending:
            return
        try:
            await self._finish(live, ending)
        except (Unavailable, asyncio.CancelledError):
            self._errands.insist(partial(self._finish, live, ending))
            raise

    async def _finish(self, live: LiveLeg, ending: Ending | End) -> None:
        end = as_heard(live.leg, ending if isinstance(ending, End) else ending.value)
        self._let_go(live, end)
        account = await self._legs.close(live)
        user = await self._user(live.leg)

        def change(leg: Leg, now: Instant) -> Leg:
            return over(leg, end, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            told = told_to_invited(ended(leg, account, end), conversation)
            return (*told, *_left(conversation, leg, end, now, user)) if user else told

        await self._legs.change(live, change, telling)

    async def _over(self, live: LiveLeg, ending: Ending) -> tuple[Fact, ...]:
        """End a leg, and let the caller tell it."""
        end = as_heard(live.leg, ending.value)
        self._let_go(live, end)
        account = await self._legs.close(live)
        async with live.turn:
            live.leg = over(live.leg, end, self._clock.now())
            self._legs.forget(live)
        return ended(live.leg, account, end)

    def _let_go(self, live: LiveLeg, end: End) -> None:
        """Tell the phone; one that has ended the call itself is told nothing."""
        leg = live.leg
        if leg.is_phone and live.is_held_back:
            self._carrier.refuse(leg.id, end.sip_code)
        elif leg.is_phone:
            self._carrier.hang_up(leg.id)

    def has_any(self, application_id: ApplicationId) -> bool:
        """Legs, of calls or not, that have not ended."""
        return self._legs.has_any(application_id)

    async def bury(self, of: Collection[ApplicationId]) -> None:
        """Legs of an earlier life of this server, or of another: their media ended with it."""
        for leg in await self._directory.open_legs():
            if leg.application_id in of and self._legs.live(leg.id) is None:
                live = self._legs.restore(leg)
                self._errands.insist(partial(self.end, live, Ending.BROKEN))

    # ── what the workers say ──

    async def up(self, report: Up) -> None:
        live = self._legs.live(report.leg)
        if live is None:
            return
        live.wait(None)
        if live.is_up:
            return
        live.is_up = live.was_up = True
        self._errands.after(self._patience.moment, partial(self._tell_media, live))

    async def down(self, report: Down) -> None:
        live = self._legs.live(report.leg)
        if live is None or live.is_ending:
            return
        live.is_up = False
        patience = self._patience.lost if report.reason == "timeout" else self._patience.closed
        ending = Ending.LOST if live.was_up else Ending.FAILED
        if report.reason == "closed":
            ending = Ending.HUNG_UP
        if live.leg.type is LegType.WEBSOCKET:  # its worker has tried again as often as is of use
            self._errands.run(self.end(live, ending))  # apart: its last report waits behind this
            return
        self._wait(live, patience, ending)

    def renewed(self, live: LiveLeg) -> None:
        """A leg that was down has a new path agreed upon, which takes its time too."""
        if live.waiting is not None:
            self._wait(live, self._patience.lost, Ending.LOST)

    async def gone(self, report: Closed) -> None:
        """A leg was closed: as it was told to be, or because its worker died."""
        live = self._legs.live(report.leg)
        if live is not None:
            live.hang_up(report.account)
            await self.end(live, Ending.BROKEN)

    def _wait(self, live: LiveLeg, seconds: float, ending: Ending) -> None:
        """For the media path to open; then the leg ends."""
        live.wait(self._errands.after(seconds, partial(self.end, live, ending)))

    async def _tell_media(self, live: LiveLeg) -> None:
        if live.leg.member_id is None or live.leg.conversation_id is None or live.is_ending:
            return
        if live.leg.answered_at is None:  # it rings still; told when it is answered
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
        if leg.answered_at is None:
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

    def _join(self, leg: Leg) -> None:
        """Set first: nobody is to hear a word of who is muted."""
        if not leg.is_over and leg.conversation_id is not None:
            self._hearing(leg)
            self._legs.tell(leg.application_id, Join(leg.id, leg.conversation_id))

    # ── transfer ──

    async def _transfer(self, live: LiveLeg, member: Member) -> None:
        """The leg of a member that joined elsewhere leaves where it was."""
        was = live.leg
        assert was.conversation_id is not None and was.member_id is not None
        live.leg = as_entered(was, member)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            told = transferred(leg, member.user_id, was_member, origin)
            return (status_fact(leg), told, *self._media(live, conversation, leg))

        origin, was_member = was.conversation_id, was.member_id
        self._join(
            await self._legs.change(
                live, lambda leg, now: moved(leg, member.conversation_id, member.id, now), telling
            )
        )
        self._errands.insist(partial(self._leave, origin, was_member, was, TRANSFERRED))

    async def _leave(self, origin: ConversationId, was: MemberId, leg: Leg, reason: Reason) -> None:
        user = await self._user(leg)

        def decide(conversation: Conversation, now: Instant) -> Decision:
            member = conversation.members.get(was)
            if member is None or not member.is_present or user is None:
                return Decision()
            return Decision((leave(conversation, member, now, user=user, reason=reason),))

        try:
            await self._conversations.commit(origin, Actor(leg.application_id), decide)
        except ConversationNotFound:
            return

    async def _user(self, leg: Leg) -> User | None:
        return await self._users.get(leg.user_id) if leg.user_id else None


def _is_there(leg: Leg, member: Member) -> bool:
    """It is in a conversation as this member already."""
    return leg.member_id == member.id and leg.answered_at is not None


def _left(
    conversation: Conversation, leg: Leg, end: End, now: Instant, user: User
) -> tuple[Fact, ...]:
    """What becomes of the member of a leg that has ended."""
    member = conversation.members.get(leg.member_id) if leg.member_id else None
    if member is None or not member.is_present or member.channel.id not in (None, leg.id):
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
