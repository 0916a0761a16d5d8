"""The terminal of a chat: a prompt that stays below what comes, or plain lines where there is none.

Where input and output are a terminal, keys are read as they are typed. Elsewhere, as in a pipe,
lines are.
"""

import asyncio
import codecs
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Protocol, TextIO

from tertulia.client.editor import Key, LineEditor
from tertulia.client.plain import cut, width
from tertulia.client.transcript import Kind, Line

_READ = 4096
_LINES_WAITING = 64
_CLEAR = "\r\x1b[K"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"


class Terminal(Protocol):
    """Where a chat is shown and typed."""

    async def line(self) -> str | None:
        """The next line; None at the end of input."""

    def show(self, lines: list[Line]) -> None: ...

    def prompt(self, text: str) -> None:
        """What stands in front of the input from now on."""

    def open(self, typed: Callable[[str], None]) -> None:
        """`typed` is called at every key, with the line as it is then."""

    def close(self) -> None: ...


def terminal() -> Terminal:
    """That of this process."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return KeyTerminal(sys.stdin.fileno(), sys.stdout)
    return PlainTerminal(sys.stdin, sys.stdout)


class KeyTerminal:
    """A tty: the line is edited here, and drawn again below every line that comes."""

    def __init__(self, keys: int, out: TextIO) -> None:
        self._keys = keys
        self._out = out
        self._editor = LineEditor()
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._prompt = ""
        self._before: list[Any] | None = None
        self._typed: Callable[[str], None] = lambda _: None
        self._dim, self._plain = ("", "") if os.environ.get("NO_COLOR") else (_DIM, _PLAIN)

    def open(self, typed: Callable[[str], None]) -> None:
        self._typed = typed
        self._before = termios.tcgetattr(self._keys)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._keys, self._read)
        loop.add_signal_handler(signal.SIGWINCH, self._draw)
        loop.add_signal_handler(signal.SIGCONT, self._take)
        self._take()

    def close(self) -> None:
        if self._before is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._keys)
        loop.remove_signal_handler(signal.SIGWINCH)
        loop.remove_signal_handler(signal.SIGCONT)
        self._write(f"{_CLEAR}{_PASTE_OFF}")
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        self._before = None

    async def line(self) -> str | None:
        return await self._lines.get()

    def show(self, lines: list[Line]) -> None:
        shown = [self._styled(line) for line in lines if line.kind is not Kind.STATUS]
        if shown:
            self._write(_CLEAR + "".join(f"{line}\r\n" for line in shown))
            self._draw()

    def prompt(self, text: str) -> None:
        if text != self._prompt:
            self._prompt = text
            self._draw()

    def _take(self) -> None:
        """Take the keys as they come; also after the shell had the terminal meanwhile."""
        tty.setcbreak(self._keys)
        self._write(_PASTE_ON)
        self._draw()

    def _read(self) -> None:
        try:
            data = os.read(self._keys, _READ)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._keys)
            self._lines.put_nowait(None)
            return
        for done in self._editor.feed(self._decoder.decode(data)):
            if isinstance(done, str):
                self._lines.put_nowait(done)
            elif done is Key.END_OF_INPUT:
                self._lines.put_nowait(None)
            else:
                self._write("\x1b[2J\x1b[H")
        self._typed(self._editor.text)
        self._draw()

    def _draw(self) -> None:
        if self._before is None:
            return
        columns = max(20, shutil.get_terminal_size().columns)
        prompt = cut(self._prompt, columns // 2)
        text, at = self._editor.visible(columns - width(prompt))
        column = 1 + width(prompt) + at
        self._write(f"{_CLEAR}{prompt}{text}\x1b[{column}G")

    def _styled(self, line: Line) -> str:
        return line.text if line.kind is Kind.SPEECH else f"{self._dim}{line.text}{self._plain}"

    def _write(self, text: str) -> None:
        with suppress(OSError):  # of a terminal that is gone; its input says so too
            self._out.write(text)
            self._out.flush()


class PlainTerminal:
    """Lines in, lines out: for pipes, files, and terminals that can do nothing else."""

    def __init__(self, given: TextIO, out: TextIO) -> None:
        self._given = given
        self._out = out
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_LINES_WAITING)

    def open(self, typed: Callable[[str], None]) -> None:
        """Reads in a thread, since a file cannot be waited for; it ends with the process."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="input", daemon=True).start()

    def close(self) -> None:
        """Nothing was taken."""

    async def line(self) -> str | None:
        return await self._lines.get()

    def show(self, lines: list[Line]) -> None:
        for line in lines:
            print(line.text, file=self._out, flush=True)

    def prompt(self, text: str) -> None:
        """There is no place for one."""

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError, CancelledError):  # the chat is over: nobody wants the rest
            for line in self._given:
                self._hand_on(line.rstrip("\n"), loop)
            self._hand_on(None, loop)

    def _hand_on(self, line: str | None, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()
