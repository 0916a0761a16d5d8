"""Handset files (TOML, docs/simulated-handsets.md): read strictly, so that a slip is told at once.

`15550112.toml` is the handset of all addresses that end so, `other.toml` that of all others.
"""

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import StructType, type_info

from tertulia.model.sending import MessageChannel
from tertulia.phones.handset import (
    AnyStep,
    Deliver,
    Fail,
    Handset,
    Read,
    Refuse,
    Reply,
    Rule,
    Send,
    Throttle,
    Word,
)

FILE_MAX = 65_536
"""Octets of a file."""
RULES_MAX = 100
STEPS_MAX = 500
"""Of all rules."""
OTHER = "other"
"""Who has every address that nobody else has."""
NUMBER = re.compile(rf"\d{{1,20}}|{OTHER}", re.ASCII)
"""What a file's name is, without its ending."""


class HandsetFileError(Exception):
    """A handset file is none. The message names the file and the place."""


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    do: list[dict[str, Any]]
    says: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    channels: tuple[MessageChannel, ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    about: Annotated[str, Meta(min_length=1, max_length=200)]
    message: Annotated[list[_Rule], Meta(min_length=1, max_length=RULES_MAX)]


def _verbs() -> dict[str, type[AnyStep]]:
    """Steps by the field that makes them what they are: the first that must be there."""
    found = {}
    for kind in AnyStep.__args__:
        info = type_info(kind)
        assert isinstance(info, StructType)
        found[next(each.encode_name for each in info.fields if each.required)] = kind
    return found


VERBS = _verbs()


def parse(number: str, text: str, *, source: str) -> Handset:
    """Raises HandsetFileError, with `source` as the file's name."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise HandsetFileError(f"{source}: {error}") from None
    if sum(len(rule.do) for rule in file.message) > STEPS_MAX:
        raise HandsetFileError(f"{source}: more than {STEPS_MAX} steps")
    rules = tuple(
        _rule(rule, f"{source}, message {place}") for place, rule in enumerate(file.message, 1)
    )
    return Handset(number, file.about, rules)


def read(path: Path) -> Handset:
    """Raises HandsetFileError."""
    if not NUMBER.fullmatch(path.stem):
        raise HandsetFileError(f"{path}: the name of the file is no number")
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX + 1)
        if len(data) > FILE_MAX:
            raise HandsetFileError(f"{path}: more than {FILE_MAX} octets")
        return parse(path.stem, data.decode(), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise HandsetFileError(f"{path}: {error}") from None


def built_in() -> dict[str, Handset]:
    """The handsets that are there without any file of one's own, by number."""
    folder = resources.files("tertulia.phones") / "handsets"
    found = {}
    for entry in folder.iterdir():
        number, _, ending = entry.name.partition(".")
        if ending == "toml":
            found[number] = parse(number, entry.read_text(encoding="utf-8"), source=entry.name)
    return dict(sorted(found.items()))


def _rule(given: _Rule, place: str) -> Rule:
    do = tuple(_step(step, f"{place}, step {at}") for at, step in enumerate(given.do, 1))
    _check_order(do, place)
    return Rule(do, given.says, given.channels)


def _step(given: Mapping[str, Any], place: str) -> AnyStep:
    named = [name for name in given if name in VERBS]
    if len(named) != 1:
        what = " and ".join(named) if named else ", ".join(given) or "nothing"
        raise HandsetFileError(
            f"{place}: one thing to do, not {what}. There are {', '.join(VERBS)}"
        )
    try:
        step: AnyStep = msgspec.convert(given, VERBS[named[0]])
    except msgspec.ValidationError as error:
        raise HandsetFileError(f"{place}: {error}") from None
    return step


def _check_order(do: tuple[AnyStep, ...], place: str) -> None:
    """A carrier speaks before anything happens, a message ends once, and who answers has it."""
    has_ended = is_there = False
    for at, step in enumerate(do, 1):
        wrong = ""
        match step:
            case Throttle() if at > 1:
                wrong = "throttle comes first"
            case Refuse() if at > 1 and not (at == 2 and isinstance(do[0], Throttle)):
                wrong = "refuse comes first"
            case Refuse() if at < len(do):
                wrong = "nothing happens to what is refused"
            case Deliver() | Fail() if has_ended:
                wrong = "a message is delivered or fails, once"
            case Read() | Reply() | Send() if not is_there:
                wrong = "nobody has the message before it is delivered"
        if wrong:
            raise HandsetFileError(f"{place}, step {at}: {wrong}")
        has_ended = has_ended or isinstance(step, Deliver | Fail)
        is_there = is_there or isinstance(step, Deliver)
