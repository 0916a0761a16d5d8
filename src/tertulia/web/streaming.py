"""The body of a streamed answer on its way out: a piece is asked for when the peer took the last.

Part of a connection (connection.py), which begins it, tells it when the transport is full, and
closes it when nobody wants more.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from tertulia.protocols.http1 import LAST_CHUNK, Streamed, encode_chunk


class Flow:
    """Writes the pieces of one answer: in chunks or, with a length or for HTTP/1.0, as they are."""

    def __init__(self, answer: Streamed, transport: asyncio.Transport, *, chunked: bool) -> None:
        self._pieces = answer.pieces
        self._length = answer.length
        self._written = 0
        """Octets of pieces."""
        self._transport = transport
        self._chunked = chunked
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self._task is not None and self._task.done()

    def start(self, on_end: Callable[[], None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(lambda _: on_end())

    def pause(self) -> None:
        self._has_room.clear()

    def resume(self) -> None:
        self._has_room.set()

    async def close(self) -> None:
        """Stop, wherever it waits, and let go of the pieces, also of those never asked for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._pieces.aclose()

    def finish(self) -> None:
        """Say that this was all, after `close`. Raises what the pieces have raised."""
        if self._task is None:
            return
        if not self._task.cancelled():
            self._task.result()
        if self._chunked:
            self._write(LAST_CHUNK)
        elif self._length not in (None, self._written):
            self._transport.abort()  # only its sudden end tells that this was not all

    async def _run(self) -> None:
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                if piece:
                    self._write(encode_chunk(piece) if self._chunked else piece)
                    self._written += len(piece)
                # a turn of the loop: for others, and for the transport to find itself full
                await asyncio.sleep(0)
                await self._has_room.wait()

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
