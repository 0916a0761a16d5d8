"""The ceiling: events appended to a plain file, one write and one fdatasync a batch.

Writers on one event loop wait for their event to be on disk before they bring the next. A batch is
what has queued while the last one was written, as in the product's group commit, but there is no
HTTP, no check, no index: a line of text and the bytes.
"""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
import uvloop

BATCH = 1024
CONVERSATIONS = 200
ROW = b'{"type":"message","body":{"message_type":"text","text":"'.ljust(328, b"x") + b'"}'
"""330 bytes: what an event with its envelope takes."""

Waiting = tuple[int, "asyncio.Future[int]"]


class BareLog:
    """A file, a queue and the thread that empties the one into the other."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._loop = loop
        self._queue: SimpleQueue[Waiting] = SimpleQueue()
        self._newest = [0] * CONVERSATIONS
        threading.Thread(target=self._write_forever, daemon=True).start()

    def append(self, conversation: int) -> asyncio.Future[int]:
        written: asyncio.Future[int] = self._loop.create_future()
        self._queue.put((conversation, written))
        return written

    def _write_forever(self) -> None:
        while True:
            batch = self._take()
            numbers = [self._number(conversation) for conversation, _ in batch]
            now = time.time()
            lines = (
                b"%d %d %f %d\n%s" % (conversation, number, now, len(ROW), ROW)
                for (conversation, _), number in zip(batch, numbers, strict=True)
            )
            os.write(self._file, b"".join(lines))
            os.fdatasync(self._file)
            self._loop.call_soon_threadsafe(_answer, batch, numbers)

    def _take(self) -> list[Waiting]:
        batch = [self._queue.get()]
        while len(batch) < BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch

    def _number(self, conversation: int) -> int:
        self._newest[conversation] += 1
        return self._newest[conversation]


def _answer(batch: list[Waiting], numbers: list[int]) -> None:
    for (_, written), number in zip(batch, numbers, strict=True):
        if not written.done():
            written.set_result(number)


async def measure(path: Path, writers: int, seconds: float) -> float:
    """Events per second."""
    log = BareLog(path, asyncio.get_running_loop())
    begun = time.monotonic()

    async def write(first: int) -> int:
        count = 0
        while time.monotonic() - begun < seconds:
            await log.append((first + count * writers) % CONVERSATIONS)
            count += 1
        return count

    counts = await asyncio.gather(*(write(first) for first in range(writers)))
    return sum(counts) / (time.monotonic() - begun)


if __name__ == "__main__":
    rate = uvloop.run(measure(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    print(msgspec.json.encode({"rate": rate}).decode())
