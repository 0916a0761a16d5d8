"""The voice webhooks: what an application hears of its calls, and what it says to that.

What they are told goes through the log, as conversation events do; what they are asked is asked
directly, since somebody waits for the answer.
"""

import asyncio
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.calling import name_of, price, seconds, status_of
from tertulia.model.endpoints import Authorization
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import AudioRecordDone, AudioTranscribeDone
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.registry import encode_body
from tertulia.model.events.voicehook import VOICE_WEBHOOK, CustomTertuliaCall
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.instant import iso
from tertulia.model.leg import Leg
from tertulia.model.script import Record
from tertulia.model.script_acts import UNASKED
from tertulia.model.script_orders import Announce, Report, Submit
from tertulia.model.state import Profile, Webhook
from tertulia.ports import Clock
from tertulia.services.calls import Patience
from tertulia.services.conductor import Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.lines import Line
from tertulia.services.reactions import body_of
from tertulia.services.recordings import Library
from tertulia.services.timelines import Timelines

FREE = "0.00"


class Question(Struct, frozen=True):
    """A request to an application's own server: `members` as the query of a GET, or as JSON."""

    application_id: ApplicationId
    webhook: Webhook
    members: dict[str, Any]
    method: str = "POST"
    """Where the webhook says none."""


class Unanswered(TertuliaError):
    """The server could not be asked, or did not accept the question; the message says why."""


class Answers(Protocol):
    async def ask(self, question: Question) -> bytes:
        """The body of a good answer. Raises Unanswered, within the webhook's time-outs."""

    def credential(self, application_id: ApplicationId) -> str:
        """A token that says that we are who we are, signed as webhooks are."""


class _Kept(Struct, frozen=True):
    """A recording that is to be told of, and where it is made."""

    line: Line
    action: Record
    room: ConversationId


class VoiceHooks:
    def __init__(
        self, *, answers: Answers, conversations: Conversations, library: Library,
        errands: Errands, clock: Clock,
        patience: Patience, timelines: Timelines,
    ) -> None:  # fmt: skip
        self._answers = answers
        self._conversations = conversations
        self._library = library
        self._errands = errands
        self._clock = clock
        self._patience = patience
        self._timelines = timelines
        self._lines: dict[LegId, Line] = {}
        self._told: dict[LegId, Leg] = {}
        """The leg as its application last heard of it."""
        self._recordings: dict[str, _Kept] = {}

    @property
    def reactions(self) -> Reactions:
        return {
            "leg:status:update": self._changed, "audio:record:done": self._recorded,
            "audio:transcribe:done": self._transcribed, "conversation:deleted": self._deleted,
        }  # fmt: skip

    def open(self, line: Line) -> None:
        """From now on tell of this call, and of what has become of it by now."""
        if not line.leg.is_over:
            self.follow(line)
        for step in line.leg.steps:
            leg = replace(line.leg, status=LegStatus(step.status))
            self._tell(line, line.event_url, self.outcome(line, leg))

    def follow(self, line: Line) -> None:
        """From now on tell of what becomes of this call."""
        line.live.leg = replace(line.leg, event_url=line.event_url)
        self._lines[line.leg.id] = line
        self._told[line.leg.id] = line.leg

    def line(self, leg_id: LegId) -> Line | None:
        """A call that is told of, until it ends."""
        return self._lines.get(leg_id)

    def tell(self, line: Line, members: dict[str, Any]) -> None:
        """Something has become known about the call."""
        self._tell(line, line.event_url, {**self.about(line), **members})

    def complain(self, line: Line, reason: str) -> None:
        """Something about the call went wrong."""
        self._tell(line, line.event_url, {**self.about(line), "reason": reason})

    def keep_recording(self, recording_id: str, line: Line, action: Record) -> None:
        """Tell of this recording when it is there."""
        room = line.leg.conversation_id or line.own
        self._recordings[recording_id] = _Kept(line, action, room)

    async def submit(self, line: Line, result: Submit) -> bytes:
        """What the application says to the result of an input; nothing when nobody asked.

        Raises Unanswered.
        """
        action = result.action
        webhook = _webhook(action.event_url, action.event_method) or line.event_url
        if webhook is None:
            return b""
        members = {**self.about(line), **_result(result)}
        return await self.consult(line, webhook, members)

    async def announce(self, line: Line, order: Announce) -> bytes:
        """What the application says to a notice. Raises Unanswered."""
        webhook = _webhook(order.action.event_url, order.action.event_method)
        assert webhook is not None
        members = {**self.about(line), "payload": order.action.payload}
        return await self.consult(line, webhook, members)

    def report(self, line: Line, order: Report) -> None:
        """A key, to an input that the script does not wait for."""
        webhook = _webhook(order.action.event_url, order.action.event_method) or line.event_url
        dtmf = {"digits": order.digit, "timed_out": False}
        self._tell(line, webhook, {**self.about(line), "dtmf": dtmf})

    async def consult(self, line: Line, webhook: Webhook, members: dict[str, Any]) -> bytes:
        """What the application says to something about the call. Raises Unanswered."""
        question = Question(line.application_id, webhook, members)
        try:
            return await self._ask(line, question)
        except Unanswered:
            await asyncio.sleep(self._patience.again)
            return await self._ask(line, question)

    async def ask(self, line: Line, webhook: Webhook) -> bytes:
        """What becomes of a call, in the words of the application. Raises Unanswered.

        COMPAT: who calls is `from_user` when it is an app that calls (wire-api 5.4).
        """
        leg, caller = line.leg, name_of(line.leg.from_)
        members = {
            "to": name_of(leg.to), "from": caller, "uuid": leg.id, "conversation_uuid": line.own,
            "endpoint_type": leg.type, "region_url": self._library.address,
        }  # fmt: skip
        if leg.type is LegType.APP:
            members["from_user"] = caller
            members["custom_data"] = msgspec.json.encode(line.custom_data).decode()
        members |= {f"SipHeader_{name}": value for name, value in line.headers.items()}
        return await self._ask(line, Question(line.application_id, webhook, members, "GET"))

    def credential(self, line: Line, wanted: Authorization) -> str:
        """The header field of that name, of a websocket's handshake."""
        if wanted.type == "custom" and wanted.value:
            return wanted.value
        return f"Bearer {self._answers.credential(line.application_id)}"

    def about(self, line: Line) -> dict[str, Any]:
        """Which call it is, where it is now."""
        return self._about(line.leg, line.leg.conversation_id or line.own)

    def _about(self, leg: Leg, where: ConversationId | None) -> dict[str, Any]:
        return {
            "uuid": leg.id, "conversation_uuid": where, "from": name_of(leg.from_),
            "to": name_of(leg.to), "timestamp": iso(self._clock.now()),
        }  # fmt: skip

    async def _changed(self, event: Event) -> None:
        leg = event.became
        if not isinstance(leg, Leg):
            return
        line = self._lines.get(leg.id)
        if line is None:
            self._tell_broken_off(leg)
            return
        told = self._told[leg.id]
        if leg.steps == told.steps[: len(leg.steps)]:  # of before it was opened
            return
        if leg.status is LegStatus.MACHINE:  # told by who has found out
            self._told[leg.id] = leg
        elif leg.status is not told.status:
            self._tell_status(line, leg)
        elif told.conversation_id is not None and leg.conversation_id != told.conversation_id:
            self._told[leg.id] = leg
            members = {
                **self.about(line), "type": "transfer",
                "conversation_uuid_from": told.conversation_id,
                "conversation_uuid_to": leg.conversation_id,
            }  # fmt: skip
            self._tell(line, line.event_url, members)

    def _tell_broken_off(self, leg: Leg) -> None:
        """The server under which the call was made has died before it."""
        if leg.is_over and leg.event_url is not None:
            members = {**self._about(leg, leg.conversation_id), **_ending(leg)}
            self._errands.in_turn(
                ("voice", leg.id), partial(self._keep, leg, leg.event_url, members)
            )

    def _tell_status(self, line: Line, leg: Leg) -> None:
        self._told[leg.id] = leg
        if leg.is_over:
            del self._lines[leg.id], self._told[leg.id]
        if not (line.is_asked and leg.is_over and status_of(leg) not in UNASKED):
            self._tell(line, line.event_url, self.outcome(line, leg))

    def outcome(self, line: Line, leg: Leg) -> dict[str, Any]:
        """What had become of a call when its leg was like this."""
        members = {**self.about(line), **_ending(leg)}
        if leg.type is LegType.WEBSOCKET and leg.to.headers:
            members["headers"] = leg.to.headers
        return members

    async def _recorded(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioRecordDone) or body.recording_id not in self._recordings:
            return
        kept = self._recordings[body.recording_id]
        line, action = kept.line, kept.action
        if action.transcription is None or body.error:
            del self._recordings[body.recording_id]
        if body.error:
            self.complain(line, f"record: {body.error}")
            return
        members = {
            **self.about(line), "recording_url": body.destination_url, "size": body.size,
            "recording_uuid": body.recording_id, "start_time": body.start_time,
            "end_time": body.end_time,
        }  # fmt: skip
        webhook = _webhook(action.event_url, action.event_method) or line.event_url
        self._tell(line, webhook, members)

    async def _transcribed(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioTranscribeDone):
            return
        kept = self._recordings.pop(body.recording_id, None)
        if kept is None or kept.action.transcription is None:
            return
        line, wanted = kept.line, kept.action.transcription
        members = {
            **self.about(line), "type": "record", "recording_uuid": body.recording_id,
            "status": "failed" if body.error else "transcribed",
            "transcription_url": body.transcription_url,
        }  # fmt: skip
        webhook = _webhook(wanted.event_url, wanted.event_method) or line.event_url
        self._tell(line, webhook, members)

    async def _deleted(self, event: Event) -> None:
        """Of its recordings nothing will be told."""
        room = event.became.id if isinstance(event.became, Profile) else None
        for each in [each for each, kept in self._recordings.items() if kept.room == room]:
            del self._recordings[each]

    def _tell(self, line: Line, webhook: Webhook | None, members: dict[str, Any]) -> None:
        """One after the other, as it happened."""
        if webhook is not None:
            keep = partial(self._keep, line.leg, webhook, members)
            self._errands.in_turn(("voice", line.leg.id), keep)

    async def _keep(self, leg: Leg, webhook: Webhook, members: dict[str, Any]) -> None:
        """From the log the dispatcher delivers it, again and again until it has arrived."""
        body = CustomTertuliaCall(
            leg_id=leg.id, url=webhook.address, members=members,
            method=(webhook.http_method or "POST").upper(),
            connect_timeout=webhook.connect_timeout, socket_timeout=webhook.socket_timeout,
        )  # fmt: skip
        await self._conversations.happen(leg.application_id, Fact(VOICE_WEBHOOK, encode_body(body)))
        self._timelines.note(leg.id, "webhook", _named(webhook, members))

    async def _ask(self, line: Line, question: Question) -> bytes:
        what = _named(question.webhook, question.members)
        try:
            answer = await self._answers.ask(question)
        except Unanswered as error:
            self._timelines.note(line.leg.id, "webhook", f"{what}: {error}")
            raise
        self._timelines.note(line.leg.id, "webhook", what, f"{len(answer)} octets")
        return answer


def _named(webhook: Webhook, members: dict[str, Any]) -> str:
    """What is said to whom, for a timeline."""
    told = members.get("status") or members.get("type") or ""
    return f"{webhook.http_method or 'POST'} {webhook.address} {told}".rstrip()


def _webhook(urls: list[str] | None, method: str) -> Webhook | None:
    return Webhook(urls[0], http_method=method) if urls else None


def _result(result: Submit) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if "dtmf" in result.action.type:
        members["dtmf"] = {"digits": result.digits, "timed_out": result.timed_out}
    if (heard := result.speech) is not None:
        found = [{"text": each.text, "confidence": each.confidence} for each in heard.results]
        speech = {"results": found, "timeout_reason": heard.reason, "error": heard.error,
                  "recording_url": heard.recording_url}  # fmt: skip
        members["speech"] = {name: value for name, value in speech.items() if value is not None}
    return members


def _ending(leg: Leg) -> dict[str, Any]:
    members = {"status": status_of(leg), "direction": leg.direction}
    return members | (_account(leg) if leg.is_over else {})


def _account(leg: Leg) -> dict[str, Any]:
    """COMPAT: numbers are text (wire-api 5.2)."""
    ended = leg.ended_at or leg.started_at
    members: dict[str, Any] = {
        "start_time": iso(leg.answered_at) if leg.answered_at else None, "end_time": iso(ended),
        "rate": leg.rate or FREE, "price": price(leg), "network": leg.network,
        "duration": str(round(seconds(leg))), "disconnected_by": leg.ended_by,
        "sip_code": leg.sip_code if leg.is_phone else None,
    }  # fmt: skip
    if leg.status is not LegStatus.COMPLETED:
        members["detail"] = leg.end
    return {name: value for name, value in members.items() if value is not None}
