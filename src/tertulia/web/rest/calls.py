"""The call API: call somebody, look at calls, and act on one (wire-api 5.2)."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta, Struct

from tertulia.model.call_request import CallDraft, ChangeDraft, changed, requested
from tertulia.model.events.audio import Digits
from tertulia.model.events.values import Count, WebUri
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.model.state import Webhook
from tertulia.ports import CallFilter, Records
from tertulia.protocols.http1 import Response
from tertulia.services.callcontrol import CallControl
from tertulia.web import answers, call_shapes
from tertulia.web.call_shapes import (
    CallList,
    CallMessage,
    CallPage,
    CallReference,
    CallResource,
    CallTimeline,
    RecordLinks,
)
from tertulia.web.paging import SizedQuery
from tertulia.web.rest.audio import StreamDraft, TalkDraft
from tertulia.web.rest.conversations import After, Before, read_date
from tertulia.web.routing import Call, Edition, route
from tertulia.web.shapes import Link

V1 = (Edition.V1,)
PATH = "/calls"
ONE = PATH + "/{call_id}"
APPLESS = "vonage-python-sdk/"
"""COMPAT: how the user agent of a client begins whose models know no end of type `app`, and which
takes no page with one."""

Status = Literal[
    "started", "ringing", "answered", "machine", "completed", "busy", "cancelled", "failed",
    "rejected", "timeout", "unanswered",
]  # fmt: skip


class CallQuery(SizedQuery, frozen=True):
    status: Annotated[Status | None, Meta(description="Only calls that are so now.")] = None
    date_start: After = ""
    date_end: Before = ""
    record_index: Annotated[
        int, Meta(ge=0, le=2**31, description="How many calls to skip.")
    ] = 0  # fmt: skip
    conversation_uuid: Annotated[
        str, Meta(max_length=200, description="Only calls that are, or at last were, there.")
    ] = ""


class CallStreamDraft(StreamDraft, frozen=True):
    """A file to be played into a call."""

    stream_url: Annotated[list[WebUri], Meta(min_length=1, max_length=1)]
    loop: Count = 1
    """Times to play; 0 is endless."""


class CallTalkDraft(TalkDraft, frozen=True):
    """A text to be said into a call."""

    loop: Count = 1
    """Times to say it; 0 is endless."""


class CallDigitsDraft(Struct, frozen=True):
    digits: Digits
    """`p` is a pause of half a second."""


class KeySubscription(Struct, frozen=True):
    """Who is told of the keys that are pressed."""

    event_url: Annotated[list[WebUri], Meta(min_length=1, max_length=1)]


class CallResources:
    def __init__(self, control: CallControl) -> None:
        self._control = control

    @route("POST", PATH, editions=V1, body=CallDraft, answers={201: CallReference, 404: None})
    async def create_call(self, call: Call) -> Response:
        """Call a phone, a user's clients, a SIP address or a websocket"""
        made = await self._control.create(requested(call.body), call.actor)
        return answers.json(201, CallReference(made.leg.id, made.own))

    @route("GET", PATH, editions=V1, query=CallQuery, answers={200: CallPage})
    async def list_calls(self, call: Call) -> Response:
        """List the calls of the application, or of the token's user"""
        query: CallQuery = call.query
        where = CallFilter(
            call.actor.application_id, call.actor.user_id,
            ConversationId(query.conversation_uuid) if query.conversation_uuid else None,
            query.status, read_date("date_start", query.date_start),
            read_date("date_end", query.date_end),
        )  # fmt: skip
        records = Records(query.record_index, query.page_size, query.descending)
        found = await self._control.list(where, records)
        return answers.json(200, CallPage(
            count=found.count, page_size=query.page_size, record_index=query.record_index,
            embedded=CallList([self._shown(call, each) for each in found.calls]),
            links=_links(call, query, found.count),
        ))  # fmt: skip

    @route("GET", ONE, editions=V1, answers={200: CallResource})
    async def get_call(self, call: Call) -> Response:
        """Retrieve a call"""
        found = await self._control.find(_id(call), call.actor)
        return answers.json(200, self._shown(call, found))

    @route("PUT", ONE, editions=V1, body=ChangeDraft, answers={204: None})
    async def change_call(self, call: Call) -> Response:
        """Hang up, mute, unmute, earmuff, unearmuff or transfer a call"""
        await self._control.change(_id(call), changed(call.body), call.actor)
        return answers.nothing()

    @route("PUT", ONE + "/stream", editions=V1, body=CallStreamDraft, answers={200: CallMessage})
    async def stream_into_call(self, call: Call) -> Response:
        """Play a file into a call"""
        await self._control.play(_id(call), call.body.body(), call.actor)
        return _done(call, "Stream started")

    @route("DELETE", ONE + "/stream", editions=V1, answers={200: CallMessage})
    async def stop_call_stream(self, call: Call) -> Response:
        """Stop what is played into a call"""
        await self._control.stop_sounds(_id(call), call.actor, speech=False)
        return _done(call, "Stream stopped")

    @route("PUT", ONE + "/talk", editions=V1, body=CallTalkDraft, answers={200: CallMessage})
    async def talk_into_call(self, call: Call) -> Response:
        """Say a text into a call"""
        await self._control.say(_id(call), call.body.body(), call.actor)
        return _done(call, "Talk started")

    @route("DELETE", ONE + "/talk", editions=V1, answers={200: CallMessage})
    async def stop_call_talk(self, call: Call) -> Response:
        """Stop what is said into a call"""
        await self._control.stop_sounds(_id(call), call.actor, speech=True)
        return _done(call, "Talk stopped")

    @route("PUT", ONE + "/dtmf", editions=V1, body=CallDigitsDraft, answers={200: CallMessage})
    async def press_into_call(self, call: Call) -> Response:
        """Press keys into a call"""
        await self._control.press(_id(call), call.body.digits, call.actor)
        return _done(call, "DTMF sent")

    @route(
        "PUT", ONE + "/input/dtmf", editions=V1, body=KeySubscription, answers={200: CallMessage}
    )
    async def subscribe_keys(self, call: Call) -> Response:
        """Have a webhook told of each key that is pressed on a call"""
        webhook = Webhook(call.body.event_url[0], http_method="POST")
        await self._control.subscribe(_id(call), webhook, call.actor)
        return _done(call, "DTMF subscribed")

    @route("DELETE", ONE + "/input/dtmf", editions=V1, answers={204: None})
    async def unsubscribe_keys(self, call: Call) -> Response:
        """Tell of keys no longer"""
        await self._control.unsubscribe(_id(call), call.actor)
        return answers.nothing()

    @route("GET", ONE + "/timeline", editions=V1, answers={200: CallTimeline})
    async def get_call_timeline(self, call: Call) -> Response:
        """Extension: what happened to a call, step by step"""
        moments, connected = await self._control.timeline(_id(call), call.actor)
        return answers.json(200, call_shapes.timeline(_id(call), moments, connected))

    def _shown(self, call: Call, found: Leg) -> CallResource:
        knows_apps = not call.request.headers.get("user-agent", "").startswith(APPLESS)
        where = self._control.where(found) or ""
        return call_shapes.call(found, where, call.base, knows_apps=knows_apps)


def _id(call: Call) -> LegId:
    return LegId(call.params["call_id"])


def _done(call: Call, message: str) -> Response:
    return answers.json(200, CallMessage(message, _id(call)))


def _links(call: Call, query: CallQuery, count: int) -> RecordLinks:
    """COMPAT: the Node SDK reads href as a URL, and the index of the next page out of it."""
    size, index = query.page_size, query.record_index
    kept = [(name, value) for name, value in call.given.items() if name not in _PAGING]
    kept += [("order", query.order), ("page_size", str(size))]

    def link(first: int) -> Link:
        pairs = [*kept, ("record_index", str(first))]
        return Link(f"{call.base}{PATH}?{urlencode(pairs)}")

    return RecordLinks(
        self=link(index), first=link(0), last=link(max(count - 1, 0) // size * size),
        prev=link(max(index - size, 0)) if index > 0 else None,
        next=link(index + size) if index + size < count else None,
    )  # fmt: skip


_PAGING = frozenset({"order", "page_size", "record_index"})
