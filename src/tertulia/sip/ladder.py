"""What is seen of calls message by message, and that those that we end have said goodbye."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

from tertulia.model.telephone import Stepped
from tertulia.ports import Clock
from tertulia.protocols.sip import signals
from tertulia.protocols.sip.flow import host_port
from tertulia.sip.legs import CarriedLegs

STEPS_MAX = 10
"""Messages that are kept of a call that has not been let in."""
STRANGERS_MAX = 2000


class Ladder:
    def __init__(self, legs: CarriedLegs, clock: Clock, emit: Callable[[Stepped], None]) -> None:
        self._legs = legs
        self._clock = clock
        self._emit = emit
        self._before: OrderedDict[str, list[signals.Stepped]] = OrderedDict()
        self._leaving: set[str] = set()
        self._left: asyncio.Future[None] | None = None

    def stepped(self, step: signals.Stepped) -> None:
        leg = self._legs.seen_as(step.call)
        if leg is not None:
            self._tell(leg, step)
        else:
            self._keep(step)
        if step.call in self._leaving and not step.sent and step.line.startswith("SIP/2.0 "):
            self._leave(step.call)

    def let_in(self, call: str) -> None:
        """Tell what has been seen of a call before it was let in."""
        leg = self._legs.seen_as(call)
        for step in self._before.pop(call, ()):
            if leg is not None:
                self._tell(leg, step)

    async def farewell(self, calls: Iterable[str], patience: float) -> None:
        """Until the other ends of calls that we end have answered, or for so many seconds."""
        self._leaving = set(calls)
        if self._leaving:
            self._left = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._left], timeout=patience)

    def _leave(self, call: str) -> None:
        self._leaving.discard(call)
        if not self._leaving and self._left is not None and not self._left.done():
            self._left.set_result(None)

    def _tell(self, leg: str, step: signals.Stepped) -> None:
        peer = f"{step.flow.transport}:{host_port(step.flow.peer)}"
        self._emit(Stepped(leg, self._clock.now(), step.sent, step.line, peer))

    def _keep(self, step: signals.Stepped) -> None:
        steps = self._before.setdefault(step.call, [])
        if len(steps) < STEPS_MAX:
            steps.append(step)
        if len(self._before) > STRANGERS_MAX:
            self._before.popitem(last=False)
