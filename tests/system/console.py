"""A person at a terminal: `tertulia chat` behind a pty, typed at and looked at."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time

import pytest
from tests.system.tree import plain_environment

PATIENCE = 15.0
"""Seconds until something is seen."""
ENDS_WITHIN = 10.0
ROWS, COLUMNS = 30, 120
_STYLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_TAKING_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "tertulia", *sys.argv[1:]])
"""
"""So that keys like Ctrl-C mean this program: it leads a session that has the pty."""


class Console:
    """Runs from the start; to be ended by `end`."""

    def __init__(self, *arguments: str) -> None:
        self._own, theirs = os.openpty()
        self._theirs = theirs
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.quiet = termios.tcgetattr(theirs)
        self._raw = b""
        self._seen = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKING_THE_TERMINAL, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=plain_environment() | {"TERM": "xterm", "PYTHONUTF8": "1"},
        )  # fmt: skip

    @property
    def shown(self) -> str:
        """All that was ever shown, without style."""
        return _STYLE.sub("", self._raw.decode(errors="replace"))

    @property
    def raw(self) -> bytes:
        return self._raw

    def type(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def see(self, *texts: str) -> None:
        """Wait until each is shown, in their order, behind what was seen before."""
        for text in texts:
            self._see(text)

    def _see(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (at := self.shown.find(text, self._seen)) < 0:
            if time.monotonic() > deadline or (not self._read(0.2) and not self._is_running()):
                pytest.fail(f"{text!r} is not seen:\n{self.shown[-3000:]}")
        self._seen = at + len(text)

    def ends(self) -> int:
        """Its exit code; the rest of what it shows is read."""
        deadline = time.monotonic() + ENDS_WITHIN
        while self._is_running():
            self._read(0.05)
            if time.monotonic() > deadline:
                pytest.fail(f"it runs on:\n{self.shown[-3000:]}")
        while self._read(0.05):
            pass
        return self.process.wait()

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal is again as it was."""
        return termios.tcgetattr(self._theirs) == self.quiet

    def end(self) -> None:
        if self._is_running():
            self.process.kill()
        self.process.wait()
        for side in (self._own, self._theirs):
            os.close(side)

    def _is_running(self) -> bool:
        return self.process.poll() is None

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._own], [], [], seconds)
        if ready:
            self._raw += os.read(self._own, 65536)
        return bool(ready)
