"""Members: who is in a conversation, and how they came and went."""

from collections.abc import Sequence

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.calling import told_to_invited
from tertulia.model.decision import Decide, Decision
from tertulia.model.errors import (
    ConversationNotFound,
    MemberNotFound,
    ValidationFailed,
)
from tertulia.model.event import Event, Fact
from tertulia.model.ids import ConversationId, MemberId, UserId
from tertulia.model.instant import Instant
from tertulia.model.membership import (
    MemberChange,
    MemberDraft,
    change,
    enter,
    requested_state,
    withdraw,
)
from tertulia.model.state import Conversation, Member, MemberState, Reason, User
from tertulia.ports import Clock, ConversationFilter, Directory, Ids, ListedMember, Page
from tertulia.services.calls import Calls
from tertulia.services.conversations import Conversations
from tertulia.services.signalling import Signalling
from tertulia.services.users import Users

READ_AT_ONCE = 500
EVERYBODY_MAX = 1000
"""From so many members on, those who have left are no longer shown among all."""
USER_DELETED = Reason(code="user:deleted", text="The user was deleted.")


class Members:
    def __init__(
        self, *, conversations: Conversations, users: Users, directory: Directory, ids: Ids,
        clock: Clock, calls: Calls, signalling: Signalling,
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._users = users
        self._directory = directory
        self._ids = ids
        self._clock = clock
        self._calls = calls
        self._signalling = signalling

    async def create(
        self, conversation_id: ConversationId, draft: MemberDraft, actor: Actor
    ) -> tuple[Member, User]:
        """Invite a user or let it join; the member as it is afterwards."""
        reference = draft.user.id or draft.user.name
        if not reference:
            raise ValidationFailed.of("user", "must contain at least one of [id, name]")
        state = requested_state(draft.state, (MemberState.INVITED, MemberState.JOINED))
        if state is MemberState.INVITED:
            return await self._invite(conversation_id, draft, actor, reference)
        user = await self._users.find(reference, actor.application_id)
        # whoever knows the id of a conversation may join it: client SDKs join before they read
        return await self._enter(conversation_id, draft, actor, user.id, visible=False)

    async def _invite(
        self, conversation_id: ConversationId, draft: MemberDraft, actor: Actor, reference: str
    ) -> tuple[Member, User]:
        """An invitation with audio is a call: it rings."""
        conversation = await self._conversations.seen(conversation_id, actor)
        user = await self._users.find(reference, actor.application_id)
        inviter = await self._inviter(conversation_id, draft, actor)
        enter(  # refused before anything rings
            conversation, self._clock.now(), draft=draft, user=user, actor=actor,
            member_id=MemberId(""), inviter=inviter,
        )  # fmt: skip
        caller = inviter.name if inviter else None
        ringing = await self._signalling.ring(user, draft, actor, caller=caller)
        if ringing is None:
            return await self._enter(conversation_id, draft, actor, user.id, inviter=inviter)
        try:
            member, user = await self._enter(
                conversation_id, ringing.draft, actor, user.id, inviter=inviter, sdp=ringing.sdp
            )
            await self._signalling.rang(ringing, member, user.name)
        except BaseException:
            self._signalling.unwanted(ringing)
            raise
        return member, user

    async def _enter(
        self, conversation_id: ConversationId, draft: MemberDraft, actor: Actor, user_id: UserId,
        *, inviter: User | None = None, sdp: str | None = None, visible: bool = True,
    ) -> tuple[Member, User]:  # fmt: skip
        member_id = self._ids.member()
        # in turn with the user's deletion, which ends the memberships that there are
        async with self._users.unchanged(user_id) as user:

            def decide(conversation: Conversation, now: Instant) -> Decision:
                return enter(
                    conversation, now, draft=draft, user=user, actor=actor, member_id=member_id,
                    inviter=inviter, sdp=sdp,
                )  # fmt: skip

            events = await self._conversations.commit(
                conversation_id, actor, decide, visible=visible
            )
        return _became(events), user

    async def get(
        self, conversation_id: ConversationId, member_id: MemberId, actor: Actor
    ) -> ListedMember:
        await self._conversations.seen(conversation_id, actor)
        found = await self._directory.member(conversation_id, member_id)
        if found is None:
            raise MemberNotFound()
        return found

    async def me(self, conversation_id: ConversationId, actor: Actor) -> ListedMember:
        """The actor's own membership: the joined one, else the newest."""
        own = actor.own_member(await self._conversations.seen(conversation_id, actor))
        if own is None:
            raise MemberNotFound()
        return await self.get(conversation_id, own.id, actor)

    async def everybody(self, conversation_id: ConversationId, actor: Actor) -> list[ListedMember]:
        """All who are there, and of those who have left the newest; in order of arrival."""
        page = Page(limit=READ_AT_ONCE, descending=True)
        await self._conversations.seen(conversation_id, actor)
        found: list[ListedMember] = []
        while read := await self._directory.members(conversation_id, page):
            for each in read:
                if each.member.is_present or len(found) < EVERYBODY_MAX:
                    found.append(each)
            page = _following(page, read)
        return found[::-1]

    async def list(
        self, conversation_id: ConversationId, page: Page, actor: Actor,
        *, state: MemberState | None = None,
    ) -> list[ListedMember]:  # fmt: skip
        """A page of the members, or of those in one state."""
        await self._conversations.seen(conversation_id, actor)
        found: list[ListedMember] = []
        while True:
            read = await self._directory.members(conversation_id, page)
            kept = [each for each in read if state is None or each.member.state is state]
            found = found + kept if page.before is None else kept + found
            if len(read) < page.limit or len(found) >= page.limit:
                break
            page = _following(page, read)
        return found[: page.limit] if page.before is None else found[-page.limit :]

    async def change(
        self, conversation_id: ConversationId, member_id: MemberId, request: MemberChange,
        actor: Actor,
    ) -> tuple[Member, User]:  # fmt: skip
        conversation = await self._conversations.seen(conversation_id, actor)
        member = conversation.members.get(member_id)
        if member is None:
            raise MemberNotFound()
        user = await self._user(member)

        def decide(conversation: Conversation, now: Instant) -> Decision:
            return change(
                conversation, now, member_id=member_id, request=request, user=user, actor=actor
            )

        told = await self._last_words(conversation, member, decide, actor)

        def decide_all(conversation: Conversation, now: Instant) -> Decision:
            own = told_to_invited(told, conversation)
            return Decision((*own, *decide(conversation, now).facts))

        try:
            events = await self._conversations.commit(conversation_id, actor, decide_all)
        except BaseException:  # whatever has come between, its leg has ended
            self._calls.tell_late(conversation_id, actor, told)
            raise
        return _became(events), user

    async def _last_words(
        self, conversation: Conversation, member: Member, decide: Decide, actor: Actor
    ) -> tuple[Fact, ...]:
        """What the end of its leg says before a member leaves."""
        (fact,) = decide(conversation, self._clock.now()).facts  # refused before its leg ends
        if isinstance(fact.became, Member) and fact.became.state is MemberState.LEFT:
            return await self._calls.farewell(member, actor)
        return ()

    async def delete_user(self, user_id: UserId) -> None:
        """End a user's memberships, then the user."""
        async with self._users.in_turn(user_id) as user:
            where = ConversationFilter(user.application_id, user_id=user.id)
            page = Page(limit=100)
            while listed := await self._directory.conversations(where, page):
                for item in listed:
                    await self._withdraw(item.profile.id, user)
                page = Page(limit=100, after=listed[-1].key)
            await self._users.mark_deleted(user)

    async def _withdraw(self, conversation_id: ConversationId, user: User) -> None:
        def decide(conversation: Conversation, now: Instant) -> Decision:
            return withdraw(conversation, now, user=user, reason=USER_DELETED)

        try:
            await self._conversations.commit(conversation_id, Actor(user.application_id), decide)
        except ConversationNotFound:
            return  # deleted meanwhile, and its members with it

    async def _inviter(
        self, conversation_id: ConversationId, draft: MemberDraft, actor: Actor
    ) -> User | None:
        conversation = await self._conversations.seen(conversation_id, actor)
        named = draft.member_id_inviting or draft.from_
        host = conversation.members.get(named) if named else actor.membership(conversation)
        return await self._user(host) if host else None

    async def _user(self, member: Member) -> User:
        user = await self._users.get(member.user_id)
        if user is None:
            raise LookupError(f"member {member.id} of an unknown user")
        return user


def _following(page: Page, read: Sequence[ListedMember]) -> Page:
    """The next slice in the page's direction."""
    if page.before is not None:
        return replace(page, before=read[0].key)
    return replace(page, after=read[-1].key)


def _became(events: tuple[Event, ...]) -> Member:
    """The last event is the member's own."""
    member = events[-1].became
    if not isinstance(member, Member):
        raise TypeError("a member event says what the member became")
    return member
