"""Lists of live sessions, for who has them all in memory."""

from collections.abc import Callable, Iterable

from tertulia.model.errors import InvalidCursor
from tertulia.model.session import LiveSession
from tertulia.ports import ListedSession, Page


def page_of_sessions(sessions: Iterable[LiveSession], page: Page) -> list[ListedSession]:
    """In the order of their creation. Raises InvalidCursor."""
    for key in (page.after, page.before):
        if key is not None and [type(part) for part in key] != [int, str]:
            raise InvalidCursor()
    listed = [ListedSession((each.record.created_at, each.record.id), each) for each in sessions]
    ahead = _beyond(page.after, forward=not page.descending)
    behind = _beyond(page.before, forward=page.descending)
    found = [item for item in listed if ahead(item) and behind(item)]
    found.sort(key=lambda item: item.key, reverse=page.descending)
    return found[-page.limit :] if page.before is not None else found[: page.limit]


def _beyond(key: tuple[str | int, ...] | None, *, forward: bool) -> Callable[[ListedSession], bool]:
    if key is None:
        return lambda item: True
    if forward:
        return lambda item: item.key > key
    return lambda item: item.key < key
