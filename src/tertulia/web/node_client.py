"""Requests to one other node, over connections that are kept; and its answers, as they come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from urllib.parse import urlsplit

from tertulia.model.errors import Unavailable
from tertulia.ports.cluster import Node
from tertulia.protocols.http1 import Response, Streamed
from tertulia.web.node_connection import Broken, Head, NodeConnection

CONNECTIONS = 512
"""Requests under way at once, but for answers that are streamed."""
WAITING = 4096
"""Requests that wait for one of these to end; one more is refused."""
WAIT_S = 2.0
STREAMS = 4096
"""Answers that are streamed at once."""
CONNECT_S = 1.0
ANSWER_S = 90.0
"""For the next octet; event streams say something more often, and polls wait less long."""
IDLE_S = 20.0
"""Less than the other node keeps it: it should not close one that is just being used."""
ABSENCES = 2
"""Sweeps that see a node missing among the living, before what is asked of it is given up."""
WHOLE_MAX = 256 * 1024
"""Octets of a body that is handed on in one piece."""


class Unreachable(Exception):
    """The node takes no connection: nothing was sent."""


class NodeClient:
    def __init__(self, node: Node) -> None:
        self.node = node
        where = urlsplit(node.url)
        self._address = (where.hostname or "", where.port or 80)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._waiting = self._streams = self._absences = 0
        self._idle: list[NodeConnection] = []
        """The newest last."""
        self._all: set[NodeConnection] = set()
        self._time = asyncio.get_running_loop().time

    @property
    def is_unused(self) -> bool:
        return not (self._all or self._waiting)

    async def send(self, request: bytes, *, is_head: bool, is_safe: bool) -> Response:
        """The answer, a long one as Streamed. `is_safe`: it may be sent again on another connection
        when a kept one turns out to be dead.

        Raises:
            Unreachable: nothing was sent.
            Broken: nobody knows what became of it.
            Unavailable: there are too many requests already; nothing was sent.
        """
        async with self._slot():
            connection, head = await self._asked(request, is_head=is_head, is_safe=is_safe)
            answer: Response | None = None
            try:
                answer = await self._answer(connection, head, is_head=is_head)
                return answer
            finally:
                if not isinstance(answer, Streamed) or is_head:
                    self._take_back(connection)

    def sweep(self, *, is_alive: bool) -> None:
        """End what has lasted too long; and everything, when the node has been away for a time."""
        self._absences = 0 if is_alive else self._absences + 1
        now = self._time()
        for connection in tuple(self._all):
            quiet = now - connection.since
            if self._absences >= ABSENCES or (connection.is_waited_for and quiet >= ANSWER_S):
                connection.abort("the node does not answer")
        while self._idle and now - self._idle[0].since >= IDLE_S:
            self._idle.pop(0).abort()

    def close(self) -> None:
        for connection in tuple(self._all):
            connection.abort()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """One of the requests that may be under way. Raises Unavailable."""
        if self._waiting >= WAITING:
            raise Unavailable(f"too many requests wait for {self.node.name}")
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable(f"{self.node.name} has too much to do") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _asked(
        self, request: bytes, *, is_head: bool, is_safe: bool
    ) -> tuple[NodeConnection, Head]:
        kept = self._kept()
        if kept is not None:
            try:
                return kept, await self._ask(kept, request, is_head=is_head)
            except Broken:
                # closed by the other node just then, as far as one can see
                if not (is_safe and kept.is_untouched):
                    raise
        connection = await self._connect()
        return connection, await self._ask(connection, request, is_head=is_head)

    async def _ask(self, connection: NodeConnection, request: bytes, *, is_head: bool) -> Head:
        head: Head | None = None
        try:
            head = await connection.ask(request, is_head=is_head)
            return head
        finally:
            if head is None:
                connection.abort()

    def _kept(self) -> NodeConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> NodeConnection:
        """Raises Unreachable."""
        host, port = self._address
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: NodeConnection(self._lost, self._time), host, port
                )
        except (OSError, ValueError) as error:  # ValueError: a port that is none
            raise Unreachable(f"{self.node.name}: {error}") from None
        self._all.add(connection)
        return connection

    async def _answer(self, connection: NodeConnection, head: Head, *, is_head: bool) -> Response:
        pieces: AsyncGenerator[bytes, None]
        if is_head:
            pieces = _nothing()
        elif head.is_whole(WHOLE_MAX):
            body = b"".join([piece async for piece in _all_of(connection)])
            return Response(head.status, body, head.content_type, head.headers)
        elif self._streams >= STREAMS:
            raise Unavailable(f"too much is streamed from {self.node.name}")
        else:
            self._streams += 1
            pieces = _Pieces(self, connection)
        return Streamed(
            head.status, content_type=head.content_type, headers=head.headers, pieces=pieces,
            length=head.length,
        )  # fmt: skip

    def end_stream(self, connection: NodeConnection) -> None:
        self._streams -= 1
        self._take_back(connection)

    def _take_back(self, connection: NodeConnection) -> None:
        if connection.is_open:
            connection.since = self._time()
            self._idle.append(connection)
        else:
            connection.abort()

    def _lost(self, connection: NodeConnection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


class _Pieces(AsyncGenerator[bytes, None]):
    """The body of a streamed answer. No generator function: one that was never started does not
    learn that it is closed, and the connection would stay."""

    def __init__(self, client: NodeClient, connection: NodeConnection) -> None:
        self._client = client
        self._connection: NodeConnection | None = connection

    async def __anext__(self) -> bytes:
        return await self.asend(None)

    async def asend(self, value: None) -> bytes:
        if self._connection is not None:
            try:
                if piece := await self._connection.piece():
                    return piece
            except Broken:
                pass  # where there is a length, the missing octets tell; a stream is asked for anew
            await self.aclose()
        raise StopAsyncIteration

    async def athrow(
        self, typ: type[BaseException] | BaseException, val: object = None,
        tb: TracebackType | None = None,
    ) -> bytes:  # fmt: skip
        await self.aclose()
        raise typ

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.end_stream(connection)


async def _all_of(connection: NodeConnection) -> AsyncIterator[bytes]:
    while piece := await connection.piece():
        yield piece


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""
