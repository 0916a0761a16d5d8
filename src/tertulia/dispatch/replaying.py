"""Sending stored events again because somebody asked: in order, each once, beside the lanes.

`Tertulia-Attempt: 0` tells a receiver that this is a replay and no try of the schedule. A failure
is recorded and not retried; some in a row break the replay off. A dead letter that arrives is one
no longer.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from tertulia.dispatch.addresses import TARGETS, Addresses
from tertulia.dispatch.courier import Courier
from tertulia.dispatch.recorder import Recorder
from tertulia.dispatch.records import Letter, Purpose, Replay, ReplayState
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableLog, patiently
from tertulia.model.event import Event
from tertulia.model.ids import Position
from tertulia.ports import EventQuery

REPLAY_NUMBER = 0
FAILURES_IN_A_ROW = 5
PAGE = 100


async def send_again(
    request: Replay,
    head: Position,
    *,
    settings: DispatchSettings,
    log: ReadableLog,
    addresses: Addresses,
    courier: Courier,
    recorder: Recorder,
) -> None:
    """Carry out a replay from where it stands, up to `head`: what comes later is sent anyway."""
    failures = 0
    async with aclosing(_events(request, head, log, settings)) as events:
        async for event, after in events:
            for target in TARGETS if request.target is None else (request.target,):
                address = await addresses.wanted(event, target)
                if address is None:
                    continue
                attempt = await courier.deliver(
                    event, target, address, purpose=Purpose.REPLAY, number=REPLAY_NUMBER
                )
                request = _count(request, delivered=attempt.delivered)
                failures = 0 if attempt.delivered else failures + 1
                if attempt.delivered:
                    recorder.revive(Letter(event.application_id, event.position, target))
            request = replace(request, after=after)
            recorder.replay(request)
            if failures >= FAILURES_IN_A_ROW:
                recorder.replay(replace(request, state=ReplayState.BROKEN_OFF))
                return
    recorder.replay(replace(request, state=ReplayState.DONE))


def _count(request: Replay, *, delivered: bool) -> Replay:
    if delivered:
        return replace(request, delivered=request.delivered + 1)
    return replace(request, failed=request.failed + 1)


async def _events(
    request: Replay, head: Position, log: ReadableLog, settings: DispatchSettings
) -> AsyncGenerator[tuple[Event, int], None]:
    """The events that are asked for, each with the marker that a replay continues after."""
    first = request.first or Position(0)
    last = head if request.last is None else min(request.last, head)
    in_conversation = request.conversation_id is not None
    after = _start(request, first)
    while page := await _page(request, after, log, settings):
        for event in page:
            if event.position > last:
                return
            after = event.id or 0 if in_conversation else event.position
            if event.position >= first and event.application_id == request.application_id:
                yield event, after


def _start(request: Replay, first: Position) -> int:
    if request.after is not None:
        return request.after
    return 0 if request.conversation_id is not None else max(0, first - 1)


async def _page(
    request: Replay, after: int, log: ReadableLog, settings: DispatchSettings
) -> list[Event]:
    conversation_id = request.conversation_id
    if conversation_id is not None:
        query = EventQuery(after=after, limit=PAGE)
        return await patiently(lambda: log.events(conversation_id, query), settings.pause_ms)
    return await patiently(
        lambda: log.follow(Position(after), application_id=request.application_id, limit=PAGE),
        settings.pause_ms,
    )
