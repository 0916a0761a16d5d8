"""SIP over TCP and TLS: connections that come, connections that are made, used again in both ways.

A flow to a peer is promised before there is a connection: the first octets for it make one.
"""

import asyncio
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import NamedTuple, cast

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.stream import PING, PONG, KeepAlive, Stream
from tertulia.sip.counts import Counts
from tertulia.sip.datagrams import Receive
from tertulia.sip.sockets import Faces

BACKLOG = 1 << 20
"""Octets waiting for a peer that does not read; with more the connection is cut."""
CONNECT_SECONDS = 5.0
DAWDLE_SECONDS = 30.0
"""For a message that has begun to be complete."""
STRANGER_SECONDS = 64.0
"""Without a word, for a connection by which nobody has shown who it is."""
KNOWN_SECONDS = 4000.0
"""The same for others: longer than a registration lasts."""
PING_SECONDS = 60.0
FAREWELL_SECONDS = 1.0
"""For peers to take what was written last."""
SWEEP = 5.0
PROMISES_MAX = 1024
SHARE = 4
"""One address may have a quarter of all connections."""


class Peer(NamedTuple):
    """Whom a connection is made to."""

    transport: str
    address: tuple[str, int]
    name: str
    """What its certificate has to say, for TLS."""


class Connection(asyncio.Protocol):
    def __init__(self, owner: "Connections", flow: Flow | None, transport_name: str) -> None:
        self._owner = owner
        self._name = transport_name
        self._stream = Stream()
        self._transport: asyncio.Transport | None = None
        self.flow = flow
        self.known = flow is not None
        self.heard_at = self.pinged_at = self.begun_at = owner.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = made = cast(asyncio.Transport, transport)
        peer = made.get_extra_info("peername")
        if self.flow is None and peer is not None:
            self.flow = self._owner.named(self._name, (peer[0], peer[1]))
        if self.flow is None or not self._owner.enter(self, self.flow):
            made.abort()

    def data_received(self, data: bytes) -> None:
        if self.flow is None:
            return
        self.heard_at = self._owner.now()
        if not self._stream.waiting:
            self.begun_at = self.heard_at
        for item in self._stream.feed(data):
            if item is KeepAlive.PING:
                self.write(PONG)
            elif not isinstance(item, KeepAlive):
                self.begun_at = self.heard_at
                self._owner.receive(item, self.flow)
        if self._stream.broken:
            self.close()

    def write(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        if transport.get_write_buffer_size() > BACKLOG:
            self.cut()
        return True

    def is_overdue(self, now: float) -> bool:
        if self._stream.waiting and now - self.begun_at > DAWDLE_SECONDS:
            return True
        return now - self.heard_at > (KNOWN_SECONDS if self.known else STRANGER_SECONDS)

    def cut(self) -> None:
        self._owner.counts.note("connections_cut")
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """At once when everything is sent: a TLS peer that is slow to agree is not waited for."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() == 0:
            transport.abort()
        else:
            self.close()

    def close(self) -> None:
        """When what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.flow is not None:
            self._owner.leave(self.flow)


class Connections:
    """Those of one listening address. `lost` is told of each that ends or cannot be made."""

    def __init__(
        self, *, faces: Faces, ports: dict[str, int], secure: ssl.SSLContext | None,
        receive: Receive, lost: Callable[[Flow], None], most: int, counts: Counts,
    ) -> None:  # fmt: skip
        """`ports` are ours, by transport. `secure` is for connections that we make."""
        self.receive = receive
        self.counts = counts
        self.now = asyncio.get_running_loop().time
        self._faces = faces
        self._ports = ports
        self._secure = secure
        self._lost = lost
        self._most = most
        self._serial = 0
        self._open: dict[Flow, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._promised: OrderedDict[Peer, Flow] = OrderedDict()
        self._peers: dict[Flow, Peer] = {}
        self._waiting: dict[Flow, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Future[None] | None = None
        """Done when all have ended; nobody is told of those any more."""
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def accept(self, transport_name: str) -> Connection:
        """The protocol of a connection that comes."""
        return Connection(self, None, transport_name)

    def flow(self, peer: Peer) -> Flow | None:
        """The way to a peer; there may be no connection yet. None: not without TLS of our own."""
        if peer.transport == "tls" and self._secure is None:
            return None
        flow = self._promised.get(peer)
        if flow is None:
            if len(self._promised) >= PROMISES_MAX:
                self._forget()
            self._promised[peer] = flow = self.named(peer.transport, peer.address)
            self._peers[flow] = peer
        self._promised.move_to_end(peer)
        return flow

    def send(self, flow: Flow, data: bytes) -> bool:
        connection = self._open.get(flow)
        if connection is not None:
            return connection.write(data)
        waiting = self._waiting.get(flow)
        if waiting is not None:
            waiting.append(data)
            return sum(map(len, waiting)) < BACKLOG
        peer = self._peers.get(flow)
        if peer is None:
            return False
        self._waiting[flow] = [data]
        task = asyncio.create_task(self._connect(peer, flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def know(self, flow: Flow) -> None:
        """Who is there has shown who it is: the connection may rest."""
        if flow in self._open:
            self._open[flow].known = True

    def is_open(self, flow: Flow) -> bool:
        return flow in self._open

    async def close(self) -> None:
        self._sweeping.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open.values()):
            connection.leave()
        self._leaving = asyncio.get_running_loop().create_future()
        if self._open:
            await asyncio.wait([self._leaving], timeout=FAREWELL_SECONDS)
        for connection in list(self._open.values()):
            connection.cut()
        await asyncio.sleep(0)

    def named(self, transport_name: str, peer: tuple[str, int]) -> Flow:
        """A flow like no other."""
        self._serial += 1
        local = (self._faces.toward(peer[0]), self._ports[transport_name])
        return Flow(transport_name, local, peer, self._serial)

    def enter(self, connection: Connection, flow: Flow) -> bool:
        """False: there are too many."""
        host = flow.peer[0]
        if not connection.known and (
            len(self._open) >= self._most or self._hosts[host] >= max(1, self._most // SHARE)
        ):
            self.counts.note("connections_refused")
            connection.flow = None
            return False
        self.counts.note("connections")
        self._open[flow] = connection
        self._hosts[host] += 1
        for data in self._waiting.pop(flow, ()):
            connection.write(data)
        return True

    def leave(self, flow: Flow) -> None:
        if self._open.pop(flow, None) is None:
            return
        self._hosts[flow.peer[0]] -= 1
        self._hosts += Counter()  # drops those at zero
        self._unpromise(flow)
        if self._leaving is None:
            self._lost(flow)
        elif not self._open and not self._leaving.done():
            self._leaving.set_result(None)

    def __len__(self) -> int:
        return len(self._open)

    async def _connect(self, peer: Peer, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        context = self._secure if peer.transport == "tls" else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(
                    lambda: Connection(self, flow, peer.transport), *peer.address, ssl=context,
                    server_hostname=peer.name if context else None,
                )  # fmt: skip
        except (OSError, TimeoutError, ValueError):
            self._waiting.pop(flow, None)
            self._unpromise(flow)
            self._lost(flow)

    def _unpromise(self, flow: Flow) -> None:
        """The next one to that peer is another connection, and another flow."""
        peer = self._peers.pop(flow, None)
        if peer is not None:
            del self._promised[peer]

    def _forget(self) -> None:
        """The oldest promise that came to nothing."""
        for flow in self._promised.values():
            if flow not in self._open and flow not in self._waiting:
                self._unpromise(flow)
                return

    def _sweep(self) -> None:
        now = self.now()
        for connection in list(self._open.values()):
            if connection.is_overdue(now):
                connection.cut()
            elif connection.known and now - connection.pinged_at > PING_SECONDS:
                connection.pinged_at = now
                connection.write(PING)
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP, self._sweep)
