"""Call files (TOML, docs/simulated-phones.md): read strictly, so that a slip is told at once."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import StructType, type_info

from tertulia.phones.callee import (
    START,
    AnyStep,
    Callee,
    Go,
    Line,
    PartName,
    Play,
    Reacting,
    Wait,
)

FILE_MAX = 65_536
"""Octets of a call file."""
PARTS_MAX = 50
STEPS_MAX = 500
"""Of all parts."""
NUMBER = re.compile(r"\d{1,20}", re.ASCII)
"""What a file's name is, without its ending."""


class CallFileError(Exception):
    """A call file is none. The message names the file and the place."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    about: Annotated[str, Meta(min_length=1, max_length=200)]
    parts: dict[PartName, list[dict[str, Any]]]
    line: Line = Line()


def _verbs() -> dict[str, type[AnyStep]]:
    """Steps by the field that makes them what they are: the first that must be there."""
    found = {}
    for kind in AnyStep.__args__:
        info = type_info(kind)
        assert isinstance(info, StructType)
        found[next(each.encode_name for each in info.fields if each.required)] = kind
    return found


VERBS = _verbs()


def parse(number: str, text: str, *, source: str) -> Callee:
    """Raises CallFileError, with `source` as the file's name."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CallFileError(f"{source}: {error}") from None
    if len(file.parts) > PARTS_MAX or sum(map(len, file.parts.values())) > STEPS_MAX:
        raise CallFileError(f"{source}: more than {PARTS_MAX} parts, or {STEPS_MAX} steps")
    parts = {
        name: tuple(
            _step(step, f"{source}, part {name}, step {at}") for at, step in enumerate(steps, 1)
        )
        for name, steps in file.parts.items()
    }
    _check_ways(parts, source)
    return Callee(number, file.about, parts, file.line)


def read(path: Path) -> Callee:
    """Raises CallFileError."""
    if not NUMBER.fullmatch(path.stem):
        raise CallFileError(f"{path}: the name of the file is no number")
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX + 1)
        if len(data) > FILE_MAX:
            raise CallFileError(f"{path}: more than {FILE_MAX} octets")
        return parse(path.stem, data.decode(), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise CallFileError(f"{path}: {error}") from None


def built_in() -> dict[str, Callee]:
    """The callees that are there without any file of one's own, by number."""
    folder = resources.files("tertulia.phones") / "callees"
    found = {}
    for entry in folder.iterdir():
        number, _, ending = entry.name.partition(".")
        if ending == "toml":
            found[number] = parse(number, entry.read_text(encoding="utf-8"), source=entry.name)
    return dict(sorted(found.items()))


def _step(given: Mapping[str, Any], place: str) -> AnyStep:
    named = [name for name in given if name in VERBS]
    if len(named) != 1:
        what = " and ".join(named) if named else ", ".join(given) or "nothing"
        raise CallFileError(f"{place}: one thing to do, not {what}. There are {', '.join(VERBS)}")
    try:
        step: AnyStep = msgspec.convert(given, VERBS[named[0]])
    except msgspec.ValidationError as error:
        raise CallFileError(f"{place}: {error}") from None
    if isinstance(step, Play):
        _check_path(step.file, place)
    return step


def _check_path(file: str, place: str) -> None:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file:
        raise CallFileError(f"{place}: {file} does not lie beside the call file")


def _check_ways(parts: Mapping[str, tuple[AnyStep, ...]], source: str) -> None:
    if START not in parts:
        raise CallFileError(f"{source}: there is no part {START}")
    for name, steps in parts.items():
        for at, step in enumerate(steps, 1):
            for other in _ways(step):
                if other not in parts:
                    place = f"{source}, part {name}, step {at}"
                    raise CallFileError(f"{place}: there is no part {other}")


def _ways(step: AnyStep) -> Iterator[str]:
    if isinstance(step, Go):
        yield step.part
    if isinstance(step, Reacting):
        yield from step.on.values()
    if isinstance(step, Wait) and step.otherwise is not None:
        yield step.otherwise
