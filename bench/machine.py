"""One line that says what the figures were measured on."""

import os
import platform
import sqlite3
from pathlib import Path


def describe() -> str:
    return (
        f"{len(os.sched_getaffinity(0))} cores · {_processor()} · {_memory_gib()} GiB · "
        f"{platform.system()} {platform.release()} {platform.machine()} · "
        f"Python {platform.python_version()} · SQLite {sqlite3.sqlite_version} · "
        f"load average {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown processor"


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
