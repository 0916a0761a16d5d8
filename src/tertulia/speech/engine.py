"""An engine's process as the hub sees it: started, given one order at a time, ended."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from typing import Self

import msgspec
from msgspec.structs import replace

from tertulia.model.errors import TertuliaError
from tertulia.speech.installed import Program
from tertulia.speech.messages import (
    HEAD,
    Answer,
    Done,
    Failed,
    Heard,
    Order,
    Progress,
    Ready,
    Request,
    Said,
    Stop,
    answer,
    length,
    packed,
)

START_S = 60.0
"""To load a model from a slow disk."""
_END_S = 2.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ORT_NUM_THREADS"), "1"
)
_NO_DOWNLOAD = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip


class Lost(Exception):
    """The engine died or hung. Another may do it."""


class Declined(TertuliaError):
    """The engine is well and says why it cannot do it. Another cannot either."""


def environment(outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An engine's: one thread, and nothing is ever fetched."""
    return {**outer, **_ONE_THREAD, **_NO_DOWNLOAD}


class Engine:
    def __init__(self, program: Program, process: Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.program = program
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._number = 0
        self._due: int | None = None
        """Octets of the message whose length has been read."""

    @classmethod
    async def start(cls, program: Program) -> Self:
        """Return when its model is loaded. Raises Lost or Declined."""
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command, stdin=PIPE, stdout=PIPE, env=environment()
            )
        except OSError as error:
            raise Declined(f"the speech engine {program.name} does not start: {error}") from None
        engine = cls(program, process)
        try:
            first = await engine._next(START_S)
            if isinstance(first, Failed):
                raise Declined(first.reason)
            if not isinstance(first, Ready):
                raise Lost(f"the speech engine {program.name} began with nonsense")
        except BaseException:
            await engine.kill()
            raise
        return engine

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def work(self, order: Order, note: Callable[[Progress], None], patience_s: float) -> None:
        """Have an order carried out; `note` hears of each piece.

        Cancelled, it leaves the engine usable: the rest of that order is skipped over by the next.

        Raises:
            Lost: it died, or did nothing for so many seconds.
            Declined: it cannot be done.
        """
        self._number += 1
        order = replace(order, number=self._number)
        try:
            await self._send(order)
            while True:
                told = await self._next(patience_s)
                if told.number != order.number:
                    continue
                if isinstance(told, Done):
                    return
                if isinstance(told, Failed):
                    raise Declined(told.reason)
                if isinstance(told, Said | Heard):
                    note(told)
        except asyncio.CancelledError:
            if not self._stdin.is_closing():
                self._stdin.write(packed(Stop(order.number)))
            raise

    def end(self) -> None:
        """Let it end by itself. Does not wait."""
        self._stdin.close()

    async def ended(self) -> None:
        """Wait until it has; kill it when that takes long."""
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Return when it is dead."""
        self.end()
        if self.alive:
            self._process.kill()
        await self._process.wait()

    async def _send(self, message: Request) -> None:
        try:
            self._stdin.write(packed(message))
            await self._stdin.drain()
        except (ConnectionError, RuntimeError):
            raise Lost(f"the speech engine {self.program.name} has ended") from None

    async def _next(self, patience_s: float) -> Answer:
        """The next message. Cancelling it loses nothing of the stream."""
        try:
            async with asyncio.timeout(patience_s):
                if self._due is None:
                    self._due = length(await self._stdout.readexactly(HEAD.size))
                body = await self._stdout.readexactly(self._due)
            self._due = None
            return answer(body)
        except TimeoutError:
            raise Lost(
                f"the speech engine {self.program.name} did nothing for {patience_s:.0f} s"
            ) from None
        except (EOFError, ConnectionError):
            raise Lost(f"the speech engine {self.program.name} has ended") from None
        except (ValueError, msgspec.MsgspecError):
            raise Lost(f"the speech engine {self.program.name} talks nonsense") from None
