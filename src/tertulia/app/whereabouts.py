"""Where SIP is served just now, in files of the data folder: ports may be any that were free."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from tertulia.devkit import files

HUB = "sip.json"
"""Of the hub's user agent."""
PHONES = "phones.json"
"""Of the simulated phones."""
HOST = "127.0.0.1"


class Whereabouts(Struct, frozen=True):
    sip: int
    """Port for SIP over UDP and TCP, on loopback."""
    pid: int
    numbers: dict[str, str] = {}
    """Of simulated phones: who answers there."""
    smpp: int = 0
    """Port of the simulated SMSC; 0 where there is none."""
    http: int = 0
    """Port for HTTP: of the hub, or of the simulated carriers and handsets; 0: not yet, or none."""


def note(path: Path, where: Whereabouts) -> None:
    """In one step. Raises SettingsError when the folder cannot be written."""
    files.write(path, msgspec.json.encode(where), mode=files.PUBLIC)


def find(path: Path) -> tuple[str, int] | None:
    """None when nothing is served: nothing has been yet, or who did has ended."""
    where = _read(path)
    return (HOST, where.sip) if where is not None else None


def numbers(path: Path) -> dict[str, str]:
    """Who can be called there just now, by number."""
    where = _read(path)
    return where.numbers if where is not None else {}


def smpp(path: Path) -> tuple[str, int] | None:
    """Where the simulated SMSC is just now."""
    where = _read(path)
    return (HOST, where.smpp) if where is not None and where.smpp else None


def http_port(path: Path) -> int | None:
    """That HTTP is served at, on loopback, just now."""
    where = _read(path)
    return where.http or None if where is not None else None


def _read(path: Path) -> Whereabouts | None:
    try:
        where = msgspec.json.decode(path.read_bytes(), type=Whereabouts)
        os.kill(where.pid, 0)
    except PermissionError:  # it is there, and somebody else's
        return where
    except (OSError, OverflowError, msgspec.DecodeError):
        return None
    return where
