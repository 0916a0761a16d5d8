"""Each node has a search index of its own, made from the log that all of them write."""

import asyncio
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from tests.contracts.builders import APP, OTHER_APP, birth, event, profile
from tests.postgres import PostgresServer

from tertulia.bus.local import Exchange
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, EventId
from tertulia.model.state import Profile
from tertulia.model.words import Term
from tertulia.ports import Append
from tertulia.ports.cluster import Alone, Homes
from tertulia.ports.search import FoundText, TextQuery
from tertulia.services import search
from tertulia.services.search import Indexer
from tertulia.store.postgres import PostgresStore
from tertulia.store.search import SqliteSearch


class Node:
    def __init__(
        self, store: PostgresStore, index: SqliteSearch, homes: Homes | None = None
    ) -> None:
        self.store, self.index = store, index
        indexer = Indexer(index=index, log=store, homes=homes or Alone(), monotonic=monotonic)
        self._indexing = asyncio.create_task(indexer.run())

    async def all(self, word: str, application_id: ApplicationId) -> list[FoundText]:
        return await self.index.find(TextQuery(application_id, (Term((word,)),)))

    async def finds(
        self, word: str, application_id: ApplicationId = APP
    ) -> tuple[ConversationId, EventId | None]:
        """Wait until it does."""
        query = TextQuery(application_id, (Term((word,)),))
        async with asyncio.timeout(20):
            while True:
                with suppress(Unavailable):  # not begun yet
                    for found in await self.index.find(query):
                        return found.conversation_id, found.event_id
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self._indexing.cancel()
        await asyncio.wait([self._indexing])
        await self.index.close()


def test_what_is_said_at_one_node_is_found_at_another(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAUSE", 0.01)

    async def scenario() -> None:
        url, exchange, room = postgres.new_database(), Exchange(), profile()

        async def say(store: PostgresStore, number: int, word: str) -> None:
            said = event(room, number, word)
            await store.append(Append(APP, room.id, EventId(number - 1), [said]))

        one = await PostgresStore.open(url, bus=exchange.bus())
        await one.append(birth(room))
        await say(one, 1, "before")
        two = await PostgresStore.open(url, bus=exchange.bus())
        node = Node(two, SqliteSearch(tmp_path / "search.db"))
        assert await node.finds("before") == (room.id, 1)
        await say(one, 2, "meanwhile")
        assert await node.finds("meanwhile") == (room.id, 2)
        await node.close()
        await say(one, 3, "afterwards")
        # opened again it goes on from where it was
        index = SqliteSearch(tmp_path / "search.db")
        assert await index.begin(two.epoch, await two.head()) == await two.head() - 1
        node = Node(two, index)
        assert await node.finds("afterwards") == (room.id, 3)
        await node.close()
        await two.close()
        await one.close()

    asyncio.run(scenario())


class Own(Alone):
    """Homes, as a test says."""

    def __init__(self, *own: ApplicationId) -> None:
        self.own = frozenset(own)


def test_a_node_indexes_what_is_at_home_with_it(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAUSE", 0.01)

    async def scenario() -> None:
        url, exchange = postgres.new_database(), Exchange()
        room, other = profile(), profile(application_id=OTHER_APP)

        async def say(store: PostgresStore, where: Profile, number: int, word: str) -> None:
            said = event(where, number, word)
            await store.append(Append(where.application_id, where.id, EventId(number - 1), [said]))

        one = await PostgresStore.open(url, bus=exchange.bus())
        for each in (room, other):
            await one.append(birth(each))
            await say(one, each, 1, "before")
        two = await PostgresStore.open(url, bus=exchange.bus())
        homes = Own(APP)
        node = Node(two, SqliteSearch(tmp_path / "search.db"), homes)
        assert await node.finds("before") == (room.id, 1)
        await say(one, other, 2, "elsewhere")
        await say(one, room, 2, "here")
        assert await node.finds("here") == (room.id, 2)
        assert await node.all("elsewhere", OTHER_APP) == await node.all("before", OTHER_APP) == []
        # it comes home: what was said elsewhere is found, and what is said from now on
        homes.own = frozenset({APP, OTHER_APP})
        await say(one, room, 3, "again")
        assert await node.finds("again") == (room.id, 3)
        assert await node.finds("elsewhere", OTHER_APP) == (other.id, 2)
        assert await node.finds("before", OTHER_APP) == (other.id, 1)
        await node.close()
        index = SqliteSearch(tmp_path / "search.db")
        head = await two.head()
        assert await index.begin(two.epoch, head, APP) == head
        assert await index.begin(two.epoch, head, OTHER_APP) == head - 2
        assert await index.begin(two.epoch, head) == 0
        await index.close()
        for store in (one, two):
            await store.close()

    asyncio.run(scenario())
