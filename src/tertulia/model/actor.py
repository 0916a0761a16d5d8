"""Who asks: the application itself, or one of its users."""

from msgspec import Struct

from tertulia.model.ids import ApplicationId, MemberId, UserId
from tertulia.model.state import Conversation, Initiator, Member, MemberState


class Actor(Struct, frozen=True):
    """Whom a request speaks for. Without a user it is the application and may do anything in it."""

    application_id: ApplicationId
    user_id: UserId | None = None

    @property
    def is_system(self) -> bool:
        return self.user_id is None

    def owns(self, member: Member) -> bool:
        """Whether this actor may act as the member."""
        return self.is_system or member.user_id == self.user_id

    def can_see(self, conversation: Conversation) -> bool:
        """Users see what they are or were a member of, and what they created and may yet join."""
        return (
            self.is_system
            or conversation.profile.creator == self.user_id
            or any(member.user_id == self.user_id for member in conversation.members.values())
        )

    def membership(self, conversation: Conversation) -> Member | None:
        """The actor's own joined membership; None for the application and for outsiders."""
        if self.is_system:
            return None
        for member in conversation.members.values():
            if member.user_id == self.user_id and member.state is MemberState.JOINED:
                return member
        return None

    def own_member(self, conversation: Conversation) -> Member | None:
        """The actor's own member: the joined one, else the newest."""
        if self.is_system:
            return None
        own = [m for m in conversation.members.values() if m.user_id == self.user_id]
        return self.membership(conversation) or (own[-1] if own else None)

    def as_initiator(self, member_id: MemberId | None) -> Initiator:
        """This actor as the cause of a member's change, acting as `member_id`."""
        if self.is_system:
            return Initiator(is_system=True)
        return Initiator(is_system=False, user_id=self.user_id, member_id=member_id)
