"""Messages to a carrier in another process: who sends them, and what has become of each."""

import asyncio
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field
from tests.system.accounting import opened, whole_log
from tests.system.caller import Caller, Dropped
from tests.system.smsc import Tally

from tertulia.devkit import DevDocument
from tertulia.model.sending import FINAL, Sending
from tertulia.testing.replay import check_replay

ROOT = Path(__file__).parents[2]
OWN = "15550199"
PATIENCE = 60.0
"""Seconds until something has come about; generous, since the machine may be busy."""
AGAIN = 0.02
_TALLY_MAX = 1 << 26
"""Octets."""


class Carrier:
    """An SMSC as its tests have it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def ask(self, command: str = "tally") -> Tally:
        assert self._process.stdin is not None and self._process.stdout is not None
        async with self._turn, asyncio.timeout(PATIENCE):
            self._process.stdin.write(f"{command}\n".encode())
            line = await self._process.stdout.readline()
        return msgspec.json.decode(line, type=Tally)

    async def end(self) -> None:
        """At once, with all that it knows."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def smsc(port: int) -> AsyncIterator[Carrier]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.smsc", str(port), cwd=ROOT,
        stdin=PIPE, stdout=PIPE, limit=_TALLY_MAX,
    )  # fmt: skip
    carrier = Carrier(process)
    try:
        await carrier.ask()
        yield carrier
    finally:
        await carrier.end()


def account(name: str, port: int, **more: Any) -> str:
    """An entry of the plan. It is tried again soon, and given time to answer: nobody is taken for
    lost who is only slow."""
    members = {
        "kind": "smpp", "name": name, "host": "127.0.0.1", "port": port, "system_id": "us",
        "password": "secret", "first_retry_seconds": 0.05, "longest_retry_seconds": 0.3,
        "answer_seconds": 60.0, **more,
    }  # fmt: skip
    lines = (f"{key} = {msgspec.json.encode(value).decode()}" for key, value in members.items())
    return "\n".join(("[[carrier]]", *lines, ""))


def write_plan(folder: Path, *accounts: str) -> dict[str, str]:
    """Settings for a server that has these carriers."""
    path = folder / "messaging.toml"
    path.write_text("\n".join(accounts))
    return {"TERTULIA_MESSAGING__PLAN": str(path), "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0"}


class Said(NamedTuple):
    to: str
    text: str


class Book(Struct):
    """What was acknowledged, by its id, in the order in which that was."""

    accepted: dict[str, Said] = field(default_factory=dict)
    dropped: int = 0
    """Requests that were never answered."""

    def by_number(self) -> dict[str, list[str]]:
        return by_number(self.accepted.values())


def by_number(said: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Texts, in their order."""
    found: dict[str, list[str]] = {}
    for to, text in said:
        found.setdefault(to, []).append(text)
    return found


def wanted(to: str, text: str, *, from_: str = OWN, **more: Any) -> dict[str, Any]:
    message = {"channel": "sms", "message_type": "text", "text": text, "to": to, "from": from_}
    return {**message, **more}


async def send(caller: Caller, message: dict[str, Any]) -> str:
    answer = await caller.call("POST", "/v1/messages", message)
    assert answer.status == 202, answer
    return str(answer.json["message_uuid"])


class Writer:
    """Sends one message after the other, whatever becomes of the server meanwhile. What was not
    answered it says again in other words: it may have been accepted."""

    def __init__(self, document: DevDocument, book: Book, name: int, numbers: int = 5) -> None:
        self._document = document
        self._book = book
        self._name = name
        self._numbers = numbers

    async def write(self, messages: int) -> None:
        async with Caller(self._document) as caller:
            for number in range(messages):
                to = f"447700{self._name:02}{number % self._numbers:04}"
                await self._accepted(caller, to, f"{self._name} says {number}")

    async def _accepted(self, caller: Caller, to: str, text: str) -> None:
        for again in count():
            said = Said(to, f"{text}, {again}")
            try:
                answer = await caller.call("POST", "/v1/messages", wanted(*said))
            except Dropped:
                self._book.dropped += 1
                await asyncio.sleep(AGAIN)
                continue
            if answer.status == 202:
                self._book.accepted[answer.json["message_uuid"]] = said
                return
            assert answer.status == 503, answer  # it is not ready yet
            await asyncio.sleep(AGAIN)


async def write(document: DevDocument, book: Book, messages: int, writers: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for name in range(writers):
            tasks.create_task(Writer(document, book, name).write(messages // writers))


async def until(
    holds: Callable[[], Any], otherwise: Callable[[], object], within: float = PATIENCE
) -> None:
    """Look until it holds, or fail the test."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        await asyncio.sleep(AGAIN)


def left(data: Path) -> int:
    """Sendings that are not over."""
    with closing(sqlite3.connect(f"file:{data / 'tertulia.db'}?mode=ro", uri=True)) as store:
        (found,) = store.execute("SELECT count(*) FROM sendings WHERE stage < 2").fetchone()
    return int(found)


def table(data: Path) -> dict[str, Sending]:
    with closing(sqlite3.connect(f"file:{data / 'tertulia.db'}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT id, sending FROM sendings ORDER BY number").fetchall()
    return {id_: msgspec.json.decode(blob, type=Sending) for id_, blob in rows}


async def books(data: Path) -> dict[str, Sending]:
    """All that was ever accepted, each with exactly one final status, in the log as in the table.
    To be called when nobody writes."""
    endings: Counter[str] = Counter()
    newest: dict[str, Sending] = {}
    async with opened(data) as store:
        await check_replay(store)
        for event in await whole_log(store):
            if isinstance(event.became, Sending):
                newest[event.became.id] = event.became
                endings[event.became.id] += event.became.status in FINAL
    assert set(endings.values()) <= {1}, endings.most_common(5)
    assert newest == table(data)
    return newest
