"""Keys told one by one, as they are pressed on a call, to whoever asked for them."""

from functools import partial
from typing import Any

from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.events.audio import AudioDtmf
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg
from tertulia.model.state import Webhook
from tertulia.services.conductor import Reactions
from tertulia.services.errands import Errands
from tertulia.services.lines import Line
from tertulia.services.reactions import body_of
from tertulia.services.voicehooks import VoiceHooks


class _Subscription(Struct, frozen=True):
    line: Line
    webhook: Webhook


class KeyHooks:
    def __init__(self, *, hooks: VoiceHooks, errands: Errands) -> None:
        self._hooks = hooks
        self._errands = errands
        self._subscriptions: dict[LegId, _Subscription] = {}

    @property
    def reactions(self) -> Reactions:
        return {"audio:dtmf": self._pressed, "leg:status:update": self._changed}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscribe(self, line: Line, webhook: Webhook) -> None:
        """From now on, until the call ends; instead of who was told before."""
        self._subscriptions[line.leg.id] = _Subscription(line, webhook)

    def unsubscribe(self, leg_id: LegId) -> None:
        """Again is fine."""
        self._subscriptions.pop(leg_id, None)

    async def _pressed(self, event: Event) -> None:
        body = body_of(event)
        if not self._subscriptions or not isinstance(body, AudioDtmf) or event.sender is None:
            return
        for found in self._subscriptions.values():
            if found.line.leg.member_id == event.sender:
                for digit in body.digits or body.digit or "":
                    self._tell(found, digit)

    def _tell(self, to: _Subscription, digit: str) -> None:
        """One after the other, each as it was then."""
        members = {**self._hooks.about(to.line), "dtmf": {"digits": digit, "timed_out": False}}
        self._errands.in_turn(("keys", to.line.leg.id), partial(self._deliver, to, members))

    async def _deliver(self, to: _Subscription, members: dict[str, Any]) -> None:
        await self._hooks.consult(to.line, to.webhook, members)

    async def _changed(self, event: Event) -> None:
        leg = event.became
        if isinstance(leg, Leg) and leg.is_over:
            self._subscriptions.pop(leg.id, None)
