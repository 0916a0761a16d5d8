"""A server as an operator has it: the process tree of `tertulia dev`, to be started and killed."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from tertulia.devkit import DevDocument

READY_WITHIN = 30.0
"""Seconds; generous, since the machine may be busy with other tests."""
STOPPED_WITHIN = 5.0
"""Seconds: the promise of development mode."""
_TICK = 0.01


def until(what: str, holds: Callable[[], bool], *, within: float = READY_WITHIN) -> None:
    """Look until it holds, or fail the test."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within:g} s")
        time.sleep(_TICK)


def plain_environment() -> dict[str, str]:
    """Ours without settings: TERTULIA_FULL is for the tests and no setting."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TERTULIA_")}


class Tree:
    """`tertulia dev` in a folder, on ports that the system chooses. Nothing is to be kept secret by
    the umask alone."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        data: str = "data",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = folder / data
        self.log = folder / "server.log"
        self._flags = flags
        self._environment = plain_environment() | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._parts: set[psutil.Process] = set()
        """Those that a test has looked at: it may have killed their supervisor."""

    @property
    def supervisor(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "not started"
        return self._process

    def spawn(self) -> None:
        """Start it, and do not wait for anything."""
        ports = ("--http-port", "0", "--https-port", "0", "--sip-port", "0", "--rtc-port", "0")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tertulia", "dev", "--data", str(self.data),
                 *ports, *self._flags],
                env=self._environment, cwd=self.log.parent, stdout=log, stderr=log, umask=0,
            )  # fmt: skip

    def start(self) -> DevDocument:
        """Start it and wait until it is ready."""
        self.spawn()
        return self.ready()

    def ready(self) -> DevDocument:
        until("ready", self._is_ready)
        return self.document()

    def document(self) -> DevDocument:
        return msgspec.json.decode((self.data / "dev.json").read_bytes(), type=DevDocument)

    def part(self, name: str) -> psutil.Process:
        """The running `hub` or `dispatcher`."""
        for process in psutil.Process(self.supervisor.pid).children():
            if name in process.cmdline():
                self._parts.add(process)
                return process
        raise LookupError(f"there is no {name} now")

    def has(self, name: str) -> bool:
        try:
            return not is_over(self.part(name))
        except (LookupError, psutil.NoSuchProcess):
            return False

    def kill_part(self, name: str) -> psutil.Process:
        """SIGKILL a part and see it dead: until then it would be taken for its successor."""
        victim = self.part(name)
        victim.kill()
        until("dead", lambda: is_over(victim))
        return victim

    def kill(self, order: random.Random | None = None) -> None:
        """SIGKILL everything. The supervisor is stopped first, so that it starts nothing more."""
        supervisor = psutil.Process(self.supervisor.pid)
        supervisor.suspend()
        victims = [supervisor, *supervisor.children(recursive=True)]
        if order is not None:
            order.shuffle(victims)
        for victim in victims:
            victim.kill()
        self.supervisor.wait()
        until("dead", lambda: all(is_over(victim) for victim in victims))

    def terminate(self) -> int:
        """SIGTERM, as an operator stops it; the exit code."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
        try:
            return self.supervisor.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"it ran on for {STOPPED_WITHIN:g} s after SIGTERM:\n{self.told()}")

    def end(self) -> None:
        """Leave nothing running, whatever has happened."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for part in self._parts:
            with suppress(psutil.NoSuchProcess):
                part.kill()

    def told(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]

    def _is_ready(self) -> bool:
        if self.supervisor.poll() is not None:
            pytest.fail(f"it ended with {self.supervisor.returncode}:\n{self.told()}")
        try:
            document = self.document()
        except FileNotFoundError:
            return False
        return document.pid == self.supervisor.pid and is_ready(document.api_url)


def is_over(process: psutil.Process) -> bool:
    """Gone, or waiting for a parent that is in no hurry: it holds nothing any more."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False
