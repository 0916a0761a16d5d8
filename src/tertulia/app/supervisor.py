"""The supervisor: starts the parts, starts again what dies, and ends them together.

It imports none of the parts' rooms, so that it stays small and has little to die of.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

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


class Part:
    """One child process, with what it is lent: its end of the link and the lifeline."""

    def __init__(self, name: str, arguments: list[str], end: socket.socket, lifeline: int) -> None:
        self.name = name
        self.arguments = arguments
        self._end = end
        self._lifeline = lifeline
        self._process: asyncio.subprocess.Process | None = None
        self.ended = False

    async def keep(self, on_report: Callable[[bytes], None] | None = None) -> None:
        """Run it, again and again, until told to end."""
        pause = RESTART_FIRST
        loop = asyncio.get_running_loop()
        while not self.ended:
            started = loop.time()
            code = await self._run(on_report)
            if self.ended:
                return
            if loop.time() - started > STAYED_UP:
                pause = RESTART_FIRST
            _log.error(
                "%s ended with %s; starting it again in %.1f s", self.name, code, pause,
                extra={"action": "part_died"},
            )  # fmt: skip
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_LONGEST)

    def tell_to_end(self) -> None:
        self.ended = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _run(self, on_report: Callable[[bytes], None] | None) -> int:
        lent = (self._end.fileno(), self._lifeline)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tertulia.app.part", self.name, *self.arguments,
            "--link", str(lent[0]), "--lifeline", str(lent[1]),
            pass_fds=lent, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                if on_report is not None:
                    on_report(line)
        return await self._process.wait()


async def supervise(arguments: list[str], on_listening: Callable[[Listening], None]) -> int:
    """Run hub and dispatcher until SIGTERM or SIGINT; the exit code.

    `on_listening` hears where the hub serves, each time that it has started.
    """
    hub_end, dispatcher_end = link.pair()
    lifeline, held_open = os.pipe()
    hub = Part("hub", arguments, hub_end, lifeline)
    dispatcher = Part("dispatcher", arguments, dispatcher_end, lifeline)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)

    def heard(line: bytes) -> None:
        where = msgspec.json.decode(line, type=Listening)
        # a port that the system chose stays the same when the hub is started again
        hub.arguments = [*arguments, "--http-port", str(where.http_port)]
        if where.https_port is not None:
            hub.arguments += ["--https-port", str(where.https_port)]
        on_listening(where)

    async with asyncio.TaskGroup() as parts:
        parts.create_task(hub.keep(heard))
        parts.create_task(dispatcher.keep())
        await over.wait()
        for part in (hub, dispatcher):
            part.tell_to_end()
        killers = [loop.call_later(END_SECONDS, part.kill) for part in (hub, dispatcher)]
    for killer in killers:
        killer.cancel()
    os.close(held_open)
    return 0
