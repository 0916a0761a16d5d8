"""How legs of clients begin: a media worker takes an offer, or makes one."""

import asyncio
from functools import partial

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.commands import Answer, Answered, Offer, Offered, Report
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg, advanced
from tertulia.model.state import Endpoint
from tertulia.ports import Clock, Ids
from tertulia.services.calls import Calls, Patience
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs, LiveLeg

OFFER = "body.offer.sdp"
"""What is wrong when a description is refused."""


class Openings:
    def __init__(
        self, *, legs: Legs, calls: Calls, clock: Clock, ids: Ids, errands: Errands,
        patience: Patience,
    ) -> None:  # fmt: skip
        self._legs = legs
        self._calls = calls
        self._clock = clock
        self._ids = ids
        self._errands = errands
        self._patience = patience

    async def call(self, sdp: str, actor: Actor, *, name: str) -> tuple[Leg, str]:
        """Take a client's offer of a leg that will call; the leg and the answer to it.

        `name` is the user's. Raises ValidationFailed, TooManyLegs, MediaUnavailable.
        """
        caller = Endpoint(type="app", user=name)
        live, answer = await self.taken(self.started(actor, caller, is_call=True), sdp)
        self._errands.after(self._patience.unused, partial(self._give_up, live))
        return live.leg, answer

    def started(self, actor: Actor, caller: Endpoint, *, is_call: bool) -> Leg:
        """A leg that its client has begun."""
        now = self._clock.now()
        leg = Leg(
            id=LegId(self._ids.bare()), application_id=actor.application_id, type=LegType.APP,
            direction=Direction.INBOUND, status=LegStatus.STARTED, started_at=now, from_=caller,
            user_id=actor.user_id, is_call=is_call,
        )  # fmt: skip
        return advanced(leg, LegStatus.STARTED, now)

    async def taken(self, leg: Leg, sdp: str) -> tuple[LiveLeg, str]:
        """A leg that is made of a client's offer, and the answer to it."""
        live, report = await self._begun(leg, Answer(leg.id, sdp))
        assert isinstance(report, Answered)
        return live, report.sdp

    async def offered(self, leg: Leg) -> tuple[LiveLeg, str]:
        """A leg that a client is to answer, and the offer of it."""
        live, report = await self._begun(leg, Offer(leg.id))
        assert isinstance(report, Offered)
        return live, report.sdp

    async def renewed(self, live: LiveLeg, sdp: str) -> str:
        """Take an offer for a new media path of a leg that is there; the answer to it."""
        report = await self._legs.ask(live.leg.application_id, Answer(live.leg.id, sdp), OFFER)
        assert isinstance(report, Answered)
        self._calls.renewed(live)
        return report.sdp

    async def _begun(self, leg: Leg, command: Answer | Offer) -> tuple[LiveLeg, Report]:
        try:
            return await self._legs.open(leg, command, OFFER)
        except asyncio.CancelledError:  # nobody waits for it any more
            live = self._legs.live(leg.id)
            if live is not None:
                self._errands.run(self._calls.end(live, Ending.UNUSED))
            raise

    async def _give_up(self, live: LiveLeg) -> None:
        if live.leg.conversation_id is None:
            await self._calls.end(live, Ending.UNUSED)
