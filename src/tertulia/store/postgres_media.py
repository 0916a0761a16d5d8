"""Media files on PostgreSQL, for all nodes: content in pieces, each a row.

An upload is one transaction: when whoever does it dies, nothing of it was ever there. The row that
counts the room of its application is locked last, so that uploads do not wait for each other's
content.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from asyncpg.pool import PoolConnectionProxy

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, MediaId
from tertulia.model.media import MediaFile
from tertulia.ports import QuotaReached, Stored
from tertulia.store.postgres_pool import PostgresPool

PIECE = 256 * 1024
AT_ONCE = 16
"""Pieces on their way: so much of a file is in memory."""
CONNECTIONS = 4
ID_MAX = 200

_SECRET = "SELECT value FROM meta WHERE key = 'media_secret'"
_NEW_SECRET = "INSERT INTO meta VALUES ('media_secret', $1) ON CONFLICT (key) DO NOTHING"
_TAKEN = "SELECT taken FROM media_room WHERE application = $1"
_TAKE_ROOM = """
INSERT INTO media_room VALUES ($1, $2) ON CONFLICT (application)
DO UPDATE SET taken = media_room.taken + excluded.taken RETURNING taken"""
_GIVE_ROOM = "UPDATE media_room SET taken = taken - $2 WHERE application = $1"
_INSERT = "INSERT INTO media (id, upload, application, size, file) VALUES ($1, $2, $3, $4, $5)"
_PUT = "INSERT INTO media_pieces (media, number, content) VALUES ($1, $2, $3)"
_FIND = "SELECT file FROM media WHERE id = $1"
_CONTENT = """
SELECT size, ARRAY(SELECT content FROM media_pieces WHERE media = $1
    AND number BETWEEN $2::bigint AND $3::bigint ORDER BY number)
FROM media WHERE id = $1"""
_ATTACH = """
INSERT INTO media_attached SELECT id, $2, 1 FROM media WHERE id = ANY($1::text[])
ORDER BY id FOR KEY SHARE
ON CONFLICT (media, conversation) DO UPDATE SET times = media_attached.times + 1"""
_DETACH = """
UPDATE media_attached SET times = times - 1 WHERE conversation = $2 AND media = ANY($1::text[])"""
_DROP = """
DELETE FROM media_attached WHERE conversation = $2 AND media = ANY($1::text[]) AND times < 1"""
_CONVERSATIONS = "SELECT conversation FROM media_attached WHERE media = $1 ORDER BY conversation"
_OF_UPLOAD = "DELETE FROM media WHERE upload = (SELECT upload FROM media WHERE id = $1)"
_OF_APPLICATION = "DELETE FROM media WHERE application = $1"
_GONE = " RETURNING id, application, size"
_LAST_PIECE = (1 << 31) - 1
_decode = msgspec.json.Decoder(MediaFile).decode


class _Arriving(NamedTuple):
    file: MediaFile
    content: BinaryIO


class PostgresMediaStore:
    """MediaStore."""

    def __init__(self, pool: PostgresPool, secret: bytes) -> None:
        self._pool = pool
        self._secret = secret

    @classmethod
    async def open(cls, url: str, *, secret: bytes = b"") -> "PostgresMediaStore":
        """On a store that has been opened before. `secret`: what addresses were signed with until
        now, if that was elsewhere. Raises Unavailable."""
        pool = PostgresPool(url, "media", connections=CONNECTIONS)
        await pool.open()
        try:
            await pool.fetch(_NEW_SECRET, (secret or secrets.token_bytes(32)).hex())
            ((known,),) = await pool.fetch(_SECRET)
        except Unavailable:
            await pool.close()
            raise
        return cls(pool, bytes.fromhex(known))

    @property
    def secret(self) -> bytes:
        return self._secret

    async def close(self) -> None:
        await self._pool.close()

    async def add(self, upload: Sequence[Stored], *, quota: int) -> None:
        await self._arrive(
            [_Arriving(stored.file, BytesIO(stored.content)) for stored in upload], quota
        )

    async def adopt(self, file: MediaFile, path: Path, *, quota: int) -> None:
        try:
            content = await asyncio.to_thread(path.open, "rb")
            try:
                await self._arrive([_Arriving(file, content)], quota)
            finally:
                await asyncio.to_thread(content.close)
            await asyncio.to_thread(path.unlink)
        except OSError as error:
            raise Unavailable("the file cannot be taken over") from error

    async def find(self, media_id: MediaId) -> MediaFile | None:
        if not _can_be_an_id(media_id):
            return None
        for (file,) in await self._pool.fetch(_FIND, media_id):
            return _decode(file)
        return None

    async def content(
        self, media_id: MediaId, first: int = 0, size: int | None = None
    ) -> bytes | None:
        if not _can_be_an_id(media_id):
            return None
        number = min(first // PIECE, _LAST_PIECE)
        last = _LAST_PIECE if size is None else min((first + size) // PIECE, _LAST_PIECE)
        for _, pieces in await self._pool.fetch(_CONTENT, media_id, number, last):
            start = first - number * PIECE
            found = b"".join(pieces)[start:]
            return found if size is None else found[:size]
        return None

    async def attach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        await self._note([_ATTACH], media_ids, conversation_id)

    async def detach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        await self._note([_DETACH, _DROP], media_ids, conversation_id)

    async def conversations(self, media_id: MediaId) -> list[ConversationId]:
        if not _can_be_an_id(media_id):
            return []
        rows = await self._pool.fetch(_CONVERSATIONS, media_id)
        return [ConversationId(conversation) for (conversation,) in rows]

    async def delete(self, media_id: MediaId) -> None:
        if _can_be_an_id(media_id):
            await self._delete(_OF_UPLOAD, media_id)

    async def delete_application(self, application_id: ApplicationId) -> None:
        await self._delete(_OF_APPLICATION, application_id)

    # --- changes ---

    async def _arrive(self, upload: Sequence[_Arriving], quota: int) -> None:
        owner = upload[0].file.application_id
        size = sum(each.file.size for each in upload)

        async def work(connection: PoolConnectionProxy) -> None:
            taken = await connection.fetchval(_TAKEN, owner)
            _check(quota, (taken or 0) + size)  # before all the content is brought for nothing
            for each in upload:
                await _put(connection, each)
            _check(quota, await connection.fetchval(_TAKE_ROOM, owner, size))

        await self._pool.change(work)

    async def _note(
        self, how: Sequence[str], media_ids: Sequence[MediaId], conversation_id: ConversationId
    ) -> None:
        known = [media_id for media_id in media_ids if _can_be_an_id(media_id)]

        async def work(connection: PoolConnectionProxy) -> None:
            for statement in how:
                await connection.execute(statement, known, conversation_id)

        await self._pool.change(work)

    async def _delete(self, which: str, of: str) -> None:
        async def work(connection: PoolConnectionProxy) -> None:
            gone = await connection.fetch(f"{which}{_GONE}", of)
            ids = [row[0] for row in gone]
            for table in ("media_pieces", "media_attached"):
                await connection.execute(f"DELETE FROM {table} WHERE media = ANY($1::text[])", ids)
            if gone:
                owner, size = gone[0][1], sum(row[2] for row in gone)
                await connection.execute(_GIVE_ROOM, owner, size)

        await self._pool.change(work)


async def _put(connection: PoolConnectionProxy, arriving: _Arriving) -> None:
    file, content = arriving
    told = msgspec.json.encode(file).decode()
    await connection.execute(_INSERT, file.id, file.upload, file.application_id, file.size, told)
    content.seek(0)
    number = 0
    while found := await asyncio.to_thread(content.read, PIECE * AT_ONCE):
        pieces = list(_pieces(found))
        await connection.executemany(
            _PUT, [(file.id, number + at, piece) for at, piece in enumerate(pieces)]
        )
        number += len(pieces)


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def _check(quota: int, taken: int) -> None:
    if quota and taken > quota:
        raise QuotaReached(f"{taken} of {quota} octets")


def _can_be_an_id(text: str) -> bool:
    return len(text) <= ID_MAX and text.isascii() and text.isprintable()
