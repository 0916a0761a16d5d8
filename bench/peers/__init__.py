"""The servers that do the same work bare, installed into bench/.work and started from there."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.places import BENCH, WORK, Skipped, work

BUN_VERSION = "1.4.5"
BUN_PACKAGES = {"x86_64": "@oven/bun-linux-x64", "aarch64": "@oven/bun-linux-aarch64"}
HERE = BENCH / "peers"


class Peer(NamedTuple):
    """How to start a server on a port and an empty directory."""

    command: list[str | Path]
    env: dict[str, str]


def bun(port: int, place: Path) -> Peer:
    return Peer([_bun_binary(), HERE / "bun.js", str(port), place / "events.db"], {})


def fastapi(port: int, place: Path) -> Peer:
    command: list[str | Path] = [_fastapi_python(), "-m", "uvicorn", "--app-dir", HERE]
    command += ["fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    return Peer(command, {"BENCH_DATABASE": str(place / "events.db")})


def _bun_binary() -> Path:
    package = BUN_PACKAGES.get(platform.machine())
    if package is None:
        raise Skipped(f"no Bun package for {platform.machine()}")
    binary = WORK / "npm" / "node_modules" / package / "bin" / "bun"
    if not binary.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Skipped("no npm to install Bun with")
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
        package_spec = f"{package}@{BUN_VERSION}"
        _install([npm, "install", "--prefix", work("npm"), *options, package_spec])
    return binary


def _fastapi_python() -> Path:
    python = WORK / "venv" / "bin" / "python"
    requirements = HERE / "requirements.txt"
    installed = WORK / "venv" / "requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        _install([sys.executable, "-m", "venv", WORK / "venv"])
        _install([python, "-m", "pip", "install", "-q", "-r", requirements])
        shutil.copy(requirements, installed)
    return python


def _install(command: Sequence[str | Path]) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Skipped(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")
