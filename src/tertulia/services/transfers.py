"""Transfers that phones ask for (REFER): somebody takes the place of a leg in its conversation.

Only a user's own softphone may ask: whoever calls by a trunk could have us pay for its calls.
"""

from collections.abc import Callable

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.endpoints import AppEndpoint, Callee, PhoneEndpoint, SipEndpoint
from tertulia.model.errors import TertuliaError
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.state import Endpoint
from tertulia.services.dialling import Dialling, Outgoing
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Line
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import VoiceHooks

TRYING, DONE = 100, 200
NOT_ALLOWED, NOT_THERE, NOT_NOW = 603, 481, 480

HandOver = Callable[[LegId, Line], None]
"""A line takes the place of a leg in the script that has to do with it."""


class Transfers:
    def __init__(
        self, board: Switchboard, *, dialling: Dialling, hooks: VoiceHooks, hand_over: HandOver
    ) -> None:
        self._calls = board.calls
        self._legs = board.legs
        self._members = board.members
        self._carrier = board.telephony.carrier
        self._dialling = dialling
        self._hooks = hooks
        self._hand_over = hand_over
        self._under_way: dict[LegId, Line] = {}
        """By the leg that asked: who is being called in its place."""

    def __len__(self) -> int:
        return len(self._under_way)

    def hung_up(self, live: LiveLeg) -> None:
        """Many phones do so as soon as they are told that their transfer is tried: who rings now
        has their place, and the far end stays."""
        line = self._under_way.pop(live.leg.id, None)
        if line is not None:
            self._hand_over(live.leg.id, line)

    async def refer(self, live: LiveLeg, to: Endpoint, replaces: str | None) -> None:
        """What becomes of it is told to the one who asked."""
        room = live.leg.conversation_id
        if not live.is_softphone or room is None or live.leg.answered_at is None:
            self._carrier.referred(live.leg.id, NOT_ALLOWED)
        elif replaces is not None:
            await self._attended(live, room, self._legs.live(replaces))
        else:
            await self._blind(live, room, _callee(to))

    async def _blind(self, live: LiveLeg, room: ConversationId, callee: Callee | None) -> None:
        leg = live.leg
        if callee is None:
            self._carrier.referred(leg.id, NOT_NOW)
            return
        is_answered = False

        def begun(line: Line) -> None:
            self._under_way[leg.id] = line

        async def answered(line: Line) -> None:
            nonlocal is_answered
            await self._dialling.join(line)
            is_answered = True
            self.hung_up(live)
            self._carrier.referred(leg.id, DONE)
            await self._calls.end(live, Ending.HUNG_UP)

        async def over(line: Line) -> None:
            self._under_way.pop(leg.id, None)
            if not is_answered:
                self._carrier.referred(leg.id, line.leg.sip_code or NOT_NOW)

        self._carrier.referred(leg.id, TRYING)
        asking = self._hooks.line(leg.id)
        wanted = Outgoing(
            callee, room, caller=leg.from_, event_url=asking.event_url if asking else None
        )
        try:
            await self._dialling.dial(
                wanted, leg.application_id, on_answer=answered, on_over=over, on_begin=begun
            )
        except TertuliaError:
            self._carrier.referred(leg.id, NOT_NOW)

    async def _attended(self, live: LiveLeg, room: ConversationId, other: LiveLeg | None) -> None:
        """Whoever talks to the same phone by its other call comes here instead of it."""
        leg = live.leg
        where = other.leg.conversation_id if other is not None else None
        if other is None or where is None or other.leg.user_id != leg.user_id:
            self._carrier.referred(leg.id, NOT_THERE)
            return
        for each in self._legs.within(where):
            line = self._hooks.line(each.leg.id)
            if each is not other and line is not None:
                self._hand_over(leg.id, line)
                await self._members.create(room, line.entry, Actor(leg.application_id))
        self._carrier.referred(leg.id, DONE)
        for each in (live, other):
            await self._calls.end(each, Ending.HUNG_UP)


def _callee(to: Endpoint) -> Callee | None:
    if to.number:
        return PhoneEndpoint(number=to.number)
    if to.user:
        return AppEndpoint(user=to.user)
    return SipEndpoint(uri=to.uri) if to.uri else None
