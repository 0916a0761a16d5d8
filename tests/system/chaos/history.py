"""What every party of a run did and saw, with the time of each: one line of JSON a record.

Times are seconds since the start of the run, by one clock. It is only ever appended to, so that
a run can be checked again, and so that a run which breaks off leaves what it had.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec
from msgspec import Struct

UNKNOWN = 0
"""Status of a request that was never answered."""


class Record(Struct, frozen=True, tag_field="what", omit_defaults=True):
    at: float


class Began(Record, frozen=True, tag="began"):
    seed: int
    seconds: float


class Asked(Record, frozen=True, tag="asked"):
    """A request that changes something."""

    request: int
    application: str
    conversation: str
    deed: str
    """`message`, `delete`, `join`, `leave`, `rename`, `ephemeral`."""
    text: str | None = None
    """Of a message: unlike any other's."""
    target: int | None = None
    """Of a delete."""


class Answered(Record, frozen=True, tag="answered"):
    request: int
    status: int
    code: str | None = None
    """Of a refusal, or what became of the connection."""
    id: int | None = None
    text: str | None = None


class Opened(Record, frozen=True, tag="opened"):
    """A live session of a user is there, anew or again."""

    user: str
    application: str
    session: str
    wanted: str | None = None
    """The session that was to be resumed."""


class Heard(Record, frozen=True, tag="heard"):
    """What came to a session. Of what is not kept there is no id."""

    session: str
    conversation: str
    type: str
    id: int | None = None
    position: int | None = None
    text: str | None = None


class Lost(Record, frozen=True, tag="lost"):
    """A connection of a session, or an attempt at one; `how`: `dropped`, `refused`, `ended`."""

    user: str
    how: str
    why: str = ""
    session: str | None = None


class Hooked(Record, frozen=True, tag="hooked"):
    """A webhook request that came; whether the receiver took what it tells."""

    application: str
    conversation: str
    position: int
    epoch: str
    attempt: int
    mood: str
    is_taken: bool
    type: str
    id: int | None = None
    text: str | None = None


class Read(Record, frozen=True, tag="read"):
    """One event was asked for, at a certain node, and what was answered."""

    node: str
    conversation: str
    id: int
    asked: float
    status: int
    text: str | None = None


class Seen(Record, frozen=True, tag="seen"):
    """A membership was asked for, at a certain node, after it had been acknowledged."""

    node: str
    conversation: str
    asked: float
    status: int
    wanted: str
    """`JOINED` or `LEFT`."""
    got: str | None = None


class Fault(Record, frozen=True, tag="fault"):
    number: int
    kind: str
    node: str = ""


class Healed(Record, frozen=True, tag="healed"):
    number: int


class Quiet(Record, frozen=True, tag="quiet"):
    """Nobody posts any more, and everything is healed: now all that is owed has to come."""


class Kept(Record, frozen=True, tag="kept"):
    """An event of the history in the end, as REST shows it."""

    application: str
    conversation: str
    id: int
    type: str
    text: str | None = None
    user: str | None = None
    """Name of whom a membership is about."""
    is_deleted: bool = False


_decoder = msgspec.json.Decoder(
    Began | Asked | Answered | Opened | Heard | Lost | Hooked | Read | Seen | Fault | Healed
    | Quiet | Kept
)  # fmt: skip


class History:
    """Being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._began = time.monotonic()
        self._requests = 0

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()

    @property
    def now(self) -> float:
        return round(time.monotonic() - self._began, 4)

    def note(self, record: Record) -> None:
        self._file.write(msgspec.json.encode(record) + b"\n")

    def next_request(self) -> int:
        self._requests += 1
        return self._requests


def read(path: Path) -> Iterator[Record]:
    """The records of a run, in the order in which they were made."""
    with path.open("rb") as lines:
        for line in lines:
            yield _decoder.decode(line)
