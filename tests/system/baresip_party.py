"""baresip, a softphone that nobody here wrote: it plays a tone, and keeps what it hears in files.

It is the Debian package baresip. Where it is not installed these tests say so.
"""

import asyncio
import json
import shutil
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.system.sipp_party import free_port
from tests.system.tones import RATE, Samples, level, share, tone

PROGRAM = shutil.which("baresip")
needs_baresip = pytest.mark.skipif(
    PROGRAM is None, reason="baresip is not installed (Debian's package of that name)"
)
PATIENCE = 20.0
"""Seconds until something is told or heard; generous, since the machine may be busy."""
HOST = "127.0.0.1"
_MODULES = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")
_WINDOW_S = 0.3
_HEADER = 44
"""Octets before the samples of a WAV file."""
_TICK = 0.02
_WIRE = 8_000
CONFIG = """
sip_listen {host}:{port}
{trust}
call_local_timeout 120
call_max_calls 4
audio_source aufile,{folder}/tone.wav
audio_player aubridge,nothing
audio_alert aubridge,nothing
audio_path {folder}
net_interface {host}
snd_path {folder}
ctrl_tcp_listen {host}:{control}
module_path {modules}
module g711.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Baresip:
    """`async with Baresip.of(...)` ends it."""

    def __init__(
        self, folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.told: list[dict[str, Any]] = []
        self._folder = folder
        self._reader = reader
        self._writer = writer
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def of(
        cls, folder: Path, account: str, *, hertz: float, authority: str = ""
    ) -> "AsyncIterator[Baresip]":
        """`account` is a line of its file of accounts."""
        control = await asyncio.to_thread(_prepare, folder, account, hertz, authority)
        assert PROGRAM is not None
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                PROGRAM, "-f", str(folder), cwd=folder, stdin=asyncio.subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            reader, writer = await _connected(control)
            phone = cls(folder, reader, writer)
            following = asyncio.create_task(phone._follow())
            try:
                yield phone
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        finally:
            if process.returncode is None:
                process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 3)
            if process.returncode is None:
                process.kill()
                await process.wait()

    # ── commands and events ──

    def do(self, command: str, parameters: str = "") -> None:
        """One of its commands, with its long name."""
        raw = json.dumps({"command": command, "params": parameters, "token": "t"}).encode()
        self._writer.write(b"%d:%b," % (len(raw), raw))

    async def registered(self) -> None:
        """Before it can be heard that it is."""
        deadline = time.monotonic() + PATIENCE
        while "200 OK" not in (log := self.log()):
            assert time.monotonic() < deadline, log
            await asyncio.sleep(_TICK)

    async def event(self, type_: str, *, after: int = 0) -> dict[str, Any]:
        """The first of a type, of those from the `after`th on, once it has come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    for each in self.told[after:]:
                        if each.get("type") == type_:
                            return each
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {type_}: {self.told}\n{self.log()}") from None

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-3000:]

    # ── sound ──

    def heard(self, seconds: float = _WINDOW_S) -> Samples:
        """At last, by its newest call, at 16 kHz."""
        files = sorted(self._folder.glob("dump-*dec.wav"), key=lambda path: path.stat().st_mtime)
        if not files:
            return np.zeros(0, np.int16)
        raw = files[-1].read_bytes()[_HEADER:]
        sound = np.frombuffer(raw, "<i2", len(raw) // 2)[-int(seconds * _WIRE) :]
        return np.repeat(sound, RATE // _WIRE)

    async def hears(self, hertz: float) -> None:
        """Wait until that tone is most of what is heard."""
        await self._until(
            f"{hertz} Hz", lambda sound: level(sound, hertz) > 0.02 and share(sound, hertz) > 0.5
        )

    async def hears_no(self, hertz: float) -> None:
        await self._until(f"end of {hertz} Hz", lambda sound: level(sound, hertz) < 0.005)

    async def _until(self, what: str, holds: Callable[[Samples], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds(sound := self.heard()):
            assert time.monotonic() < deadline, f"baresip hears no {what}: {len(sound)} samples"
            await asyncio.sleep(_TICK)

    async def _follow(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                size = int((await self._reader.readuntil(b":"))[:-1])
                raw = await self._reader.readexactly(size + 1)
                self.told.append(json.loads(raw[:-1]))
                self._news.set()


def _prepare(folder: Path, account: str, hertz: float, authority: str) -> int:
    """Put its files there; the port where it is told what to do."""
    folder.mkdir(parents=True, exist_ok=True)
    control = free_port(HOST)
    modules = next(path for path in _MODULES if Path(path).is_dir())
    config = CONFIG.format(
        host=HOST, port=free_port(HOST), control=control, folder=folder, modules=modules,
        trust=f"sip_cafile {authority}" if authority else "",
    )  # fmt: skip
    (folder / "config").write_text(config)
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "contacts").write_text("")
    _write_wav(folder / "tone.wav", tone(hertz, 60)[:: RATE // _WIRE])
    return control


def _write_wav(path: Path, sound: Samples) -> None:
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_WIRE)
        writer.writeframes(sound.astype("<i2").tobytes())


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection(HOST, port)
            await asyncio.sleep(_TICK)
