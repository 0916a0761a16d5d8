"""What the figures were measured on, and who else was busy there."""

import os
import platform
import resource
import sqlite3
import time
from pathlib import Path


def describe() -> str:
    return (
        f"{len(os.sched_getaffinity(0))} cores · {_processor()} · {_memory_gib()} GiB · "
        f"{platform.system()} {platform.release()} {platform.machine()} · "
        f"Python {platform.python_version()} · SQLite {sqlite3.sqlite_version}"
    )


class Others:
    """Processes that do not belong to the benchmark, from now on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._foreign = _busy_seconds() - _own_seconds()

    def share(self) -> float:
        """CPU that they have taken, as a share of one core. Ours must have ended."""
        foreign = _busy_seconds() - _own_seconds() - self._foreign
        return max(0.0, foreign / (time.monotonic() - self._begun))


def _busy_seconds() -> float:
    """Of all cores since boot: everything in the first line of /proc/stat but idle and iowait."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown processor"


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
