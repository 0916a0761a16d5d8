"""All ways that SIP messages come and go: UDP, TCP and TLS on each address that is listened on."""

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple

from tertulia.protocols.sip.flow import Flow
from tertulia.settings import Sip
from tertulia.sip.connections import Connections, Peer
from tertulia.sip.counts import Counts
from tertulia.sip.datagrams import Datagrams, Receive
from tertulia.sip.sockets import Bound, Faces

HANDSHAKE_SECONDS = 10.0
KEEP_ALIVE = b"\r\n\r\n"


class Secrecy(NamedTuple):
    """For TLS: with whom we are called, and whom we trust when we call."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class Listener(NamedTuple):
    """An address that is listened on."""

    bound: Bound
    datagrams: Datagrams
    connections: Connections
    servers: list[asyncio.Server]


class Transports:
    """`open` on the loop, before anything else. `receive` is called with each message and where it
    came from, `lost` with each connection that ended or could not be made."""

    def __init__(
        self, settings: Sip, *, receive: Receive, lost: Callable[[Flow], None], counts: Counts
    ) -> None:
        self._settings = settings
        self._receive = receive
        self._lost = lost
        self._counts = counts
        self._listeners: dict[bool, Listener] = {}
        """Whether for IPv6."""
        self.port = 0
        """Of UDP and TCP, as bound; the next one of TLS, 0 without."""
        self.tls_port = 0

    async def open(self, host: str, secrecy: Secrecy | None) -> None:
        """Listen. Raises OSError: then nothing is open."""
        wanted = self._settings
        port = wanted.port
        tls_port = 0 if port == 0 else wanted.tls_port
        try:
            for each in dict.fromkeys((wanted.host or host, wanted.host6)):
                if each:
                    bound = Bound(each, port, tls_port if secrecy else None)
                    await self._open(bound, secrecy)
                    port, tls_port = bound.port, bound.tls_port
        except OSError:
            await self.close()
            raise
        self.port, self.tls_port = port, tls_port if secrecy else 0

    def flow(self, transport: str, address: tuple[str, int], name: str) -> Flow | None:
        """The way to an address in numbers; `name` is what its certificate has to say. None: there
        is none from here."""
        listener = self._listeners.get(":" in address[0])
        if listener is None:
            return None
        if transport == "udp":
            return listener.datagrams.flow(*address)
        return listener.connections.flow(Peer(transport, address, name))

    def send(self, flow: Flow, data: bytes) -> bool:
        """False: the flow is gone, or takes no more."""
        listener = self._listeners.get(":" in flow.peer[0])
        way = (
            None
            if listener is None
            else listener.connections
            if flow.reliable
            else listener.datagrams
        )
        sent = way is not None and way.send(flow, data)
        self._counts.note("sent" if sent else "unsent")
        return sent

    def know(self, flow: Flow) -> None:
        """Who is at the other end has shown who it is."""
        listener = self._listeners.get(":" in flow.peer[0])
        if listener is not None and flow.reliable:
            listener.connections.know(flow)

    def refresh(self, flow: Flow) -> None:
        """Keep the address translation of a UDP peer open."""
        if not flow.reliable:
            self.send(flow, KEEP_ALIVE)

    @property
    def connections(self) -> int:
        return sum(len(listener.connections) for listener in self._listeners.values())

    def addresses(self) -> set[str]:
        """Those that are listened on, and the external one."""
        found = {listener.bound.host for listener in self._listeners.values()}
        return found | ({self._settings.external_address} - {""})

    async def close(self) -> None:
        """What was written is sent if the peers take it."""
        listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            for server in listener.servers:
                server.close()
            await listener.datagrams.close()
            await listener.connections.close()
            for server in listener.servers:
                await server.wait_closed()

    async def _open(self, bound: Bound, secrecy: Secrecy | None) -> None:
        loop = asyncio.get_running_loop()
        faces = Faces(bound.host, self._settings.external_address)
        ports = {"udp": bound.port, "tcp": bound.port, "tls": bound.tls_port}
        datagrams = Datagrams(faces, bound.port, self._receive, self._counts)
        connections = Connections(
            faces=faces, ports=ports, secure=secrecy.client if secrecy else None,
            receive=self._receive, lost=self._lost, most=self._settings.max_connections,
            counts=self._counts,
        )  # fmt: skip
        servers: list[asyncio.Server] = []
        self._listeners[":" in bound.host] = Listener(bound, datagrams, connections, servers)
        await loop.create_datagram_endpoint(lambda: datagrams, sock=bound.udp)
        servers.append(await loop.create_server(lambda: connections.accept("tcp"), sock=bound.tcp))
        if bound.tls is not None and secrecy is not None:
            servers.append(
                await loop.create_server(
                    lambda: connections.accept("tls"), sock=bound.tls, ssl=secrecy.server,
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                )
            )  # fmt: skip
