"""The bus over NATS: core NATS only, so the servers keep nothing.

In a cluster of NATS servers, what another server's clients publish is heard some milliseconds after
`subscribe` has returned: that is how long interest takes from server to server.
"""

import asyncio
import ipaddress
import ssl
from asyncio import StreamWriter
from collections.abc import Callable
from contextlib import suppress
from random import shuffle
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport

from nats import errors
from tertulia.bus.lines import LinedBus
from tertulia.bus.switchboard import Parcel

WORD_MAX = 1 << 20
"""Octets; less where the server wants less."""
CONNECT_SECONDS = 2.0
DISCOVERED_MAX = 100
_NO_RESPONDERS = b"NATS/1.0 503"


class Server(Struct, frozen=True):
    """Where a server is, and how we show it who we are."""

    host: str
    port: int
    is_secret: bool = False
    """Nothing goes there but over TLS."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    tls_name: str | None = None
    """In its certificate, if that is not the host."""

    @property
    def place(self) -> str:
        """For people: without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.is_secret else 'nats'}://{host}:{self.port}"


def servers(url: str) -> list[Server]:
    """Of addresses joined by commas: `nats://user:password@host:4222`, `tls://token@host`. Raises
    ValueError, which says nothing of credentials."""
    return [_server(each.strip()) for each in url.split(",")]


def _server(url: str) -> Server:
    parts = urlsplit(url)
    try:
        port = parts.port or 4222
    except ValueError:
        raise ValueError("bus.url: a port is no number") from None
    if parts.scheme not in ("nats", "tls") or not parts.hostname:
        raise ValueError("bus.url: an address is nats://HOST:PORT or tls://HOST:PORT")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Server(
        host=parts.hostname, port=port, is_secret=parts.scheme == "tls",
        user=user if password is not None else None, password=password,
        token=user if password is None else None,
    )  # fmt: skip


class NatsBus(LinedBus):
    def __init__(
        self, known: list[Server], realm: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self._servers = list(known)
        self._prefix = f"tertulia.{realm}." if realm else "tertulia."
        self._tls = tls
        shuffle(self._servers)
        super().__init__(", ".join(each.place for each in known), WORD_MAX)

    @classmethod
    async def open(
        cls, url: str, *, realm: str = "", tls: ssl.SSLContext | None = None
    ) -> "NatsBus":
        """Also while no server can be reached. Who has another `realm` on the same servers hears
        nothing of this one. `tls` is what is trusted; None: what the system trusts, or
        SSL_CERT_FILE. Raises ValueError."""
        bus = cls(servers(url), realm, tls)
        await bus.opened()
        return bus

    async def _connect(self, arrived: Callable[[Parcel], None]) -> "NatsLine":
        """To the first server that takes us; the next time another comes first."""
        failures = []
        for server in list(self._servers):
            self._servers.append(self._servers.pop(0))
            line = NatsLine(arrived, self._board.unanswerable, server, self._prefix)
            try:
                async with asyncio.timeout(2 * CONNECT_SECONDS):
                    await line.open(self._tls)
            except (OSError, errors.Error) as error:
                failures.append(f"{server.place}: {str(error) or type(error).__name__}")
                await line.cut()
            except BaseException:
                await line.cut()
                raise
            else:
                self._learn(line.discovered(server))
                return line
        raise ConnectionError("; ".join(failures))

    def _learn(self, found: list[Server]) -> None:
        places = {each.place for each in self._servers}
        new = [each for each in found if each.place not in places]
        self._servers += new[: max(0, DISCOVERED_MAX - len(self._servers))]


class _Wire(TcpTransport):
    """nats-py's transport, which can be cut, says when it was, and sends no credentials in clear
    where they are secret."""

    def __init__(self, *, is_secret: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._needs_tls = is_secret
        self.ended = asyncio.Event()

    def __bool__(self) -> bool:
        return True  # else nats-py makes one of its own

    async def connect_tls(self, *args: Any, **more: Any) -> None:
        await super().connect_tls(*args, **more)
        self._needs_tls = False

    def write(self, payload: bytes) -> None:
        if self._needs_tls:
            raise ConnectionError("the server speaks no TLS")
        super().write(payload)  # type: ignore[no-untyped-call]

    async def read(self, buffer_size: int) -> bytes:
        try:
            data: bytes = await super().read(buffer_size)
        except OSError:
            self.ended.set()
            raise
        if not data:
            self.ended.set()
        return data

    async def drain(self) -> None:
        with suppress(ConnectionError):  # of which `read` hears too
            await super().drain()  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        self.ended.set()
        for writer in (self._io_writer, self._bare_io_writer):
            if isinstance(writer, StreamWriter):
                writer.transport.abort()


class _Client(Client):
    """nats-py's client, in which what comes over all subjects comes in the order of the line: its
    own way is a task for each subscription."""

    def __init__(self, wire: _Wire, hear: Callable[[str, bytes, str, bytes], None]) -> None:
        super().__init__()
        self._transport = wire
        self._hear = hear

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        self._hear(subject.decode(), data, reply.decode(), headers)


class NatsLine:
    """Line: one connection, which is never made again."""

    def __init__(
        self, arrived: Callable[[Parcel], None], unanswerable: Callable[[str], None],
        server: Server, prefix: str,
    ) -> None:  # fmt: skip
        self._arrived = arrived
        self._unanswerable = unanswerable
        self._server = server
        self._prefix = prefix
        self._wire = _Wire(is_secret=server.is_secret)
        self._client = _Client(self._wire, self._hear)
        self._subscriptions: dict[str, Subscription] = {}

    async def open(self, tls: ssl.SSLContext | None) -> None:
        server = self._server
        place = f"[{server.host}]" if ":" in server.host else server.host
        await self._client.connect(
            f"nats://{place}:{server.port}", name="tertulia", allow_reconnect=False,
            max_reconnect_attempts=1, reconnect_time_wait=0, ping_interval=3600,
            pending_size=0,
            connect_timeout=CONNECT_SECONDS,  # type: ignore[arg-type]
            error_cb=_known_otherwise, closed_cb=self._closed, tls=tls,
            tls_hostname=server.tls_name, user=server.user, password=server.password,
            token=server.token,
        )  # fmt: skip

    @property
    def word_max(self) -> int:
        return min(WORD_MAX, self._client.max_payload)

    def discovered(self, known: Server) -> list[Server]:
        """Other servers of the cluster: with the same credentials, and, where they are known by a
        number, the same name in their certificates."""
        return [
            Server(
                uri.hostname, uri.port or 4222, known.is_secret, known.user, known.password,
                known.token, (known.tls_name or known.host) if _is_number(uri.hostname) else None,
            )
            for uri in self._client.discovered_servers
            if uri.hostname
        ]  # fmt: skip

    async def listen(self, subject: str) -> None:
        if subject not in self._subscriptions:
            self._subscriptions[subject] = await self._client.subscribe(self._prefix + subject)
        await self.pulse()

    async def unlisten(self, subject: str) -> None:
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            await subscription.unsubscribe()
            await self.pulse()  # from now on who asks knows that nobody serves it

    async def send(self, parcels: list[Parcel]) -> None:
        """In one write. By the wire: nats-py's `publish` costs a future each, and swallows that it
        is cancelled while it waits."""
        pieces = [piece for parcel in parcels for piece in self._published(parcel)]
        self._wire.writelines(pieces)  # type: ignore[no-untyped-call]
        await self._wire.drain()

    async def pulse(self) -> None:
        await self._client.rtt()

    async def ended(self) -> None:
        await self._wire.ended.wait()

    async def cut(self) -> None:
        self._wire.abort()
        with suppress(OSError, errors.Error):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._client.close()

    def _published(self, parcel: Parcel) -> tuple[bytes, bytes, bytes]:
        subject, word, reply = parcel
        answers = f" {self._prefix}{reply}" if reply else ""
        return f"PUB {self._prefix}{subject}{answers} {len(word)}\r\n".encode(), word, b"\r\n"

    async def _closed(self) -> None:
        self._wire.ended.set()

    def _hear(self, subject: str, word: bytes, reply: str, headers: bytes) -> None:
        subject = subject.removeprefix(self._prefix)
        if headers and not word and headers.startswith(_NO_RESPONDERS):
            self._unanswerable(subject)
        else:
            self._arrived(Parcel(subject, word, reply.removeprefix(self._prefix)))


async def _known_otherwise(error: Exception) -> None:
    """nats-py tells of failures; what ends a line is seen by its end."""


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
