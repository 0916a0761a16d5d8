"""A NATS server for tests, from the wheel: started once, on a port that the system chose."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "nats-server"
READY = b"INFO "


class NatsServer:
    """Keeps its port over a restart, so that clients find it again."""

    def __init__(self, home: Path, *more: str, config: str = "") -> None:
        self._home = home
        self._more = list(more)
        if config:
            (home / "nats.conf").write_text(config)
            self._more += ["-c", str(home / "nats.conf")]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"nats://{self.address}"

    def start(self) -> None:
        """Returns when it greets."""
        ports = self._home / "ports"
        shutil.rmtree(ports, ignore_errors=True)
        ports.mkdir()
        self._process = subprocess.Popen(
            [PROGRAM, "-a", "127.0.0.1", "-p", str(self.port or -1), "--ports_file_dir", ports,
             *self._more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._home,
        )  # fmt: skip
        deadline = time.monotonic() + 15
        while not self._greets(ports):
            assert self._process.poll() is None, "the NATS server has ended"
            assert time.monotonic() < deadline, "the NATS server does not greet"
            time.sleep(0.01)

    def _greets(self, ports: Path) -> bool:
        for path in ports.glob("*.ports"):
            found = path.read_text().partition('"nats":')[2].partition("127.0.0.1:")[2]
            digits = found.partition('"')[0]
            self.port = int(digits) if digits.isdecimal() else self.port
        if not self.port:
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(len(READY)) == READY
        except OSError:
            return False

    def stop(self) -> None:
        """As if killed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def running(*more: str, config: str = "") -> Iterator[NatsServer]:
    """Skips the test where there is no wheel for the platform."""
    if not PROGRAM.exists():
        pytest.skip("there is no wheel of the NATS server for this platform")
    with tempfile.TemporaryDirectory(prefix="tertulia-nats-") as home:
        server = NatsServer(Path(home), *more, config=config)
        server.start()
        try:
            yield server
        finally:
            server.stop()
