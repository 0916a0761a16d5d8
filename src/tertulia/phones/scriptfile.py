"""Files of scripts (TOML), one a number: what call files and handset files have in common."""

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.inspect import StructType, type_info

FILE_MAX = 65_536
"""Octets of a file."""

F = TypeVar("F")
S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ScriptFileError(Exception):
    """A file is none. The message names the file and the place."""


class Parse(Protocol[T_co]):
    def __call__(self, number: str, text: str, /, *, source: str) -> T_co:
        """Raises ScriptFileError, with `source` as the file's name."""


def verbs_of(kinds: tuple[type[S], ...]) -> dict[str, type[S]]:
    """Steps by the field that makes them what they are: the first that must be there."""
    found = {}
    for kind in kinds:
        info = type_info(kind)
        assert isinstance(info, StructType)
        found[next(each.encode_name for each in info.fields if each.required)] = kind
    return found


def parsed(text: str, form: type[F], source: str) -> F:
    """Raises ScriptFileError."""
    try:
        return msgspec.convert(tomllib.loads(text), form)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ScriptFileError(f"{source}: {error}") from None


def step_of(given: Mapping[str, Any], verbs: Mapping[str, type[S]], place: str) -> S:
    """Raises ScriptFileError."""
    named = [name for name in given if name in verbs]
    if len(named) != 1:
        what = " and ".join(named) if named else ", ".join(given) or "nothing"
        raise ScriptFileError(f"{place}: one thing to do, not {what}. There are {', '.join(verbs)}")
    try:
        return msgspec.convert(given, verbs[named[0]])
    except msgspec.ValidationError as error:
        raise ScriptFileError(f"{place}: {error}") from None


def read_file(path: Path, number: re.Pattern[str], parse: Parse[T]) -> T:
    """Raises ScriptFileError."""
    if not number.fullmatch(path.stem):
        raise ScriptFileError(f"{path}: the name of the file is no number")
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX + 1)
        if len(data) > FILE_MAX:
            raise ScriptFileError(f"{path}: more than {FILE_MAX} octets")
        return parse(path.stem, data.decode(), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptFileError(f"{path}: {error}") from None


def read_built_in(folder: str, parse: Parse[T]) -> dict[str, T]:
    """Those that come with the program, by number."""
    found = {}
    for entry in (resources.files("tertulia.phones") / folder).iterdir():
        number, _, ending = entry.name.partition(".")
        if ending == "toml":
            found[number] = parse(number, entry.read_text(encoding="utf-8"), source=entry.name)
    return dict(sorted(found.items()))
