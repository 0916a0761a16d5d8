"""The server has the first core to itself, the generator of audio the last."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.places import Skipped

CORES = sorted(os.sched_getaffinity(0))
_START = (
    "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])});"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


def on_core(position: int, command: Sequence[str | Path]) -> list[str | Path]:
    """The command, kept on a core: 0 is the server's, -1 that of the generator.

    Raises:
        Skipped: there is but one core.
    """
    if len(CORES) < 2:
        raise Skipped("two cores are needed, one for the server and one for the talkers")
    return [sys.executable, "-c", _START, str(CORES[position]), *command]


def busy_seconds(position: int) -> float:
    """That a core has been at work since the machine was started, whoever it was for."""
    name = f"cpu{CORES[position]} "
    line = next(
        line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(name)
    )
    ticks = [int(word) for word in line.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
