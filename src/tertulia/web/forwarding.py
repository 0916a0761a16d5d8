"""Requests that are answered by another node: the one where their application is at home.

A node that cannot be reached, or is the home no longer, leaves its applications to others within
seconds: so long a request waits for its new home. What may have been carried out is not sent twice.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from tertulia.model.errors import Rejected, Unavailable
from tertulia.ports.cluster import Elsewhere, Homes, Node, NoHome
from tertulia.protocols.http1 import Request, Response, Streamed
from tertulia.web.connection import Handle
from tertulia.web.node_client import NodeClient, Unreachable
from tertulia.web.node_connection import Broken
from tertulia.web.node_mark import HEADER, Mark, Marks

PATIENCE_S = 6.0
"""From the first failure: a home that has died is taken over sooner."""
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.3)
"""Between two attempts; the last one from then on."""
SWEEP_S = 0.25
MISDIRECTED = 421
"""What a node answers another when it is not the home (RFC 9110 15.5.20)."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
    "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect", HEADER,
})  # fmt: skip
"""Of the connection, or said anew."""
_SIZES = frozenset({"content-length", "transfer-encoding"})


class OutcomeUnknown(Rejected):
    """Whether this was carried out is unknown: look before you send it again."""

    status = 503
    code = "system:error:outcome-unknown"
    title = "Service unavailable."


class Forwarding:
    """`secret`: of the cluster, by which nodes know each other."""

    def __init__(self, homes: Homes, secret: str) -> None:
        self._homes = homes
        self._marks = Marks(secret)
        self._clients: dict[str, NodeClient] = {}
        """By address."""
        self._sweeping: asyncio.TimerHandle | None = None
        self.ends: Counter[str] = Counter()
        """How often a request that was sent to another node was `answered`, came to nothing and
        was sent again (`again`), had an end that nobody knows (`unknown`), or was `given_up`."""

    async def answer(self, request: Request, scheme: str, here: Handle) -> Response:
        """What `here` answers or, when that raises Elsewhere, the other node; when it raises NoHome
        it is asked again. Raises what `here` raises else, Unavailable, and OutcomeUnknown."""
        mark = self._marks.read(request) if HEADER in request.headers else None
        if mark is not None:
            return await self._as_home(replace(request, peer=mark.peer), mark.scheme, here)
        try:
            return await here(request, scheme)
        except Elsewhere as elsewhere:
            node: Node | None = elsewhere.node
        except NoHome:
            node = None
        return await self._forwarded(node, request, scheme, here)

    def close(self) -> None:
        """Cut every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    async def _as_home(self, request: Request, scheme: str, here: Handle) -> Response:
        """For another node, which waits and asks again itself."""
        try:
            return await here(request, scheme)
        except (Elsewhere, NoHome):
            return Response(MISDIRECTED)

    async def _forwarded(
        self, node: Node | None, request: Request, scheme: str, here: Handle
    ) -> Response:
        pauses, time = _pauses(), asyncio.get_running_loop().time
        due: float | None = None
        while True:
            answer = await self._sent(node, request, scheme) if node is not None else None
            if answer is not None:
                self.ends["answered"] += 1
                return answer
            pause = next(pauses)
            due = due or time() + PATIENCE_S
            if time() + pause > due:
                self.ends["given_up"] += 1
                raise Unavailable("the home does not answer, and nobody has taken over")
            await asyncio.sleep(pause)
            try:
                return await here(request, scheme)
            except Elsewhere as elsewhere:
                node = elsewhere.node
            except NoHome:
                node = None

    async def _sent(self, node: Node, request: Request, scheme: str) -> Response | None:
        """The answer of a node; None: it has not carried it out, or that makes no difference."""
        is_safe = request.method in _SAFE
        mark = self._marks.written(Mark(self._homes.name, scheme, request.peer), request)
        try:
            answer = await self._client(node).send(
                _encoded(request, mark), is_head=request.method == "HEAD", is_safe=is_safe
            )
        except Unreachable:
            self.ends["again"] += 1
            return None
        except Broken:
            if is_safe:
                self.ends["again"] += 1
                return None
            self.ends["unknown"] += 1
            raise OutcomeUnknown() from None
        if answer.status != MISDIRECTED:
            return answer
        self.ends["again"] += 1
        if isinstance(answer, Streamed):
            await answer.pieces.aclose()
        return None

    def _client(self, node: Node) -> NodeClient:
        client = self._clients.get(node.url)
        if client is None:
            client = self._clients[node.url] = NodeClient(node)
            self._sweep_later()
        return client

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        alive = {node.url for node in self._homes.nodes()}
        for url, client in tuple(self._clients.items()):
            client.sweep(is_alive=url in alive)
            if client.is_unused and url not in alive:
                del self._clients[url]
        if self._clients:
            self._sweep_later()


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]


def _encoded(request: Request, mark: str) -> bytes:
    fields = [
        f"{name}: {value}\r\n" for name, value in request.headers.items() if name not in _HOP_BY_HOP
    ]
    if "host" not in request.headers:
        fields.append("host: localhost\r\n")
    if request.body or not _SIZES.isdisjoint(request.headers):
        fields.append(f"content-length: {len(request.body)}\r\n")
    fields.append(f"{HEADER}: {mark}\r\n\r\n")
    start = f"{request.method} {request.target} HTTP/1.1\r\n"
    return (start + "".join(fields)).encode("latin-1") + request.body
