"""Picking up: phones that have called and ring until somebody answers them."""

import asyncio
from functools import partial

from tertulia.model.events.values import Direction
from tertulia.ports.phones import Carrier
from tertulia.services.calls import Calls
from tertulia.services.errands import insist
from tertulia.services.legs import LiveLeg

TELLING_SECONDS = 1.0
"""Between an answer and the log's word of it, at most."""
STEP_SECONDS = 0.005


class Pickup:
    def __init__(self, *, calls: Calls, carrier: Carrier) -> None:
        self._calls = calls
        self._carrier = carrier

    def take(self, live: LiveLeg) -> None:
        """Answer a phone that is about to be let in, if it rings."""
        if live.description is not None and not live.is_ending:
            self._carrier.answer(live.leg.id, live.description)
            live.description = None

    async def pick_up(self, live: LiveLeg) -> None:
        """Answer a phone that is in a conversation already, if it rings."""
        if live.is_held_back and not live.is_ending:
            self.take(live)
            await insist(partial(self._calls.pick_up, live))

    async def told(self, live: LiveLeg) -> None:
        """Wait until it is told of a phone that has called us that it was answered, if it was: who
        calls may hang up before that."""
        if live.leg.direction is Direction.OUTBOUND or live.is_held_back:
            return
        for _ in range(round(TELLING_SECONDS / STEP_SECONDS)):
            if live.leg.answered_at is not None or live.is_ending:
                return
            await asyncio.sleep(STEP_SECONDS)

    def let_hear(self, live: LiveLeg) -> None:
        """Let a phone that rings hear the conversation before it is answered."""
        if live.description is not None and not live.is_ending:
            self._carrier.progress(live.leg.id, live.description)
