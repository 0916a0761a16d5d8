"""Where events are seen: what each place shows of an event, to be compared with the log."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from tests.system.books import Books
from tests.system.caller import Caller
from tests.system.diary import PATIENCE, Entry

from tertulia.client.session import Arrival
from tertulia.dispatch.envelope import OUTSIDE, SIGNALLING

Name = tuple[str, int]
"""Of an event: its conversation and its number."""
PAGE = 100
_SIGNALS = ("session_destination", "isFromMB")
"""COMPAT: at the top of a webhook's request, though members of the body (wire-api 8, no. 11)."""


class Sight(NamedTuple):
    """An event as it was shown."""

    type: str
    number: int | None
    body: dict[str, Any]


def in_log(entry: Entry) -> Sight:
    return Sight(entry.event.type, entry.event.id, entry.body)


def at_webhook(entry: Entry) -> Sight:
    """What is to be shown there: some types without their number."""
    is_bare = entry.event.type in SIGNALLING | OUTSIDE
    return in_log(entry)._replace(number=None if is_bare else entry.event.id)


def name_of(entry: Entry) -> Name | None:
    """None of what is in no conversation."""
    if entry.event.conversation_id is None or entry.event.id is None:
        return None
    return entry.event.conversation_id, entry.event.id


class Ledger(Books):
    """The books of a receiver that also keeps what came, by position in the log. The signature is
    checked of each."""

    def __init__(self) -> None:
        super().__init__()
        self.sights: dict[int, Sight] = {}
        self.fleeting: list[Sight] = []
        """Of what is not kept, and has no position."""
        self._numbers: set[tuple[str | None, int | None]] = set()
        self._news = asyncio.Event()

    def enter(self, headers: dict[str, str], body: bytes, *, taken: bool) -> None:
        told = msgspec.json.decode(body)
        lifted = {name: told[name] for name in _SIGNALS if name in told}
        sight = Sight(told["type"], told.get("id"), told["body"] | lifted)
        if "tertulia-position" not in headers:
            self._signed(headers, body)
            self.fleeting.append(sight)
            return
        super().enter(headers, body, taken=taken)
        self.sights[int(headers["tertulia-position"])] = sight
        self._numbers.add((told.get("conversation_id"), sight.number))
        self._news.set()

    async def until(self, name: Name) -> None:
        """Wait until an event has come."""
        async with asyncio.timeout(PATIENCE):
            while name not in self._numbers:
                self._news.clear()
                await self._news.wait()


def fleeting(arrivals: Iterable[Arrival]) -> list[Sight]:
    """Of sessions: what has no number."""
    return [
        Sight(type_, None, payload["body"])
        for type_, payload, _ in arrivals
        if "body" in payload and payload.get("id") is None
    ]


def of_sessions(arrivals: Iterable[Arrival]) -> Iterator[tuple[Name, Sight]]:
    """Of what has a number."""
    for type_, payload, _ in arrivals:
        if isinstance(number := payload.get("id"), int):
            yield (payload["cid"], number), Sight(type_, number, payload["body"])


async def of_history(caller: Caller, conversations: Iterable[str]) -> dict[Name, Sight]:
    """All that REST shows of these."""
    found: dict[Name, Sight] = {}
    for conversation in conversations:
        path = f"/v1/conversations/{conversation}/events?page_size={PAGE}&order=asc"
        after = 0
        while page := _items(await caller.get(f"{path}&start_id={after + 1}")):
            for event in page:
                sight = Sight(event["type"], event["id"], event["body"])
                found[conversation, event["id"]] = sight
            after = page[-1]["id"]
    return found


def _items(page: Any) -> list[dict[str, Any]]:
    """COMPAT: with or without the name of the collection (wire-api 1.5)."""
    embedded = page["_embedded"]
    items: list[dict[str, Any]] = embedded if isinstance(embedded, list) else embedded["events"]
    return items
