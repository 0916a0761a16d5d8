"""A line of input, edited: what comes from the keyboard in, finished lines and keys out.

Pure. Understands the keys that every terminal sends; an unknown sequence is swallowed whole.
"""

import re
from collections.abc import Callable
from enum import Enum, auto

from tertulia.client.plain import JOINERS, plain, width

LINE_MAX = 8000
"""Characters of a line; what is typed beyond is dropped."""
HISTORY_MAX = 200

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[^\[O\x1b]|(?=\x1b))")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
_SEQUENCE_MAX = 32


class Key(Enum):
    """What is not text."""

    END_OF_INPUT = auto()
    """Ctrl-D on an empty line."""
    REDRAW = auto()
    """Ctrl-L."""


class LineEditor:
    """The line as it is now: `text` and the place of the `cursor` in it."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._history: list[str] = []
        self._recalled = 0
        self._draft = ""
        self._pending = ""
        """The beginning of an escape sequence whose rest has not come."""
        self._pasting = False

    def feed(self, typed: str) -> list[str | Key]:
        """Lines that were finished, and keys, in their order."""
        typed, self._pending = self._pending + typed, ""
        done: list[str | Key] = []
        at = 0
        while at < len(typed):
            if typed[at] != "\x1b":
                done += self._press(typed[at])
                at += 1
                continue
            if _UNFINISHED.match(typed, at) and len(typed) - at < _SEQUENCE_MAX:
                self._pending = typed[at:]
                break
            sequence = _SEQUENCE.match(typed, at)
            if sequence is None:
                break  # longer than any key's: dropped
            if key := _KEYS.get(sequence[0]):
                key(self)
            at = sequence.end()
        return done

    def visible(self, columns: int) -> tuple[str, int]:
        """The part around the cursor that fits, and the cursor's column in it."""
        start = self.cursor
        room = columns - 1
        while start > 0 and room >= (step := width(plain(self.text[start - 1]))):
            room -= step
            start -= 1
        before = plain(self.text[start : self.cursor])
        after = ""
        for character in self.text[self.cursor :]:
            shown = plain(character)
            if width(before + after + shown) > columns - 1:
                break
            after += shown
        return before + after, width(before)

    def _press(self, character: str) -> list[str | Key]:
        if character in "\r\n":
            return self._finish()
        if character == "\x04" and not self.text:
            return [Key.END_OF_INPUT]
        if character == "\x0c":
            return [Key.REDRAW]
        if character in _KEYS:
            _KEYS[character](self)
        elif character.isprintable() or character in JOINERS:
            self._insert(character)
        return []

    def _finish(self) -> list[str | Key]:
        if self._pasting:  # what was pasted is sent when it was looked at
            self._insert(" ")
            return []
        line = self.text
        if line and line not in self._history[-1:]:
            self._history = [*self._history, line][-HISTORY_MAX:]
        self._recalled, self._draft = len(self._history), ""
        self._show("")
        return [line]

    def _move(self, to: int) -> None:
        self.cursor = min(max(0, to), len(self.text))

    def _insert(self, text: str) -> None:
        if len(self.text) < LINE_MAX:
            self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
            self.cursor += len(text)

    def _delete(self, start: int, end: int) -> None:
        start = max(0, start)
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start

    def _paste(self, is_on: bool) -> None:
        self._pasting = is_on

    def _word_start(self) -> int:
        return len(re.sub(r"\S*\s*\Z", "", self.text[: self.cursor]))

    def _recall(self, step: int) -> None:
        place = self._recalled + step
        if not 0 <= place <= len(self._history):
            return
        if self._recalled == len(self._history):
            self._draft = self.text
        self._recalled = place
        self._show(self._draft if place == len(self._history) else self._history[place])

    def _show(self, text: str) -> None:
        self.text, self.cursor = text, len(text)


_ACTIONS: dict[tuple[str, ...], Callable[[LineEditor], None]] = {
    ("\x02", "\x1b[D", "\x1bOD"): lambda e: e._move(e.cursor - 1),
    ("\x06", "\x1b[C", "\x1bOC"): lambda e: e._move(e.cursor + 1),
    ("\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"): lambda e: e._move(0),
    ("\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"): lambda e: e._move(len(e.text)),
    ("\x7f", "\b"): lambda e: e._delete(e.cursor - 1, e.cursor),
    ("\x04", "\x1b[3~"): lambda e: e._delete(e.cursor, e.cursor + 1),
    ("\x0b",): lambda e: e._delete(e.cursor, len(e.text)),
    ("\x15",): lambda e: e._delete(0, e.cursor),
    ("\x17",): lambda e: e._delete(e._word_start(), e.cursor),
    ("\x10", "\x1b[A", "\x1bOA"): lambda e: e._recall(-1),
    ("\x0e", "\x1b[B", "\x1bOB"): lambda e: e._recall(1),
    ("\t",): lambda e: e._insert(" "),
    ("\x1b[200~",): lambda e: e._paste(True),
    ("\x1b[201~",): lambda e: e._paste(False),
}
_KEYS = {key: action for keys, action in _ACTIONS.items() for key in keys}
