"""The adapters of Workers against their contract."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.app.media_peer import hello, until
from tests.contracts.workers import (
    ELSEWHERE,
    HERE,
    OFFER,
    Reports,
    Rig,
    WorkersContract,
    eventually,
    size_of,
)

from tertulia.app.chance import SystemClock
from tertulia.app.supervisor import Lent, Part
from tertulia.app.workers import MediaWorkers
from tertulia.media import link
from tertulia.media.worker import Worker
from tertulia.model.commands import Answer, Echo, Interrupted, Play, Record, Recorded, Salvage
from tertulia.ports import Workers
from tertulia.testing.puppet import Puppet
from tertulia.testing.studio import Studio
from tertulia.testing.world import StillClock


class TestStudio(WorkersContract):
    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        studio = Studio(StillClock())
        with tempfile.TemporaryDirectory() as folder:
            yield Rig(studio, studio.die, Path(folder))

    def nobody(self) -> Workers:
        studio = Studio(StillClock())
        studio.is_there = False
        return studio


class TestLinkedPuppet(WorkersContract):
    """Both ends of the link in one process, and an engine without audio."""

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        with tempfile.TemporaryDirectory() as folder:
            workers = MediaWorkers(SystemClock())
            await workers.listen(Path(folder) / link.SOCKET)
            worker = Worker(
                Path(folder) / link.SOCKET, hello(), lambda report: Puppet(report, SystemClock())
            )
            running = asyncio.create_task(worker.run())
            await until(lambda: bool(workers.up))

            def kill() -> None:
                workers.up[0].connection.close("killed")

            try:
                yield Rig(workers, kill, Path(folder))
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await workers.close()

    def nobody(self) -> Workers:
        return MediaWorkers(SystemClock())


@pytest.mark.system
class TestWorkerProcess(WorkersContract):
    """The worker as the supervisor starts it, and starts it again."""

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        with tempfile.TemporaryDirectory() as folder:
            workers = MediaWorkers(SystemClock())
            await workers.listen(Path(folder) / link.SOCKET)
            lifeline, held_open = os.pipe()
            flags = ["--data", folder, "--rtc-port", "0", "--host", "127.0.0.1"]
            part = Part("media", flags, Lent(None, lifeline, lifeline))
            keeping = asyncio.create_task(part.keep())
            try:
                await until(lambda: bool(workers.up))
                yield Rig(workers, part.kill, Path(folder))
            finally:
                part.tell_to_end()
                await keeping
                await workers.close()
                os.close(held_open)
                os.close(lifeline)

    def nobody(self) -> Workers:
        return MediaWorkers(SystemClock())

    def test_a_recording_survives_the_death_of_its_worker(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            path = rig.folder / "cut"
            rig.workers.tell(HERE, Echo("leg"))
            rig.workers.tell(HERE, Play("play", "hold", kind="tone", leg="leg", loop=0))
            rig.workers.tell(HERE, Record("record", str(path), leg="leg", format="wav", channels=2))
            await until(lambda: Path(f"{path}.wav").exists() and size_of(f"{path}.wav") > 32_000)
            rig.kill()
            await reports.first(Interrupted)
            await eventually(rig.workers, Answer("leg", OFFER))
            rig.workers.tell(ELSEWHERE, Salvage("record", str(path), "wav"))
            recorded = await reports.first(Recorded)
            assert (recorded.reason, recorded.error) == ("salvaged", None)
            assert recorded.tracks[0].size > 32_000
            assert recorded.ended - recorded.started >= 450

        self.play(scenario)
