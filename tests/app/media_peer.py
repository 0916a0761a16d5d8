"""A worker and a hub in the hands of a test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.workers import (
    PATIENCE,
    Reports,
)

from tertulia.app.workers import MediaWorkers
from tertulia.media import link
from tertulia.model.commands import (
    VERSION,
    AnyCommand,
    Hello,
    Load,
    Report,
)
from tertulia.testing.world import StillClock

IDLE = Load(0, 0, 0, 0, 0, 0.0)


def hello(name: str = "0", version: int = VERSION) -> Hello:
    return Hello(version, name, 1, 8189, ["opus", "PCMU"])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Peer:
    """A worker in the hands of a test, which says what is reported."""

    def __init__(self) -> None:
        self.told: list[AnyCommand] = []
        self.lost: str | None = None
        self.connection = link.worker_end(self.told.append, self._on_lost)

    @classmethod
    async def enter(cls, path: Path, name: str = "0") -> "Peer":
        peer = cls()
        await link.connect(path, lambda: peer.connection)
        peer.say(hello(name), IDLE)
        return peer

    def say(self, *reports: Report) -> None:
        for report in reports:
            self.connection.send(report)

    async def hears(self, count: int) -> list[AnyCommand]:
        await until(lambda: len(self.told) >= count)
        return self.told

    def _on_lost(self, reason: str) -> None:
        self.lost = reason


@asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[tuple[MediaWorkers, Path, Reports]]:
    workers, reports = MediaWorkers(StillClock()), Reports()
    workers.on_report(reports)
    path = folder / link.SOCKET
    await workers.listen(path)
    yield workers, path, reports
    await workers.close()
