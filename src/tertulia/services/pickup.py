"""Picking up: phones that have called and ring until somebody answers them."""

from tertulia.model.ids import LegId
from tertulia.ports.phones import Carrier
from tertulia.services.calls import Calls
from tertulia.services.legs import LiveLeg


class Pickup:
    def __init__(self, *, calls: Calls, carrier: Carrier) -> None:
        self._calls = calls
        self._carrier = carrier
        self._descriptions: dict[LegId, str] = {}
        """By which the phones that ring can be answered."""

    def expect(self, live: LiveLeg, description: str) -> None:
        """It rings, also while it is in a conversation."""
        live.is_held_back = True
        self._descriptions[live.leg.id] = description

    def forget(self, leg_id: LegId) -> None:
        self._descriptions.pop(leg_id, None)

    def take(self, live: LiveLeg) -> None:
        """Answer a phone that is about to be let in, if it rings."""
        description = self._descriptions.pop(live.leg.id, None)
        if description is not None and not live.is_ending:
            live.is_held_back = False
            self._carrier.answer(live.leg.id, description)

    async def pick_up(self, live: LiveLeg) -> None:
        """Answer a phone that is in a conversation already, if it rings."""
        if live.is_held_back:
            self.take(live)
            await self._calls.pick_up(live)

    def let_hear(self, live: LiveLeg) -> None:
        """Let a phone that rings hear the conversation before it is answered."""
        description = self._descriptions.get(live.leg.id)
        if description is not None and not live.is_ending:
            self._carrier.progress(live.leg.id, description)
