"""Which handset has an address: those that are built in, and those of a folder.

A file is read again when it has changed: who edits one sees it at the next message.
"""

import logging
import re
from pathlib import Path

from tertulia.phones.handset import Handset
from tertulia.phones.handsetfile import NUMBER, OTHER, built_in, read
from tertulia.phones.scriptfile import ScriptFileError

FILES_MAX = 1000
LOOK_S = 1.0
"""Between two looks into the folder."""
_DIGITS = re.compile(r"\d{1,20}\Z", re.ASCII)

_log = logging.getLogger(__name__)


class Handsetbook:
    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._built_in = built_in()
        self._read: dict[Path, tuple[int, Handset | None]] = {}
        self._by_number = dict(self._built_in)
        self._looked_at = float("-inf")

    def find(self, address: str, now: float) -> Handset:
        """Of a number, an id or an e-mail address: the longest end of it that a handset has."""
        if self._folder is not None and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._look()
        match = _DIGITS.search(address.partition("@")[0])
        digits = match[0] if match else ""
        for at in range(len(digits)):
            if (handset := self._by_number.get(digits[at:])) is not None:
                return handset
        return self._by_number[OTHER]

    @property
    def everybody(self) -> dict[str, Handset]:
        """By number, those with numbers; as of the last look."""
        known = sorted(self._by_number.items())
        return {number: handset for number, handset in known if number != OTHER}

    def _look(self) -> None:
        """Files with errors are told in the log once, and left out."""
        assert self._folder is not None
        known, self._read = self._read, {}
        for path in sorted(self._folder.glob("*.toml"))[:FILES_MAX]:
            if not NUMBER.fullmatch(path.stem):
                continue
            try:
                changed = path.stat().st_mtime_ns
            except OSError:
                continue
            before = known.get(path)
            unchanged = before is not None and before[0] == changed
            self._read[path] = before if before and unchanged else (changed, _readable(path))
        own = {handset.number: handset for _, handset in self._read.values() if handset}
        self._by_number = self._built_in | own


def _readable(path: Path) -> Handset | None:
    try:
        return read(path)
    except ScriptFileError as error:
        _log.error("%s", error, extra={"action": "handset_file_refused"})
        return None
