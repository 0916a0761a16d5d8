"""A store with a long history, built once and kept: the product's own rows, multiplied.

The product makes the conversations, members and one message in each; then, while it is stopped, SQL
copies those messages under new numbers, spread over the conversations as live traffic would be.
"""

import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.load import Shape, Target, drive
from bench.places import ROOT, WORK, Skipped, work
from bench.processes import cpu_seconds
from bench.product import Product, product
from bench.rest import MESSAGE, populate

CONVERSATIONS = 1000
LAYOUT = 1
"""Of what is built here; a change makes older stores worthless."""
SCHEMA = ROOT / "src/tertulia/store/schema.sql"
MARK = b"N="
"""Before the 12 digits in a message's text that make it differ from the others."""

Seed = tuple[int, int, int, bytes, bytes]
"""Stream, its application, its newest number, and the record before and after the digits."""


class History(Struct, frozen=True):
    events: int
    big: str
    """Path of the events of the conversation that has a tenth of them."""
    big_events: int
    build_seconds: float
    rows_per_second: float
    megabytes: float


def build(events: int) -> tuple[Path, History]:
    """The data directory of a store of that many events. One is kept; they are large."""
    place = work(f"history-{_key(events)}")
    finished = place / "history.json"
    if not finished.exists():
        for older in WORK.glob("history-*"):
            shutil.rmtree(older)
        place.mkdir()
        print(f"page: building a store of {events} events in {place}", flush=True)
        finished.write_bytes(msgspec.json.encode(_build(place, events)))
    return place / "data", msgspec.json.decode(finished.read_bytes(), type=History)


def settle(server: Product, quiet: float = 1.0) -> None:
    """Wait until the processes do nothing: followers of the log may have millions to pass by."""
    while True:
        before = cpu_seconds(server.processes())
        time.sleep(quiet)
        if cpu_seconds(server.processes()) - before < 0.05 * quiet:
            return


def _key(events: int) -> str:
    if not SCHEMA.exists():
        raise Skipped(f"no {SCHEMA}")
    return f"{hashlib.sha256(SCHEMA.read_bytes()).hexdigest()[:12]}-{LAYOUT}-{events}"


def _build(place: Path, events: int) -> History:
    begun = time.monotonic()
    data = place / "data"
    with product(data) as server:
        targets = populate(server.rest(), CONVERSATIONS)
        once_each = Shape(1, seconds=60, most=CONVERSATIONS)
        drive(server.port, targets, once_each, place=place, token=server.token, body=MESSAGE)
    file = database(data)
    inserting = time.monotonic()
    big_events = _multiply(file, targets, events)
    rows_per_second = events / (time.monotonic() - inserting)
    with product(data) as server:
        settle(server)
    return History(
        events=events,
        big=targets[0].path,
        big_events=big_events,
        build_seconds=time.monotonic() - begun,
        rows_per_second=rows_per_second,
        megabytes=file.stat().st_size / 1e6,
    )


def database(data: Path) -> Path:
    """The file that holds the log."""
    for file in sorted(data.rglob("*")):
        if file.is_file() and _is_log(file):
            return file
    raise Skipped(f"no database with a table `log` in {data}")


def _is_log(file: Path) -> bool:
    with file.open("rb") as start:
        if start.read(15) != b"SQLite format 3":
            return False
    with closing(sqlite3.connect(file)) as db:
        named = db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'log'")
        return named.fetchone() is not None


def _multiply(file: Path, targets: list[Target], events: int) -> int:
    """Add that many events; the result is how many the first target's conversation has then."""
    db = sqlite3.connect(file, isolation_level=None)
    try:
        # Nobody else has the file open, and a crash only means that it is built again.
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
            db.execute(f"PRAGMA {setting}")
        seeds = [_seed(db, target.path.split("/")[3]) for target in targets]
        (head,) = db.execute("SELECT max(position) FROM log").fetchone()
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO log (position, application, stream, id, type, record)"
            " VALUES (?, ?, ?, ?, 'message', ?)",
            _rows(seeds, head + 1, events),
        )
        db.execute("COMMIT")
        newest = "SELECT max(id) FROM log WHERE stream = ? AND id IS NOT NULL"
        return int(db.execute(newest, [seeds[0][0]]).fetchone()[0])
    finally:
        db.execute("PRAGMA journal_mode=WAL")
        db.close()


def _seed(db: sqlite3.Connection, conversation: str) -> Seed:
    stream, application, newest, record = db.execute(
        "SELECT l.stream, l.application, l.id, l.record FROM log l"
        " JOIN conversations c ON c.number = l.stream"
        " WHERE c.id = ? AND l.type = 'message' ORDER BY l.id DESC LIMIT 1",
        [conversation],
    ).fetchone()
    head, mark, rest = bytes(record).partition(MARK)
    return stream, application, newest, head + mark, rest[12:]


def _rows(
    seeds: list[Seed], position: int, count: int
) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Every tenth row is the first conversation's, the others share the rest in a fixed jumble."""
    newest = [seed[2] for seed in seeds]
    others = len(seeds) - 1
    for number in range(count):
        at = 0 if number % 10 == 0 else 1 + number * 2654435761 % 4294967296 % others
        stream, application, _, head, tail = seeds[at]
        newest[at] += 1
        record = b"%b%012d%b" % (head, number, tail)
        yield position + number, application, stream, newest[at], record
