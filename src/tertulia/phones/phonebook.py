"""Who answers at which number: the callees that are built in, and those of a folder.

A call file is read again when it has changed: who edits one hears it at the next call.
"""

import logging
from pathlib import Path

from tertulia.phones.callee import Callee
from tertulia.phones.callfile import NUMBER, built_in, read
from tertulia.phones.scriptfile import ScriptFileError

FILES_MAX = 1000

_log = logging.getLogger(__name__)


class Phonebook:
    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._built_in = built_in()
        self._read: dict[str, tuple[float, Callee]] = {}

    def find(self, number: str) -> Callee | None:
        """None when nobody has that number. Raises ScriptFileError."""
        number = number.removeprefix("+")
        if not NUMBER.fullmatch(number):
            return None
        return self._own(number) or self._built_in.get(number)

    def everybody(self) -> dict[str, Callee]:
        """By number; files with errors are told in the log and left out."""
        found = dict(self._built_in)
        for path in self._files():
            try:
                found[path.stem] = read(path)
            except ScriptFileError as error:
                _log.error("%s", error, extra={"action": "call_file_refused"})
        return dict(sorted(found.items()))

    def _files(self) -> list[Path]:
        if self._folder is None:
            return []
        return sorted(self._folder.glob("*.toml"))[:FILES_MAX]

    def _own(self, number: str) -> Callee | None:
        if self._folder is None:
            return None
        path = self._folder / f"{number}.toml"
        try:
            changed = path.stat().st_mtime
        except OSError:
            return None
        known = self._read.get(number)
        if known is None or known[0] != changed:
            known = self._read[number] = changed, read(path)
        return known[1]
