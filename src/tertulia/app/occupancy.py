"""One server for a data directory: a lock that lasts as long as any process of the tree.

Its descriptor is lent to every part, so that a directory whose supervisor was killed stays taken
until the parts have ended: two writers, or two dispatchers, never meet.
"""

import fcntl
import os
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds that an earlier server may take to end."""
_LOOK_AGAIN = 0.05


class Occupied(Exception):
    """Another server uses the data directory."""


def occupy(data: Path, *, patience: float = PATIENCE) -> int:
    """Take the directory; the descriptor that holds it.

    Raises:
        Occupied: it is not free within `patience` seconds.
    """
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                raise Occupied(f"{data} is in use by another server") from None
            time.sleep(_LOOK_AGAIN)
