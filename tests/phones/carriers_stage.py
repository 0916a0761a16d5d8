"""The simulated carriers on loopback ports, a hub that notes what they tell, and an ESME."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from tests.dispatch.virtual import VirtualClock

from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.offices import Offices
from tertulia.protocols.http1 import Request, Response
from tertulia.protocols.smpp.names import Command
from tertulia.protocols.smpp.pdu import Address, Bind, Message, Pdu
from tertulia.protocols.smpp.session import Answered, Asked, Bound, Client, Signal
from tertulia.web.server import Server

HOST = "127.0.0.1"
PATIENCE = 10.0
US = "15550199"
QUICK = {
    "1001": "{ deliver = true }, { read = true }",
    "1002": '{ fail = "unreachable" }',
    "1003": '{ deliver = true }, { reply = "You said: {text}" }',
    "1004": '{ deliver = true }, { send = "https://x.test/a.jpg", caption = "Look" }',
    "1005": '{ refuse = "unknown" }',
    "1006": "{ throttle = 1 }, { deliver = true }",
}
"""Handsets that lose no time."""


class Told(NamedTuple):
    carrier: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw)


class Hub:
    """Takes what carriers tell."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.statuses: list[int] = []
        """With which the next are answered."""
        self.server = Server(self._answer)
        self.port: int | None = None

    async def open(self) -> None:
        self.port = await self.server.listen(HOST, 0)

    async def hear(self) -> Told:
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()

    async def _answer(self, request: Request, scheme: str) -> Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            carrier = request.path.removeprefix("/carriers/")
            self.told.put_nowait(Told(carrier, request.headers, request.body))
        return Response(status)


class Stage(NamedTuple):
    offices: Offices
    hub: Hub

    async def ask(
        self, method: str, path: str, document: object = None, **headers: str
    ) -> tuple[int, Any]:
        return await ask(self.offices.http_port, method, path, document, **headers)


async def ask(
    port: int, method: str, path: str, document: object = None, **headers: str
) -> tuple[int, Any]:
    """A request; status and JSON of the answer. Underscores in names of fields are hyphens."""
    body = b"" if document is None else msgspec.json.encode(document)
    given = {"Host": f"{HOST}:{port}", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    reader, writer = await asyncio.open_connection(HOST, port)
    head = f"{method} {path} HTTP/1.1\r\n{fields}Content-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    head, _, rest = answer.decode().partition("\r\n\r\n")
    match = re.match(r"HTTP/1.1 (\d{3})", head)
    assert match is not None, head
    return int(match[1]), msgspec.json.decode(rest) if rest else None


def write_quick(folder: Path) -> None:
    for number, steps in QUICK.items():
        (folder / f"{number}.toml").write_text(f'about = "x"\n[[message]]\ndo = [{steps}]\n')


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    write_quick(folder)
    hub = Hub()
    await hub.open()
    offices = Offices(Handsetbook(folder), now=VirtualClock().now, hub=lambda: hub.port)
    await offices.open()
    try:
        yield Stage(offices, hub)
    finally:
        await offices.close()
        await hub.server.drain(1)


def play(folder: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with stage(folder) as made:
            await scene(made)

    asyncio.run(whole())


class Esme(asyncio.Protocol):
    """Whoever is bound to the SMSC. It acknowledges what it is brought while `statuses` has none
    that say otherwise; None: it does not answer."""

    def __init__(self) -> None:
        self.session = Client(time.monotonic())
        self.signals: asyncio.Queue[Signal] = asyncio.Queue()
        self.statuses: list[int | None] = []
        self.lost = asyncio.Event()
        self.brought: list[Message] = []
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def bound(cls, port: int, **changes: Any) -> "Esme":
        esme = await cls.connected(port, **changes)
        assert isinstance(await esme.hear(), Bound)
        return esme

    @classmethod
    async def connected(
        cls, port: int, command: int = Command.BIND_TRANSCEIVER, **changes: Any
    ) -> "Esme":
        loop = asyncio.get_running_loop()
        _, esme = await loop.create_connection(cls, HOST, port)
        bind = Bind("simulated", "simulate")._replace(**changes)
        esme.session.bind(bind, time.monotonic(), command)
        esme.flush()
        return esme

    async def hear(self) -> Signal:
        async with asyncio.timeout(PATIENCE):
            return await self.signals.get()

    async def bring(self) -> Message:
        """The next message or receipt that it is brought."""
        while True:
            signal = await self.hear()
            if isinstance(signal, Asked):
                assert isinstance(signal.pdu.body, Message)
                return signal.pdu.body

    async def submit(self, to: str, **fields: Any) -> Pdu:
        """The answer."""
        self.ask(to, **fields)
        signal = await self.hear()
        assert isinstance(signal, Answered), signal
        return signal.pdu

    def ask(self, to: str, **fields: Any) -> int:
        given: dict[str, Any] = {"short_message": b"Hello", "registered_delivery": 1} | fields
        message = Message(Address(5, 0, "ACME"), Address(1, 1, to), **given)
        sequence = self.session.ask(Command.SUBMIT_SM, message, time.monotonic())
        self.flush()
        return sequence

    def flush(self) -> None:
        if self._transport is not None:
            self._transport.write(self.session.take())

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for signal in self.session.receive(data, time.monotonic()):
            if isinstance(signal, Asked):
                status = self.statuses.pop(0) if self.statuses else 0
                if status is not None:
                    self.session.answer(signal.pdu, status)
            self.signals.put_nowait(signal)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
