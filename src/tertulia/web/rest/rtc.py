"""WebRTC of a conversation's members: offers and answers (wire-api 1.3 and 4.1)."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tertulia.model.errors import ValidationFailed
from tertulia.model.ids import LegId, MemberId
from tertulia.protocols.http1 import Response
from tertulia.services.members import Members
from tertulia.services.signalling import Sdp, Signalling
from tertulia.web import answers
from tertulia.web.leg_shapes import RtcResource
from tertulia.web.rest.legs import OfferBody, SdpOffer, SdpText
from tertulia.web.routing import OLDER, Call, Edition, route

LATEST = (Edition.V03,)
PATH = "/conversations/{conversation_id}/rtc"
ONE = PATH + "/{rtc_id}"

Session = Annotated[str, Meta(max_length=200)]
Sender = Annotated[str, Meta(description="Id of the member that acts.")]


class RtcDraft(Struct, frozen=True):
    """A member's offer of audio."""

    body: OfferBody
    from_: MemberId | None = field(default=None, name="from")
    originating_session: Session | None = None


class AnswerBody(Struct, frozen=True):
    answer: SdpText | SdpOffer


class AnswerDraft(Struct, frozen=True):
    """A client's answer to the offer of an invitation."""

    body: AnswerBody
    from_: MemberId | None = field(default=None, name="from")
    originating_session: Session | None = None


class IceDraft(Struct, frozen=True):
    """A candidate that is told late."""

    body: dict[str, Any]
    from_: MemberId | None = field(default=None, name="from")
    originating_session: Session | None = None


class RtcQuery(Struct, frozen=True):
    from_: Sender = field(default="", name="from")
    originating_session: Session = ""


class RtcResources:
    def __init__(self, signalling: Signalling, members: Members) -> None:
        self._signalling = signalling
        self._members = members

    @route("POST", PATH, editions=LATEST, body=RtcDraft, answers={201: RtcResource})
    async def create_rtc(self, call: Call) -> Response:
        """Give a member audio: the answer to its offer follows as `rtc:answer`"""
        return answers.json(201, await self._enable(call))

    @route("POST", PATH, name="create_rtc", editions=OLDER, body=RtcDraft,
           answers={200: RtcResource})  # fmt: skip
    async def create_rtc_of_old(self, call: Call) -> Response:
        """Give a member audio: the answer to its offer follows as `rtc:answer`"""
        return answers.json(200, await self._enable(call))

    @route("POST", ONE + "/offer", editions=LATEST, body=RtcDraft,
           answers={201: RtcResource})  # fmt: skip
    async def renew_rtc(self, call: Call) -> Response:
        """Give a leg a new media path: the answer to its offer follows as `rtc:answer`"""
        return answers.json(201, await self._renew(call))

    @route("POST", ONE + "/offer", name="renew_rtc", editions=OLDER, body=RtcDraft,
           answers={200: RtcResource})  # fmt: skip
    async def renew_rtc_of_old(self, call: Call) -> Response:
        """Give a leg a new media path: the answer to its offer follows as `rtc:answer`"""
        return answers.json(200, await self._renew(call))

    @route("POST", ONE + "/answer", editions=LATEST, body=AnswerDraft,
           answers={201: RtcResource, 409: None})  # fmt: skip
    async def answer_rtc(self, call: Call) -> Response:
        """Answer the offer of an invitation"""
        return answers.json(201, await self._accept(call))

    @route("POST", ONE + "/answer", name="answer_rtc", editions=OLDER, body=AnswerDraft,
           answers={200: RtcResource, 409: None})  # fmt: skip
    async def answer_rtc_of_old(self, call: Call) -> Response:
        """Answer the offer of an invitation"""
        return answers.json(200, await self._accept(call))

    @route("POST", ONE + "/ice", editions=LATEST, body=IceDraft, answers={201: RtcResource})
    async def add_candidate(self, call: Call) -> Response:
        """Tell a candidate: it is not needed, the checks themselves say where they come from"""
        await self._members.me(call.conversation_id, call.actor)
        return answers.json(201, _rtc(call, call.params["rtc_id"]))

    @route("DELETE", ONE, editions=LATEST, query=RtcQuery, answers={204: None})
    async def delete_rtc(self, call: Call) -> Response:
        """Take a member's audio away"""
        await self._terminate(call)
        return answers.nothing()

    @route("DELETE", ONE, name="delete_rtc", editions=OLDER, query=RtcQuery,
           answers={200: dict[str, str]})  # fmt: skip
    async def delete_rtc_of_old(self, call: Call) -> Response:
        """Take a member's audio away"""
        await self._terminate(call)
        return answers.json(200, {})

    async def _enable(self, call: Call) -> RtcResource:
        draft: RtcDraft = call.body
        member_id = draft.from_
        if member_id is None:
            if call.actor.is_system:
                raise ValidationFailed.of("from", "is required")
            member_id = (await self._members.me(call.conversation_id, call.actor)).member.id
        given = Sdp(draft.body.offer.sdp, draft.originating_session)
        leg_id = await self._signalling.enable(call.conversation_id, member_id, given, call.actor)
        return _rtc(call, leg_id)

    async def _renew(self, call: Call) -> RtcResource:
        given = Sdp(call.body.body.offer.sdp, call.body.originating_session)
        await self._signalling.renew(call.conversation_id, _leg_id(call), given, call.actor)
        return _rtc(call, _leg_id(call))

    async def _accept(self, call: Call) -> RtcResource:
        answer = call.body.body.answer
        sdp = answer.sdp if isinstance(answer, SdpOffer) else answer
        given = Sdp(sdp, call.body.originating_session)
        await self._signalling.accept(call.conversation_id, _leg_id(call), given, call.actor)
        return _rtc(call, _leg_id(call))

    async def _terminate(self, call: Call) -> None:
        await self._signalling.terminate(
            call.conversation_id, _leg_id(call), call.actor,
            session=call.query.originating_session or None,
        )  # fmt: skip


def _leg_id(call: Call) -> LegId:
    return LegId(call.params["rtc_id"])


def _rtc(call: Call, leg_id: str) -> RtcResource:
    href = f"{call.base}/conversations/{call.conversation_id}/rtc/{leg_id}"
    return RtcResource(leg_id, leg_id, href)
