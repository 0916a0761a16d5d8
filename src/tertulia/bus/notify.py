"""The bus over PostgreSQL's LISTEN and NOTIFY, for those who want no other server.

A subject is a channel, so a node gets what it listens to. All that is published in a turn of the
loop is one statement.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex
from typing import Any

from asyncpg import Connection

from tertulia.bus.chunks import WORD_MAX, Cutter, Joiner
from tertulia.bus.lines import LinedBus
from tertulia.bus.switchboard import Parcel
from tertulia.postgres.connections import FAILED, connect, place_of

COMMAND_SECONDS = 5.0
CHANNEL_MAX = 63
"""Octets of a name in PostgreSQL."""
PREFIX = "tertulia."
_SEND = "SELECT pg_notify(channel, text) FROM unnest($1::text[], $2::text[]) AS it(channel, text)"


class NotifyBus(LinedBus):
    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__(place_of(url), WORD_MAX)

    @classmethod
    async def open(cls, url: str) -> "NotifyBus":
        """With the address of the store; also while it cannot be reached."""
        bus = cls(url)
        await bus.opened()
        return bus

    async def _connect(self, arrived: Callable[[Parcel], None]) -> "NotifyLine":
        ear = await _connected(self._url, "ear")
        try:
            mouth = await _connected(self._url, "mouth")
        except BaseException:
            ear.terminate()
            raise
        return NotifyLine(ear, mouth, arrived)


async def _connected(url: str, use: str) -> Connection:
    # what is only told need not be on disk
    settings = {"synchronous_commit": "off"}
    return await connect(url, f"bus {use}", seconds=COMMAND_SECONDS, settings=settings)


class NotifyLine:
    """Line: one connection to listen, one to send."""

    word_max = WORD_MAX

    def __init__(
        self, ear: Connection, mouth: Connection, arrived: Callable[[Parcel], None]
    ) -> None:
        self._ear, self._mouth = ear, mouth
        self._arrived = arrived
        self._cutter = Cutter(token_hex(6))
        self._joiner = Joiner()
        self._channels: set[str] = set()
        self._has_ended = asyncio.Event()
        for connection in (ear, mouth):
            connection.add_termination_listener(self._terminated)

    async def listen(self, subject: str) -> None:
        channel = channel_of(subject)
        if channel not in self._channels:
            await self._ear.add_listener(channel, self._hear)
            self._channels.add(channel)

    async def unlisten(self, subject: str) -> None:
        channel = channel_of(subject)
        if channel in self._channels:
            self._channels.discard(channel)
            await self._ear.remove_listener(channel, self._hear)

    async def send(self, parcels: list[Parcel]) -> None:
        channels: list[str] = []
        texts: list[str] = []
        for parcel in parcels:
            channel = channel_of(parcel.subject)
            for text in self._cutter.texts(parcel):
                channels.append(channel)
                texts.append(text)
        await self._mouth.execute(_SEND, channels, texts)

    async def pulse(self) -> None:
        await self._ear.fetchval("SELECT 1")

    async def ended(self) -> None:
        await self._has_ended.wait()

    async def cut(self) -> None:
        self._has_ended.set()
        for connection in (self._ear, self._mouth):
            with suppress(*FAILED):
                connection.terminate()

    def _terminated(self, _: Any) -> None:
        self._has_ended.set()

    def _hear(self, _: Any, pid: int, channel: str, text: object) -> None:
        if isinstance(text, str):
            parcel = self._joiner.take(text, asyncio.get_running_loop().time())
            if parcel is not None:
                self._arrived(parcel)


def channel_of(subject: str) -> str:
    """One for all questions of a node that wait for answers."""
    if subject.startswith("inbox."):
        subject = subject.rpartition(".")[0]
    name = PREFIX + subject
    return name if len(name) <= CHANNEL_MAX else PREFIX + sha256(name.encode()).hexdigest()[:40]
