"""The log as it grows, read from the store: every body in it has to be what its type says."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from tests.system.accounting import opened

from tertulia.model.event import Event
from tertulia.model.events.registry import find
from tertulia.model.ids import Position
from tertulia.store.stored import Stored
from tertulia.testing.replay import check_replay

PATIENCE = 30.0
"""Seconds until something is told; generous, since the machine may be busy."""
_TICK = 0.05


class Entry(NamedTuple):
    """An event, and the members of its body."""

    event: Event
    body: dict[str, Any]


class Diary:
    def __init__(self, store: Stored) -> None:
        self.entries: list[Entry] = []
        self._store = store
        self._after = Position(0)
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def of(cls, data: Path) -> "AsyncIterator[Diary]":
        async with opened(data) as store:
            yield cls(store)

    async def see(
        self, type_: str, *, since: int = 0, within: float = PATIENCE, **wanted: Any
    ) -> Entry:
        """The first event of a type with these members, of those from the `since`th on."""
        deadline = time.monotonic() + within
        while True:
            await self.read()
            for entry in self.told(type_, since=since, **wanted):
                return entry
            assert time.monotonic() < deadline, f"no {type_} {wanted}: {self}"
            await asyncio.sleep(_TICK)

    async def see_asr(self, asr_id: str) -> dict[str, Any]:
        """What a recognition came to."""
        result: dict[str, Any] = (await self.see("audio:asr:done", id=asr_id)).body["asr"]
        return result

    def told(self, type_: str, *, since: int = 0, **wanted: Any) -> Iterator[Entry]:
        """Those that have been read."""
        for entry in self.entries[since:]:
            if entry.event.type == type_ and wanted.items() <= _items(entry):
                yield entry

    def types(self) -> set[str]:
        return {entry.event.type for entry in self.entries}

    async def read(self) -> int:
        """Read on to the end; how many there are."""
        async with self._turn:
            while page := await self._store.follow(self._after):
                for event in page:
                    self.entries.append(_entry(event))
                self._after = page[-1].position
            return len(self.entries)

    async def check(self) -> None:
        """What is shown is what the log says. To be called when nobody writes."""
        await check_replay(self._store)

    def __str__(self) -> str:
        return "\n".join(f"{each.event.type} {each.body}"[:200] for each in self.entries[-20:])


def _entry(event: Event) -> Entry:
    row = find(event.type)
    assert row is not None, event
    raw = event.body or b"{}"
    row.decoder.decode(raw)
    return Entry(event, msgspec.json.decode(raw))


def _items(entry: Entry) -> Any:
    """Members of the body that can be compared; `leg` is the leg that the event is about, `id` the
    recognition."""
    body = entry.body
    channel = body.get("channel")
    leg = body.get("leg_id") or body.get("rtc_id") or (channel or {}).get("id")
    found = {name: each for name, each in body.items() if not isinstance(each, dict | list)}
    found["leg"] = leg
    if "asr" in body:
        found["id"] = body["asr"].get("asr_id")
    return found.items()
