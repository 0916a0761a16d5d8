"""Events in the older editions, and what their clients leave out (wire-clients 3.2)."""

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tertulia.model.errors import ValidationFailed
from tertulia.model.events.registry import Creator
from tertulia.model.posting import EventDraft
from tertulia.model.validation import decode
from tertulia.protocols.http1 import Response
from tertulia.services.events import Events
from tertulia.services.members import Members
from tertulia.web import answers, legacy_shapes
from tertulia.web.legacy_shapes import LEFT_OUT, LegacyEvent, LegacyEventPage, LegacyNothing
from tertulia.web.paging import page_answer, unpaged
from tertulia.web.rest.events import ONE, PATH, DeleteQuery, EventPageQuery, EventResource
from tertulia.web.routing import FIRST, OLDER, SECOND, Call, route

_DEFAULTS: dict[str, Any] = {"level": 0, "loop": 1}


class LegacyEventResource(EventResource):
    def __init__(self, events: Events, members: Members) -> None:
        super().__init__(events, "object")
        self._members = members

    @route("POST", PATH, editions=OLDER, body=EventDraft, answers={200: LegacyEvent})
    async def create_event(self, call: Call) -> Response:
        """Send an event into a conversation, of the older types too"""
        event = await self._events.create(
            call.conversation_id, await self._completed(call), call.actor,
            Creator.REST | Creator.REST_LEGACY,
        )  # fmt: skip
        return answers.raw_json(200, legacy_shapes.event(event, call.base))

    @route("GET", PATH, editions=FIRST, query=EventPageQuery, answers={200: list[LegacyEvent]})
    async def list_events(self, call: Call) -> Response:
        """List the events of a conversation"""
        unpaged(call)
        return answers.raw_json(200, await self._items(call))

    @route("GET", PATH, name="list_events", editions=SECOND, query=EventPageQuery,
           answers={200: LegacyEventPage})  # fmt: skip
    async def list_events_by_cursor(self, call: Call) -> Response:
        """List the events of a conversation; from one to another, as many as a page can hold"""
        if call.query.start_id or call.query.end_id:
            # COMPAT: nexmo-client repairs a gap by its ends alone; what is still missing then, it
            # asks for again (wire-clients 1.5)
            unpaged(call)
        piece = await self._slice(call)
        shown = legacy_shapes.events([item.event for item in piece.items], call.base)
        path = f"/conversations/{call.conversation_id}/events"
        return page_answer(call, path, piece, {"data": {"events": Raw(shown)}})

    @route("GET", ONE, editions=OLDER, answers={200: LegacyEvent})
    async def get_event(self, call: Call) -> Response:
        """Retrieve an event"""
        return answers.raw_json(200, legacy_shapes.event(await self._get(call), call.base))

    @route("DELETE", ONE, editions=OLDER, query=DeleteQuery, answers={200: LegacyNothing})
    async def delete_event(self, call: Call) -> Response:
        """Delete an event: its content goes, its place stays"""
        await self._delete(call)
        return answers.json(200, LegacyNothing())

    async def _items(self, call: Call) -> bytes:
        piece = await self._slice(call)
        return legacy_shapes.events([item.event for item in piece.items], call.base)

    async def _completed(self, call: Call) -> EventDraft:
        """The draft with what its sender left out."""
        draft: EventDraft = call.body
        names = LEFT_OUT.get(draft.type)
        given = decode(bytes(draft.body), Any, root="body") if names else None
        if names is None or not isinstance(given, dict) or given.keys() >= set(names):
            return draft
        added = {name: await self._filled(call, name) for name in names}
        return replace(draft, body=Raw(msgspec.json.encode({**added, **given})))

    async def _filled(self, call: Call, name: str) -> object:
        """A body member by what it is when nobody says it."""
        return await self._leg(call) if name == "rtc_id" else _DEFAULTS[name]

    async def _leg(self, call: Call) -> str:
        """Of the member that is acted upon, else of the one that acts."""
        named = call.body.to or call.body.from_
        if named is None and call.actor.is_system:
            raise ValidationFailed.of("body.rtc_id", "is required")
        members, where = self._members, call.conversation_id
        found = await (
            members.get(where, named, call.actor) if named else members.me(where, call.actor)
        )
        if found.member.channel.id is None:
            raise ValidationFailed.of("body.rtc_id", "is required: the member has no leg")
        return found.member.channel.id
