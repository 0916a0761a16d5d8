"""Stored events a second: SQLite against PostgreSQL, the same appends in the same run.

Writers on one loop each append one event after another to conversations of their own and wait
until it is durable. `python -m bench.stores` starts a PostgreSQL of its own from the wheel.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from tests.contracts.builders import birth, event, profile
from tests.postgres import running

from tertulia.model.ids import EventId
from tertulia.ports import Append
from tertulia.store.postgres import PostgresStore
from tertulia.store.sqlite import SqliteStore
from tertulia.store.stored import Stored

SECONDS = 3.0
WRITERS = (1, 16, 128, 1024)
TEXT = "x" * 150


async def _write(store: Stored, until: float, waits: list[float]) -> None:
    room = profile()
    await store.append(birth(room))
    number = 0
    while (began := time.perf_counter()) < until:
        said = event(room, number + 1, TEXT)
        await store.append(Append(room.application_id, room.id, EventId(number), (said,)))
        number += 1
        waits.append(time.perf_counter() - began)


async def _measure(opening: Awaitable[Stored], writers: int) -> str:
    store = await opening
    await store.append(birth(profile()))
    waits: list[float] = []
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*[_write(store, began + SECONDS, waits) for _ in range(writers)])
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await store.close()
    waits.sort()
    median, p99 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
    rate = f"{len(waits) / took:9,.0f}/s"
    return f"{rate}  p50 {median:6.2f} ms  p99 {p99:6.1f} ms  cpu {cpu / took:4.0%}"


def main() -> None:
    writers = [int(each) for each in sys.argv[1:]] or list(WRITERS)
    with running(durable=True) as server, TemporaryDirectory() as folder:
        for each in writers:
            path, url = Path(folder) / f"{each}.db", server.new_database()
            figures = uvloop.run(_measure(SqliteStore.open(path), each))
            print(f"{each:5} sqlite    {figures}")
            figures = uvloop.run(_measure(PostgresStore.open(url), each))
            print(f"{each:5} postgres  {figures}")


if __name__ == "__main__":
    main()
