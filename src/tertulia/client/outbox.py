"""What is to be sent, one after the other, and kept while there is no server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tertulia.client.login import NoServer
from tertulia.client.rest import Denied
from tertulia.client.websocket import Dropped

RETRY_S = 0.5

Deed = Callable[[], Awaitable[object]]


class _Letter(NamedTuple):
    deed: Deed
    what: str


class Outbox:
    """`complain` is told what was refused, or may be lost, of what has a name."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._letters: asyncio.Queue[_Letter] = asyncio.Queue()

    def put(self, deed: Deed, what: str = "") -> None:
        """`what` names it in a complaint; without it nobody is told."""
        self._letters.put_nowait(_Letter(deed, what))

    async def run(self) -> None:
        """Send for ever."""
        while True:
            letter = await self._letters.get()
            try:
                await self._send(letter)
            finally:
                self._letters.task_done()

    async def emptied(self) -> None:
        await self._letters.join()

    async def _send(self, letter: _Letter) -> None:
        while True:
            try:
                await letter.deed()
                return
            except NoServer:
                await asyncio.sleep(RETRY_S)
            except Dropped:
                self._tell(letter, "the connection broke; look whether it was sent")
                return
            except Denied as denied:
                self._tell(letter, str(denied))
                return

    def _tell(self, letter: _Letter, why: str) -> None:
        if letter.what:
            self._complain(f"{letter.what}: {why}")


class TypingNotice:
    """Tells when one begins and stops to type. `send` is given which."""

    def __init__(self, send: Callable[[bool], None], *, idle_s: float = 5.0) -> None:
        self._send = send
        self._idle_s = idle_s
        self._ends: asyncio.TimerHandle | None = None

    def typed(self, text: str) -> None:
        """At every key: the line as it is. Commands are nobody's business."""
        if not text or text.startswith("/"):
            self.stop()
        else:
            self.begin()

    def begin(self) -> None:
        if self._ends is None:
            self._send(True)
        else:
            self._ends.cancel()
        self._ends = asyncio.get_running_loop().call_later(self._idle_s, self.stop)

    def stop(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None
            self._send(False)
