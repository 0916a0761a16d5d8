"""What nodes tell each other of what they have committed: pure.

A word is a line `EPOCH FIRST LAST`, and JSON. On `log` that is the list of the applications of a
batch; on the subject of an application, its events in that batch as rows of the log. The line is
read first: most words are of batches that are known by then.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

import msgspec
from msgspec import Raw

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.store import rows
from tertulia.store.entry import Entry
from tertulia.store.joining import Span
from tertulia.store.rows import Place, encode

LOG = "log"
EVENTS_MAX = 1_000_000
_APPLICATIONS = msgspec.json.Decoder(list[ApplicationId])


class Stored(NamedTuple):
    """An entry that was committed, and the position of its last event."""

    entry: Entry
    last: Position


class Told(NamedTuple):
    span: Span
    content: bytes


def subject_of(application_id: ApplicationId) -> str:
    is_plain = application_id.isascii() and application_id.replace("-", "").isalnum()
    if is_plain and len(application_id) < 100:
        return f"{LOG}.{application_id}"
    return f"{LOG}.{sha256(application_id.encode()).hexdigest()}"


def first_of(stored: Stored) -> Position:
    return Position(stored.last - len(stored.entry.events) + 1)


def span_of(batch: list[Stored]) -> Span:
    return Span(first_of(batch[0]), batch[-1].last)


def batches(stored: Iterable[Stored]) -> list[list[Stored]]:
    """Entries that follow each other; between two batches, others may have written."""
    found: list[list[Stored]] = []
    for each in stored:
        if found and found[-1][-1].last + 1 == first_of(each):
            found[-1].append(each)
        else:
            found.append([each])
    return found


def words(epoch: str, batch: list[Stored]) -> Iterator[tuple[str, bytes]]:
    """Subjects and words: the parts, and then what tells that they are all."""
    span = span_of(batch)
    line = f"{epoch} {span.first} {span.last}\n".encode()
    names = sorted({stored.entry.application_id for stored in batch})
    for name, own in groupby(sorted(batch, key=_application), key=_application):
        yield subject_of(name), line + encode([row for each in own for row in _rows(each)])
    yield LOG, line + encode(names)


def _application(stored: Stored) -> ApplicationId:
    return stored.entry.application_id


def _rows(stored: Stored) -> Iterable[tuple[Place, Raw, tuple[()]]]:
    """As the log's `follow` answers them: rows.EventRow."""
    entry, first = stored.entry, first_of(stored)
    for number, (event, record) in enumerate(zip(entry.events, entry.records, strict=True)):
        place = Place(
            Position(first + number), event.application_id, event.conversation_id, event.id,
            event.type, event.deleted_at,
        )  # fmt: skip
        yield place, Raw(record), ()


def told(epoch: str, word: bytes) -> Told | None:
    """None for what no node of ours has said."""
    line, _, content = word.partition(b"\n")
    parts = line.split(b" ")
    if len(parts) != 3 or parts[0] != epoch.encode() or len(line) > 200:
        return None
    if not (parts[1].isdigit() and parts[2].isdigit()):
        return None
    span = Span(Position(int(parts[1])), Position(int(parts[2])))
    if not 0 < span.first <= span.last < span.first + EVENTS_MAX:
        return None
    return Told(span, content)


def applications(content: bytes) -> list[ApplicationId] | None:
    try:
        return _APPLICATIONS.decode(content)
    except msgspec.DecodeError:
        return None


def events(span: Span, application_id: ApplicationId, content: bytes) -> list[Event] | None:
    try:
        found = [row.event() for row in rows.events.decode(content)]
    except msgspec.DecodeError:
        return None
    is_right = all(
        span.first <= each.position <= span.last and each.application_id == application_id
        for each in found
    )
    return found if is_right else None
