"""Files that are either there as a whole or not at all."""

import os
import tempfile
from pathlib import Path

SECRET = 0o600
PUBLIC = 0o644


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Put `content` in place in one step. A secret is never, not even briefly, open to others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
