"""An application's server: what it says is set by path, what it was asked is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Program:
    """An application's server: what it says by path, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.says: dict[str, Any] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.slow = 0.0
        """Seconds that it takes for an answer."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._over = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> "AsyncIterator[Program]":
        program = cls()
        server = await asyncio.start_server(program._answer, "127.0.0.1", 0)
        program.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield program
        finally:
            server.close()
            program._over.set()
            for writer in program._writers:
                writer.transport.abort()

    def of(self, path: str) -> list[dict[str, Any]]:
        return [members for at, members in self.told if at == path]

    async def has_told(self, path: str, **wanted: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                for members in self.of(path):
                    if wanted.items() <= members.items():
                        return members
                await asyncio.sleep(0.02)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (each.partition(": ") for each in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        target = urlsplit(line.split()[1])
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        self.told.append((target.path, json.loads(body) if body else query))
        if target.path == "/answer":
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self.slow)
        said = json.dumps(self.says.get(target.path, {})).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
        writer.close()
