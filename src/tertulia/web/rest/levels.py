"""The legs of a conversation as somebody who looks at it sees them: who may hear whom, and how loud
each is, ten times a second. Our own surface, `/tertulia/v1`; made for the inspector.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct, field

from tertulia.model.errors import Rejected, Unavailable
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.state import Endpoint
from tertulia.protocols.http1 import Response, Streamed
from tertulia.services.metering import Metered, Metering, Reading
from tertulia.web import answers
from tertulia.web.rest.stream import KEEP_ALIVE_SECONDS, RETRY_MS, Authorise
from tertulia.web.routing import EVENT_STREAM, Call, EventStream, route

PATH = "/tertulia/v1/conversations/{conversation_id}/levels"


class LegLevel(Struct, frozen=True):
    """A leg, and what is done to its audio."""

    id: str
    type: LegType
    status: LegStatus
    direction: Direction
    from_: Endpoint = field(name="from")
    to: Endpoint
    connected: bool
    """Its media path is open."""
    member_id: str | None
    user_id: str | None
    muted: bool
    """Nobody hears it."""
    earmuffed: bool
    """It hears nobody."""
    can_hear: list[str] | None
    """The legs that it hears; none is all. The next alike: the legs that hear it."""
    can_speak: list[str] | None


class LevelPage(Struct, frozen=True):
    """The stream says this as `legs` when it begins and with each change; and as `levels` the
    second member alone."""

    legs: list[LegLevel]
    levels: dict[str, float]
    """By leg, decibels below full scale: 0 to -100."""


class LevelsResource:
    def __init__(self, metering: Metering, authorise: Authorise) -> None:
        self._metering = metering
        self._authorise = authorise

    @route("GET", PATH, answers={200: EventStream(LevelPage)})
    async def follow_levels(self, call: Call) -> Response:
        """Follow who hears whom in a conversation, and how loud each leg is"""
        await self._metering.authorise(call.conversation_id, call.actor)
        if EVENT_STREAM not in call.request.headers.get("accept", ""):
            return answers.json(200, await self._snapshot(call))
        pieces = self._pieces(call)
        await anext(pieces)  # what can be refused is refused before the answer begins
        headers = (*answers.CORS, ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))
        return Streamed(200, content_type=EVENT_STREAM, headers=headers, pieces=pieces)

    async def _snapshot(self, call: Call) -> LevelPage:
        with self._metering.meter(call.actor.application_id, call.conversation_id) as meter:
            legs = (await meter.next()).legs or ()
            if not legs:
                return LevelPage([], {})
            then = await meter.next()
        return LevelPage([_leg(each) for each in then.legs or legs], then.levels)

    async def _pieces(self, call: Call) -> AsyncGenerator[bytes, None]:
        """Until the token is good no longer, or the caller may not see the conversation."""
        with self._metering.meter(call.actor.application_id, call.conversation_id) as meter:
            yield b""
            yield b"retry: %d\n\n" % RETRY_MS
            time = asyncio.get_running_loop().time
            due = time() + KEEP_ALIVE_SECONDS
            while not meter.is_over:
                piece = _frame(await meter.next())
                if time() >= due:
                    if not await self._may_go_on(call):
                        return
                    piece += b":\n\n"
                    due = time() + KEEP_ALIVE_SECONDS
                yield piece

    async def _may_go_on(self, call: Call) -> bool:
        try:
            await self._authorise(call.request)
            await self._metering.authorise(call.conversation_id, call.actor)
        except (Rejected, Unavailable):
            return False
        return True


def _frame(reading: Reading) -> bytes:
    """Empty when there is nothing to say."""
    if reading.legs is not None:
        page = LevelPage([_leg(each) for each in reading.legs], reading.levels)
        return b"event: legs\ndata: %b\n\n" % msgspec.json.encode(page)
    if reading.levels:
        told = msgspec.json.encode({"levels": reading.levels})
        return b"event: levels\ndata: %b\n\n" % told
    return b""


def _leg(metered: Metered) -> LegLevel:
    leg = metered.leg
    return LegLevel(
        id=leg.id, type=leg.type, status=leg.status, direction=leg.direction,
        from_=leg.from_, to=leg.to, connected=metered.is_up,
        member_id=leg.member_id, user_id=leg.user_id, muted=leg.muted, earmuffed=leg.earmuffed,
        can_hear=leg.can_hear, can_speak=leg.can_speak,
    )  # fmt: skip
