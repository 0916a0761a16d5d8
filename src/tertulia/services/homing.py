"""What carriers tell goes to the home of the application that it is for, whichever node they tell.

A carrier has an answer when the home has kept it; one that nobody has kept has to be told again.
"""

import asyncio

import msgspec
from msgspec import Struct

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.model.sending import Arrival, Outcome
from tertulia.ports.cluster import Bus, Homes, Stop
from tertulia.ports.messaging import CarrierEars
from tertulia.services.sendings import MessageRoutes, Sendings

SECONDS = 10.0
"""For another node to keep something."""
TRIES, MOVING_SECONDS = 5, 0.3
"""While an application moves from node to node."""
EARLY_PAUSES = (0.05, 0.25, 0.7)
"""Seconds between looks for a message whose receipt is ahead of the answer to it."""
KEPT, NOT_KEPT, ASTRAY = b"kept", b"not kept", b"astray"


class _Handed(Struct, frozen=True, array_like=True):
    """One of the two."""

    application_id: ApplicationId | None
    """None: of a message that is not known."""
    outcome: Outcome | None = None
    arrival: Arrival | None = None


class HomingEars:
    """CarrierEars. `ears` are those of this node; `start` it to hear what other nodes hand on."""

    def __init__(
        self, ears: CarrierEars, *, homes: Homes, bus: Bus, sendings: Sendings,
        routes: MessageRoutes,
    ) -> None:  # fmt: skip
        self._ears = ears
        self._homes = homes
        self._bus = bus
        self._sendings = sendings
        self._routes = routes
        self._stop: Stop | None = None

    async def start(self) -> None:
        self._stop = await self._bus.serve(_subject(self._homes.name), self._answer)

    async def close(self) -> None:
        if self._stop is not None:
            await self._stop()

    async def heard(self, outcome: Outcome) -> None:
        application_id = await self._addressee(outcome)
        handed = _Handed(application_id, outcome=outcome)
        if application_id is None:
            await self._ask_around(handed)
        else:
            await self._bring(application_id, handed)

    async def arrived(self, arrival: Arrival) -> None:
        found = self._routes.application_of(arrival.channel, arrival.to, arrival.carrier)
        if found is None:
            await self._ears.arrived(arrival)
        else:
            await self._bring(found, _Handed(found, arrival=arrival))

    async def _addressee(self, outcome: Outcome) -> ApplicationId | None:
        """Whose message it is; a receipt may be ahead of the answer that its node waits for."""
        found = await self._sendings.application_of(outcome.carrier, outcome.ref)
        for pause in EARLY_PAUSES:
            if found is not None or not self._homes.nodes():
                break
            await asyncio.sleep(pause)
            found = await self._sendings.application_of(outcome.carrier, outcome.ref)
        return found

    async def _ask_around(self, handed: _Handed) -> None:
        """Of a part of a message that is not whole yet only the node knows that sends it."""
        asked = (self._ask(node.name, handed) for node in self._homes.nodes())
        answers = await asyncio.gather(self._keep(handed), *asked)
        if NOT_KEPT in answers:
            raise Unavailable("another node could not keep it")

    async def _bring(self, application_id: ApplicationId, handed: _Handed) -> None:
        """To the home, wherever that is. Raises Unavailable."""
        for _ in range(TRIES):
            home = await self._homes.find(application_id)
            if home is None:
                await self._keep(handed)
                return
            answer = await self._ask(home.name, handed)
            if answer == KEPT:
                return
            if answer != ASTRAY:
                break
            await asyncio.sleep(MOVING_SECONDS)
        raise Unavailable("the application's home could not keep it")

    async def _ask(self, node: str, handed: _Handed) -> bytes:
        """Raises Unavailable."""
        try:
            return await self._bus.ask(_subject(node), msgspec.msgpack.encode(handed), SECONDS)
        except ValueError as error:
            raise Unavailable("too large for the bus") from error

    async def _answer(self, word: bytes) -> bytes:
        handed = msgspec.msgpack.decode(word, type=_Handed)
        known = handed.application_id
        if known is not None and not self._homes.has(known):
            return ASTRAY
        try:
            return await self._keep(handed)
        except Unavailable:
            return NOT_KEPT

    async def _keep(self, handed: _Handed) -> bytes:
        """Raises Unavailable."""
        if handed.outcome is not None:
            await self._ears.heard(handed.outcome)
        if handed.arrival is not None:
            await self._ears.arrived(handed.arrival)
        return KEPT


def _subject(node: str) -> str:
    return f"messages.{node}"
