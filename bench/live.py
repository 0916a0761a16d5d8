"""The generator of live sessions: runs live.c against a server and reads what it counted."""

import resource
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from bench.build import compiled
from bench.places import Failed

TEXT = (
    "(N={n}) Good morning everybody, the train is late once more, so please start without me;"
    " I shall read what you have decided on the way"
)
"""Of every message, about 150 bytes. The generator puts a number for {n}."""
BUSY = 0.9
"""Share of its core from which the generator may be what limits a run."""


class Receiver(NamedTuple):
    path: str
    resume_path: str = ""
    """Ends where the session's id goes; empty when the server has no such thing."""


class Sender(NamedTuple):
    path: str
    """Of the POST, or of the websocket that it emits on."""
    token: str = "-"
    member: str = "-"
    """Stands for {f} in the body."""


class Stage(NamedTuple):
    """A room on a server: who is in it, who speaks, and how that server is spoken to."""

    port: int
    receivers: Sequence[Receiver]
    senders: Sequence[Sender]
    body: str
    """What is posted, or what follows the id in the packet that is emitted."""
    dialect: tuple[str, ...] = ()
    """Options of live.c."""


class Pace(NamedTuple):
    seconds: float
    warm_up: float = 1.0
    in_flight: int = 1
    """Messages of each sender."""
    rate: float = 0.0
    """Messages per second of all; 0 is as fast as they are answered."""
    cuts: float = 0.0
    """Receivers per second that are cut off and come back."""


class Ready(Struct, frozen=True):
    ready: int
    seconds: float


class Run(Struct, frozen=True):
    """What live.c counted; `_all` from the beginning, else without the warm-up and the drain."""

    receivers: int
    seconds: float
    whole_seconds: float
    stored: int
    """Messages answered with success."""
    stored_all: int
    refused: int
    unanswered: int
    delivered: int
    """Messages at receivers."""
    delivered_all: int
    lost: int
    """Deliveries of stored messages that did not come."""
    repeated: int
    unknown: int
    acknowledged: int
    dropped: int
    """Connections that the server closed."""
    reconnects: int
    late: int
    """Cuts left out, since the receiver had not come back from the one before."""
    bytes: int
    cpu_seconds: float
    """Of the generator."""
    p50_ms: float
    """From when the message was due to its arrival at a receiver."""
    p95_ms: float
    p99_ms: float
    max_ms: float
    answer_p50_ms: float
    answer_p99_ms: float

    @property
    def rate(self) -> float:
        """Messages stored per second."""
        return self.stored / self.seconds

    @property
    def deliveries(self) -> float:
        """Per second."""
        return self.delivered / self.seconds

    @property
    def generator(self) -> float:
        """Share of a core that the generator took."""
        return self.cpu_seconds / self.seconds

    def checked(self) -> "Run":
        """Itself.

        Raises:
            Failed: a message was refused, or did not reach every receiver once.
        """
        wrong = {name: getattr(self, name) for name in FAULTS if getattr(self, name)}
        if wrong or not self.delivered:
            raise Failed(f"of {self.stored_all} messages to {self.receivers}: {wrong or 'nothing'}")
        return self


FAULTS = ("refused", "unanswered", "lost", "repeated", "unknown", "dropped")


class Generator:
    """live.c, connected and waiting."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self.ready = msgspec.json.decode(self._line(), type=Ready)

    def run(self) -> Run:
        """Send. The connections stay open afterwards."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        run = msgspec.json.decode(self._line(), type=Run)
        if self._said():
            print(f"  {self._said()}", flush=True)
        return run

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"generator of sessions: {self._said() or 'ended'}")
        return line

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-1500:].strip()


@contextmanager
def connected(stage: Stage, place: Path, pace: Pace | None = None) -> Iterator[Generator]:
    """The receivers of a stage, online, and its senders, if there is a pace to send at."""
    allow_files()
    command: list[str | Path] = [compiled("live", "wire"), "-p", str(stage.port), *stage.dialect]
    command += ["-r", _listed(place / "receivers", stage.receivers)]
    if pace is not None:
        (place / "body").write_text(stage.body)
        command += ["-s", _listed(place / "senders", stage.senders), "-b", place / "body"]
        command += ["-d", str(pace.seconds), "-u", str(pace.warm_up), "-w", str(pace.in_flight)]
        command += ["-R", str(pace.rate), "-C", str(pace.cuts)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield Generator(process, errors)
        finally:
            process.terminate()


def most_sessions(wanted: int) -> int:
    """How many of them the limit on open files allows to a process."""
    return min(wanted, allow_files() - 500)


def allow_files() -> int:
    """Raise the limit on open files, of this process and those it starts, as far as may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def _listed(file: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    file.write_text("".join("\t".join(row) + "\n" for row in rows))
    return file
