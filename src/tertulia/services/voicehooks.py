"""The voice webhooks: what an application hears of its calls, and what it says to that.

Delivery is best effort so far: what fails is tried once more, then dropped. A durable queue, as
conversation events have it, comes with the phones (issue 5).
"""

import asyncio
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event
from tertulia.model.events.audio import AudioRecordDone, AudioTranscribeDone
from tertulia.model.events.leg import LegStatus
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.instant import iso
from tertulia.model.leg import Leg
from tertulia.model.script import Record
from tertulia.model.script_run import Submit
from tertulia.model.state import Endpoint, Webhook
from tertulia.ports import Clock
from tertulia.services.calls import Patience
from tertulia.services.conductor import Reactions
from tertulia.services.errands import Errands
from tertulia.services.knocking import Knock
from tertulia.services.reactions import body_of
from tertulia.services.recordings import Library

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


class Line(Struct, frozen=True):
    """A call as its application knows it."""

    knock: Knock
    own: ConversationId
    """Where the call is when nothing else has been said."""
    event_url: Webhook | None

    @property
    def leg(self) -> Leg:
        """As it is now."""
        return self.knock.live.leg


class VoiceHooks:
    def __init__(
        self, *, answers: Answers, library: Library, errands: Errands, clock: Clock,
        patience: Patience,
    ) -> None:  # fmt: skip
        self._answers = answers
        self._library = library
        self._errands = errands
        self._clock = clock
        self._patience = patience
        self._lines: dict[LegId, Line] = {}
        self._told: dict[LegId, Leg] = {}
        """The leg as its application last heard of it."""
        self._recordings: dict[str, tuple[Line, Record]] = {}

    @property
    def reactions(self) -> Reactions:
        return {
            "leg:status:update": self._changed, "audio:record:done": self._recorded,
            "audio:transcribe:done": self._transcribed,
        }  # fmt: skip

    def open(self, line: Line) -> None:
        """From now on tell of this call."""
        self._lines[line.leg.id] = line
        self._tell_status(line, line.leg)

    def complain(self, line: Line, reason: str) -> None:
        """Something about the call went wrong."""
        self._tell(line, line.event_url, {**self.about(line), "reason": reason})

    def keep_recording(self, recording_id: str, line: Line, action: Record) -> None:
        """Tell of this recording when it is there."""
        self._recordings[recording_id] = (line, action)

    async def submit(self, line: Line, result: Submit) -> bytes:
        """What the application says to the result of an input; nothing when nobody asked.

        Raises Unanswered.
        """
        action = result.action
        webhook = _webhook(action.event_url, action.event_method) or line.event_url
        if webhook is None:
            return b""
        members = {**self.about(line), **_result(result)}
        return await self._ask_twice(Question(line.knock.application_id, webhook, members))

    async def ask(self, line: Line, webhook: Webhook) -> bytes:
        """What becomes of a call, in the words of the application. Raises Unanswered.

        COMPAT: who calls is `from_user` when it is an app that calls (wire-api 5.4).
        """
        knock = line.knock
        members = {
            "to": address(knock.to), "from": knock.user.name, "from_user": knock.user.name,
            "uuid": line.leg.id, "conversation_uuid": line.own, "endpoint_type": "app",
            "custom_data": msgspec.json.encode(knock.custom_data).decode(),
            "region_url": self._library.address,
        }  # fmt: skip
        return await self._answers.ask(Question(knock.application_id, webhook, members, "GET"))

    def about(self, line: Line) -> dict[str, Any]:
        """Which call it is, where it is now."""
        leg = line.leg
        return {
            "uuid": leg.id, "conversation_uuid": leg.conversation_id or line.own,
            "from": address(leg.from_), "to": address(leg.to),
            "timestamp": iso(self._clock.now()),
        }  # fmt: skip

    async def _changed(self, event: Event) -> None:
        leg = event.became
        line = self._lines.get(leg.id) if isinstance(leg, Leg) else None
        if line is None or not isinstance(leg, Leg):
            return
        told = self._told[leg.id]
        if leg.status is not told.status:
            self._tell_status(line, leg)
        elif told.conversation_id is not None and leg.conversation_id != told.conversation_id:
            self._told[leg.id] = leg
            members = {
                **self.about(line), "type": "transfer",
                "conversation_uuid_from": told.conversation_id,
                "conversation_uuid_to": leg.conversation_id,
            }  # fmt: skip
            self._tell(line, line.event_url, members)

    def _tell_status(self, line: Line, leg: Leg) -> None:
        self._told[leg.id] = leg
        members = {**self.about(line), "status": leg.status, "direction": leg.direction}
        if leg.is_over:
            members |= _account(leg)
            del self._lines[leg.id], self._told[leg.id]
        self._tell(line, line.event_url, members)

    async def _recorded(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioRecordDone) or body.recording_id not in self._recordings:
            return
        line, action = self._recordings[body.recording_id]
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
        line, action = self._recordings.pop(body.recording_id, (None, None))
        if line is None or action is None or action.transcription is None:
            return
        wanted = action.transcription
        members = {
            **self.about(line), "type": "record", "recording_uuid": body.recording_id,
            "status": "failed" if body.error else "transcribed",
            "transcription_url": body.transcription_url,
        }  # fmt: skip
        webhook = _webhook(wanted.event_url, wanted.event_method) or line.event_url
        self._tell(line, webhook, members)

    def _tell(self, line: Line, webhook: Webhook | None, members: dict[str, Any]) -> None:
        """One after the other, as it happened."""
        if webhook is not None:
            question = Question(line.knock.application_id, webhook, members)
            self._errands.in_turn(("voice", line.leg.id), partial(self._deliver, question))

    async def _deliver(self, question: Question) -> None:
        await self._ask_twice(question)

    async def _ask_twice(self, question: Question) -> bytes:
        try:
            return await self._answers.ask(question)
        except Unanswered:
            await asyncio.sleep(self._patience.again)
            return await self._answers.ask(question)


def address(end: Endpoint) -> str:
    """The end of a call in one word."""
    return end.number or end.user or end.uri or end.extension or ""


def _webhook(urls: list[str] | None, method: str) -> Webhook | None:
    return Webhook(urls[0], http_method=method) if urls else None


def _result(result: Submit) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if "dtmf" in result.action.type:
        members["dtmf"] = {"digits": result.digits, "timed_out": result.timed_out}
    if (heard := result.speech) is not None:
        found = [{"text": each.text, "confidence": each.confidence} for each in heard.results]
        speech = {"results": found, "timeout_reason": heard.reason, "error": heard.error}
        members["speech"] = {name: value for name, value in speech.items() if value is not None}
    return members


def _account(leg: Leg) -> dict[str, Any]:
    """COMPAT: numbers are text (wire-api 5.2)."""
    ended = leg.ended_at or leg.started_at
    start = leg.answered_at or ended
    members: dict[str, Any] = {
        "start_time": iso(start), "end_time": iso(ended), "rate": FREE, "price": FREE,
        "duration": str(round((ended - start) / 1000)),
    }  # fmt: skip
    if leg.status is not LegStatus.COMPLETED and leg.end is not None:
        members["detail"] = leg.end
    return members
