"""Runs a check on made-up inputs, guided by the code they reach, and sees that memory stays flat.

A fuzzer is a program, `python -m tests.fuzz.fuzz_… [runs]`; it ends with 0 after that many runs,
or tells the input that failed. What it checks is imported under `atheris.instrument_imports`.
"""

import gc
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

RUNS = 20_000
SEED = 7
INPUT_MAX = 2048
"""Bytes of an input."""
GROWTH_MAX_KB = 16 * 1024
"""Of the process in the second half; the fuzzer keeps the inputs that reached something new."""
BLOCKS_MAX = 10_000
"""Python's own allocations that the second half may add: the bounded caches still fill."""


class _Watch:
    """Counts the runs, and compares the memory after half of them with that at the end."""

    def __init__(self, runs: int) -> None:
        self.is_over = False
        self.is_flat = False
        self._runs = runs
        self._done = 0
        self._half = (0, 0)

    def count(self) -> None:
        self._done += 1
        if self._done == self._runs // 2:
            self._half = _memory()
        elif self._done == self._runs:
            peak, blocks = (end - half for end, half in zip(_memory(), self._half, strict=True))
            print(f"{self._runs} runs; the second half took {peak} kB, {blocks} blocks", flush=True)
            self.is_over, self.is_flat = True, peak <= GROWTH_MAX_KB and blocks <= BLOCKS_MAX


def _memory() -> tuple[int, int]:
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sys.getallocatedblocks()


def fuzz(check: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Does not return. An exception of `check` is a finding."""
    watch = _Watch(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    for number, seed in enumerate(seeds):
        (folder / f"seed{number}").write_bytes(seed)

    def run(data: bytes) -> None:
        check(data)
        watch.count()
        if watch.is_over:
            # The fuzzer does not know how often it has run, and ends in no other way.
            shutil.rmtree(folder)
            os._exit(not watch.is_flat)

    options = [f"-seed={SEED}", f"-max_len={INPUT_MAX}", "-timeout=20", "-rss_limit_mb=1024",
               f"-artifact_prefix={folder}/", "-verbosity=0"]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder)], run)
    atheris.Fuzz()
