"""Starting, weighing and stopping the processes that are measured."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.places import Failed

PATIENCE = 30.0
"""Seconds that a process may take to start or to stop."""


class Died(Failed):
    """A process ended, or did not become ready; the end of its output is the message."""


class Memory(NamedTuple):
    """Bytes. The proportional set size shares out pages that several processes map."""

    rss: int
    pss: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: dict[str, str] | None = None,
    lent: Sequence[int] = (),
) -> Iterator[psutil.Process]:
    """The process with everything it starts, all of it stopped at the end.

    `lent` are descriptors that it inherits.
    """
    with log.open("ab") as output:
        process = psutil.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            pass_fds=lent,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: psutil.Process) -> None:
    family = tree(process)
    if family:
        process.terminate()
        _, stubborn = psutil.wait_procs(family, timeout=10)
        for left in stubborn:
            left.kill()
        psutil.wait_procs(stubborn, timeout=5)


def tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until(ready: Callable[[], bool], process: psutil.Process, log: Path) -> float:
    """Seconds until `ready` holds.

    Raises:
        Died: the process has ended, or the patience has.
    """
    begun = time.monotonic()
    while not ready():
        waited = time.monotonic() - begun
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise Died(f"ended after {waited:.1f} s: {tail(log)}")
        if waited > PATIENCE:
            raise Died(f"not ready after {waited:.0f} s: {tail(log)}")
        time.sleep(0.002)
    return time.monotonic() - begun


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time that the processes, dead ones aside, have taken so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def memory(processes: Sequence[psutil.Process]) -> Memory:
    sizes = [process.memory_full_info() for process in processes]
    return Memory(sum(size.rss for size in sizes), sum(size.pss for size in sizes))
