"""Finding out whether a person or a machine has answered a call, and saying so."""

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct

from tertulia.model.calling import Ending, machine_facts
from tertulia.model.commands import Beeped, Detect, Judged
from tertulia.model.event import Event, Fact
from tertulia.model.events.leg import LegStatus
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced
from tertulia.model.machine import Detection
from tertulia.model.state import Conversation
from tertulia.ports import Ids
from tertulia.services.calls import Calls
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.errands import Errands
from tertulia.services.legs import Legs
from tertulia.services.lines import Line
from tertulia.services.timelines import Timelines
from tertulia.services.voicehooks import VoiceHooks

HUMAN, MACHINE = "human", "machine"
BEEP, NO_BEEP = "beep_start", "beep_timeout"
DETECTION = "detection"
"""In timelines: what was found out, also where no event tells of it."""

Consult = Callable[[Line, dict[str, Any]], Coroutine[Any, Any, None]]
"""Tell the application, and do what it says to that."""

Then = Callable[[], Coroutine[Any, Any, None]]


class _Watch(Struct, eq=False):
    line: Line
    detection: Detection
    then: Then | None


class Detecting:
    def __init__(
        self, *, calls: Calls, legs: Legs, hooks: VoiceHooks, errands: Errands, ids: Ids,
        timelines: Timelines,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._legs = legs
        self._hooks = hooks
        self._errands = errands
        self._ids = ids
        self._timelines = timelines
        self._watches: dict[str, _Watch] = {}
        self.consult: Consult = self._only_tell
        """Tell the application."""

    @property
    def reactions(self) -> Reactions:
        return {"leg:status:update": self._changed}

    @property
    def hearings(self) -> Hearings:
        return {Judged: self._judged, Beeped: self._beeped}

    async def begin(self, line: Line, detection: Detection, then: Then) -> None:
        """From the answer of the call on. `then` is done when the call is to go on: at once, or
        when the verdict that it waits for is there; never when it ends because of that."""
        detect = self._ids.bare()
        self._watches[detect] = _Watch(line, detection, then if detection.waits else None)
        command = Detect(
            detect, line.leg.id, detection.beep and not detection.hangs_up,
            detection.beep_seconds * 1000,
        )  # fmt: skip
        self._legs.tell(line.application_id, command)
        if not detection.waits:
            await then()

    async def _changed(self, event: Event) -> None:
        leg = event.became
        if isinstance(leg, Leg) and leg.is_over:
            over = [each for each, watch in self._watches.items() if watch.line.leg.id == leg.id]
            for each in over:
                del self._watches[each]

    async def _judged(self, report: Judged) -> None:
        watch = self._watches.get(report.detect)
        if watch is None:
            return
        is_machine = report.verdict == MACHINE
        if not (is_machine and watch.detection.beep and not watch.detection.hangs_up):
            del self._watches[report.detect]
        told = f"{report.verdict}, {report.confidence} %, {report.cause}"
        self._timelines.note(watch.line.leg.id, "event", DETECTION, told)
        if not watch.line.live.is_ending:
            await self._say(watch, report)

    async def _say(self, watch: _Watch, report: Judged) -> None:
        if report.verdict == MACHINE:
            await self._tell(watch, MACHINE, report.confidence)
        if report.verdict in (HUMAN, MACHINE):
            self._errands.run(self.consult(watch.line, {"status": report.verdict}))
        if report.verdict == MACHINE and watch.detection.hangs_up:
            await self._calls.end(watch.line.live, Ending.MACHINE)
        elif watch.then is not None:
            self._errands.run(watch.then())

    async def _beeped(self, report: Beeped) -> None:
        watch = self._watches.pop(report.detect, None)
        if watch is None or watch.line.live.is_ending:
            return
        state = BEEP if report.heard else NO_BEEP
        told = f"beep, {report.hertz} Hz" if report.heard else "no beep"
        self._timelines.note(watch.line.leg.id, "event", DETECTION, told)
        await self._tell(watch, state, 100 if report.heard else 0)
        self._errands.run(self.consult(watch.line, {"status": MACHINE, "sub_state": state}))

    async def _tell(self, watch: _Watch, kind: str, confidence: int) -> None:
        is_advanced = watch.detection.is_advanced

        def change(leg: Leg, now: Instant) -> Leg:
            return leg if leg.status is LegStatus.MACHINE else advanced(leg, LegStatus.MACHINE, now)

        def telling(conversation: Conversation, leg: Leg, now: Instant) -> tuple[Fact, ...]:
            is_news = watch.line.leg.status is not LegStatus.MACHINE
            return machine_facts(leg, kind, confidence, is_advanced=is_advanced, is_news=is_news)

        await self._legs.change(watch.line.live, change, telling)

    async def _only_tell(self, line: Line, members: dict[str, Any]) -> None:
        self._hooks.tell(line, members)
