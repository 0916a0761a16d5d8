"""A TCP line from one node to a service, that can be cut, frozen or slowed down."""

import asyncio
from enum import Enum, auto

from tests.system.relay import Relay, Streams

Far = tuple[str, int] | str
"""Where it leads: host and port, or the path of a Unix socket."""


class How(Enum):
    """What has become of a line."""

    WHOLE = auto()
    CUT = auto()
    """What is connected is reset, and nobody is let in."""
    FROZEN = auto()
    """Nothing passes any more, and nobody says so; what was sent meanwhile passes later."""
    SLOW = auto()
    """Each piece comes late."""


class Wire(Relay):
    def __init__(self, far: Far) -> None:
        self._far = far
        self._how = How.WHOLE
        self._delay = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        super().__init__()

    def cut(self) -> None:
        self.call(lambda: self._become(How.CUT))

    def freeze(self) -> None:
        self.call(lambda: self._become(How.FROZEN))

    def slow(self, seconds: float) -> None:
        """Each piece comes so much later."""
        self.call(lambda: self._become(How.SLOW, seconds))

    def mend(self) -> None:
        self.call(lambda: self._become(How.WHOLE))

    def _become(self, how: How, delay: float = 0.0) -> None:
        self._how, self._delay = how, delay
        if how is How.FROZEN:
            self._open.clear()
        else:
            self._open.set()
        if how is How.CUT:
            for writer in self._writers:
                writer.transport.abort()

    async def join(self, near: Streams) -> None:
        self._writers.add(near[1])
        try:
            await self._open.wait()
            if self._how is How.CUT:
                return
            far = await self._reach()
            self._writers.add(far[1])
            try:
                await self.pump_both(near, far, self._hold)
            finally:
                self._writers.discard(far[1])
        finally:
            self._writers.discard(near[1])

    async def _hold(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)
        await self._open.wait()

    async def _reach(self) -> Streams:
        if isinstance(self._far, str):
            return await asyncio.open_unix_connection(self._far)
        return await asyncio.open_connection(*self._far)
