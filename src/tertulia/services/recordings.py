"""Recordings: `audio:record` carried out by a worker, its files kept, and their text if wanted."""

import asyncio
import os
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.commands import Interrupted, Record, Recorded, Salvage, StopRecord, Track
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import (
    AudioRecord,
    AudioRecordDone,
    AudioRecordStop,
    AudioTranscribeDone,
    Transcription,
)
from tertulia.model.events.registry import Body, encode_body
from tertulia.model.ids import ApplicationId, ConversationId, LegId, MediaId
from tertulia.model.instant import iso
from tertulia.model.leg import Leg
from tertulia.ports import Ids, MediaUnavailable, Workers
from tertulia.ports.speech import Reading, Speech
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands, insist
from tertulia.services.legs import Legs
from tertulia.services.media import MediaFiles
from tertulia.services.reactions import body_of

SALVAGE_SECONDS = 1.0
"""Between tries to find a worker that finishes what another had begun."""
SALVAGE_TRIES = 600
SPLIT = 2
NOBODY = "nobody is there to be recorded"
TOO_MANY = "as many recordings as there may be are under way"
RECORDINGS_MAX = 20
"""In a conversation, at a time."""
VENDOR = "api.nexmo.com"
"""COMPAT: the Python SDK downloads from no address that does not hold its vendor's name."""
RECORDING = "record-"
"""How the names of a recording's files begin."""


class Library:
    """Where finished audio is kept: as media files of the application."""

    def __init__(self, *, media: MediaFiles) -> None:
        self._media = media
        self.address = ""
        """Start of the addresses that events give, `https://host:port`: known once we listen."""

    async def keep(self, path: Path, suffix: str, application_id: ApplicationId) -> str:
        """Keep a file and delete it where it was; its address. Raises MediaQuotaReached."""
        file = await self._media.adopt(path, f"{path.stem}.{suffix}", Actor(application_id))
        return self.address_of(file.id)

    def address_of(self, media_id: MediaId) -> str:
        return f"{self.address}/v1/files/{media_id}?compat={VENDOR}"


class Taking(Struct):
    """A recording, from its event to its files."""

    id: str
    application_id: ApplicationId
    conversation_id: ConversationId
    event_id: int | None
    path: str
    """Of its files, without suffix."""
    format: str
    leg: Leg | None
    transcription: Transcription | None
    is_over: bool = False
    """Its files are there; what is said in them may still be sought."""


class Recordings:
    def __init__(
        self, *, conversations: Conversations, legs: Legs, workers: Workers, speech: Speech,
        library: Library, errands: Errands, ids: Ids, scratch: Path,
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._legs = legs
        self._workers = workers
        self._speech = speech
        self._library = library
        self._errands = errands
        self._ids = ids
        self._scratch = scratch
        self._takings: dict[str, Taking] = {}

    @property
    def reactions(self) -> Reactions:
        return {"audio:record": self._record, "audio:record:stop": self._stop}

    @property
    def hearings(self) -> Hearings:
        return {Recorded: self._recorded, Interrupted: self._interrupted}

    def taking(self, conversation_id: ConversationId, leg_id: LegId | None = None) -> list[str]:
        """Ids of the recordings of a conversation, or of one of its legs, that are going on."""
        return [
            each.id
            for each in self._takings.values()
            if each.conversation_id == conversation_id
            and (each.leg.id if each.leg else None) == leg_id
            and not each.is_over
        ]

    def is_taking(self, conversation_id: ConversationId) -> bool:
        return self._count(conversation_id) > 0

    def is_transcribing(self, conversation_id: ConversationId) -> bool:
        return any(
            each.conversation_id == conversation_id and each.transcription is not None
            for each in self._takings.values()
        )

    def _count(self, conversation_id: ConversationId) -> int:
        return sum(
            each.conversation_id == conversation_id and not each.is_over
            for each in self._takings.values()
        )

    async def _record(self, event: Event) -> None:
        body = body_of(event)
        if not isinstance(body, AudioRecord) or event.conversation_id is None:
            return
        leg = self._legs.recipient(event)
        is_too_many = self._count(event.conversation_id) >= RECORDINGS_MAX
        taking = self._takings[body.recording_id] = Taking(
            id=body.recording_id, application_id=event.application_id,
            conversation_id=event.conversation_id, event_id=event.id,
            path=str(self._scratch / f"{RECORDING}{body.recording_id}"),
            format=body.format or "mp3", leg=leg, transcription=body.transcription,
        )  # fmt: skip
        if leg is None and event.recipient is not None:  # and not of all, who know nothing of it
            await self._failed(taking, NOBODY)
        elif is_too_many:
            await self._failed(taking, TOO_MANY)
        else:
            await self._begin(taking, _command(taking, body))

    async def _begin(self, taking: Taking, command: Record) -> None:
        try:
            await asyncio.to_thread(_remember, taking)
            self._workers.tell(taking.application_id, command)
        except MediaUnavailable as error:
            await self._failed(taking, str(error))
        except OSError as error:
            await self._failed(taking, f"it has no place: {error.strerror}")

    async def recover(self) -> None:
        """Finish what was being recorded when this server was killed."""
        for taking in await asyncio.to_thread(_remembered, self._scratch):
            self._takings[taking.id] = taking
            self._errands.run(self._salvage(taking))

    async def _forget(self, taking: Taking) -> None:
        self._takings.pop(taking.id, None)
        await asyncio.to_thread(_clear, Path(taking.path))

    async def _stop(self, event: Event) -> None:
        body = body_of(event)
        taking = self._takings.get(body.record_id) if isinstance(body, AudioRecordStop) else None
        if taking is not None and taking.conversation_id == event.conversation_id:
            self._legs.tell(taking.application_id, StopRecord(taking.id))

    async def _interrupted(self, report: Interrupted) -> None:
        taking = self._takings.get(report.record)
        if taking is not None and not taking.is_over:
            self._errands.run(self._salvage(taking))

    async def _salvage(self, taking: Taking) -> None:
        """The worker died: the next one makes a file of what there is."""
        command = Salvage(taking.id, taking.path, taking.format)
        for _ in range(SALVAGE_TRIES):
            try:
                self._workers.tell(taking.application_id, command)
            except MediaUnavailable:
                await asyncio.sleep(SALVAGE_SECONDS)
            else:
                return
        await self._failed(taking, "no media worker could finish it")

    async def _recorded(self, report: Recorded) -> None:
        taking = self._takings.get(report.record)
        if taking is not None and not taking.is_over:
            taking.is_over = True
            self._errands.run(self._finish(taking, report))

    async def _finish(self, taking: Taking, report: Recorded) -> None:
        if report.error is not None or not report.tracks:
            await self._failed(taking, report.error or "nothing was recorded")
            return
        try:
            read = await self._for_reading(taking, Path(report.tracks[0].path))
            for track in report.tracks:
                await self._keep(taking, track, report)
        except (TertuliaError, OSError) as error:
            await self._failed(taking, str(error))
            return
        await asyncio.to_thread(_clear, Path(taking.path))
        if read is not None:
            await self._tell_text(taking, await self._transcribed(taking, read))
            await asyncio.to_thread(read.unlink, missing_ok=True)
        self._takings.pop(taking.id, None)

    async def _for_reading(self, taking: Taking, path: Path) -> Path | None:
        """Of a recording whose text is wanted, a file that stays when the recording has been put
        away: what is said in it is sought afterwards, and may take long."""
        if taking.transcription is None:
            return None
        read = self._scratch / f"read-{taking.id}{path.suffix}"
        await asyncio.to_thread(os.link, path, read)
        return read

    async def _keep(self, taking: Taking, track: Track, report: Recorded) -> None:
        """A file of many channels is a WAV file, whatever was wanted: MP3 holds but two."""
        path = Path(track.path)
        suffix = path.suffix.removeprefix(".")
        url = await insist(partial(self._library.keep, path, suffix, taking.application_id))
        live = self._legs.live(track.leg)
        leg = live.leg if live is not None else taking.leg
        body = AudioRecordDone(
            recording_id=taking.id, destination_url=url, format=suffix,
            start_time=iso(report.started), end_time=iso(report.ended), size=track.size,
            event_id=taking.event_id, channel=leg.channel if leg else None,
        )  # fmt: skip
        await self._tell(taking, "audio:record:done", body)

    async def _transcribed(self, taking: Taking, path: Path) -> list[Reading] | str:
        """What is said in it, or why that is not known."""
        language = taking.transcription.language if taking.transcription else None
        try:
            return await self._speech.transcribe(path, language=language)
        except TertuliaError as error:
            return str(error)

    async def _tell_text(self, taking: Taking, text: list[Reading] | str) -> None:
        error = text if isinstance(text, str) else None
        url: str | None = None
        if not isinstance(text, str):
            path = self._scratch / f"text-{taking.id}.json"
            await asyncio.to_thread(path.write_bytes, _transcript(taking, text))
            try:
                url = await self._library.keep(path, "json", taking.application_id)
            except TertuliaError as failure:
                error = str(failure)
        body = AudioTranscribeDone(
            request_id=self._ids.bare(), recording_id=taking.id, transcription_url=url,
            error=error, channel=taking.leg.channel if taking.leg else None,
        )  # fmt: skip
        await self._tell(taking, "audio:transcribe:done", body)

    async def _failed(self, taking: Taking, error: str) -> None:
        """COMPAT: the done event has no place for an error; a file of no octets says it."""
        await self._forget(taking)
        now = iso(self._conversations.now())
        body = AudioRecordDone(
            recording_id=taking.id, destination_url="", format=taking.format, start_time=now,
            end_time=now, size=0, event_id=taking.event_id,
            channel=taking.leg.channel if taking.leg else None, error=error,
        )  # fmt: skip
        await self._tell(taking, "audio:record:done", body)

    async def _tell(self, taking: Taking, name: str, body: Body) -> None:
        fact = Fact(name, encode_body(body))
        tell = self._conversations.tell_if_there
        await insist(partial(tell, taking.conversation_id, taking.application_id, fact))


def _note(taking: Taking) -> Path:
    """What there is to be known of a recording, beside its files while it is made."""
    return Path(f"{taking.path}.json")


def _clear(path: Path) -> None:
    """Take away what a recording has left: its note, and the pieces of one that failed."""
    for left in path.parent.glob(f"{path.name}[.-]*"):
        left.unlink(missing_ok=True)


def _remember(taking: Taking) -> None:
    _note(taking).write_bytes(msgspec.json.encode(taking))


def _remembered(scratch: Path) -> list[Taking]:
    found = []
    for path in scratch.glob(f"{RECORDING}*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Taking))
        except msgspec.DecodeError:  # it was being written
            path.unlink()
    return found


def _command(taking: Taking, body: AudioRecord) -> Record:
    leg_id = taking.leg.id if taking.leg else None
    return Record(
        record=taking.id, path=taking.path, leg=leg_id,
        room=None if leg_id else taking.conversation_id, format=taking.format,
        channels=body.channels or (SPLIT if body.split else 1),
        multitrack=bool(body.multitrack), beep_start=bool(body.beep_start),
        beep_stop=bool(body.beep_stop), silence_ms=(body.end_on_silence or 0) * 1000,
        end_key=body.end_on_key or "", limit_ms=(body.time_limit or 7200) * 1000,
    )  # fmt: skip


def _transcript(taking: Taking, readings: list[Reading]) -> bytes:
    """One channel of sentences with their times in milliseconds."""
    sentences = [
        {
            "sentence": each.text, "confidence": round(each.confidence, 4),
            "timestamp": each.start_ms, "duration": each.end_ms - each.start_ms,
        }
        for each in readings
    ]  # fmt: skip
    text = " ".join(each.text for each in readings)
    return msgspec.json.encode({
        "ver": "1.0.0", "request_id": taking.id,
        "channels": [{"transcript": [*sentences], "text": text}],
    })  # fmt: skip
