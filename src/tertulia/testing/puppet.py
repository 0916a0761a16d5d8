"""A media engine without audio, for tests.

It obeys as a worker does. What takes time, or somebody to speak, happens when a method is called.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tertulia.model.commands import (
    RTP,
    Accept,
    Accepted,
    Account,
    Answer,
    Answered,
    AnyCommand,
    AnyReport,
    Beeped,
    Close,
    Closed,
    Detect,
    Digit,
    Down,
    Echo,
    Join,
    Judged,
    Leave,
    Levels,
    Listen,
    Listened,
    Load,
    Offer,
    Offered,
    Opened,
    Plain,
    Play,
    Played,
    Playing,
    Record,
    Recorded,
    Recording,
    Refused,
    Ripe,
    Said,
    Salvage,
    Socket,
    Speaking,
    StopDetect,
    StopListen,
    StopPlay,
    StopRecord,
    Track,
    Up,
)
from tertulia.model.instant import Instant
from tertulia.ports import Clock

ACCOUNT = Account(
    milliseconds=20_000, bytes_in=60_000, bytes_out=64_000, packets_in=1000, packets_lost=2,
    jitter_min=0.5, jitter_max=4.0, jitter_loss=0.1, burst=0.0, flaws=2, round_trip=12.0, mos=4.3,
)  # fmt: skip
"""What every leg has carried when it is closed."""
TONES = {"ringback", "busy", "beep", "hold"}


def description(leg: str, setup: str) -> str:
    """A session description as a worker gives it, `setup` being its part in DTLS."""
    lines = (
        "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", "a=ice-lite", "a=group:BUNDLE 0",
        "m=audio 8189 UDP/TLS/RTP/SAVPF 111 110", "c=IN IP4 192.0.2.1", "a=mid:0",
        f"a=ice-ufrag:{leg[-8:]}", "a=ice-pwd:0123456789abcdef01234567",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), f"a=setup:{setup}", "a=sendrecv",
        "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=rtpmap:110 telephone-event/48000",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host", "a=end-of-candidates", "",
    )  # fmt: skip
    return "\r\n".join(lines)


def phone_description() -> str:
    """A session description as a worker gives it for a phone, G.711 with telephone-event."""
    lines = (
        "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
        "m=audio 40000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv", "",
    )  # fmt: skip
    return "\r\n".join(lines)


class Puppet:
    """Recordings and utterances are files of a few octets, written where their folder exists."""

    def __init__(self, report: Callable[[AnyReport], None], clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self.refusal: str | None = None
        """Of the next question."""
        self._doing: dict[type, Callable[[Any], None]] = {
            Answer: self._reply, Offer: self._reply, Accept: self._reply, Plain: self._reply,
            Echo: self._echo, Socket: self._socket, Join: self._move, Leave: self._move,
            Close: self._close, Play: self._play, Ripe: self._ripe, StopPlay: self._stop_play,
            Record: self._record, StopRecord: self._stop_record, Salvage: self._salvage,
            Listen: self._listen, StopListen: self._stop_listen, Detect: self._detect,
            StopDetect: self._stop_detect,
        }  # fmt: skip
        """Of the others nothing can be seen from outside."""
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._legs: dict[str, str | None] = {}
        """With their rooms."""
        self._phones: dict[str, bool] = {}
        """Legs of RTP, and whether they are up."""
        self._plays: dict[str, Play] = {}
        self._records: dict[str, tuple[Record, Instant]] = {}
        self._listens: dict[str, Listen] = {}
        self._detects: dict[str, Detect] = {}
        self._machines: set[str] = set()
        """Detections that wait for a beep."""

    def obey(self, command: AnyCommand) -> None:
        do = self._doing.get(type(command))
        if do is not None:
            do(command)

    def load(self) -> Load:
        return Load(len(self._legs), 0, 50, 0, 0, 0.0)

    def close(self) -> None:
        for leg in list(self._legs):
            self._close(Close(leg))

    def up(self, leg: str, codec: str = "opus", remote: str = "192.0.2.7:50000") -> None:
        self._report(Up(leg, codec, remote))

    def down(self, leg: str, reason: str = "timeout") -> None:
        self._report(Down(leg, reason))

    def digit(self, leg: str, digit: str, milliseconds: int = 100, *, tones: bool = False) -> None:
        self._report(Digit(leg, digit, milliseconds, self._clock.now(), tones))

    def speaking(self, leg: str, on: bool) -> None:
        self._report(Speaking(leg, on, self._clock.now()))

    def finish_play(self, play: str, error: str | None = None) -> None:
        self._end_play(play, error=error)

    def recorded(self, record: str, reason: str = "stopped", error: str | None = None) -> None:
        """End a recording."""
        if record not in self._records:
            return
        command, started = self._records.pop(record)
        alone = [None, *(self._heard_by(command) if command.multitrack else [])]
        names = [f"{command.path}{f'-{leg}' if leg else ''}.{command.format}" for leg in alone]
        tracks = [_written(name, leg) for name, leg in zip(names, alone, strict=True)]
        done = [] if error else tracks
        self._report(Recorded(record, started, self._clock.now(), done, reason, error))

    def listened(
        self, listen: str, reason: str = "end_on_silence_timeout", content: bytes = b"RIFF"
    ) -> None:
        """End a listening, with what was heard."""
        command = self._listens.pop(listen, None)
        if command is not None:
            size = _written(command.path, command.leg, content).size if content else 0
            now = self._clock.now()
            self._report(Listened(listen, now, now, size, reason))

    def judged(
        self, detect: str, verdict: str = "human", confidence: int = 90, cause: str = "silence"
    ) -> None:
        """Who has answered is known; after a machine its beep may be awaited."""
        command = self._detects.pop(detect, None)
        if command is None:
            return
        if verdict == "machine" and command.beep:
            self._machines.add(detect)
        self._report(Judged(detect, verdict, confidence, cause, self._clock.now()))

    def beeped(self, detect: str, *, heard: bool = True, hertz: int = 1000) -> None:
        if detect in self._machines:
            self._machines.remove(detect)
            self._report(Beeped(detect, heard, hertz if heard else 0, self._clock.now()))

    def said(self, leg: str, text: str) -> None:
        self._report(Said(leg, text))

    def levels(self, room: str, legs: dict[str, float]) -> None:
        self._report(Levels(room, legs))

    def _reply(self, command: Answer | Offer | Accept | Plain) -> None:
        refusal, self.refusal = self.refusal, None
        if isinstance(command, Accept) and command.leg not in self._legs:
            refusal = refusal or "there is no such leg"
        if isinstance(command, Answer | Accept) and "m=audio" not in command.sdp:
            refusal = refusal or "there is no audio in it"
        if refusal:
            self._report(Refused(command.leg, refusal))
            return
        self._legs.setdefault(command.leg, None)
        if isinstance(command, Answer | Offer) and command.kind == RTP:
            self._phones.setdefault(command.leg, False)
        self._report(_agreed(command, is_phone=command.leg in self._phones))
        if isinstance(command, Answer | Accept) and self._phones.get(command.leg) is False:
            self._phones[command.leg] = True
            self.up(command.leg, "PCMU", "192.0.2.7:40002")

    def _socket(self, command: Socket) -> None:
        refusal, self.refusal = self.refusal, None
        if refusal:
            self._report(Refused(command.leg, refusal))
            return
        self._legs.setdefault(command.leg, None)
        self.up(command.leg, "L16", "192.0.2.9:443")

    def _echo(self, command: Echo) -> None:
        self._legs[command.leg] = None
        self.up(command.leg)

    def _move(self, command: Join | Leave) -> None:
        if command.leg in self._legs:
            before = self._legs[command.leg]
            self._legs[command.leg] = command.room if isinstance(command, Join) else None
            self._emptied(before)

    def _close(self, command: Close) -> None:
        leg = command.leg
        if leg not in self._legs:
            self._report(Closed(leg, None))
            return
        for play in [each for each in self._plays.values() if each.leg == leg]:
            self._end_play(play.play, stopped=True)
        for record, _ in [each for each in self._records.values() if each[0].leg == leg]:
            self.recorded(record.record, "left")
        for listen in [each for each in self._listens.values() if each.leg == leg]:
            self.listened(listen.listen, "left", b"")
        for detect in [each for each in self._detects.values() if each.leg == leg]:
            self._gone(detect)
        room = self._legs.pop(leg)
        self._phones.pop(leg, None)
        self._emptied(room)
        self._report(Closed(leg, ACCOUNT))

    def _emptied(self, room: str | None) -> None:
        """A room that nobody is in any more is not recorded further."""
        if room is not None and room not in self._legs.values():
            for record, _ in [each for each in self._records.values() if each[0].room == room]:
                self.recorded(record.record, "left")

    def _ripe(self, command: Ripe) -> None:
        if command.error is not None:
            self._end_play(command.play, error=command.error)

    def _stop_play(self, command: StopPlay) -> None:
        self._end_play(command.play, stopped=True)

    def _stop_record(self, command: StopRecord) -> None:
        self.recorded(command.record)

    def _salvage(self, command: Salvage) -> None:
        now = self._clock.now()
        tracks = [_written(f"{command.path}.{command.format}", None)]
        self._report(Recorded(command.record, now, now, tracks, "salvaged"))

    def _detect(self, command: Detect) -> None:
        self._detects[command.detect] = command
        if command.leg not in self._legs:
            self._gone(command)

    def _stop_detect(self, command: StopDetect) -> None:
        self._detects.pop(command.detect, None)
        self._machines.discard(command.detect)

    def _gone(self, command: Detect) -> None:
        del self._detects[command.detect]
        self._report(Judged(command.detect, "gone", 0, "gone", self._clock.now()))

    def _stop_listen(self, command: StopListen) -> None:
        self.listened(command.listen, "stopped", b"")

    def _is_there(self, leg: str | None, room: str | None) -> bool:
        return leg in self._legs or (room is not None and room in self._legs.values())

    def _heard_by(self, command: Record) -> list[str]:
        return [leg for leg, room in self._legs.items() if command.room and room == command.room]

    def _play(self, command: Play) -> None:
        error = None
        if not self._is_there(command.leg, command.room):
            error = "there is nobody to hear it"
        elif command.kind == "tone" and command.path not in TONES:
            error = f"there is no tone {command.path}"
        if error:
            self._report(Played(command.play, self._clock.now(), error=error))
            return
        before = self._at_the_same_place(command)
        self._plays[command.play] = command
        if command.queue and before:
            return
        for each in before:
            self._end_play(each.play, stopped=True, next_one=False)
        self._report(Playing(command.play, self._clock.now()))

    def _at_the_same_place(self, command: Play) -> list[Play]:
        place = (command.leg, command.room)
        return [each for each in self._plays.values() if (each.leg, each.room) == place]

    def _end_play(
        self, play: str, *, stopped: bool = False, error: str | None = None, next_one: bool = True
    ) -> None:
        command = self._plays.get(play)
        if command is None:
            return
        was_heard = self._at_the_same_place(command)[0] is command
        del self._plays[play]
        self._report(Played(play, self._clock.now(), stopped, error))
        waiting = self._at_the_same_place(command)
        if was_heard and waiting and next_one:
            self._report(Playing(waiting[0].play, self._clock.now()))

    def _record(self, command: Record) -> None:
        now = self._clock.now()
        if command.leg is None or command.leg in self._legs:
            self._records[command.record] = (command, now)
            self._report(Recording(command.record, now))
        else:
            self._report(Recorded(command.record, now, now, [], "left"))

    def _listen(self, command: Listen) -> None:
        if command.leg in self._legs:
            self._listens[command.listen] = command
        else:
            now = self._clock.now()
            self._report(Listened(command.listen, now, now, 0, "left"))


def _agreed(command: Answer | Offer | Accept | Plain, *, is_phone: bool) -> AnyReport:
    match command:
        case Answer(leg=leg):
            sdp = phone_description() if is_phone else description(leg, "passive")
            return Answered(leg, sdp)
        case Offer(leg=leg):
            sdp = phone_description() if is_phone else description(leg, "actpass")
            return Offered(leg, sdp)
        case Accept(leg=leg):
            return Accepted(leg)
        case Plain(leg=leg):
            return Opened(leg, "192.0.2.1", 40_000)


def _written(path: str, leg: str | None, content: bytes = b"RIFF") -> Track:
    """The file, unless a test has put one there before."""
    file = Path(path)
    if file.exists():
        return Track(path, file.stat().st_size, leg)
    if file.parent.is_dir():
        file.write_bytes(content)
    return Track(path, len(content), leg)
