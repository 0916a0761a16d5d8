"""One application's way through the log: read, spread over lanes, settle, move the cursor.

The cursor stands just below the oldest event that is read and neither delivered nor on record as
failed. What lies above it is read again after a crash, which is why receivers may see repeats.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from tertulia.dispatch.addresses import TARGETS, Addresses
from tertulia.dispatch.attempt import GiveUp, after_failure, longest_delay, tries_allowed
from tertulia.dispatch.courier import Courier
from tertulia.dispatch.lane import Lane, lane_of, marker, marker_before, missed_events
from tertulia.dispatch.outstanding import Outstanding
from tertulia.dispatch.recorder import Recorder
from tertulia.dispatch.records import Attempt, DeadLetter, Held, LaneName, Progress, Purpose, Replay
from tertulia.dispatch.replaying import send_again
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableLog, patiently
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.instant import Instant
from tertulia.ports import Clock


class Equipment(Struct, frozen=True):
    """What the feeds of all applications share."""

    settings: DispatchSettings
    log: ReadableLog
    addresses: Addresses
    courier: Courier
    recorder: Recorder
    clock: Clock
    jitter: Callable[[], float]
    """From 0 to 1."""


class Feed:
    """An application's reader, its lanes, and what runs beside them; a bug ends it as a whole."""

    def __init__(
        self,
        application_id: ApplicationId,
        equipment: Equipment,
        *,
        cursor: Position,
        held: Iterable[Held],
    ) -> None:
        self._application_id = application_id
        self._equipment = equipment
        self._settings = equipment.settings
        self._recorder = equipment.recorder
        self._tasks = asyncio.TaskGroup()
        self._changed = asyncio.Event()
        self._is_stopping = False
        self._is_blocked = False
        self._read = cursor
        self._outstanding = Outstanding()
        self._lanes: dict[LaneName, Lane] = {}
        self._announced = 0
        self._replays: dict[int, asyncio.Task[None]] = {}
        for one in held:
            self._restore(one, cursor)

    async def run(self) -> None:
        """Follow the log until `stop`; then what is under way is finished."""
        async with self._tasks:
            for lane in self._lanes.values():
                self._wait_until_due(lane)
            try:
                await self._read_on()
            finally:
                self.stop()

    def stop(self) -> None:
        """Let every lane finish its present call, and `run` return."""
        self._is_stopping = True
        self._changed.set()
        for lane in self._lanes.values():
            if lane.due is not None:
                lane.due.cancel()
        for task in self._replays.values():
            task.cancel()

    def wake(self) -> None:
        """Read the log again: there may be more."""
        self._changed.set()

    def report(self) -> None:
        """Have the age of what is waiting written down."""
        if len(self._outstanding):
            self._recorder.moved(self._application_id, self._progress)

    def announce(self, event: Event) -> None:
        """Send an event that is not kept: once, and out of any order. Over the bound it is lost."""
        if not self._is_stopping and self._announced < self._settings.ephemeral_waiting:
            self._announced += 1
            self._start(self._announce(event))

    def replay(self, request: Replay) -> None:
        """Begin a replay, unless it is under way; replays of an application run one by one."""
        if request.id not in self._replays and not self._is_stopping:
            before = next(reversed(self._replays.values()), None)
            task = self._start(self._replay(request, before))
            if task is not None:
                self._replays[request.id] = task

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None] | None:
        try:
            return self._tasks.create_task(work)
        except RuntimeError:  # the group is ending after a bug, and this feed with it
            work.close()
            return None

    # --- reading ---

    async def _read_on(self) -> None:
        while not self._is_stopping:
            self._changed.clear()
            if not self._has_room() or not await self._read_page():
                await self._changed.wait()

    def _has_room(self) -> bool:
        self._is_blocked = (
            len(self._outstanding) >= self._settings.window_events or self._recorder.is_full
        )
        return not self._is_blocked

    async def _read_page(self) -> bool:
        """Read and spread the next events; False when there are no more."""
        limit = min(self._settings.page, self._settings.window_events - len(self._outstanding))
        page = await patiently(
            lambda: self._equipment.log.follow(
                self._read, application_id=self._application_id, limit=limit
            ),
            self._settings.pause_ms,
        )
        for event in page:
            await self._spread(event)
        if page:
            self._recorder.moved(self._application_id, self._progress)
        return len(page) == limit

    async def _spread(self, event: Event) -> None:
        addresses = self._equipment.addresses
        addresses.observe(event)
        for target in TARGETS:
            if await addresses.wanted(event, target) is not None:
                self._put(event, self._lane(lane_of(event, target)))
        self._read = event.position

    def _lane(self, name: LaneName) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane

    def _put(self, event: Event, lane: Lane) -> None:
        if lane.held is not None:
            lane.missed = max(lane.missed, event.position)
        elif event.position > lane.done:
            self._outstanding.add(event)
            lane.queue.append(event)
            if not lane.is_busy:
                lane.is_busy = True
                self._tasks.create_task(self._flow(lane))

    # --- a lane that flows ---

    async def _flow(self, lane: Lane) -> None:
        while lane.queue and not self._is_stopping:
            event = lane.queue[0]
            attempt = await self._attempt(lane, event, 1)
            if attempt is not None and not attempt.delivered:
                self._hold(lane, event, attempt)
                return
            lane.queue.popleft()
            self._settle(event)
        if not lane.queue:
            self._forget(lane)

    async def _attempt(self, lane: Lane, event: Event, number: int) -> Attempt | None:
        """None: nobody wants it any more."""
        target = lane.name.target
        address = await self._equipment.addresses.wanted(event, target)
        if address is None:
            return None
        return await self._equipment.courier.deliver(
            event, target, address, purpose=Purpose.LOG, number=number
        )

    def _settle(self, event: Event) -> None:
        self._outstanding.settle(event)
        self._recorder.moved(self._application_id, self._progress)
        if self._is_blocked and len(self._outstanding) <= self._settings.window_events * 3 // 4:
            self._changed.set()

    def _forget(self, lane: Lane) -> None:
        lane.is_busy = False
        if lane.done <= self._read:
            del self._lanes[lane.name]

    # --- a lane that is held ---

    def _hold(self, lane: Lane, event: Event, attempt: Attempt) -> None:
        """Begin to hold: the queue can be read again, so it is forgotten."""
        now = self._equipment.clock.now()
        lane.missed = lane.queue[-1].position
        lane.held = Held(lane.name, marker_before(event), event.position, 0, now, now, "")
        for waiting in lane.queue:
            self._settle(waiting)
        lane.queue.clear()
        lane.is_busy = False
        self._note_failure(lane, lane.held, event, attempt)
        self._wait_until_due(lane)

    def _restore(self, held: Held, cursor: Position) -> None:
        lane = Lane(held.lane, held)
        lane.missed = max(cursor, held.position)
        self._lanes[held.lane] = lane

    def _wait_until_due(self, lane: Lane) -> None:
        if lane.held is not None and not self._is_stopping:
            wait_ms = max(0, lane.held.not_before - self._equipment.clock.now())
            # noted by another node, perhaps, and by another clock
            delay = min(wait_ms, longest_delay(self._settings, lane.held.tries)) / 1000
            lane.due = asyncio.get_running_loop().call_later(delay, self._resume, lane)

    def _resume(self, lane: Lane) -> None:
        lane.due = None
        if not self._is_stopping:
            self._start(self._catch_up(lane))

    async def _catch_up(self, lane: Lane) -> None:
        missed = missed_events(lane, self._equipment.log, self._settings)
        async with aclosing(missed) as events:
            async for event in events:
                if not await self._settle_missed(lane, event):
                    self._wait_until_due(lane)
                    return
                if self._is_stopping:
                    return
            self._release(lane)

    async def _settle_missed(self, lane: Lane, event: Event) -> bool:
        """Try an event of a held lane; False when it is to be tried again later."""
        held = lane.held
        assert held is not None
        attempt = await self._attempt(lane, event, held.tries + 1)
        if attempt is not None and not attempt.delivered:
            return self._note_failure(lane, held, event, attempt)
        self._pass(lane, held, event, None)
        return True

    def _note_failure(self, lane: Lane, held: Held, event: Event, attempt: Attempt) -> bool:
        """Set the next try, or give the event up; True when the lane may go on."""
        now = self._equipment.clock.now()
        tries, since = held.tries + 1, now if held.failing_since is None else held.failing_since
        verdict = after_failure(
            self._settings, tries=tries,
            allowed=tries_allowed(self._equipment.addresses.policy(self._application_id)),
            waiting_since=max(since, event.timestamp), now=now, jitter=self._equipment.jitter(),
        )  # fmt: skip
        reason = attempt.reason or f"status {attempt.status}"
        if isinstance(verdict, GiveUp):
            self._recorder.give_up(
                DeadLetter(
                    lane.name, event.id, event.position, event.type, tries, since, now, reason
                )
            )
            self._pass(lane, held, event, since)
            return True
        lane.held = replace(
            held, position=event.position, tries=tries, failing_since=since,
            not_before=verdict.instant, reason=reason,
        )  # fmt: skip
        self._recorder.hold(lane.held)
        return False

    def _pass(self, lane: Lane, held: Held, event: Event, since: Instant | None) -> None:
        """Go on behind an event of a held lane."""
        lane.done = event.position
        lane.held = Held(
            held.lane, marker(event), event.position, 0, since, self._equipment.clock.now(), ""
        )
        self._recorder.hold(lane.held)

    def _release(self, lane: Lane) -> None:
        lane.held = None
        self._recorder.release(lane.name)
        self._forget(lane)

    # --- beside the lanes ---

    async def _announce(self, event: Event) -> None:
        try:
            for target in TARGETS:
                address = await self._equipment.addresses.wanted(event, target)
                if address is not None:
                    await self._equipment.courier.deliver(
                        event, target, address, purpose=Purpose.EPHEMERAL, number=1
                    )
        finally:
            self._announced -= 1

    async def _replay(self, request: Replay, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        equipment = self._equipment
        await send_again(
            request, self._read, settings=self._settings, log=equipment.log,
            addresses=equipment.addresses, courier=equipment.courier, recorder=equipment.recorder,
        )  # fmt: skip
        await self._recorder.written()
        del self._replays[request.id]

    def _progress(self) -> Progress:
        oldest = self._outstanding.oldest
        if oldest is None:
            return Progress(self._application_id, self._read, None)
        return Progress(self._application_id, Position(oldest.position - 1), oldest.timestamp)
