import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.contracts.media_store import (
    DurableMediaContract,
    MediaContract,
    MediaStoreContract,
    image,
    stored,
)
from tests.store.disk import Disk

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ConversationId
from tertulia.ports import MediaStore
from tertulia.store.media_files import MIGRATIONS, FileMediaStore
from tertulia.store.media_memory import MemoryMediaStore
from tertulia.store.migrations import migrate


class OnMemory(MediaContract):
    async def open(self) -> MediaStore:
        return MemoryMediaStore()

    async def close(self, store: MediaStore) -> None:
        return None

    @contextmanager
    def failing(self, store: MediaStore) -> Iterator[None]:
        assert isinstance(store, MemoryMediaStore)
        store.fail()
        yield
        store.fail(False)


class OnFiles(MediaContract):
    folder: Path
    disk: Disk

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.disk = Disk()

    async def open(self) -> MediaStore:
        return await FileMediaStore.open(self.folder, connect=self.disk.connect)

    async def close(self, store: MediaStore) -> None:
        assert isinstance(store, FileMediaStore)
        await store.close()

    @contextmanager
    def failing(self, store: MediaStore) -> Iterator[None]:
        with self.disk.full():
            yield


class TestMemoryMedia(OnMemory, MediaStoreContract):
    pass


class TestFileMedia(OnFiles, MediaStoreContract):
    pass


class TestFileMediaDurability(OnFiles, DurableMediaContract):
    pass


def play(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "media").rglob("*") if path.is_file())


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_disk_that_is_full_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Each sync of the three files and their folders fails once: what came before is swept."""

    async def scenario() -> None:
        store = await FileMediaStore.open(tmp_path)
        calls = 0
        sync = os.fsync

        def failing(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls == fails_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(descriptor)

        upload = image(b"12345", b"678", b"90")
        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(Unavailable):
            await store.add(upload, quota=10)
        assert files(tmp_path) == []
        assert await store.find(upload[0].file.id) is None
        await store.add(upload, quota=10)
        assert files(tmp_path) == sorted(each.file.id for each in upload)
        await store.close()

    play(scenario)


def test_what_a_crash_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*, before: str) -> None:
        store = await FileMediaStore.open(tmp_path)
        monkeypatch.setattr(FileMediaStore, "_sweep", _stop)
        if before == "ready":
            monkeypatch.setattr(Path, "replace", _stop)
            with pytest.raises(_Stopped):
                await store.add(image(b"one", b"two"), quota=0)
        else:
            await store.add([kept := stored()], quota=0)
            with pytest.raises(_Stopped):
                await store.delete(kept.file.id)
        await store.close()
        monkeypatch.undo()

    async def scenario() -> None:
        for before in ("ready", "unlink"):
            await crash(before=before)
            assert len(files(tmp_path)) == 1
            store = await FileMediaStore.open(tmp_path)
            assert files(tmp_path) == []
            upload = image(b"12345", b"67890")
            await store.add(upload, quota=10)
            await store.delete(upload[0].file.id)
            await store.close()

    play(scenario)


class _Stopped(Exception):
    pass


def _stop(*_: object) -> None:
    raise _Stopped


def test_a_file_that_cannot_be_taken_away_is_nobodys_and_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        store = await FileMediaStore.open(tmp_path)
        await store.add([kept := stored(b"12345")], quota=10)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", _deny)
            await store.delete(kept.file.id)
        assert files(tmp_path) == [kept.file.id]
        assert await store.content(kept.file.id) is None
        await store.add([late := stored(b"1234567890")], quota=10)
        assert files(tmp_path) == [late.file.id]
        await store.close()

    play(scenario)


def _deny(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_file_that_is_missing_or_cannot_be_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await FileMediaStore.open(tmp_path)
        await store.add([one := stored()], quota=0)
        (path,) = [path for path in (tmp_path / "media").rglob("MED-*") if path.is_file()]
        path.unlink()
        assert await store.content(one.file.id) is None
        path.mkdir()
        with pytest.raises(Unavailable):
            await store.content(one.file.id)
        await store.close()

    play(scenario)


def test_a_store_of_the_first_version_is_brought_forward(tmp_path: Path) -> None:
    async def scenario() -> None:
        room, one = ConversationId("CON-1"), stored()
        with closing(sqlite3.connect(tmp_path / "media.db")) as old:
            migrate(old, MIGRATIONS[:1])
            row = msgspec.json.encode(one.file).decode()
            old.execute(
                "INSERT INTO media VALUES (?, ?, 'a', 7, ?, TRUE)", (one.file.id,) * 2 + (row,)
            )
            old.execute("INSERT INTO attached VALUES (?, ?)", (one.file.id, room))
            old.commit()
        store = await FileMediaStore.open(tmp_path)
        assert await store.conversations(one.file.id) == [room]
        await store.detach([one.file.id], room)
        assert await store.conversations(one.file.id) == []
        await store.close()

    play(scenario)


def test_a_folder_that_cannot_be_opened(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await FileMediaStore.open(tmp_path / "missing")

    play(scenario)
