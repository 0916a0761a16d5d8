"""Stored events a second: SQLite against PostgreSQL, the same appends in the same run.

Writers on one loop each append one event after another to conversations of their own and wait
until it is durable. `python -m bench.stores` starts a PostgreSQL of its own from the wheel.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
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


async def _measure(open_store: Callable[[], Awaitable[Stored]], writers: int) -> str:
    store = await open_store()
    await store.append(birth(profile()))
    waits: list[float] = []
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*[_write(store, began + SECONDS, waits) for _ in range(writers)])
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await store.close()
    waits.sort()
    p99 = waits[int(len(waits) * 0.99)] * 1000
    return (
        f"{len(waits) / took:9,.0f}/s  p50 {waits[len(waits) // 2] * 1000:6.2f} ms  "
        f"p99 {p99:6.1f} ms  cpu {cpu / took:4.0%}"
    )


def main() -> None:
    writers = [int(each) for each in sys.argv[1:]] or list(WRITERS)
    with running(durable=True) as server, TemporaryDirectory() as folder:
        for each in writers:
            path = Path(folder) / f"{each}.db"
            print(
                f"{each:5} sqlite    ", uvloop.run(_measure(lambda: SqliteStore.open(path), each))
            )
            url = server.new_database()
            print(
                f"{each:5} postgres  ", uvloop.run(_measure(lambda: PostgresStore.open(url), each))
            )


if __name__ == "__main__":
    main()
