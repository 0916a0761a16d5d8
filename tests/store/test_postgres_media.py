"""Media files on PostgreSQL: the contract, and what happens when connections and nodes break."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.contracts.media_store import (
    DurableMediaContract,
    MediaContract,
    MediaStoreContract,
    image,
    made,
    stored,
)
from tests.postgres import PostgresServer
from tests.store.cutter import Cut, Cutter

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ConversationId
from tertulia.ports import MediaStore
from tertulia.store import postgres_media, postgres_pool
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_media import PIECE, PostgresMediaStore
from tertulia.store.postgres_pool import SERVER_SETTINGS

FULL = """
CREATE OR REPLACE FUNCTION tertulia.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON tertulia.media
    FOR EACH STATEMENT EXECUTE FUNCTION tertulia.refuse();
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON tertulia.media_attached
    FOR EACH STATEMENT EXECUTE FUNCTION tertulia.refuse();
"""
ROOM_AGAIN = """
DROP TRIGGER refuse ON tertulia.media;
DROP TRIGGER refuse ON tertulia.media_attached;
"""
ROOM = ConversationId("CON-1")


def play(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


async def opened(url: str) -> PostgresMediaStore:
    await (await PostgresStore.open(url)).close()
    return await PostgresMediaStore.open(url)


class OnPostgres(MediaContract):
    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.server, self.url = postgres, postgres.new_database()

    async def open(self) -> MediaStore:
        return await opened(self.url)

    async def close(self, store: MediaStore) -> None:
        assert isinstance(store, PostgresMediaStore)
        await store.close()

    @contextmanager
    def failing(self, store: MediaStore) -> Iterator[None]:
        self.server.execute(self.url, FULL)
        yield
        self.server.execute(self.url, ROOM_AGAIN)


class TestPostgresMedia(OnPostgres, MediaStoreContract):
    pass


class TestPostgresMediaDurability(OnPostgres, DurableMediaContract):
    pass


def test_nodes_share_files_room_and_secret(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        url = postgres.new_database()
        one, two = await opened(url), await PostgresMediaStore.open(url)
        assert one.secret == two.secret
        kept = stored(b"12345")
        await one.add([kept], quota=10)
        assert await two.content(kept.file.id) == b"12345"
        ended = await asyncio.gather(
            *(node.add([stored(b"1234")], quota=12) for node in (one, two, one, two)),
            return_exceptions=True,
        )
        assert ended.count(None) == 1
        await two.delete(kept.file.id)
        assert await one.find(kept.file.id) is None
        await one.close()
        await two.close()

    play(scenario)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 40 * PIECE + 7])
def test_any_piece_of_a_file_of_any_size(postgres: PostgresServer, size: int) -> None:
    async def scenario() -> None:
        store = await opened(postgres.new_database())
        one = stored(content := os.urandom(size))
        with made(content) as path:
            await store.adopt(one.file, path, quota=0)
        for first in (0, 1, PIECE - 1, PIECE, PIECE + 1, size - 1, size, 1 << 70):
            for length in (0, 1, PIECE, 2 * PIECE, 1 << 70, None):
                if first >= 0:
                    expected = content[first:] if length is None else content[first:][:length]
                    assert await store.content(one.file.id, first, length) == expected
        await store.close()

    play(scenario)


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("word", [b"COMMIT", b"media_pieces", b"media_attached"])
def test_a_connection_that_breaks_in_a_change(
    postgres: PostgresServer, word: bytes, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made once: room and attachments are counted, so twice would show."""
    patience = {"idle_in_transaction_session_timeout": "300"}
    monkeypatch.setattr(postgres_pool, "SERVER_SETTINGS", SERVER_SETTINGS | patience)

    async def scenario() -> None:
        url = postgres.new_database()
        await (await opened(url)).close()
        with tempfile.TemporaryDirectory(prefix="tertulia-cut-") as folder:
            cutter = Cutter()
            async with cutter.between(Path(folder), postgres.socket_folder):
                through = url.replace(str(postgres.socket_folder), folder)
                store = await PostgresMediaStore.open(through)
                cutter.arm(word, cut)
                upload = image(b"12345", b"67890")
                await store.add(upload, quota=10)
                if word == b"COMMIT":
                    cutter.arm(word, cut)
                await store.attach([upload[0].file.id], ROOM)
                assert cutter.cuts == (2 if word == b"COMMIT" else 1)
                cutter.release()
                assert await store.conversations(upload[0].file.id) == [ROOM]
                await store.detach([upload[0].file.id], ROOM)
                assert await store.conversations(upload[0].file.id) == []
                await store.delete(upload[0].file.id)
                await store.add([stored(b"1234567890")], quota=10)
                await store.close()

    play(scenario)


def test_of_an_upload_whose_node_dies_nothing_is_left(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def scenario() -> None:
        url = postgres.new_database()
        store = await opened(url)
        (path := tmp_path / "made").write_bytes(b"1" * 3 * PIECE)
        monkeypatch.setattr(postgres_media, "AT_ONCE", 1)
        put = postgres_media._put
        begun = asyncio.Event()

        async def stopped(*arguments: object) -> None:
            await put(*arguments)  # type: ignore[arg-type]
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(postgres_media, "_put", stopped)
        one = stored(b"1" * 3 * PIECE)
        dying = asyncio.create_task(store.adopt(one.file, path, quota=3 * PIECE))
        await begun.wait()
        other = await PostgresMediaStore.open(url)
        assert await other.find(one.file.id) is None
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        monkeypatch.undo()
        assert path.exists()
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM tertulia.media_pieces") == 0
        await connection.close()
        await other.adopt(one.file, path, quota=3 * PIECE)
        assert not path.exists()
        await store.close()
        await other.close()

    play(scenario)


def test_a_file_that_is_not_there_is_not_adopted(postgres: PostgresServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await opened(postgres.new_database())
        with pytest.raises(Unavailable):
            await store.adopt(stored().file, tmp_path / "none", quota=0)
        await store.close()

    play(scenario)
