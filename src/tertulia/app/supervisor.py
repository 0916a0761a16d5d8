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


async def supervise(
    arguments: list[str],
    on_listening: Callable[[Listening], None],
    *,
    lock: int,
    workers: int,
    phones: bool,
) -> int:
    """Run hub, dispatcher, so many media workers and perhaps simulated phones, until SIGTERM or
    SIGINT; the exit code.

    `on_listening` hears where the hub serves, each time that it has started. `lock` is what holds
    the data directory.
    """
    hub_end, dispatcher_end = link.pair()
    lifeline, held_open = os.pipe()
    hub = Part("hub", arguments, Lent(hub_end.fileno(), lifeline, lock))
    dispatcher = Part("dispatcher", arguments, Lent(dispatcher_end.fileno(), lifeline, lock))
    media = [
        Part("media", [*arguments, "--index", str(index)], Lent(None, lifeline, lock))
        for index in range(workers)
    ]
    simulated = [Part("phones", arguments, Lent(None, lifeline, lock))] if phones else []
    others = [dispatcher, *media, *simulated]
    over, listening = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)

    def heard(line: bytes) -> None:
        where = msgspec.json.decode(line, type=Listening)
        # a port that the system chose stays the same when the hub is started again
        hub.arguments = [*arguments, "--http-port", str(where.http_port)]
        if where.https_port is not None:
            hub.arguments += ["--https-port", str(where.https_port)]
        hub.arguments += ["--sip-port", str(where.sip_port)]
        if where.sip_tls_port:
            hub.arguments += ["--sip-tls-port", str(where.sip_tls_port)]
        listening.set()
        on_listening(where)

    async def keep_after_hub(part: Part) -> None:
        """What nobody needs at once does not take the processor from what everybody waits for."""
        await listening.wait()
        await part.keep()

    async with asyncio.TaskGroup() as parts:
        serving = parts.create_task(hub.keep(heard))
        serving.add_done_callback(lambda _: over.set())
        for part in (dispatcher, *media):
            parts.create_task(part.keep())
        for part in simulated:
            parts.create_task(keep_after_hub(part))
        await over.wait()
        for part in (hub, *others):  # also one that has not begun: it will not
            part.tell_to_end()
        listening.set()
        killers = [loop.call_later(END_SECONDS, part.kill) for part in (hub, *others)]
    for killer in killers:
        killer.cancel()
    os.close(held_open)
    return 0 if serving.result() else 1
