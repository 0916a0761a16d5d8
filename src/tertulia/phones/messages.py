"""What callers have said to a callee that records: WAV files in a folder, the newest of them."""

import asyncio
import logging
import time
import wave
from itertools import count
from pathlib import Path

from tertulia.media.g711 import Samples

KEPT = 100
"""Files in the folder."""
RATE = 8000

_log = logging.getLogger(__name__)


class Messages:
    """`close` waits for what is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)
        self._writing: set[asyncio.Task[None]] = set()

    def keep(self, number: str, samples: Samples) -> None:
        """As `NUMBER-TIME-COUNT.wav`; nothing said, nothing kept."""
        if len(samples):
            stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
            path = self.folder / f"{number}-{stamp}-{next(self._numbers)}.wav"
            task = asyncio.create_task(asyncio.to_thread(self._write, path, samples))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._writing)

    def _write(self, path: Path, samples: Samples) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            with wave.open(str(draft), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(samples.astype("<i2").tobytes())
            draft.rename(path)
            for old in sorted(self.folder.glob("*.wav"), key=_written)[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            _log.error(
                "what was said to a simulated phone cannot be kept: %s", error,
                extra={"action": "phones_message_lost"},
            )  # fmt: skip


def _written(path: Path) -> float:
    return path.stat().st_mtime
