"""Who is there: the users with live sessions, and the conversations that these hear."""

from tertulia.live.session import Session
from tertulia.model.ids import ConversationId, MemberId, UserId


class Presence:
    """A user with at least one live session, and its joined members."""

    __slots__ = ("changed", "joined", "logins", "sessions", "user_id")

    def __init__(self, user_id: UserId) -> None:
        self.user_id = user_id
        self.sessions: list[Session] = []
        self.logins = 0
        """Sessions that are on their way."""
        self.joined: dict[ConversationId, set[MemberId]] = {}
        self.changed: set[MemberId] | None = set()
        """Members heard of while `joined` is being read, which that reading may not know. None
        when it is read."""

    @property
    def count(self) -> int:
        """Sessions, with those that are on their way."""
        return len(self.sessions) + self.logins


class Room:
    """The live sessions of a conversation's joined members."""

    __slots__ = ("sessions",)

    def __init__(self) -> None:
        self.sessions: dict[Session, None] = {}


class Attendance:
    """Presences by user and rooms by conversation, kept in step."""

    def __init__(self) -> None:
        self.presences: dict[UserId, Presence] = {}
        self.rooms: dict[ConversationId, Room] = {}

    def expect(self, user_id: UserId) -> Presence:
        """The user's presence, for a login: `release` it at its end, whichever that is."""
        presence = self.presences.get(user_id)
        if presence is None:
            presence = self.presences[user_id] = Presence(user_id)
        presence.logins += 1
        return presence

    def release(self, presence: Presence) -> None:
        presence.logins -= 1
        self._forget_empty(presence)

    def know(self, presence: Presence, joined: list[tuple[ConversationId, MemberId]]) -> None:
        """Take in what was read of the user's members, but for what has changed since."""
        changed = presence.changed or set()
        presence.changed = None
        for conversation_id, member_id in joined:
            if member_id not in changed:
                self._enter(presence, conversation_id, member_id)

    def attach(self, presence: Presence, session: Session) -> None:
        presence.sessions.append(session)
        for conversation_id in presence.joined:
            self._room(conversation_id).sessions[session] = None

    def detach(self, session: Session) -> None:
        presence = self.presences.get(session.user_id)
        if presence is None or session not in presence.sessions:
            return
        presence.sessions.remove(session)
        for conversation_id in presence.joined:
            self._leave_room(conversation_id, session)
        self._forget_empty(presence)

    def join(self, user_id: UserId, conversation_id: ConversationId, member_id: MemberId) -> None:
        presence = self.presences.get(user_id)
        if presence is not None:
            if presence.changed is not None:
                presence.changed.add(member_id)
            self._enter(presence, conversation_id, member_id)

    def leave(self, user_id: UserId, conversation_id: ConversationId, member_id: MemberId) -> None:
        presence = self.presences.get(user_id)
        if presence is None:
            return
        if presence.changed is not None:
            presence.changed.add(member_id)
        members = presence.joined.get(conversation_id, set())
        members.discard(member_id)
        if not members and presence.joined.pop(conversation_id, None) is not None:
            for session in presence.sessions:
                self._leave_room(conversation_id, session)

    def close(self, conversation_id: ConversationId) -> None:
        """The conversation is no more."""
        room = self.rooms.pop(conversation_id, None)
        for session in room.sessions if room is not None else ():
            self.presences[session.user_id].joined.pop(conversation_id, None)

    def _forget_empty(self, presence: Presence) -> None:
        if not presence.sessions and not presence.logins:
            del self.presences[presence.user_id]

    def _enter(
        self, presence: Presence, conversation_id: ConversationId, member_id: MemberId
    ) -> None:
        members = presence.joined.get(conversation_id)
        if members is not None:
            members.add(member_id)
            return
        presence.joined[conversation_id] = {member_id}
        if presence.sessions:
            self._room(conversation_id).sessions.update(dict.fromkeys(presence.sessions))

    def _room(self, conversation_id: ConversationId) -> Room:
        return self.rooms.setdefault(conversation_id, Room())

    def _leave_room(self, conversation_id: ConversationId, session: Session) -> None:
        room = self.rooms.get(conversation_id)
        if room is not None:
            room.sessions.pop(session, None)
            if not room.sessions:
                del self.rooms[conversation_id]
