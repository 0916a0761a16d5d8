"""Where a SIP URI leads (RFC 3263): by NAPTR, SRV and addresses, guarded and remembered.

What an application names may be reached only in public networks and those that are allowed; the
address that was judged is the one that is used.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.resolver
from dns.asyncresolver import Resolver
from dns.rdatatype import AAAA, NAPTR, SRV, A, RdataType
from dns.rdtypes.IN.NAPTR import NAPTR as NaptrRecord
from dns.rdtypes.IN.SRV import SRV as SrvRecord

from tertulia.protocols.networks import Networks, read_address
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.uri import SipUri, parse_uri

TARGETS_MAX = 8
"""To try, for one URI."""
CACHE = 4096
"""Answers of name servers that are kept, each as long as it says."""
ANSWER_SECONDS = 5.0
"""For all look-ups of one URI."""
PORT, TLS_PORT = 5060, 5061
SERVICES = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}
SRV_NAMES = (("_sip._udp", "udp"), ("_sip._tcp", "tcp"), ("_sips._tcp", "tls"))
HOSTS = Path("/etc/hosts")


class Target(NamedTuple):
    transport: str
    address: tuple[str, int]
    name: str
    """The domain that was asked for: what a certificate has to say (RFC 5922)."""


class Locator:
    """`trusted` says whether a host was named by the operator: it may be anywhere."""

    def __init__(
        self, allowed: Networks, trusted: Callable[[str], bool], resolver: Resolver | None = None
    ) -> None:
        self._allowed = allowed
        self._trusted = trusted
        self._resolver = resolver or _resolver()
        self._resolver.cache = dns.resolver.LRUCache(CACHE)
        self._hosts = _hosts()

    def at_once(self, text: str) -> list[Target] | None:
        """The targets of a URI with an address in numbers, or none; None: `find` has to look it
        up."""
        try:
            uri = parse_uri(text)
            host = _host(uri)
        except Malformed:
            return []
        if not uri.is_sip or not host:
            return []
        try:
            read_address(host)
        except ValueError:
            return None
        transport = _transport(uri)
        return self._permitted([Target(transport, (host, _port(uri, transport)), host)], host)

    async def find(self, text: str) -> list[Target]:
        """The targets of a URI, best first. Empty: it leads nowhere, or where it may not."""
        found = self.at_once(text)
        if found is not None:
            return found
        uri = parse_uri(text)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._find(uri, _host(uri))
        except (TimeoutError, dns.exception.DNSException, OSError):
            return []

    async def _find(self, uri: SipUri, host: str) -> list[Target]:
        targets: list[Target] = []
        for transport, name, port in await self._services(uri, host):
            for address in await self._addresses(name):
                targets.append(Target(transport, (address, port), host))
            if len(targets) >= TARGETS_MAX:
                break
        return self._permitted(targets, host)

    async def _services(self, uri: SipUri, host: str) -> list[tuple[str, str, int]]:
        """Transport, host and port, best first."""
        asked = uri.param("transport")
        if uri.port is not None or host in self._hosts:
            transport = _transport(uri)
            return [(transport, host, _port(uri, transport))]
        names = [] if asked else await self._naptr(host, secure=uri.scheme == "sips")
        if not names:
            only = "tls" if uri.scheme == "sips" else (asked or "").lower()
            names = [(f"{label}.{host}", way) for label, way in SRV_NAMES if only in ("", way)]
        found: list[tuple[str, str, int]] = []
        for name, transport in names:
            found += [(transport, *place) for place in await self._srv(name)]
        if not found:
            transport = _transport(uri)
            return [(transport, host, _port(uri, transport))]
        return found[:TARGETS_MAX]

    async def _naptr(self, host: str, *, secure: bool) -> list[tuple[str, str]]:
        """Names of SRV records, with their transports."""
        records = [each for each in await self._ask(host, NAPTR) if isinstance(each, NaptrRecord)]
        records.sort(key=lambda record: (record.order, record.preference))
        found = []
        for record in records:
            transport = SERVICES.get(record.service.decode("ascii", "replace").lower())
            if transport and record.flags.lower() == b"s" and (transport == "tls" or not secure):
                found.append((record.replacement.to_text(omit_final_dot=True), transport))
        return found

    async def _srv(self, name: str) -> list[tuple[str, int]]:
        records = [each for each in await self._ask(name, SRV) if isinstance(each, SrvRecord)]
        return [
            (record.target.to_text(omit_final_dot=True), record.port)
            for record in _in_turn(records)
            if record.target.to_text() != "."
        ]

    async def _addresses(self, host: str) -> list[str]:
        if host in self._hosts:
            return self._hosts[host]
        try:
            return [str(read_address(host))]
        except ValueError:
            found = [*await self._ask(host, A), *await self._ask(host, AAAA)]
            return [record.to_text() for record in found]

    async def _ask(self, name: str, kind: RdataType) -> list[dns.rdata.Rdata]:
        try:
            answer = await self._resolver.resolve(
                name, kind, raise_on_no_answer=False, search=False, lifetime=ANSWER_SECONDS
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoNameservers, dns.exception.SyntaxError):
            return []
        except (dns.resolver.YXDOMAIN, dns.exception.Timeout):
            return []
        return list(answer.rrset or ())

    def _permitted(self, targets: Iterable[Target], host: str) -> list[Target]:
        trusted = self._trusted(host)
        return [
            target for target in targets
            if 0 < target.address[1] < 65_536
            and (trusted or self._allowed.permits(read_address(target.address[0])))
        ][:TARGETS_MAX]  # fmt: skip


def _host(uri: SipUri) -> str:
    return (uri.param("maddr") or uri.address).strip("[]").lower()


def _transport(uri: SipUri) -> str:
    if uri.scheme == "sips":
        return "tls"
    asked = (uri.param("transport") or "udp").lower()
    return asked if asked in ("udp", "tcp", "tls") else "udp"


def _port(uri: SipUri, transport: str) -> int:
    return uri.port or (TLS_PORT if transport == "tls" else PORT)


def _in_turn(records: list[SrvRecord]) -> list[SrvRecord]:
    """By priority; among equals by chance in proportion to their weights (RFC 2782)."""
    return sorted(
        records,
        key=lambda record: (record.priority, -(random.random() ** (1 / max(record.weight, 0.01)))),
    )


def _resolver() -> Resolver:
    try:
        return Resolver()
    except dns.resolver.NoResolverConfiguration:
        return Resolver(configure=False)


def _hosts() -> dict[str, list[str]]:
    """What the machine's own table says, which no name server knows."""
    found: dict[str, list[str]] = {"localhost": ["127.0.0.1", "::1"]}
    try:
        lines = HOSTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if _is_numeric(address):
            for name in names:
                known = found.setdefault(name.lower(), [])
                if address not in known:
                    known.append(address)
    return found


def _is_numeric(text: str) -> bool:
    try:
        return isinstance(read_address(text), IPv4Address | IPv6Address) and "%" not in text
    except ValueError:
        return False
