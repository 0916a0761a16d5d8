"""Files that are either there as a whole or not at all."""

import os
import tempfile
from pathlib import Path

from tertulia.settings import SettingsError

SECRET = 0o600
PUBLIC = 0o644


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Put `content` in place in one step; nobody else can read a secret, not even briefly.

    Raises:
        SettingsError: the data folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            _fill(descriptor, content, mode)
            os.replace(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def _fill(descriptor: int, content: bytes, mode: int) -> None:
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
