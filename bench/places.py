"""Where the benchmark keeps what it builds, all inside bench/.work on the disk that is measured."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
WORK = BENCH / ".work"


class Skipped(Exception):
    """A part cannot run here; says what is missing."""


class Failed(Exception):
    """A part ran and what it measures did not do its work."""


def work(name: str) -> Path:
    """A directory that is kept between runs."""
    path = WORK / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def fresh(name: str) -> Iterator[Path]:
    """An empty directory, removed afterwards."""
    path = Path(mkdtemp(prefix=f"{name}-", dir=work("runs")))
    try:
        yield path
    finally:
        shutil.rmtree(path)
