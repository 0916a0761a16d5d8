"""Compiles the generators in C into bench/.work, again when a source has changed."""

import shutil
import subprocess
from pathlib import Path

from bench.places import BENCH, Skipped, work


def compiled(name: str, *more: str, libraries: tuple[str, ...] = ()) -> Path:
    """The program of bench/{name}.c, with more sources and libraries if it has them.

    Raises:
        Skipped: there is no C compiler.
    """
    sources = [BENCH / f"{each}.c" for each in (name, *more)]
    binary = work("bin") / name.replace("/", "-")
    newest = max(file.stat().st_mtime for file in (*sources, *BENCH.glob("*.h")))
    if not binary.exists() or binary.stat().st_mtime < newest:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise Skipped(f"no C compiler (gcc or cc) for bench/{name}.c")
        linked = [f"-l{library}" for library in libraries]
        subprocess.run([compiler, "-O2", "-pthread", "-o", binary, *sources, *linked], check=True)
    return binary
