"""The number plan: trunks, whose numbers and domains are whose, and how much may be called.

A TOML file, read strictly at the start; docs/sip.md shows one. Numbers are digits, with or without
a plus.
"""

import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from tertulia.model.ids import ApplicationId
from tertulia.model.rating import RATE, Rate
from tertulia.settings import SettingsError

SIMULATED = "simulated"
"""The trunk of development mode, to the simulated phones."""

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
Digits = Annotated[str, Meta(pattern=r"^\+?\d{0,20}$")]
Text = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Host = Annotated[str, Meta(pattern=r"^(|[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})$")]
Cap = Annotated[int, Meta(ge=0, le=1_000_000)]
PerSecond = Annotated[float, Meta(ge=0, le=100_000)]

_SEPARATORS = re.compile(r"[+().\s-]")
_NUMBER = re.compile(r"\d{1,20}")
_PATH = re.compile(r" - at `\$(?P<path>.*?)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")


class Caps(Struct, frozen=True, forbid_unknown_fields=True):
    """0 sets no limit."""

    calls: Cap = 0
    """At once."""
    calls_per_second: PerSecond = 0.0


class TrunkPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A way to the phone network. Without a host calls only come in by it."""

    name: Word
    host: Host = ""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """0: as the host's name servers say."""
    transport: Literal["", "udp", "tcp", "tls"] = ""
    """Empty: as the host's name servers say."""
    username: Text = ""
    """What we answer the trunk's challenges with; this and the next."""
    password: Text = ""
    register: bool = False
    register_interval: Annotated[int, Meta(ge=60, le=86_400)] = 3600
    """Seconds."""
    every_node: bool = False
    """In a cluster every node registers, rather than one for all."""
    from_networks: tuple[str, ...] = ()
    """Whence its calls come in without credentials, as CIDR."""
    inbound_username: Text = ""
    """What it answers our challenges with; this and the next."""
    inbound_password: Text = ""
    application: Text = ""
    """Whose all numbers called by this trunk are that stand nowhere under `numbers`."""
    prefixes: tuple[Digits, ...] = ("",)
    """Numbers that it is called for: the longest that fits counts, among all trunks."""
    order: int = 10
    """Among trunks that fit as well: the least is tried first."""
    strip: Annotated[int, Meta(ge=0, le=20)] = 0
    """Digits to take off the front of a number that is called, before `add`."""
    add: Digits = ""
    calls: Cap = 0
    calls_per_second: PerSecond = 0.0
    srtp: bool = False
    """Offer SRTP by SDES."""

    def __post_init__(self) -> None:
        for network in self.from_networks:
            ip_network(network)
        if bool(self.inbound_username) != bool(self.inbound_password):
            raise ValueError("inbound_username and inbound_password go together")
        if self.register and not (self.host and self.username):
            raise ValueError("register needs host and username")
        if self.srtp and self.transport not in ("", "tls"):
            raise ValueError("srtp needs transport tls: its keys travel in the messages")

    @property
    def caps(self) -> Caps:
        return Caps(self.calls, self.calls_per_second)

    def dialled(self, number: str) -> str:
        """A number as this trunk wants it; it keeps its plus if nothing is changed."""
        if not (self.strip or self.add):
            return number
        return self.add + plain(number)[self.strip :]

    def __repr__(self) -> str:
        return f"TrunkPlan({self.name!r}, …)"


class RatePlan(Struct, frozen=True, forbid_unknown_fields=True):
    """What calls to numbers that begin so cost."""

    prefix: Digits
    rate: Annotated[str, Meta(pattern=RATE)]
    """Price of a minute, as text: `"0.0123"`."""
    network: Text | None = None
    """Code of country and network."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    trunk: tuple[TrunkPlan, ...] = ()
    numbers: dict[str, Text] = {}
    domains: dict[str, Text] = {}
    applications: dict[str, Caps] = {}
    rate: tuple[RatePlan, ...] = ()


class Plan(Struct, frozen=True):
    trunks: tuple[TrunkPlan, ...] = ()
    numbers: dict[str, ApplicationId] = {}
    """By their digits."""
    domains: dict[str, ApplicationId] = {}
    """Of softphones, beside those that are an application's id."""
    caps: dict[ApplicationId, Caps] = {}
    rates: tuple[Rate, ...] = ()
    suffix: str = ""
    """Domains of softphones are `ID.suffix` too."""
    home: ApplicationId | None = None
    """Whose every other domain is (development)."""
    otherwise: TrunkPlan | None = None
    """For numbers that fit no trunk (development)."""

    def ways(self, number: str) -> list[TrunkPlan]:
        """Trunks to call a number by, the best first."""
        digits = plain(number)
        fits = [(_fit(trunk, digits), trunk) for trunk in self.trunks if trunk.host]
        longest = max((fit for fit, _ in fits), default=-1)
        if longest < 0:
            return [] if self.otherwise is None else [self.otherwise]
        best = [trunk for fit, trunk in fits if fit == longest]
        return sorted(best, key=lambda trunk: trunk.order)

    def is_secure(self, number: str) -> bool:
        """Whether calls to a number offer SRTP: the offer is made before a trunk is chosen, so all
        that may carry the call have to want it."""
        ways = self.ways(number)
        return bool(ways) and all(trunk.srtp for trunk in ways)

    def owner(self, number: str, trunk: TrunkPlan | None = None) -> ApplicationId | None:
        """Whose a called number is."""
        found = self.numbers.get(plain(number))
        if found is None and trunk is not None and trunk.application:
            return ApplicationId(trunk.application)
        return found

    def numbers_of(self, application_id: ApplicationId) -> list[str]:
        return [number for number, owner in self.numbers.items() if owner == application_id]

    def tenant(self, domain: str) -> ApplicationId | None:
        """Whose softphones are in a domain; whether there is such an application is not known."""
        domain = domain.lower().strip("[]")
        if domain in self.domains:
            return self.domains[domain]
        if self.home is not None:
            return self.home
        return ApplicationId(domain.removesuffix(f".{self.suffix}") if self.suffix else domain)

    def knows(self, domain: str) -> bool:
        """Whether a domain is one of ours by what this plan says."""
        return domain in self.domains or bool(self.suffix and domain.endswith(f".{self.suffix}"))

    def every_trunk(self) -> Iterator[TrunkPlan]:
        yield from self.trunks
        if self.otherwise is not None:
            yield self.otherwise


def plain(number: str) -> str:
    """A number's digits, without plus and separators."""
    return _SEPARATORS.sub("", number)


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(plain(text)) is not None


def read_plan(path: Path, *, suffix: str = "") -> Plan:
    """Raises SettingsError, with the line."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    try:
        file = msgspec.convert(content, _File)
        _check(file)
    except _Wrong as wrong:
        raise SettingsError(f"{path}{_at(text, wrong.path)}: {wrong}") from None
    except msgspec.ValidationError as error:
        says = _PATH.sub("", str(error))
        raise SettingsError(f"{path}{_at(text, _path(str(error)))}: {says}") from None
    return Plan(
        trunks=file.trunk,
        numbers={plain(number): ApplicationId(owner) for number, owner in file.numbers.items()},
        domains={name.lower(): ApplicationId(owner) for name, owner in file.domains.items()},
        caps={ApplicationId(name): caps for name, caps in file.applications.items()},
        rates=tuple(Rate(plain(each.prefix), each.rate, each.network) for each in file.rate),
        suffix=suffix.lower(),
    )  # fmt: skip


def with_simulated_phones(plan: Plan) -> Plan:
    """The plan with simulated phones for all numbers that fit no trunk."""
    loopback = ("127.0.0.0/8", "::1/128")
    return replace(
        plan, otherwise=TrunkPlan(name=SIMULATED, transport="udp", from_networks=loopback)
    )


def for_development(plan: Plan, application_id: ApplicationId, number: str) -> Plan:
    """The plan with what development adds: its number, every domain, and simulated phones."""
    numbers = {plain(number): application_id, **plan.numbers}
    return replace(with_simulated_phones(plan), numbers=numbers, home=application_id)


class _Wrong(ValueError):
    def __init__(self, path: list[str | int], text: str) -> None:
        super().__init__(text)
        self.path = path


def _check(file: _File) -> None:
    names = [trunk.name for trunk in file.trunk]
    for index, name in enumerate(names):
        if name == SIMULATED or name in names[:index]:
            raise _Wrong(["trunk", index, "name"], f"there is a trunk {name} already")
    for number in file.numbers:
        if not is_number(number):
            raise _Wrong(["numbers", number], f"{number} is no phone number")


def _fit(trunk: TrunkPlan, digits: str) -> int:
    """Length of the longest prefix that fits; -1 for none."""
    fits = [plain(each) for each in trunk.prefixes if digits.startswith(plain(each))]
    return max((len(each) for each in fits), default=-1)


def _path(message: str) -> list[str | int]:
    found = _PATH.search(message)
    path: list[str | int] = [
        step["key"] or (int(step["index"]) if step["index"].isdecimal() else step["index"])
        for step in _STEP.finditer(found["path"] if found else "")
    ]
    unknown = _UNKNOWN.search(message)
    return [*path, unknown["name"]] if unknown else path


def _at(text: str, path: list[str | int]) -> str:
    """`, line N`: where in the file a value stands, as well as can be told; empty if not at all."""
    line = -1
    lines = text.splitlines()
    for step, following in zip(path, [*path[1:], None], strict=True):
        pattern = re.escape(str(step))
        if isinstance(step, int) or step == "...":
            continue
        key = re.compile(
            rf"\s*(\[\[?\s*)?([\w\"'-]+\s*\.\s*)*[\"']?{pattern}[\"']?\s*(\.|=|\])", re.IGNORECASE
        )
        nth = following if isinstance(following, int) else 0
        hits = [number for number in range(line + 1, len(lines)) if key.match(lines[number])]
        if nth >= len(hits):
            break
        line = hits[nth]
    return f", line {line + 1}" if line >= 0 else ""
