"""Legs: open one, look at them, act on one (wire-api 5.1, wire-clients 4.4 and 5.2)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tertulia.model.errors import Forbidden
from tertulia.model.ids import LegId
from tertulia.model.leg import Leg
from tertulia.ports import LegFilter
from tertulia.protocols.http1 import Response
from tertulia.services.audiocontrol import AudioControl
from tertulia.services.conversations import Conversations
from tertulia.services.legcontrol import LegControl
from tertulia.web import answers
from tertulia.web.leg_shapes import LegAnswer, LegPage, LegResource, leg
from tertulia.web.paging import PageQuery, Slice, cut, page_answer, page_of
from tertulia.web.routing import OLDER, Call, Edition, route

LATEST = (Edition.V03,)
PATH = "/legs"
ONE = PATH + "/{leg_id}"
OF_CONVERSATION = "/conversations/{conversation_id}/legs"

SDP_MAX = 32_768

SdpText = Annotated[str, Meta(min_length=1, max_length=SDP_MAX)]


class SdpOffer(Struct, frozen=True):
    sdp: SdpText
    type: str = "offer"
    label: str | None = None


class OfferBody(Struct, frozen=True):
    offer: SdpOffer
    label: str | None = None


class LegDraft(Struct, frozen=True):
    """A client's offer of a leg."""

    body: OfferBody
    originating_session: str | None = None


class LegAction(Struct, frozen=True):
    action: Literal["hangup", "mute", "unmute", "earmuff", "unearmuff", "answer"]


class LegResources:
    def __init__(
        self, control: LegControl, audio: AudioControl, conversations: Conversations
    ) -> None:
        self._control = control
        self._audio = audio
        self._conversations = conversations

    @route("POST", PATH, editions=(*LATEST, *OLDER), body=LegDraft, answers={200: LegAnswer})
    async def create_leg(self, call: Call) -> Response:
        """Open a leg: the answer to a client's offer"""
        if call.actor.is_system:
            raise Forbidden("Only a user's client has audio to offer.")
        made, sdp = await self._control.open(call.body.body.offer.sdp, call.actor)
        return answers.json(200, LegAnswer(made.id, sdp, f"{call.base}/legs/{made.id}"))

    @route("GET", PATH, editions=LATEST, query=PageQuery, answers={200: LegPage})
    async def list_legs(self, call: Call) -> Response:
        """List the legs of the application, or of the token's user"""
        return await self._list(call, None, "/legs")

    @route("GET", OF_CONVERSATION, editions=LATEST, query=PageQuery, answers={200: LegPage})
    async def list_conversation_legs(self, call: Call) -> Response:
        """List the legs of a conversation"""
        await self._conversations.seen(call.conversation_id, call.actor)
        return await self._list(
            call, call.conversation_id, f"/conversations/{call.conversation_id}/legs"
        )

    @route("GET", ONE, editions=(*LATEST, *OLDER), answers={200: LegResource})
    async def get_leg(self, call: Call) -> Response:
        """Retrieve a leg"""
        return self._shown(call, await self._control.find(_leg_id(call), call.actor))

    @route("PUT", ONE, editions=(*LATEST, *OLDER), body=LegAction,
           answers={200: LegResource, 409: None})  # fmt: skip
    async def update_leg(self, call: Call) -> Response:
        """Mute, unmute, earmuff, unearmuff, answer or end a leg"""
        return self._shown(
            call, await self._control.act(_leg_id(call), call.body.action, call.actor)
        )

    @route("DELETE", ONE, editions=LATEST, answers={204: None})
    async def delete_leg(self, call: Call) -> Response:
        """End a leg"""
        await self._control.end(_leg_id(call), call.actor)
        return answers.nothing()

    @route("DELETE", ONE, name="delete_leg", editions=OLDER, answers={200: dict[str, str]})
    async def delete_leg_of_old(self, call: Call) -> Response:
        """End a leg"""
        await self._control.end(_leg_id(call), call.actor)
        return answers.json(200, {})

    async def _list(self, call: Call, conversation_id: Any, path: str) -> Response:
        page = page_of(call.query, "legs", tuple[int])
        user_id = call.actor.user_id if conversation_id is None else None
        where = LegFilter(call.actor.application_id, conversation_id, user_id)
        piece: Slice[Any] = cut(await self._control.list(where, page), page, "legs")
        items = [self._resource(call, each.leg) for each in piece.items]
        return page_answer(call, path, piece, {"legs": items})

    def _shown(self, call: Call, found: Leg) -> Response:
        return answers.json(200, self._resource(call, found))

    def _resource(self, call: Call, found: Leg) -> LegResource:
        return leg(found, call.base, self._audio.leg_state(found))


def _leg_id(call: Call) -> LegId:
    return LegId(call.params["leg_id"])
