"""Call files (TOML, docs/simulated-phones.md): read strictly, so that a slip is told at once."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from msgspec import Meta, Struct

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
from tertulia.phones.scriptfile import (
    ScriptFileError,
    parsed,
    read_built_in,
    read_file,
    step_of,
    verbs_of,
)

PARTS_MAX = 50
STEPS_MAX = 500
"""Of all parts."""
NUMBER = re.compile(r"\d{1,20}", re.ASCII)
"""What a file's name is, without its ending."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    about: Annotated[str, Meta(min_length=1, max_length=200)]
    parts: dict[PartName, list[dict[str, Any]]]
    line: Line = Line()


VERBS: dict[str, type[AnyStep]] = verbs_of(AnyStep.__args__)


def parse(number: str, text: str, *, source: str) -> Callee:
    """Raises ScriptFileError, with `source` as the file's name."""
    file = parsed(text, _File, source)
    if len(file.parts) > PARTS_MAX or sum(map(len, file.parts.values())) > STEPS_MAX:
        raise ScriptFileError(f"{source}: more than {PARTS_MAX} parts, or {STEPS_MAX} steps")
    parts = {
        name: tuple(
            _step(step, f"{source}, part {name}, step {at}") for at, step in enumerate(steps, 1)
        )
        for name, steps in file.parts.items()
    }
    _check_ways(parts, source)
    return Callee(number, file.about, parts, file.line)


def read(path: Path) -> Callee:
    """Raises ScriptFileError."""
    return read_file(path, NUMBER, parse)


def built_in() -> dict[str, Callee]:
    """The callees that are there without any file of one's own, by number."""
    return read_built_in("callees", parse)


def _step(given: Mapping[str, Any], place: str) -> AnyStep:
    step = step_of(given, VERBS, place)
    if isinstance(step, Play):
        _check_path(step.file, place)
    return step


def _check_path(file: str, place: str) -> None:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file:
        raise ScriptFileError(f"{place}: {file} does not lie beside the call file")


def _check_ways(parts: Mapping[str, tuple[AnyStep, ...]], source: str) -> None:
    if START not in parts:
        raise ScriptFileError(f"{source}: there is no part {START}")
    for name, steps in parts.items():
        for at, step in enumerate(steps, 1):
            for other in _ways(step):
                if other not in parts:
                    place = f"{source}, part {name}, step {at}"
                    raise ScriptFileError(f"{place}: there is no part {other}")


def _ways(step: AnyStep) -> Iterator[str]:
    if isinstance(step, Go):
        yield step.part
    if isinstance(step, Reacting):
        yield from step.on.values()
    if isinstance(step, Wait) and step.otherwise is not None:
        yield step.otherwise
