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
# The newest better-sqlite3 that Node 20 can load; npm compiles it.
SOCKETIO_PACKAGES = ("socket.io@4.8.4", "better-sqlite3@12.9.0")
HERE = BENCH / "peers"


class Peer(NamedTuple):
    """How to start a server on a port and an empty directory."""

    command: list[str | Path]
    env: dict[str, str]


def bun(port: int, place: Path) -> Peer:
    return Peer([_bun_binary(), HERE / "bun.js", str(port), place / "events.db"], {})


def fastapi(port: int, place: Path) -> Peer:
    command: list[str | Path] = [_python(), "-m", "uvicorn", "--app-dir", HERE]
    command += ["fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    return Peer(command, {"BENCH_DATABASE": str(place / "events.db")})


def room_bun(port: int, place: Path) -> Peer:
    return Peer([_bun_binary(), HERE / "room_bun.js", str(port), place / "events.db"], {})


def room_socketio(port: int, place: Path) -> Peer:
    node = shutil.which("node")
    if node is None:
        raise Skipped("no Node.js to run socket.io with")
    packages = _npm("npm-socketio", *SOCKETIO_PACKAGES)
    command: list[str | Path] = [node, HERE / "room_socketio.js", str(port), place / "events.db"]
    return Peer(command, {"NODE_PATH": str(packages), "NODE_ENV": "production"})


def room_python_socketio(port: int, place: Path) -> Peer:
    return Peer([_python(), HERE / "room_socketio.py", str(port), place / "events.db"], {})


def sms_node(port: int, messages: int) -> Peer:
    node = shutil.which("node")
    if node is None:
        raise Skipped("no Node.js to run smpp with")
    command: list[str | Path] = [node, HERE / "sms_node.js", str(port), str(messages)]
    return Peer(command, {"NODE_PATH": str(_npm("npm-smpp", "smpp@0.5.1"))})


def _bun_binary() -> Path:
    package = BUN_PACKAGES.get(platform.machine())
    if package is None:
        raise Skipped(f"no Bun package for {platform.machine()}")
    return _npm("npm", f"{package}@{BUN_VERSION}", "--ignore-scripts") / package / "bin" / "bun"


def _npm(folder: str, *packages_and_options: str) -> Path:
    """The `node_modules` with these packages."""
    place = work(folder)
    wanted, installed = " ".join(packages_and_options), place / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        npm = shutil.which("npm")
        if npm is None:
            raise Skipped(f"no npm to install {wanted} with")
        options = ("--no-audit", "--no-fund", "--no-save")
        _install([npm, "install", "--prefix", place, *options, *packages_and_options])
        installed.write_text(wanted)
    return place / "node_modules"


def _python() -> Path:
    return python_with(HERE / "requirements.txt", "venv")


def python_with(requirements: Path, folder: str) -> Path:
    """Of a virtual environment in bench/.work with these packages."""
    python = WORK / folder / "bin" / "python"
    installed = WORK / folder / "requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        _install([sys.executable, "-m", "venv", WORK / folder])
        _install([python, "-m", "pip", "install", "-q", "-r", requirements])
        shutil.copy(requirements, installed)
    return python


def _install(command: Sequence[str | Path]) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Skipped(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")
