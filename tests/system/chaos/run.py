"""A run: load on a cluster while faults strike it, and what everybody saw, in a file.

`python -m tests.system.chaos.run FILE SECONDS [SEED [KIND …]]` makes one by hand.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from tests.system import cluster
from tests.system.books import SECRET
from tests.system.chaos import check
from tests.system.chaos.asking import Asker, make_application
from tests.system.chaos.ears import Ear, Hooks, Sulking
from tests.system.chaos.faults import KINDS, Faults, Kind
from tests.system.chaos.history import Began, History, Kept, Quiet
from tests.system.chaos.posting import Place, Poster, Roamer
from tests.system.chaos.story import Story, reaches
from tests.system.chaos.watching import Watch
from tests.system.cluster import Cluster
from tests.system.stage import OLDER, cancel

from tertulia.client.session import Kind as ClientKind
from tertulia.devkit import DevDocument
from tertulia.model.events.registry import Reach

SETTINGS = {
    "TERTULIA_ACCOUNT__SIGNATURE_SECRET": SECRET,
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    "TERTULIA_SESSIONS__PING_INTERVAL_S": "2",
    "TERTULIA_SESSIONS__PING_TIMEOUT_S": "2",
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "0.2",
    "TERTULIA_WEBHOOKS__MAX_RETRY_S": "2",
    "TERTULIA_WEBHOOKS__CONNECT_TIMEOUT_S": "1",
    "TERTULIA_WEBHOOKS__TOTAL_TIMEOUT_S": "2",
}
"""What lets a client or a receiver find out within seconds that it waits in vain."""
APPLICATIONS, PLACES, USERS, POSTERS = 4, 3, 3, 3
"""Of these, each application has so many conversations, members of them, and posters."""
PAUSE_S, ROAM_S = 0.2, 1.0
"""Between two requests of a poster, of a roamer: on average."""
STRAGGLE_S = 3.0
"""For what nobody waits for any more to be carried out."""
ARRIVES_WITHIN = 90.0
PAGE = 100


class Party:
    """One application with all who speak and listen in it."""

    def __init__(self, asker: Asker, places: list[Place], ears: list[Ear], roamer: str) -> None:
        self.asker = asker
        self.places = places
        self.ears = ears
        self.roamer = roamer


class Run:
    def __init__(self, on: Cluster, history: History, chance: random.Random) -> None:
        self._cluster = on
        self._history = history
        self._chance = chance
        self._sulking = Sulking(chance)
        self._hooks = Hooks(history, self._sulking)

    async def go(self, seed: int, seconds: float, kinds: tuple[Kind, ...]) -> None:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(self._hooks.listening())
            document = msgspec.json.decode(self._cluster.dev_json.read_bytes(), type=DevDocument)
            parties = [await self._party(document, number, f"{url}/{number}")
                       for number in range(APPLICATIONS)]  # fmt: skip
            listening = [asyncio.create_task(ear.listen())
                         for party in parties for ear in party.ears]  # fmt: skip
            watching = asyncio.create_task(Watch(self._cluster).look())
            stack.push_async_callback(cancel, [*listening, watching])
            await self._until(lambda: all(
                ear.is_open for party in parties for ear in party.ears
            ))  # fmt: skip
            self._history.note(Began(self._history.now, seed, seconds))
            await self._strain(parties, seconds, kinds)
            await self._calm_down(parties)

    async def _party(self, document: DevDocument, number: int, event_url: str) -> Party:
        made = await asyncio.to_thread(make_application, document, number, event_url)
        asker = Asker(made, self._history)
        users = [f"u{number}-{each}" for each in range(USERS)]
        roamer = f"r{number}"
        for user in (*users, roamer):
            await asker.settle("POST", "/v1/users", {"name": user})
        places = [await _place(asker, users) for _ in range(PLACES)]
        ears = [Ear(user, asker, OLDER if place % 3 == 2 else ClientKind())
                for place, user in enumerate((*users, roamer))]  # fmt: skip
        return Party(asker, places, ears, roamer)

    async def _strain(
        self, parties: Sequence[Party], seconds: float, kinds: tuple[Kind, ...]
    ) -> None:
        """Load and faults; faults end first."""
        calm, silence = asyncio.Event(), asyncio.Event()
        nodes = [(node.name, node.url) for node in self._cluster.nodes]
        async with asyncio.TaskGroup() as work:
            for party in parties:
                for number in range(POSTERS):
                    name = f"{party.asker.application_id[:8]}/{number}"
                    poster = Poster(name, party.asker, party.places, nodes, self._chance)
                    work.create_task(poster.post(silence, PAUSE_S))
                roamer = Roamer(party.roamer, party.asker, party.places, nodes, self._chance)
                work.create_task(roamer.roam(silence, ROAM_S))
            striking = work.create_task(self._strike(calm, kinds))
            await asyncio.sleep(seconds)
            calm.set()
            await striking
            await asyncio.sleep(STRAGGLE_S)
            silence.set()

    async def _strike(self, calm: asyncio.Event, kinds: tuple[Kind, ...]) -> None:
        if kinds:
            await Faults(self._cluster, self._history, self._chance, kinds).go_on(calm)

    async def _calm_down(self, parties: Sequence[Party]) -> None:
        """Wait until all is told that is owed, then note what is kept."""
        self._sulking.is_over = True
        await asyncio.sleep(STRAGGLE_S)
        self._history.note(Quiet(self._history.now))
        kept = [each for party in parties for place in party.places
                for each in await _kept(party.asker, place)]  # fmt: skip
        for each in kept:
            self._history.note(each)
        story = Story()
        for each in kept:
            story.kept[each.conversation].append(each)
        await self._until(lambda: self._is_told(story, parties))

    def _is_told(self, story: Story, parties: Sequence[Party]) -> bool:
        for conversation, events in story.kept.items():
            owed = [each.id for each in events if reaches(each.type, Reach.WEBHOOK)]
            if owed and self._hooks.newest.get(conversation, 0) < owed[-1]:
                return False
        return all(
            ear.newest.get(place.id, 0) >= max(story.owed(place.id, ear.user), default=0)
            for party in parties for ear in party.ears for place in party.places
        )  # fmt: skip

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Or until it takes too long: the checker says what is missing."""
        for _ in range(int(ARRIVES_WITHIN / 0.5)):
            if holds():
                return
            await asyncio.sleep(0.5)


async def _place(asker: Asker, users: Sequence[str]) -> Place:
    made = await asker.settle("POST", "/v1/conversations", {})
    members = {}
    for user in users:
        joining = {"state": "joined", "user": {"name": user}, "channel": {"type": "app"}}
        path = f"/v1/conversations/{made['id']}/members"
        members[user] = (await asker.settle("POST", path, joining))["id"]
    return Place(made["id"], members)


async def _kept(asker: Asker, place: Place) -> list[Kept]:
    """The history, as REST shows it."""
    found: list[Kept] = []
    while True:
        start = f"&start_id={found[-1].id + 1}" if found else ""
        path = f"/v0.3/conversations/{place.id}/events?page_size={PAGE}&order=asc{start}"
        page = (await asker.settle("GET", path))["_embedded"]["events"]
        if not page:
            return found
        found += [_of(asker, place, event) for event in page]


def _of(asker: Asker, place: Place, event: dict[str, Any]) -> Kept:
    body = event["body"]
    text = body.get("text")
    return Kept(
        asker.history.now, asker.application_id, place.id, event["id"], event["type"],
        text if isinstance(text, str) else None,
        body["user"]["name"] if event["type"].startswith("member:") else None,
        "deleted" in body.get("timestamp", {}),
    )  # fmt: skip


def run(on: Cluster, path: Path, *, seed: int, seconds: float,
        kinds: tuple[Kind, ...] = KINDS) -> None:  # fmt: skip
    with History(path) as history:
        asyncio.run(Run(on, history, random.Random(seed)).go(seed, seconds, kinds))


def main(path: str, seconds: str, seed: str = "1", *names: str) -> int:
    kinds = tuple(kind for kind in KINDS if not names or kind.name in names)
    folder = Path(tempfile.mkdtemp(prefix="tertulia-chaos-"))
    print(f"logs in {folder}")
    with cluster.running(folder, is_wired=True, settings=SETTINGS) as on:
        run(on, Path(path), seed=int(seed), seconds=float(seconds), kinds=kinds)
    return check.main(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
