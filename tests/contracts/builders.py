"""Events, profiles, members and users with what a test does not care about filled in."""

from itertools import count

from msgspec.structs import replace

from tertulia.model.event import Became, Change, Event
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import ApplicationId, ConversationId, EventId, LegId, MemberId, UserId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.state import (
    Application,
    Channel,
    ConversationState,
    Member,
    MemberState,
    Profile,
    Properties,
    User,
)
from tertulia.ports import Append

APP = ApplicationId("5f3a1f52-8f6c-4f2e-9b1d-0a8b5c7d9e01")
OTHER_APP = ApplicationId("5f3a1f52-8f6c-4f2e-9b1d-0a8b5c7d9e02")
NOW = Instant(1_777_886_122_814)

_numbers = count(1)


def conversation_id() -> ConversationId:
    return ConversationId(f"CON-{next(_numbers):08}-0000-4000-8000-000000000000")


def member_id() -> MemberId:
    return MemberId(f"MEM-{next(_numbers):08}-0000-4000-8000-000000000000")


def user_id() -> UserId:
    return UserId(f"USR-{next(_numbers):08}-0000-4000-8000-000000000000")


def application(application_id: ApplicationId = APP, *, at: int = 0) -> Application:
    return Application(application_id, "App", "-----BEGIN PUBLIC KEY-----", Instant(NOW + at))


def user(name: str | None = None, *, application_id: ApplicationId = APP) -> User:
    new = user_id()
    return User(new, application_id, name or f"user {new}", NOW, display_name="Zoë 🌍")


def profile(
    name: str | None = None,
    *,
    application_id: ApplicationId = APP,
    at: int = 0,
    sort_key: str | None = None,
    ttl: int | None = None,
) -> Profile:
    """`at`: milliseconds after NOW."""
    new = conversation_id()
    return Profile(
        id=new, application_id=application_id, name=name or f"conversation {new}",
        state=ConversationState.ACTIVE, created_at=Instant(NOW + at), emptied_at=Instant(NOW + at),
        properties=Properties(ttl=ttl, custom_sort_key=sort_key, custom_data={"é": [1, None]}),
    )  # fmt: skip


def deleted(of: Profile) -> Profile:
    return replace(of, state=ConversationState.DELETED, destroyed_at=NOW)


def member(of: Profile, who: User, state: MemberState = MemberState.JOINED) -> Member:
    return Member(member_id(), of.id, who.id, state, Channel(type="app"), joined_at=NOW)


def event(
    of: Profile, number: int, text: str = "Hello, wörld", *, type: str = "message",
    became: Became | None = None,
) -> Event:  # fmt: skip
    return Event(
        application_id=of.application_id, conversation_id=of.id, id=EventId(number), type=type,
        timestamp=Instant(NOW + number), body=f'{{"text":"{text}"}}'.encode(), became=became,
    )  # fmt: skip


def application_event(application_id: ApplicationId = APP, text: str = "knock") -> Event:
    """An event of no conversation."""
    return Event(
        application_id=application_id, conversation_id=None, id=None, type="app:knocking",
        timestamp=NOW, body=f'{{"text":"{text}"}}'.encode(),
    )  # fmt: skip


def leg(who: User, *, application_id: ApplicationId = APP) -> Leg:
    """A leg that is in no conversation yet."""
    return Leg(
        id=LegId(f"leg-{next(_numbers)}"), application_id=application_id, type=LegType.APP,
        direction=Direction.INBOUND, status=LegStatus.STARTED, started_at=NOW, user_id=who.id,
    )  # fmt: skip


def birth(of: Profile, *changes: Change) -> Append:
    """The append that makes a conversation."""
    fact = replace(application_event(of.application_id), type="conversation:created", became=of)
    return Append(of.application_id, of.id, EventId(0), (fact,), (of, *changes))


def append(
    of: Profile, expected: int, *changes: Change, events: int = 1, type: str = "message"
) -> Append:
    """An append of so many events behind number `expected`."""
    made = [event(of, expected + 1 + index, type=type) for index in range(events)]
    return Append(of.application_id, of.id, EventId(expected), made, changes)
