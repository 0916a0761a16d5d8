"""What a media worker has, told by the link's traffic: what dies with it."""

from tertulia.model.commands import (
    Accepted,
    Answer,
    Answered,
    AnyReport,
    Closed,
    Command,
    Detect,
    Echo,
    Interrupted,
    Judged,
    Listen,
    Listened,
    Offer,
    Offered,
    Opened,
    Plain,
    Play,
    Played,
    Record,
    Recorded,
    Refused,
    Report,
    Salvage,
    Socket,
    StopDetect,
    Up,
)
from tertulia.model.instant import Instant

DEATH = "the media worker died"


class Holdings:
    """Keeps the order in which things began."""

    def __init__(self) -> None:
        self._legs: dict[str, bool] = {}
        """Whether it is there; otherwise its first answer is awaited."""
        self._plays: dict[str, None] = {}
        self._recordings: dict[str, bool] = {}
        """Whether it is only being salvaged."""
        self._listenings: dict[str, None] = {}
        self._detections: dict[str, None] = {}
        """Without a verdict."""

    def told(self, command: Command) -> None:
        match command:
            case Answer(leg=leg) | Offer(leg=leg) | Plain(leg=leg):
                self._legs.setdefault(leg, False)
            case Echo(leg=leg) | Socket(leg=leg):
                self._legs[leg] = True
            case Play(play=play):
                self._plays[play] = None
            case Record(record=record):
                self._recordings[record] = False
            case Salvage(record=record):
                self._recordings[record] = True
            case Listen(listen=listen):
                self._listenings[listen] = None
            case Detect(detect=detect):
                self._detections[detect] = None
            case StopDetect(detect=detect):
                self._detections.pop(detect, None)

    def heard(self, report: Report) -> None:
        match report:
            case (
                Answered(leg=leg) | Offered(leg=leg) | Accepted(leg=leg) | Opened(leg=leg)
                | Up(leg=leg)
            ):  # fmt: skip
                if leg in self._legs:
                    self._legs[leg] = True
            case Refused(leg=leg):
                if not self.has_leg(leg):
                    self._legs.pop(leg, None)
            case Closed(leg=leg):
                self._legs.pop(leg, None)
            case Played(play=play):
                self._plays.pop(play, None)
            case Recorded(record=record):
                self._recordings.pop(record, None)
            case Listened(listen=listen):
                self._listenings.pop(listen, None)
            case Judged(detect=detect):  # a beep that does not come any more is missed by nobody
                self._detections.pop(detect, None)

    def has_leg(self, leg: str) -> bool:
        """Not while its first answer is awaited."""
        return self._legs.get(leg, False)

    def lost(self, now: Instant) -> list[AnyReport]:
        """What the worker's death ends, legs last. Legs whose first answer was awaited never were;
        what could not be salvaged this time would only kill the next worker, and is given up."""
        plays = [Played(play, now, error=DEATH) for play in self._plays]
        listened = [Listened(each, now, now, 0, "failed") for each in self._listenings]
        judged = [Judged(each, "gone", 0, "gone", now) for each in self._detections]
        recordings = [
            Recorded(each, now, now, [], "failed", DEATH) if is_salvaged else Interrupted(each)
            for each, is_salvaged in self._recordings.items()
        ]
        legs = [Closed(leg, None) for leg, is_there in self._legs.items() if is_there]
        return [*plays, *listened, *judged, *recordings, *legs]
