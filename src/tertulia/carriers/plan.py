"""The plan of messaging: accounts with carriers, and whose numbers and ids are whose.

A TOML file, read strictly at the start. What stands first in it is tried first.
"""

import re
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.carriers.accounts import AnyAccount, GatewayAccount, Text, plain
from tertulia.carriers.simulated import SIMULATED, simulated_accounts
from tertulia.carriers.templates import TemplateError, check
from tertulia.model.ids import ApplicationId
from tertulia.model.sending import MessageChannel
from tertulia.settings import SettingsError

__all__ = ["SIMULATED", "NumberPlan", "Plan", "for_development", "read_plan", "with_simulated"]

_PREFIX = "simulated-"


class NumberPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number, or what else is written to, and the application that it belongs to."""

    application: Text
    number: Text = ""
    id: Text = ""
    """Of a page, a bot or an agent."""
    channels: tuple[MessageChannel, ...] = ()
    """Empty: all."""
    label: Text = ""

    def __post_init__(self) -> None:
        if bool(self.number) == bool(self.id):
            raise ValueError("either number or id is needed")
        if self.number and not plain(self.number).isdecimal():
            raise ValueError(f"{self.number} is no number")

    @property
    def address(self) -> str:
        return plain(self.number) if self.number else self.id

    def is_at(self, channel: str, address: str) -> bool:
        return self.address == plain(address) and (not self.channels or channel in self.channels)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    carrier: tuple[AnyAccount, ...] = ()
    number: tuple[NumberPlan, ...] = ()


class Plan(Struct, frozen=True):
    carriers: tuple[AnyAccount, ...] = ()
    numbers: tuple[NumberPlan, ...] = ()
    home: ApplicationId | None = None
    """Whose everything else is (development)."""

    def carriers_of(self, channel: str, from_: str) -> tuple[str, ...]:
        """Names of those that a message can go by, the one to be tried first first."""
        return tuple(
            each.name
            for each in self.carriers
            if channel in each.channels and each.sends_for(from_)
        )

    def application_of(self, channel: str, to: str, carrier: str = "") -> ApplicationId | None:
        """Whose a message is that `carrier` brings; None: nobody's."""
        for number in self.numbers:
            if number.is_at(channel, to):
                return ApplicationId(number.application)
        for account in self.carriers:
            if account.name == carrier and account.application:
                return ApplicationId(account.application)
        return self.home

    def numbers_of(self, application_id: ApplicationId) -> list[NumberPlan]:
        return [each for each in self.numbers if each.application == application_id]


def read_plan(path: Path) -> Plan:
    """Raises SettingsError, which names what is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        file = msgspec.convert(content, _File)
        _check(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, _Wrong) as error:
        raise SettingsError(f"{path}: {error}") from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_named(str(error), content)}") from None
    return Plan(file.carrier, file.number)


def with_simulated(plan: Plan) -> Plan:
    """The plan with a simulated carrier for each channel that none of its own serves."""
    served = {channel for each in plan.carriers for channel in each.channels}
    added = (each for each in simulated_accounts() if not served.issuperset(each.channels))
    return replace(plan, carriers=(*plan.carriers, *added))


def for_development(plan: Plan, application_id: ApplicationId) -> Plan:
    """The plan with what development adds: simulated carriers, and an application for all."""
    return replace(with_simulated(plan), home=application_id)


class _Wrong(ValueError):
    """The file is well-formed and makes no sense."""


def _check(file: _File) -> None:
    names: set[str] = set()
    for account in file.carrier:
        if account.name.startswith(_PREFIX) or account.name in names:
            raise _Wrong(f"there is a carrier {account.name} already")
        names.add(account.name)
        if isinstance(account, GatewayAccount):
            _check_templates(account)
    addresses: set[tuple[str, str]] = set()
    for number in file.number:
        for channel in number.channels or tuple(MessageChannel):
            if (channel, number.address) in addresses:
                raise _Wrong(f"{number.address} stands there twice for {channel}")
            addresses.add((channel, number.address))


def _check_templates(account: GatewayAccount) -> None:
    for name in ("send", "revoke", "read"):
        asking = getattr(account, name)
        try:
            if asking is not None:
                check(asking)
            if account.ref_pattern and not re.compile(account.ref_pattern).groups:
                raise _Wrong(f"carrier {account.name}: ref_pattern has no group")
        except (TemplateError, re.error) as error:
            raise _Wrong(f"carrier {account.name}: {name}: {error}") from None


def _named(message: str, content: dict[str, object]) -> str:
    """The decoder's complaint, with the carrier's name for its place in the list."""

    def name(found: re.Match[str]) -> str:
        listed = content.get(found["kind"])
        entry = listed[int(found["index"])] if isinstance(listed, list) else None
        return f"{found['kind']} {entry.get('name', '')}" if isinstance(entry, dict) else found[0]

    return re.sub(r"\$\.(?P<kind>carrier)\[(?P<index>\d+)\]", name, message)
