"""Everybody who hears of events that are not kept."""

from collections.abc import Callable

from tertulia.model.event import Event

Listener = Callable[[Event], None]
"""Returns at once: it is called on the way of the request that caused the event."""


class Announcements:
    """An Announcer that tells all its listeners, in the order of their coming."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def announce(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
