"""What the process of a worker wants of the interpreter and of the C library."""

import ctypes
import sys

SWITCH_SECONDS = 0.0005
"""For which a thread that reads or writes files may keep the loop waiting, a tenth of the default:
the worst tick follows it."""
_KEPT = 32 << 20
"""Octets. The arrays of a tick are made and let go fifty times a second; the memory of large ones
goes back to the kernel each time otherwise, and a frame of 1500 legs is 1000 page faults, a fourth
of its time."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Parameters of mallopt(3)."""


def prepare() -> None:
    """Once, before there are threads."""
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform == "linux":
        _keep_memory()


def _keep_memory() -> None:
    """As far as the library takes such advice: glibc does, others do without."""
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(_MMAP_THRESHOLD, _KEPT)
        tell(_TRIM_THRESHOLD, 4 * _KEPT)
