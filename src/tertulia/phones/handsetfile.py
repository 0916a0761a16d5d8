"""Handset files (TOML, docs/simulated-handsets.md): read strictly, so that a slip is told at once.

`15550112.toml` is the handset of all addresses that end so, `other.toml` that of all others.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

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
from tertulia.phones.scriptfile import (
    ScriptFileError,
    parsed,
    read_built_in,
    read_file,
    step_of,
    verbs_of,
)

RULES_MAX = 100
STEPS_MAX = 500
"""Of all rules."""
OTHER = "other"
"""Who has every address that nobody else has."""
NUMBER = re.compile(rf"\d{{1,20}}|{OTHER}", re.ASCII)
"""What a file's name is, without its ending."""


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    do: list[dict[str, Any]]
    says: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    channels: tuple[MessageChannel, ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    about: Annotated[str, Meta(min_length=1, max_length=200)]
    message: Annotated[list[_Rule], Meta(min_length=1, max_length=RULES_MAX)]


VERBS: dict[str, type[AnyStep]] = verbs_of(AnyStep.__args__)


def parse(number: str, text: str, *, source: str) -> Handset:
    """Raises ScriptFileError, with `source` as the file's name."""
    file = parsed(text, _File, source)
    if sum(len(rule.do) for rule in file.message) > STEPS_MAX:
        raise ScriptFileError(f"{source}: more than {STEPS_MAX} steps")
    rules = tuple(
        _rule(rule, f"{source}, message {place}") for place, rule in enumerate(file.message, 1)
    )
    return Handset(number, file.about, rules)


def read(path: Path) -> Handset:
    """Raises ScriptFileError."""
    return read_file(path, NUMBER, parse)


def built_in() -> dict[str, Handset]:
    """The handsets that are there without any file of one's own, by number."""
    return read_built_in("handsets", parse)


def _rule(given: _Rule, place: str) -> Rule:
    do = tuple(step_of(step, VERBS, f"{place}, step {at}") for at, step in enumerate(given.do, 1))
    _check_order(do, place)
    return Rule(do, given.says, given.channels)


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
            raise ScriptFileError(f"{place}, step {at}: {wrong}")
        has_ended = has_ended or isinstance(step, Deliver | Fail)
        is_there = is_there or isinstance(step, Deliver)
