"""What an operator can set: defaults < file < environment < command line.

config.default.toml at the root of the repository is the reference, made by `reference` from the
fields in groups.py. A setting is named by group and key: `http.port`, TERTULIA_HTTP__PORT. An
unknown name or a wrong value is an error that says where it came from.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.inspect import Metadata, StructType, type_info
from msgspec.structs import fields, replace

from tertulia.settings.groups import (
    GROUPS,
    Account,
    Bus,
    Cluster,
    Data,
    Dev,
    Http,
    Inspector,
    Limits,
    Log,
    Media,
    Messaging,
    Rtc,
    Sessions,
    Settings,
    Sip,
    Speech,
    Store,
    Webhooks,
    Wire,
)

__all__ = [
    "GROUPS", "Account", "Bus", "Cluster", "Data", "Dev", "Http", "Inspector", "Limits", "Log",
    "Media", "Messaging", "Rtc", "Sessions", "Settings", "SettingsError", "Sip", "Speech", "Store",
    "Webhooks", "Wire", "load", "reference",
]  # fmt: skip

PREFIX = "TERTULIA_"
LEVEL = "__"
"""Stands between group and key in the environment."""


class SettingsError(Exception):
    """A setting is unknown or has a wrong value. The message names it and its source."""


class _Given(NamedTuple):
    """A value as it came, and from where."""

    name: str
    """`group.key`."""
    value: Any
    source: str


def load(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Settings from all sources, the later ones stronger.

    `overrides` is by `group.key`; None stands for a flag that was not given.

    Raises:
        SettingsError: a name is unknown, a value wrong, or the file not there or not TOML.
    """
    given: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for each in (
        *(_from_file(file) if file is not None else ()),
        *_from_environment(environment or {}),
        *_from_command_line(overrides or {}),
    ):
        group, _, key = each.name.partition(".")
        given[group][key] = _converted(each)
    return replace(Settings(), **{group: _made(group, each) for group, each in given.items()})


def _from_file(file: Path) -> Iterator[_Given]:
    try:
        groups = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    for group, values in groups.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{file}: {group} is not a group of settings")
        if group not in GROUPS:
            raise SettingsError(f"{file}: there is no group of settings [{group}]")
        for key, value in values.items():
            yield _Given(f"{group}.{key}", value, str(file))


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    for variable, value in environment.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower().replace(LEVEL, ".", 1)
            yield _Given(name, value, variable)


def _from_command_line(overrides: Mapping[str, object]) -> Iterator[_Given]:
    for name, value in overrides.items():
        if value is not None:
            yield _Given(name, value, "command line")


def _converted(given: _Given) -> Any:
    group, _, key = given.name.partition(".")
    if group not in GROUPS or key not in GROUPS[group].__struct_fields__:
        raise SettingsError(f"{given.source}: there is no setting {given.name}")
    value = given.value
    type_ = next(field.type for field in fields(GROUPS[group]) if field.name == key)
    default = getattr(GROUPS[group](), key)
    if isinstance(default, tuple) and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    # Only the file has types of its own; elsewhere everything is text.
    strict = not isinstance(given.value, str)
    try:
        return msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        meant = next(text for name, text, _ in _described(GROUPS[group]) if name == key)
        raise SettingsError(f"{given.source}: {given.name}: {error}. {meant}") from None


def _made(group: str, values: dict[str, Any]) -> Struct:
    try:
        return GROUPS[group](**values)
    except ValueError as error:
        raise SettingsError(f"{group}: {error}") from None


def reference() -> str:
    """The text of config.default.toml: every key, its default, one sentence."""
    lines = [
        "# Every setting with its default. Made from src/tertulia/settings/, checked by a test.",
        "# Stronger than a file are the environment (TERTULIA_HTTP__PORT) and the command line.",
    ]
    for group, type_ in GROUPS.items():
        lines += ["", f"# {(type_.__doc__ or '').partition(chr(10))[0]}", f"[{group}]"]
        for key, description, default in _described(type_):
            lines += [f"# {description}", f"{key} = {_toml(default)}"]
    return "\n".join(lines) + "\n"


def _described(group: type[Struct]) -> Iterator[tuple[str, str, object]]:
    info = type_info(group)
    assert isinstance(info, StructType)
    for field in info.fields:
        schema = field.type.extra_json_schema if isinstance(field.type, Metadata) else None
        yield field.name, (schema or {})["description"], field.default


def _toml(value: object) -> str:
    # JSON's spelling of texts, numbers, booleans and arrays is also TOML's.
    return msgspec.json.encode(value).decode()
