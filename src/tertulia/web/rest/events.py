"""Events of a conversation: send, read, list, delete (wire-api 2)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tertulia.model.channel_ends import without_ends
from tertulia.model.errors import ValidationFailed
from tertulia.model.event import Event
from tertulia.model.events.registry import Creator
from tertulia.model.ids import EventId, MemberId
from tertulia.model.posting import EventDraft
from tertulia.ports import EventQuery, Listed, Page
from tertulia.protocols.http1 import Response
from tertulia.services.events import Events
from tertulia.web import answers, shapes
from tertulia.web.paging import PageQuery, Slice, cut, page_answer, page_of, required_number
from tertulia.web.routing import Call, Edition, route

PATH = "/conversations/{conversation_id}/events"
ONE = PATH + "/{event_id}"

TYPES_MAX = 5
"""Items of an `event_type` filter (wire-api 1.4)."""

CHAT_EVENTS = (
    "custom:*", "event:delete", "member:invited", "member:joined", "member:left", "message",
)  # fmt: skip
"""COMPAT: the filter group ChatEvents; another type makes the client SDK's parser loop
(wire-clients 5.3)."""


_NUMBER = {"pattern": "^[0-9]{0,15}$"}
FirstId = Annotated[str, Meta(description="From this event on.", extra_json_schema=_NUMBER)]
LastId = Annotated[str, Meta(description="Up to this event.", extra_json_schema=_NUMBER)]
Types = Annotated[str, Meta(description="Only these types: at most five, with commas between.")]
Sender = Annotated[str, Meta(description="Id of the member that acts.")]

NOTHING = ("",)
"""A filter that no event passes; an empty one would let all pass."""


class EventPageQuery(PageQuery, frozen=True):
    start_id: FirstId = ""
    end_id: LastId = ""
    event_type: Types = ""
    exclude_deleted_events: bool = False
    filter_group_type: Annotated[str, Meta(description="`ChatEvents`: only those of a chat.")] = ""
    filter_group_version: str = ""


class DeleteQuery(Struct, frozen=True):
    from_: Sender = field(default="", name="from")


class ShownEvent(Listed, frozen=True):
    event: Event


class EventResource:
    def __init__(self, events: Events, v1_embedded: Literal["auto", "array", "object"]) -> None:
        self._events = events
        self._v1_embedded = v1_embedded

    @route("POST", PATH, editions=(Edition.V1,), body=EventDraft,
           answers={201: shapes.EventResource})  # fmt: skip
    async def create_event(self, call: Call) -> Response:
        """Send an event into a conversation"""
        return await self._create(call, Creator.REST)

    @route("POST", PATH, name="create_event", editions=(Edition.V03,), body=EventDraft,
           answers={201: shapes.EventResource})  # fmt: skip
    async def create_any_event(self, call: Call) -> Response:
        """Send an event into a conversation, of the older types too"""
        return await self._create(call, Creator.REST | Creator.REST_LEGACY)

    @route("GET", PATH, editions=(Edition.V1,), query=EventPageQuery,
           answers={200: (shapes.EventPageV1, shapes.EventPage)})  # fmt: skip
    async def list_events(self, call: Call) -> Response:
        """List the events of a conversation"""
        return await self._list(call, as_array=self._wants_array(call))

    @route("GET", PATH, name="list_events", editions=(Edition.V03,), query=EventPageQuery,
           answers={200: shapes.EventPage})  # fmt: skip
    async def list_embedded_events(self, call: Call) -> Response:
        """List the events of a conversation"""
        return await self._list(call, as_array=False)

    @route("GET", ONE, editions=(Edition.V1, Edition.V03), answers={200: shapes.EventResource})
    async def get_event(self, call: Call) -> Response:
        """Retrieve an event"""
        return answers.raw_json(200, shapes.event(await self._get(call), call.base))

    @route("DELETE", ONE, editions=(Edition.V1, Edition.V03), query=DeleteQuery,
           answers={204: None})  # fmt: skip
    async def delete_event(self, call: Call) -> Response:
        """Delete an event: its content goes, its place stays"""
        await self._delete(call)
        return answers.nothing()

    async def _get(self, call: Call) -> Event:
        return await self._events.get(call.conversation_id, _number(call), call.actor)

    async def _delete(self, call: Call) -> None:
        sender = MemberId(call.query.from_) if call.query.from_ else None
        await self._events.delete(call.conversation_id, _number(call), call.actor, sender=sender)

    async def _create(self, call: Call, creator: Creator) -> Response:
        event = await self._events.create(call.conversation_id, call.body, call.actor, creator)
        return answers.raw_json(201, shapes.event(event, call.base))

    async def _list(self, call: Call, *, as_array: bool) -> Response:
        piece = await self._slice(call)
        for_chat = _is_of_chat(call.query)
        found = [item.event for item in piece.items]
        shown = [without_ends(event) for event in found] if for_chat else found
        embedded = shapes.events_embedded(shown, call.base, as_array=as_array, for_chat=for_chat)
        return page_answer(call, f"/conversations/{call.conversation_id}/events", piece, embedded)

    async def _slice(self, call: Call) -> Slice[ShownEvent]:
        page = page_of(call.query, "events", tuple[int])
        query = _event_query(call.query, page)
        found = await self._events.list(call.conversation_id, query, call.actor)
        if page.before is not None:
            found.reverse()
        return cut([ShownEvent((event.id or 0,), event) for event in found], page, "events")

    def _wants_array(self, call: Call) -> bool:
        """COMPAT: on /v1 the Java SDK (8.9.1 and later) reads an object, all others the array."""
        if self._v1_embedded == "auto":
            return not call.request.headers.get("user-agent", "").startswith("vonage-java-sdk/")
        return self._v1_embedded == "array"


def _event_query(query: EventPageQuery, page: Page) -> EventQuery:
    """Bounds are inclusive for a caller, exclusive inside; a cursor narrows them."""
    after = required_number("start_id", query.start_id) - 1 if query.start_id else 0
    before = required_number("end_id", query.end_id) + 1 if query.end_id else None
    descending = query.descending
    if page.after is not None:
        after, before = _narrowed(after, before, int(page.after[0]), upward=not descending)
    elif page.before is not None:
        after, before = _narrowed(after, before, int(page.before[0]), upward=descending)
        descending = not descending  # nearest to the cursor first; the caller turns them round
    return EventQuery(
        after=max(after, 0), before=before, types=_types(query), descending=descending,
        exclude_deleted=query.exclude_deleted_events, limit=page.limit,
    )  # fmt: skip


def _narrowed(after: int, before: int | None, key: int, *, upward: bool) -> tuple[int, int | None]:
    if upward:
        return max(after, key), before
    return after, key if before is None else min(before, key)


def _types(query: EventPageQuery) -> tuple[str, ...]:
    named = tuple(part.strip() for part in query.event_type.split(",") if part.strip())
    if len(named) > TYPES_MAX:
        raise ValidationFailed.of("event_type", f"must contain at most {TYPES_MAX} types")
    if not _is_of_chat(query):
        return named
    chat = [name for name in named if name in CHAT_EVENTS or name.startswith("custom:")]
    return (tuple(chat) or NOTHING) if named else CHAT_EVENTS


def _is_of_chat(query: EventPageQuery) -> bool:
    return query.filter_group_type == "ChatEvents"


def _number(call: Call) -> EventId:
    return EventId(required_number("event_id", call.params["event_id"]))
