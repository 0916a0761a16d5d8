"""sipp, a phone that nobody here wrote: it plays a scenario against a server.

It is the Debian package sip-tester. Where it is not installed these tests say so.
"""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.system.scenario import GO
from tests.system.tones import RATE, tone

from tertulia.media.g711 import ulaw_encode

PROGRAM = shutil.which("sipp")
needs_sipp = pytest.mark.skipif(
    PROGRAM is None, reason="sipp is not installed (Debian's package sip-tester)"
)
PATIENCE = 30
"""Seconds for a whole scenario, and for each message in it."""
TRANSPORTS = {"udp": "u1", "tcp": "t1"}
HERTZ = 700
"""Of what it plays."""


class Sipp:
    """One run: one call, or more of the same."""

    def __init__(
        self, process: asyncio.subprocess.Process, folder: Path, place: tuple[str, int]
    ) -> None:
        self._process = process
        self._folder = folder
        self._place = place

    async def listens(self) -> None:
        """Wait until it can be called."""
        itself = psutil.Process(self._process.pid)
        async with asyncio.timeout(PATIENCE):
            while self._process.returncode is None:
                if any(each.laddr == self._place for each in itself.net_connections("inet")):
                    return
                await asyncio.sleep(0.01)

    def tell(self) -> None:
        """Let a scenario over UDP that waits for the test go on."""
        host, port = self._place
        found = re.search(r"^Call-ID: (\S+)", self.messages(), re.MULTILINE)
        assert found is not None, "there is no call"
        message = (
            f"{GO} sip:go@{host} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:9;branch=z9hG4bK-go\r\n"
            f"From: <sip:test@{host}>\r\nTo: <sip:sipp@{host}>\r\n"
            f"Call-ID: {found[1]}\r\nCSeq: 99 {GO}\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), (host, port))

    async def ends(self, within: float = PATIENCE + 5) -> None:
        """All was as the scenario says."""
        async with asyncio.timeout(within):
            code = await self._process.wait()
        assert code == 0, f"sipp: {code}\n{self.told()}"

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def told(self) -> str:
        """What it complains about, and the messages."""
        paths = (self._folder / name for name in ("errors", "messages"))
        return "\n".join(path.read_text()[-3000:] for path in paths if path.exists())

    def messages(self) -> str:
        """All that it has sent and received."""
        return (self._folder / "messages").read_text()


@asynccontextmanager
async def sipp(
    folder: Path, play: str, options: Sequence[str] = (), *, to: str = "", host: str = "127.0.0.2",
    number: str = "15550199", caller: str = "447700900001", transport: str = "udp", port: int = 0,
    ear: int = 0, patience: int = PATIENCE, calls: int = 1,
) -> AsyncIterator[Sipp]:  # fmt: skip
    """Runs until it is over; `play` is a scenario, or the name of one of its own; `to` is whom it
    calls, of who does; `ear` is a port where somebody else hears for it."""
    plays = _prepare(folder, play)
    port = port or free_port(host)
    media = free_port(host)
    assert PROGRAM is not None
    with (folder / "screen").open("wb") as screen:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *([to] if to else []), *plays, "-i", host, "-p", str(port), "-mi", host,
            "-mp", str(media), "-s", number, "-key", "caller", caller,
            "-key", "ear", str(ear or media), "-t", TRANSPORTS[transport], "-cid_str", "%u-%p",
            "-m", str(calls), "-nostdin", "-trace_err", "-error_file", "errors", "-trace_msg",
            "-message_file", "messages", "-recv_timeout", str(patience * 1000),
            "-timeout", str(patience), "-timeout_error", *options,
            cwd=folder, stdout=screen, stderr=screen, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    party = Sipp(process, folder, (host, port))
    try:
        await party.listens()
        yield party
    finally:
        await party.end()


def _prepare(folder: Path, play: str) -> list[str]:
    """Put its files there; the flags that name what it plays."""
    folder.mkdir(parents=True, exist_ok=True)
    wave = tone(HERTZ, 1.0)[:: RATE // 8000]
    (folder / "tone.ulaw").write_bytes(ulaw_encode(np.asarray(wave, np.int16)).tobytes())
    if "<" not in play:
        return ["-sn", play]
    (folder / "scenario.xml").write_text(play)
    return ["-sf", "scenario.xml"]


def free_port(host: str = "127.0.0.1") -> int:
    """An even one, with the next one free as well, of UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.bind((host, 0))
            port: int = first.getsockname()[1]
        if port % 2 == 0 and all(_is_free(host, port, each) for each in (0, 1)):
            return port


def _is_free(host: str, port: int, further: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as tried:
            try:
                tried.bind((host, port + further))
            except OSError:
                return False
    return True
