"""Media files on disk: content in files named by id, what is known of them in a SQLite file.

A row is written before its file and says that it is not ready; only when the file is on disk does
the row become ready, and it stops being so before the file goes. So whatever a crash or a full
disk leaves behind is named by a row that is not ready, and is swept.
"""

import asyncio
import errno
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, MediaId
from tertulia.model.media import MediaFile
from tertulia.ports import QuotaReached, Stored
from tertulia.store.migrations import Migration, migrate
from tertulia.store.queries import read_sql
from tertulia.store.reader import ThreadedReader

Connect = Callable[..., sqlite3.Connection]

MIGRATIONS = (
    Migration(1, read_sql("media.sql")),
    # how many events of the conversation show the file
    Migration(2, "ALTER TABLE attached ADD COLUMN times INTEGER NOT NULL DEFAULT 1;"),
)
"""Append only."""
_SETTINGS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
"""
_FIND = "SELECT coalesce((SELECT file FROM media WHERE id = :id AND is_ready), 'null')"
_CONVERSATIONS = """
SELECT json_group_array(conversation) FROM
    (SELECT conversation FROM attached WHERE media = :id ORDER BY conversation)"""
_TAKE_ROOM = """
INSERT INTO room VALUES (:application, :size) ON CONFLICT (application)
DO UPDATE SET taken = taken + excluded.taken RETURNING taken"""
_INSERT = "INSERT INTO media VALUES (?, ?, ?, ?, ?, FALSE)"
_READY = "UPDATE media SET is_ready = TRUE WHERE upload = ?"
_ATTACH = """
INSERT INTO attached (media, conversation) SELECT id, :conversation FROM media
WHERE is_ready AND id IN (SELECT value FROM json_each(:ids))
ON CONFLICT (media, conversation) DO UPDATE SET times = times + 1"""
_THESE = "conversation = :conversation AND media IN (SELECT value FROM json_each(:ids))"
_DETACH = f"UPDATE attached SET times = times - 1 WHERE {_THESE}"
_DROP = f"DELETE FROM attached WHERE {_THESE} AND times < 1"
_OF_APPLICATION = "SELECT id FROM media WHERE application = ?"
_WHOLE = "SELECT id FROM media WHERE upload = (SELECT upload FROM media WHERE id = ?)"
_UNREADY = "SELECT id, application, size FROM media WHERE NOT is_ready"
_GIVE_ROOM = "UPDATE room SET taken = taken - ? WHERE application = ?"

_UPLOADS = """
SELECT json_group_array(json(files)) FROM
    (SELECT json_group_array(json(file)) AS files FROM media WHERE is_ready GROUP BY upload)"""
_ATTACHMENTS = "SELECT json_group_array(json_array(media, conversation, times)) FROM attached"

DATABASE = "media.db"
COPIED_AT_ONCE = 1024 * 1024

_file = msgspec.json.Decoder(MediaFile | None)
_ids = msgspec.json.Decoder(list[ConversationId])
_uploads = msgspec.json.Decoder(list[list[MediaFile]])
_attachments = msgspec.json.Decoder(list[tuple[MediaId, ConversationId, int]])
_log = logging.getLogger(__name__)


class FileMediaStore:
    """MediaStore, for one process at a time. Changes are made one by one, in a thread."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, reader: ThreadedReader
    ) -> None:
        self._folder = folder
        self._connection = connection
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="media-writer")
        self._is_swept = False
        (self._secret,) = connection.execute("SELECT value FROM secret").fetchone()

    @classmethod
    async def open(cls, folder: Path, *, connect: Connect = sqlite3.connect) -> "FileMediaStore":
        """Open `media.db` in this folder and the folder `media` beside it, made if missing.

        `connect` is for tests in which the disk fails. Raises UnknownSchema or Unavailable.
        """
        path = folder / DATABASE
        connection = await asyncio.to_thread(_open, path, connect)
        reader = ThreadedReader(partial(_connect_reader, path), threads=1)
        store = cls(folder / "media", connection, reader)
        await store._run(store._sweep)
        return store

    @property
    def secret(self) -> bytes:
        return bytes(self._secret)

    async def add(self, upload: Sequence[Stored], *, quota: int) -> None:
        await self._run(partial(self._add, upload, quota))

    async def adopt(self, file: MediaFile, path: Path, *, quota: int) -> None:
        await self._run(partial(self._adopt, file, path, quota))

    async def find(self, media_id: MediaId) -> MediaFile | None:
        return await self._reader.run(_FIND, _file, {"id": media_id})

    async def content(
        self, media_id: MediaId, first: int = 0, size: int | None = None
    ) -> bytes | None:
        if await self.find(media_id) is None:
            return None
        return await asyncio.to_thread(_read, self._path(media_id), first, size)

    async def attach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        await self._run(partial(self._attach, media_ids, conversation_id, (_ATTACH,)))

    async def detach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        await self._run(partial(self._attach, media_ids, conversation_id, (_DETACH, _DROP)))

    async def conversations(self, media_id: MediaId) -> list[ConversationId]:
        return await self._reader.run(_CONVERSATIONS, _ids, {"id": media_id})

    async def uploads(self) -> list[list[MediaFile]]:
        """All files that are there, those of an upload together."""
        return await self._reader.run(_UPLOADS, _uploads, {})

    async def attachments(self) -> list[tuple[MediaId, ConversationId, int]]:
        """Where files are shown, and how often."""
        return await self._reader.run(_ATTACHMENTS, _attachments, {})

    async def delete(self, media_id: MediaId) -> None:
        await self._run(partial(self._delete, _WHOLE, media_id))

    async def delete_application(self, application_id: ApplicationId) -> None:
        await self._run(partial(self._delete, _OF_APPLICATION, application_id))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()
        await self._reader.close()

    async def _run(self, change: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, change)
        except (OSError, sqlite3.Error) as error:
            told = {"action": "media_failed", "error": str(error)}
            _log.error("media files cannot be stored", extra=told)
            raise Unavailable("media files cannot be stored") from error

    # What runs in the thread.

    def _add(self, upload: Sequence[Stored], quota: int) -> None:
        with self._arrival([stored.file for stored in upload], quota):
            for stored in upload:
                _write(self._path(stored.file.id), BytesIO(stored.content))

    def _adopt(self, file: MediaFile, path: Path, quota: int) -> None:
        with self._arrival([file], quota), path.open("rb") as content:
            _write(self._path(file.id), content)
        path.unlink()

    @contextmanager
    def _arrival(self, files: Sequence[MediaFile], quota: int) -> Iterator[None]:
        """Take the room of an upload; what is written meanwhile is there when it is all there."""
        if not self._is_swept:
            self._sweep()
        self._reserve(files, quota)
        try:
            yield
            with self._transaction() as run:
                run.execute(_READY, (files[0].upload,))
        except (OSError, sqlite3.Error):
            self._sweep_if_possible()
            raise

    def _reserve(self, files: Sequence[MediaFile], quota: int) -> None:
        size = sum(file.size for file in files)
        with self._transaction() as run:
            (taken,) = run.execute(
                _TAKE_ROOM, {"application": files[0].application_id, "size": size}
            ).fetchone()
            if quota and taken > quota:
                raise QuotaReached(f"{taken} of {quota} octets")
            run.executemany(_INSERT, [
                (file.id, file.upload, file.application_id, file.size,
                 msgspec.json.encode(file).decode())
                for file in files
            ])  # fmt: skip

    def _attach(
        self, media_ids: Sequence[MediaId], conversation_id: ConversationId, how: Sequence[str]
    ) -> None:
        ids = msgspec.json.encode(media_ids).decode()
        with self._transaction() as run:
            for statement in how:
                run.execute(statement, {"ids": ids, "conversation": conversation_id})

    def _delete(self, which: str, of: str) -> None:
        with self._transaction() as run:
            gone = run.execute(which, (of,)).fetchall()
            run.executemany("UPDATE media SET is_ready = FALSE WHERE id = ?", gone)
            run.executemany("DELETE FROM attached WHERE media = ?", gone)
        if gone:
            self._sweep_if_possible()

    def _sweep_if_possible(self) -> None:
        """What cannot be swept now is nobody's to see, and is swept before the next upload."""
        try:
            self._sweep()
        except (OSError, sqlite3.Error) as error:
            told = {"action": "media_not_swept", "error": str(error)}
            _log.warning("what is left of deleted media files stays for now", extra=told)

    def _sweep(self) -> None:
        """Take away the files whose rows are not ready, then the rows, and give back the room."""
        self._is_swept = False
        unready = self._connection.execute(_UNREADY).fetchall()
        for media_id, _, _ in unready:
            path = self._path(media_id)
            path.unlink(missing_ok=True)
            _draft(path).unlink(missing_ok=True)
        if unready:
            with self._transaction() as run:
                run.executemany("DELETE FROM media WHERE id = ?", [row[:1] for row in unready])
                run.executemany(_GIVE_ROOM, [(size, owner) for _, owner, size in unready])
        self._is_swept = True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _path(self, media_id: MediaId) -> Path:
        # The tail of an id is random: it spreads the files over folders.
        return self._folder / media_id[-2:] / media_id


def _open(path: Path, connect: Connect) -> sqlite3.Connection:
    try:
        connection = connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.executescript(_SETTINGS)
            migrate(connection, MIGRATIONS)
            fresh = secrets.token_bytes(32)
            connection.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (fresh,))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open the store {path}: {error}") from error
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _write(path: Path, content: BinaryIO) -> None:
    """Put the file in place whole, and on the disk."""
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent.parent)
        _sync_folder(folder.parent)
    draft = _draft(path)
    with draft.open("wb") as file:
        shutil.copyfileobj(content, file, COPIED_AT_ONCE)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(folder)


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, first: int, size: int | None) -> bytes | None:
    """None: it has been deleted meanwhile."""
    try:
        with path.open("rb") as file:
            file.seek(first)
            return file.read(size)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise Unavailable("the media file cannot be read") from error
