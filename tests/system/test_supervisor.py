"""The supervisor's rest between two starts of a part that keeps dying."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from tests.system.tree import until

from tertulia.app import supervisor
from tertulia.app.supervisor import Lent, Part

pytestmark = pytest.mark.system


@pytest.fixture
def lent() -> Iterator[Lent]:
    descriptors = Lent(*(os.open(os.devnull, os.O_RDONLY) for _ in Lent._fields))
    yield descriptors
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)


def test_a_rest_does_not_delay_the_end(
    lent: Lent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "RESTART_FIRST", 600.0)

    async def scenario() -> bool:
        part = Part("no such part", [], lent)
        keeping = asyncio.create_task(part.keep())
        await asyncio.to_thread(until, "its death", lambda: "starting it again" in caplog.text)
        part.tell_to_end()
        return await asyncio.wait_for(keeping, 5)

    assert asyncio.run(scenario()) is True


def test_a_part_that_never_reports_is_not_started_again(lent: Lent) -> None:
    async def scenario() -> bool:
        part = Part("no such part", [], lent)
        return await asyncio.wait_for(part.keep(lambda line: None), 30)

    assert asyncio.run(scenario()) is False
