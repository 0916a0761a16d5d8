"""One person with a published client package, in a process of its own behind a proxy of its own."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from tests.clients.conftest import Node
from tests.system.proxy import READ_SURELY_S, Proxy
from tests.system.tree import Tree

PATIENCE = 30.0
"""Seconds; generous, since the machine may be busy with other tests."""


class Line:
    """The way to the server: it can be cut or closed, and then stays so until it is mended."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._is_whole = True
        self.proxy = Proxy(self._upstream)

    async def close(self) -> None:
        """Let nobody in any more. The server has read by now that what came is acknowledged."""
        self._is_whole = False
        await asyncio.sleep(READ_SURELY_S)

    async def cut(self) -> None:
        """As `close`, and both sides get RST."""
        await self.close()
        for link in self.proxy.links:
            if not link.is_over:
                link.abort()

    def mend(self) -> None:
        self._is_whole = True

    def _upstream(self) -> tuple[str, int]:
        if not self._is_whole:
            raise ConnectionRefusedError
        address = urlsplit(self._tree.document().api_url)
        return address.hostname or "", address.port or 0


class Witness:
    def __init__(self, package: str, user: str, line: Line, process: Process) -> None:
        self.package = package
        self.user = user
        self.line = line
        self.told: list[dict[str, Any]] = []
        self._process = process
        self._grown = asyncio.Event()

    @property
    def heard(self) -> list[tuple[int, str | None]]:
        """Number and text of what its program was given, but receipts."""
        return [(each["id"], each.get("text")) for each in self._all("event")]

    @property
    def arrivals(self) -> list[int]:
        """Numbers of all that came."""
        return [each["id"] for each in self._all("arrival") if each.get("id")]

    @property
    def sessions(self) -> set[str]:
        return {each["id"] for each in self._all("session")}

    @property
    def faults(self) -> list[str]:
        return [each["reason"] for each in self._all("fault")]

    def _all(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.told if each["what"] == what]

    async def until(self, holds: Callable[["Witness"], object]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(self):
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            raise AssertionError(f"{self.package}, at last: {self.told[-10:]}") from None

    async def tells(self, what: str, **more: object) -> None:
        """Wait until it has said so."""
        wanted = {"what": what, **more}
        await self.until(lambda each: any(wanted.items() <= told.items() for told in each.told))

    def renew(self, token: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{token}\n".encode())

    async def follow(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(msgspec.json.decode(line))
            self._grown.set()

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def witness(
    node: Node, package: str, tree: Tree, user: str, room: str, token: str
) -> AsyncIterator[Witness]:
    """Yields one that is in its session; `room` is the conversation it listens to."""
    line = Line(tree)
    program = Path(__file__).with_suffix(".mjs")
    async with line.proxy.listening() as url:
        process = await asyncio.create_subprocess_exec(
            node.executable, str(program), str(tree.data / "dev.json"), package, url, room, token,
            env={**os.environ, "PKG_DIR": str(node.packages)}, stdin=PIPE, stdout=PIPE,
        )  # fmt: skip
        found = Witness(package, user, line, process)
        following = asyncio.create_task(found.follow())
        try:
            await found.tells("ready")
            yield found
        finally:
            await found.end()
            await following
