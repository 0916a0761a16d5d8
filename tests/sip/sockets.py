"""Transports on loopback, and what has come by them."""

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from tertulia.devkit import ensure_certificate, server_ssl_context
from tertulia.model.instant import Instant
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import BadMessage, Request, Response
from tertulia.settings import Sip
from tertulia.sip.counts import Counts
from tertulia.sip.transports import Secrecy, Transports

PATIENCE = 20.0
"""Seconds; generous, since the machine may be busy with other tests."""
HOST = "127.0.0.1"
FREE = Sip(port=0)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition that the loop brings about."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def secrecy(folder: Path) -> Secrecy:
    """Of a server on loopback, and whom it trusts: itself."""
    files = ensure_certificate(folder, HOST, now=Instant(time.time_ns() // 1_000_000))
    client = ssl.create_default_context(cafile=str(files.authority))
    return Secrecy(server_ssl_context(files.certificate, files.key), client)


class Post:
    """Transports with a letter box."""

    def __init__(self, settings: Sip = FREE) -> None:
        self.items: list[tuple[Request | Response | BadMessage, Flow]] = []
        self.lost: list[Flow] = []
        self.counts = Counts()
        self.transports = Transports(
            settings, receive=lambda item, flow: self.items.append((item, flow)),
            lost=self.lost.append, counts=self.counts,
        )  # fmt: skip

    async def open(self, secrecy: Secrecy | None = None) -> "Post":
        await self.transports.open(HOST, secrecy)
        return self

    def flow(self, transport: str, other: "Post", host: str = HOST) -> Flow:
        port = other.transports.tls_port if transport == "tls" else other.transports.port
        flow = self.transports.flow(transport, (host, port), host)
        assert flow is not None
        return flow

    @property
    def lines(self) -> list[str]:
        return [
            item.start_line if isinstance(item, Request | Response) else f"{item.status}"
            for item, _ in self.items
        ]


def with_most(most: int) -> Sip:
    return replace(FREE, max_connections=most)


def options(number: int = 1, body: bytes = b"") -> bytes:
    head = (
        "OPTIONS sip:tertulia.test SIP/2.0", f"Via: SIP/2.0/UDP a.test;branch=z9hG4bK{number}",
        "From: <sip:a@a.test>;tag=1", "To: <sip:tertulia.test>", f"Call-ID: {number}@a.test",
        f"CSeq: {number} OPTIONS", "Max-Forwards: 70", f"Content-Length: {len(body)}", "\r\n",
    )  # fmt: skip
    return "\r\n".join(head).encode() + body
