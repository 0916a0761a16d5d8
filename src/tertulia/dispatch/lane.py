"""A lane: the events of one conversation on their way to one address, one at a time.

*Flowing*, it takes events from the application's reader into its queue. After a failure it is
*held*: the queue is forgotten, newly read events pass it by (`missed` says up to where), and when
it is due it reads on from the log by itself until it has caught up, then flows again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from tertulia.dispatch.records import Held, LaneName
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableLog, patiently
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, Position
from tertulia.model.notices import notice_of
from tertulia.model.state import Profile
from tertulia.ports import EventQuery

CATCH_UP_PAGE = 50
"""Events that a held lane reads at once: what it may hold in memory."""


class Lane:
    """The state of a lane; what moves it is in feed.py."""

    def __init__(self, name: LaneName, held: Held | None = None) -> None:
        self.name = name
        self.queue: deque[Event] = deque()
        self.held = held
        self.missed = Position(0)
        """Newest event that passed by while held."""
        self.done = Position(0)
        """Newest event that is settled, when that is ahead of the application's reader."""
        self.is_busy = False
        self.due: asyncio.TimerHandle | None = None


def lane_of(event: Event, target: str) -> LaneName:
    """The lane that an event belongs to.

    What is about a conversation but not of it, its creation and deletion, has a lane of its own:
    one that is refused must not hold those of all others. So has what is told of a call, or of a
    message beyond the app.
    """
    about = None
    notice = notice_of(event)
    if notice is not None:
        about = ConversationId(notice.lane)
    elif event.conversation_id is None and isinstance(event.became, Profile):
        about = event.became.id
    return LaneName(event.application_id, event.conversation_id, target, about)


def marker(event: Event) -> int:
    """Where a lane that has settled this event reads on: after its number, or its position."""
    if event.conversation_id is None:
        return event.position
    assert event.id is not None, "what is kept in a conversation has a number"
    return event.id


def marker_before(event: Event) -> int:
    return marker(event) - 1


async def missed_events(
    lane: Lane, log: ReadableLog, settings: DispatchSettings
) -> AsyncGenerator[Event, None]:
    """What a held lane has yet to settle, in order, until it has caught up.

    It ends in the same step in which it finds nothing missed, so that no event can pass by between
    the end and the release of the lane.
    """
    assert lane.held is not None
    after, seen = lane.held.after, Position(0)
    while seen < lane.missed:
        page = await _page(lane, log, after, settings)
        if not page:
            return
        for event in page:
            if event.position > lane.missed:
                return
            if lane_of(event, lane.name.target) == lane.name:
                yield event
            after, seen = _further(lane.name, event), event.position


def _further(name: LaneName, event: Event) -> int:
    return event.position if name.conversation_id is None else marker(event)


async def _page(
    lane: Lane, log: ReadableLog, after: int, settings: DispatchSettings
) -> list[Event]:
    """The next events; for an application's stream, all of the application's are looked through."""
    conversation_id = lane.name.conversation_id
    if conversation_id is not None:
        query = EventQuery(after=after, limit=CATCH_UP_PAGE)
        return await patiently(lambda: log.events(conversation_id, query), settings.pause_ms)
    limit = min(settings.page, max(1, lane.missed - after))
    return await patiently(
        lambda: log.follow(Position(after), application_id=lane.name.application_id, limit=limit),
        settings.pause_ms,
    )
