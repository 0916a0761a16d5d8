"""The adapters of SearchIndex: their contract, and what only the file can meet."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.builders import APP
from tests.contracts.search_index import HEAD, SearchIndexContract, found, said
from tests.store.disk import Disk

from tertulia.model.errors import SearchMissing, SearchTooBroad, Unavailable, ValidationFailed
from tertulia.model.ids import Position
from tertulia.model.words import Term, terms_of
from tertulia.ports.search import SearchIndex, TextQuery
from tertulia.store import search
from tertulia.store.memory_search import MemorySearch
from tertulia.store.search import SqliteSearch


class TestMemorySearch(SearchIndexContract):
    async def open(self) -> SearchIndex:
        return MemorySearch()

    async def close(self, index: SearchIndex) -> None:
        return None


class TestSqliteSearch(SearchIndexContract):
    path: Path

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "search.db"

    async def open(self) -> SearchIndex:
        return SqliteSearch(self.path)

    async def close(self, index: SearchIndex) -> None:
        assert isinstance(index, SqliteSearch)
        await index.close()


def played(path: Path, play: Callable[[SqliteSearch], Awaitable[None]], **how: object) -> None:
    async def run() -> None:
        index = SqliteSearch(path, **how)  # type: ignore[arg-type]
        try:
            await play(index)
        finally:
            await index.close()

    asyncio.run(run())


def test_what_is_indexed_outlives_the_process(tmp_path: Path) -> None:
    async def first(index: SqliteSearch) -> None:
        await index.begin("epoch", HEAD)
        await index.write(said(1, "tea"), Position(5))

    async def second(index: SqliteSearch) -> None:
        assert await index.begin("epoch", HEAD) == 5
        assert await found(index, "tea") == [1]

    for play in (first, second):
        played(tmp_path / "search.db", play)


@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(b"no database" * 100),
    lambda path: path.write_bytes(b""),
    lambda path: sqlite3.connect(path).executescript("PRAGMA user_version = 99").close(),
    lambda path: sqlite3.connect(path).executescript("CREATE TABLE x (y)").close(),
])  # fmt: skip
def test_a_file_that_is_none_of_ours_is_made_anew(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "search.db"
    spoil(path)

    async def play(index: SqliteSearch) -> None:
        assert await index.begin("epoch", HEAD) == 0
        await index.write(said(1, "tea"), Position(5))
        assert await found(index, "tea") == [1]

    played(path, play)


def test_a_file_that_proves_to_be_damaged_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "search.db"

    async def fill(index: SqliteSearch) -> None:
        await index.begin("epoch", HEAD)
        for number in range(1, 200):
            await index.write(said(number, "tea"), Position(number))

    async def play(index: SqliteSearch) -> None:
        assert await index.begin("epoch", HEAD) == 199
        with pytest.raises(Unavailable):
            await found(index, "tea")
        with pytest.raises(Unavailable):
            await index.write(said(200, "tea"), Position(200))
        assert await index.begin("epoch", HEAD) == 0
        await index.write(said(1, "tea"), Position(5))
        assert await found(index, "tea") == [1]

    played(path, fill)
    content = path.read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    path.write_bytes(b"".join([*pages[:2], *(b"\xff" * 100 + page[100:] for page in pages[2:])]))
    played(path, play)
    played(path, lambda index: _begins_at(index, 5))


async def _begins_at(index: SqliteSearch, position: int) -> None:
    assert await index.begin("epoch", HEAD) == position


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    disk = Disk()

    async def play(index: SqliteSearch) -> None:
        await index.begin("epoch", HEAD)
        with disk.full(), pytest.raises(Unavailable):
            await index.write(said(1, "tea"), Position(5))
        assert await index.begin("epoch", HEAD) == 0
        assert await found(index, "tea") == []
        await index.write(said(1, "tea"), Position(5))
        assert await found(index, "tea") == [1]

    played(tmp_path / "search.db", play, connect=disk.connect)


def test_nothing_is_asked_before_it_has_begun(tmp_path: Path) -> None:
    async def play(index: SqliteSearch) -> None:
        with pytest.raises(Unavailable):
            await found(index, "tea")
        with pytest.raises(Unavailable):
            await index.write(said(1, "tea"), Position(5))

    played(tmp_path / "search.db", play)


def test_a_place_that_is_none(tmp_path: Path) -> None:
    async def play(index: SqliteSearch) -> None:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await index.begin("epoch", HEAD)

    played(tmp_path / "none" / "search.db", play)


def test_a_host_without_fts5_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "has_fts5", lambda: False)

    async def play(index: SqliteSearch) -> None:
        with pytest.raises(SearchMissing):
            await index.begin("epoch", HEAD)
        with pytest.raises(SearchMissing):
            await found(index, "tea")

    played(tmp_path / "search.db", play)


def test_a_search_that_takes_long_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    monkeypatch.setattr(search, "_STEPS", 100)

    async def play(index: SqliteSearch) -> None:
        await index.begin("epoch", HEAD)
        for number in range(1, 300):
            await index.write(said(number, "tea"), Position(number))
        with pytest.raises(SearchTooBroad):
            await found(index, "tea", limit=300)

    played(tmp_path / "search.db", play)


def test_too_many_searches_are_refused(tmp_path: Path) -> None:
    async def play(index: SqliteSearch) -> None:
        await index.begin("epoch", HEAD)
        asked = [found(index, "tea") for _ in range(search.SEARCHES_MAX + 5)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(result, Unavailable) for result in results) == 5
        assert await found(index, "tea") == []

    played(tmp_path / "search.db", play)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(min_size=1, max_size=200), min_size=20, max_size=20))
def test_nothing_that_is_typed_is_an_error(asked: list[str]) -> None:
    async def run() -> None:
        index = SqliteSearch(Path("unused"), connect=_in_memory)
        await index.begin("epoch", HEAD)
        for each in asked:
            try:
                terms: tuple[Term, ...] = terms_of(each)
            except ValidationFailed:
                continue
            await index.find(TextQuery(APP, terms))
        await index.close()

    asyncio.run(run())


def _in_memory(_: str, **how: object) -> sqlite3.Connection:
    return sqlite3.connect("file:search?mode=memory&cache=shared", **how)  # type: ignore[call-overload,no-any-return]
