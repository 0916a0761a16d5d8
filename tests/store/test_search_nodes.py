"""Each node has a search index of its own, made from the log that all of them write."""

import asyncio
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from tests.contracts.builders import APP, birth, event, profile
from tests.postgres import PostgresServer

from tertulia.bus.local import Exchange
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ConversationId, EventId
from tertulia.model.words import Term
from tertulia.ports import Append
from tertulia.ports.search import TextQuery
from tertulia.services import search
from tertulia.services.search import Indexer
from tertulia.store.postgres import PostgresStore
from tertulia.store.search import SqliteSearch


class Node:
    def __init__(self, store: PostgresStore, index: SqliteSearch) -> None:
        self.store, self.index = store, index
        indexer = Indexer(index=index, log=store, monotonic=monotonic)
        self._indexing = asyncio.create_task(indexer.run())

    async def finds(self, word: str) -> tuple[ConversationId, EventId | None]:
        """Wait until it does."""
        query = TextQuery(APP, (Term((word,)),))
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
