"""Speech recognition on a leg: what is heard is cut out by the worker and read by an engine."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from tertulia.model.commands import Closed, Listen, Listened, StopListen
from tertulia.model.errors import LegOver, NothingSounds, TertuliaError
from tertulia.model.event import Fact
from tertulia.model.events.audio import (
    Asr,
    AsrRecording,
    AsrWord,
    AudioAsrDone,
    AudioAsrRecordDone,
)
from tertulia.model.events.registry import Body, encode_body
from tertulia.model.instant import iso
from tertulia.model.leg import Leg
from tertulia.ports import Ids, MediaUnavailable
from tertulia.ports.speech import Reading, Speech
from tertulia.services.conductor import Hearings
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands, insist
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.recordings import Library

LISTENINGS_MAX = 4
"""On a leg at a time."""
EARLIER_MAX = 20
"""Of a leg, that can be begun once more."""


class Wanted(Struct, frozen=True):
    """What to listen for. Times in seconds."""

    language: str = "en-US"
    hints: Sequence[str] = ()
    end_on_silence: float = 2.0
    start_timeout: float = 10.0
    max_duration: float = 60.0
    save_audio: bool = False
    sensitivity: int = 90


class Listening(Struct):
    """One recognition, from its request to its result."""

    id: str
    leg: Leg
    wanted: Wanted
    path: Path


class Recognition:
    def __init__(
        self, *, conversations: Conversations, legs: Legs, speech: Speech, library: Library,
        errands: Errands, ids: Ids, scratch: Path,
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._legs = legs
        self._speech = speech
        self._library = library
        self._errands = errands
        self._ids = ids
        self._scratch = scratch
        self._listening: dict[str, Listening] = {}
        self._earlier: dict[str, dict[str, Wanted]] = {}
        """Of each leg what has been wanted by now."""

    @property
    def hearings(self) -> Hearings:
        return {Listened: self._listened, Closed: self._closed}

    def start(self, live: LiveLeg, wanted: Wanted) -> str:
        """Listen to a leg; its id. Raises LegOver, MediaUnavailable."""
        return self._start(live, wanted, self._ids.bare())

    def start_again(self, live: LiveLeg, asr_id: str) -> None:
        """Listen once more for what was wanted before. Raises NothingSounds, and as `start`."""
        wanted = self._earlier.get(live.leg.id, {}).get(asr_id)
        if wanted is None:
            raise NothingSounds()
        if asr_id not in self._listening:
            self._start(live, wanted, asr_id)

    def _start(self, live: LiveLeg, wanted: Wanted, asr_id: str) -> str:
        if live.leg.conversation_id is None:
            raise LegOver("The leg is in no conversation.")
        if len(self.of_leg(live.leg.id)) >= LISTENINGS_MAX:
            raise LegOver(f"The leg is listened to {LISTENINGS_MAX} times already.")
        path = self._scratch / f"asr-{self._ids.bare()}.wav"
        command = Listen(
            listen=asr_id, leg=live.leg.id, path=str(path),
            start_ms=int(wanted.start_timeout * 1000), limit_ms=int(wanted.max_duration * 1000),
            silence_ms=int(wanted.end_on_silence * 1000), sensitivity=wanted.sensitivity,
        )  # fmt: skip
        if not self._legs.tell(live.leg.application_id, command):
            raise MediaUnavailable("No media worker is there.")
        self._listening[asr_id] = Listening(asr_id, live.leg, wanted, path)
        earlier = self._earlier.setdefault(live.leg.id, {})
        earlier[asr_id] = wanted
        while len(earlier) > EARLIER_MAX:
            del earlier[next(iter(earlier))]
        return asr_id

    def stop(self, asr_id: str) -> None:
        """What was heard so far is read."""
        listening = self._listening.get(asr_id)
        if listening is not None:
            self._legs.tell(listening.leg.application_id, StopListen(asr_id))

    def of_leg(self, leg_id: str) -> list[str]:
        """What listens to a leg now."""
        return [each.id for each in self._listening.values() if each.leg.id == leg_id]

    async def _listened(self, report: Listened) -> None:
        listening = self._listening.pop(report.listen, None)
        if listening is not None:
            # beside the leg's other reports: an engine takes its time
            self._errands.run(self._read(listening, report))

    async def _closed(self, report: Closed) -> None:
        self._earlier.pop(report.leg, None)

    async def _read(self, listening: Listening, report: Listened) -> None:
        try:
            await self._tell_result(listening, report)
            if listening.wanted.save_audio and report.size:
                await self._tell_audio(listening, report)
        finally:
            await asyncio.to_thread(listening.path.unlink, missing_ok=True)

    async def _tell_result(self, listening: Listening, report: Listened) -> None:
        readings, error = await self._understood(listening, report)
        asr = Asr(
            asr_id=listening.id, error=error, call_id=listening.leg.id,
            results=[AsrWord(each.text, round(each.confidence, 4)) for each in readings],
            timeout_reason=None if report.reason == "failed" else report.reason,
        )  # fmt: skip
        body = AudioAsrDone(asr=asr, channel=listening.leg.channel)
        await self._tell(listening.leg, "audio:asr:done", body)

    async def _understood(
        self, listening: Listening, report: Listened
    ) -> tuple[Sequence[Reading], str | None]:
        if report.reason == "failed":
            return (), "the audio could not be taken"
        if not report.size:
            return (), None
        wanted = listening.wanted
        try:
            found = await self._speech.recognise(
                listening.path, language=wanted.language, hints=wanted.hints
            )
        except TertuliaError as error:
            return (), str(error)
        return found, None

    async def _tell_audio(self, listening: Listening, report: Listened) -> None:
        leg = listening.leg
        error, url = None, ""
        try:
            url = await insist(
                partial(self._library.keep, listening.path, "wav", leg.application_id)
            )
        except (TertuliaError, OSError) as failure:
            error = str(failure)
        recording = AsrRecording(
            asr_id=listening.id, call_id=leg.id, destination_url=url, format="wav",
            start_time=iso(report.started), end_time=iso(report.ended), size=report.size,
            media_service_uuid=self._ids.bare(), error=error,
        )  # fmt: skip
        body = AudioAsrRecordDone(asr=recording, channel=leg.channel)
        await self._tell(leg, "audio:asr:record:done", body)

    async def _tell(self, leg: Leg, name: str, body: Body) -> None:
        live = self._legs.live(leg.id)
        leg = live.leg if live is not None else leg
        if leg.conversation_id is None:
            return
        fact = Fact(name, encode_body(body), sender=leg.member_id)
        tell = self._conversations.tell_if_there
        await insist(partial(tell, leg.conversation_id, leg.application_id, fact))
