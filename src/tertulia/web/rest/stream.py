"""The stream for back ends: an application's events in commit order, resumed at any position.

As Server-Sent Events (WHATWG HTML 9.2) or, one page at a time, as JSON. Each event is octet for
octet what the webhook says of it. Our own surface, `/tertulia/v1`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from tertulia.model.errors import (
    ConversationNotFound,
    EpochOver,
    Forbidden,
    InvalidCursor,
    Rejected,
    Unavailable,
    ValidationFailed,
)
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, Position
from tertulia.protocols.http1 import Request, Response, Streamed
from tertulia.services.following import Follower, Following, Scope, Start, Trail
from tertulia.web import answers
from tertulia.web.routing import EVENT_STREAM, Call, EventStream, route

PATH = "/tertulia/v1/events"
TYPES_MAX = 50
WAIT_MAX = 60
SEARCH_SECONDS = 5.0
"""How long a page is looked for among events that are not wanted."""
KEEP_ALIVE_SECONDS = 15.0
"""Also how long a stream may outlive its token."""
RETRY_MS = 1000
PAGE = 100
PIECE = 64 * 1024
"""Octets that are written at a time, about."""

Encode = Callable[[Event], bytes]
"""An event as the webhook says it: JSON without line ends."""
Authorise = Callable[[Request], Awaitable[object]]
"""Raises Rejected when the token of a request is good no longer."""


class StreamQuery(Struct, frozen=True):
    after: Annotated[
        str,
        Meta(
            pattern=r"^(now|[0-9]{1,15})$(?!\n)",
            description="Position to go on from; 0 is the beginning, `now` waits for what comes. "
            "A Last-Event-ID header is stronger.",
        ),
    ] = "now"
    epoch: Annotated[
        str, Meta(max_length=100, description="Which store the position is of; another is a 409.")
    ] = ""
    conversation_id: Annotated[
        str, Meta(max_length=100, description="Only the events in this conversation.")
    ] = ""
    types: Annotated[
        str,
        Meta(max_length=4096, description="Only these types, separated by commas; `custom:*`."),
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=500, description="Events of one JSON answer.")] = PAGE
    wait: Annotated[
        int,
        Meta(ge=0, le=WAIT_MAX, description="Seconds that a JSON answer waits for a first event."),
    ] = 0


class StreamPage(Struct, frozen=True):
    epoch: str
    position: int
    """Give it as `after` for the next page."""
    events: list[Any]
    """As webhooks say them; may be none, though more follow, when few are of the wanted types."""


class StreamResource:
    def __init__(self, following: Following, encode: Encode, authorise: Authorise) -> None:
        self._following = following
        self._encode = encode
        self._authorise = authorise

    @route("GET", PATH, query=StreamQuery, answers={
        200: EventStream(StreamPage), 404: ConversationNotFound, 409: EpochOver,
    })  # fmt: skip
    async def follow_events(self, call: Call) -> Response:
        """Follow the events of the application, or of one conversation"""
        query: StreamQuery = call.query
        scope = _scope(call)
        trail = await self._following.trail(scope, _start(call))
        if EVENT_STREAM in call.request.headers.get("accept", ""):
            return await self._stream(call, scope, trail)
        with self._following.follower(scope) as follower:
            events = await _first(trail, follower, query.limit, query.wait)
        told = [Raw(self._encode(event)) for event in events]
        page = answers.json(200, StreamPage(self._following.epoch, trail.position, told))
        return replace(page, headers=self._headers())

    async def _stream(self, call: Call, scope: Scope, trail: Trail) -> Response:
        pieces = self._pieces(call.request, scope, trail)
        await anext(pieces)  # what can be refused is refused before the answer begins
        headers = (*self._headers(), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))
        return Streamed(200, content_type=EVENT_STREAM, headers=headers, pieces=pieces)

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (*answers.CORS, (answers.EPOCH_HEADER, self._following.epoch))

    async def _pieces(
        self, request: Request, scope: Scope, trail: Trail
    ) -> AsyncGenerator[bytes, None]:
        """Until the token is good no longer, or the store fails: the peer comes again."""
        with self._following.follower(scope) as follower:
            yield b""
            # who is cut before the first event resumes here, not at a later `now`
            yield b"retry: %d\nid: %d\n\n" % (RETRY_MS, trail.position)
            time = asyncio.get_running_loop().time
            due = time() + KEEP_ALIVE_SECONDS
            while not follower.is_over:
                try:
                    pieces = await self._next(trail, follower, due - time())
                    if time() >= due:
                        await self._authorise(request)
                        pieces.append(b":\nid: %d\n\n" % trail.position)
                        due = time() + KEEP_ALIVE_SECONDS
                except (Rejected, Unavailable):
                    return
                for piece in pieces:
                    yield piece

    async def _next(self, trail: Trail, follower: Follower, seconds: float) -> list[bytes]:
        if trail.is_at_end:
            await follower.wait(seconds)
        passing = follower.listen()
        return list(_joined(self._frames(await trail.next(PAGE), passing)))

    def _frames(self, kept: Iterable[Event], passing: Iterable[Event]) -> Iterator[bytes]:
        for event in kept:
            yield b"id: %d\n%b" % (event.position, self._frame(event))
        for event in passing:
            yield self._frame(event)

    def _frame(self, event: Event) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), self._encode(event))


async def _first(trail: Trail, follower: Follower, limit: int, wait: int) -> list[Event]:
    """The first page with something on it; none when nothing comes in time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        follower.listen()
        events = await trail.next(limit)
        passed = loop.time() - began
        patience = wait if trail.is_at_end else max(wait, SEARCH_SECONDS)
        if events or follower.is_over or passed >= patience:
            return events
        if trail.is_at_end:
            await follower.wait(wait - passed)


def _joined(frames: Iterable[bytes]) -> Iterator[bytes]:
    """In pieces that are worth a write."""
    piece: list[bytes] = []
    size = 0
    for frame in frames:
        piece.append(frame)
        size += len(frame)
        if size >= PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def _scope(call: Call) -> Scope:
    query: StreamQuery = call.query
    if not call.actor.is_system:
        raise Forbidden("The stream is the application's: its token has no sub.")
    types = tuple(part.strip() for part in query.types.split(",") if part.strip())
    if len(types) > TYPES_MAX:
        raise ValidationFailed.of("types", f"must contain at most {TYPES_MAX} types")
    conversation_id = ConversationId(query.conversation_id) if query.conversation_id else None
    return Scope(call.actor.application_id, conversation_id, types)


def _start(call: Call) -> Start:
    """An EventSource that connects again says in a header how far it came."""
    query: StreamQuery = call.query
    last = call.request.headers.get("last-event-id", "")
    after = last or query.after
    if after == "now" and not last:
        return Start(None, query.epoch)
    if not after.isascii() or not after.isdigit() or len(after) > 15:
        raise InvalidCursor("Last-Event-ID must be a position.")
    return Start(Position(int(after)), query.epoch)
