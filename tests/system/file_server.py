"""A web server with sounds, and with what is none."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.system.tones import RATE, Samples

SLOW = "/slow"
"""A file that never comes."""


def wav(sound: Samples) -> bytes:
    """16 kHz, one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(sound.astype("<i2").tobytes())
    return file.getvalue()


@asynccontextmanager
async def serving(files: dict[str, bytes]) -> AsyncIterator[str]:
    """By path. Yields the start of the addresses."""
    waiting: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError):
            writer.close()
            return
        path = head.split(b" ", 2)[1].decode()
        if path == SLOW:
            return
        content = files[path]
        told = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(told.encode() + content)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in waiting:
            writer.transport.abort()
