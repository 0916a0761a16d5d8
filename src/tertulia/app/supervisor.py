"""The supervisor: starts the parts, starts again what dies, and ends them together.

It imports nothing of what the parts do, so that it stays small and has little to die of.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from tertulia.app import link
from tertulia.app.report import Listening

RESTART_FIRST = 0.2
RESTART_LONGEST = 10.0
"""Seconds before a part that died is started again; doubled while it does not stay up."""
STAYED_UP = 30.0
"""Seconds after which an earlier death counts no longer."""
END_SECONDS = 4.5
"""After SIGTERM, before SIGKILL."""

_log = logging.getLogger(__name__)


class Lent(NamedTuple):
    """Descriptors that a part inherits."""

    link: int | None
    lifeline: int
    lock: int
    """Only to be held, while the part lives."""


MODULES = {"media": "tertulia.app.media_part", "phones": "tertulia.app.phones_part"}
"""What a part is run from, when not from tertulia.app.part."""


class Part:
    """One child process, with what it is lent: its end of the link, the lifeline, the lock."""

    def __init__(self, name: str, arguments: list[str], lent: Lent) -> None:
        self.name = name
        self.arguments = arguments
        self._lent = lent
        self._process: asyncio.subprocess.Process | None = None
        self._ended = asyncio.Event()

    async def keep(self, on_report: Callable[[bytes], None] | None = None) -> bool:
        """Run it, again and again, until told to end.

        False: it died before its first report, when one is listened for. What keeps it from
        starting, a port that is taken or a folder that is not ours, would do so again.
        """
        pause = RESTART_FIRST
        loop = asyncio.get_running_loop()
        reports = 0 if on_report is not None else 1

        def heard(line: bytes) -> None:
            nonlocal reports
            reports += 1
            if on_report is not None:
                on_report(line)

        while True:
            started = loop.time()
            code = await self._run(heard)
            if self._ended.is_set():
                return True
            if not reports:
                return False
            if loop.time() - started > STAYED_UP:
                pause = RESTART_FIRST
            _log.error(
                "%s ended with %s; starting it again in %.1f s", self.name, code, pause,
                extra={"action": "part_died"},
            )  # fmt: skip
            await self._rest(pause)
            pause = min(pause * 2, RESTART_LONGEST)

    def tell_to_end(self) -> None:
        self._ended.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def _run(self, heard: Callable[[bytes], None]) -> int:
        if self._ended.is_set():
            return 0
        end, lifeline, _ = self._lent
        link_end = [] if end is None else ["--link", str(end)]
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULES.get(self.name, "tertulia.app.part"), self.name,
            *self.arguments, *link_end, "--lifeline", str(lifeline),
            pass_fds=[each for each in self._lent if each is not None],
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        if self._ended.is_set():  # told while it was being started
            self._signal(signal.SIGTERM)
        if process.stdout is not None:
            async for line in process.stdout:
                heard(line)
        return await process.wait()


class Plan(NamedTuple):
    """What is to be run beside hub and dispatcher, and how long their end may take."""

    workers: int
    phones: bool
    drain_s: float = 0.0
    """Seconds that the hub may take to leave its cluster, while the others still serve it."""


class Supervisor:
    """`arguments` are those of all parts; `lock` is what holds the data directory. `on_listening`
    hears where the hub serves, each time that it has started."""

    def __init__(
        self, arguments: list[str], on_listening: Callable[[Listening], None], *, lock: int,
        plan: Plan,
    ) -> None:  # fmt: skip
        hub_end, dispatcher_end = link.pair()
        lifeline, self._held_open = os.pipe()
        # Kept: the descriptors that are lent close with them.
        self._link_ends = (hub_end, dispatcher_end)

        def part(name: str, end: int | None = None, *more: str) -> Part:
            return Part(name, [*arguments, *more], Lent(end, lifeline, lock))

        self._arguments = arguments
        self._on_listening = on_listening
        self._drain_s = plan.drain_s
        self._hub = part("hub", hub_end.fileno())
        self._others = [
            part("dispatcher", dispatcher_end.fileno()),
            *(part("media", None, "--index", str(index)) for index in range(plan.workers)),
        ]
        self._late = [part("phones")] if plan.phones else []
        self._listening = asyncio.Event()

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit code."""
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        async with asyncio.TaskGroup() as parts:
            serving = parts.create_task(self._hub.keep(self._heard))
            serving.add_done_callback(lambda _: over.set())
            for part in self._others:
                parts.create_task(part.keep())
            for part in self._late:
                parts.create_task(self._keep_after_hub(part))
            await over.wait()
            if self._drain_s and not serving.done():
                self._hub.tell_to_end()
                await asyncio.wait([serving], timeout=self._drain_s + END_SECONDS)
            killers = self._end()
        for killer in killers:
            killer.cancel()
        os.close(self._held_open)
        return 0 if serving.result() else 1

    def _heard(self, line: bytes) -> None:
        where = msgspec.json.decode(line, type=Listening)
        # a port that the system chose stays the same when the hub is started again
        ports = ["--http-port", str(where.http_port), "--sip-port", str(where.sip_port)]
        if where.https_port is not None:
            ports += ["--https-port", str(where.https_port)]
        if where.sip_tls_port:
            ports += ["--sip-tls-port", str(where.sip_tls_port)]
        self._hub.arguments = [*self._arguments, *ports]
        self._listening.set()
        self._on_listening(where)

    async def _keep_after_hub(self, part: Part) -> None:
        """What nobody needs at once does not take the processor from what everybody waits for."""
        await self._listening.wait()
        await part.keep()

    def _end(self) -> list[asyncio.TimerHandle]:
        """Have all parts end; what is left of them is killed later."""
        parts = (self._hub, *self._others, *self._late)
        for part in parts:  # also one that has not begun: it will not
            part.tell_to_end()
        self._listening.set()
        loop = asyncio.get_running_loop()
        return [loop.call_later(END_SECONDS, part.kill) for part in parts]


async def supervise(
    arguments: list[str], on_listening: Callable[[Listening], None], *, lock: int, plan: Plan
) -> int:
    """Run all parts until SIGTERM or SIGINT; the exit code."""
    return await Supervisor(arguments, on_listening, lock=lock, plan=plan).run()
