"""Events that are not kept, on their way from the home of their application to the nodes that have
sessions of it. Best effort, as all of theirs: who is away misses them.
"""

from functools import partial

import msgspec

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Bus, Homes, Stop
from tertulia.services.announcements import Listener, decode_announced, encode_announced

SUBJECT = "passing"


class Passing:
    """`deliver` is called with what other nodes announce."""

    def __init__(self, bus: Bus, homes: Homes, deliver: Listener) -> None:
        self._bus = bus
        self._homes = homes
        self._deliver = deliver
        self._stops: dict[ApplicationId, Stop] = {}

    def announce(self, event: Event) -> None:
        """Tell the other nodes of what happened here."""
        word = b"%b\0%b" % (self._homes.name.encode(), encode_announced(event))
        if len(word) <= self._bus.word_max:
            self._bus.publish(_subject(event.application_id), word)

    async def attend(self, application_id: ApplicationId) -> None:
        """From now on hear of this application, wherever it is at home."""
        if application_id not in self._stops:
            self._stops[application_id] = _not_yet
            hear = partial(self._hear, application_id)
            stop = await self._bus.subscribe(_subject(application_id), hear)
            self._stops[application_id] = stop

    async def close(self) -> None:
        for stop in self._stops.values():
            await stop()

    def _hear(self, application_id: ApplicationId, word: bytes) -> None:
        name, _, announced = word.partition(b"\0")
        if name == self._homes.name.encode():
            return  # our own, also when the application has moved since
        try:
            event = decode_announced(announced)
        except msgspec.DecodeError:
            return  # it is no node who told that
        if event.application_id == application_id:
            self._deliver(event)


def _subject(application_id: ApplicationId) -> str:
    """Applications have ids of our own making: parts of a subject are like them."""
    return f"{SUBJECT}.{application_id}"


async def _not_yet() -> None:
    """Of a subscription that is being made."""
