"""Where SIP URIs lead, by a name server on loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import dns.message
import dns.rrset
import pytest
import uvloop
from dns.asyncresolver import Resolver

from tertulia.protocols.networks import Networks
from tertulia.sip.locating import Locator, Target

ZONE = {
    ("full.test.", "NAPTR"): [
        '20 50 "s" "SIP+D2U" "" _sip._udp.full.test.',
        '10 50 "s" "SIPS+D2T" "" _sips._tcp.full.test.',
        '10 60 "u" "E2U+sip" "!^.*$!sip:x!" .',
    ],
    ("_sips._tcp.full.test.", "SRV"): ["10 0 5071 b.test.", "5 0 5072 a.test."],
    ("_sip._udp.full.test.", "SRV"): ["1 1 5073 a.test."],
    ("srv.test.", "NAPTR"): [],
    ("_sip._tcp.srv.test.", "SRV"): ["1 1 5074 a.test.", "1 0 5075 ."],
    ("a.test.", "A"): ["9.0.0.1"],
    ("a.test.", "AAAA"): ["2001:4860::1"],
    ("b.test.", "A"): ["9.0.0.3"],
    ("inside.test.", "A"): ["10.1.2.3", "9.0.0.4"],
    ("many.test.", "A"): [f"9.0.1.{number}" for number in range(100)],
}
"""What is asked for and not here does not exist; `dead.test` is never answered."""


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), question.rdtype.name
        self.asked.append(f"{name} {kind}")
        if name.endswith("dead.test."):
            return
        reply = dns.message.make_response(query)
        records = ZONE.get((name, kind))
        if records:
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *records))
        elif not any(known == name for known, _ in ZONE):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)


Scenario = Callable[[Locator, NameServer], Awaitable[None]]


def play(scenario: Scenario, *, allowed: tuple[str, ...] = (), trusted: str = "") -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            NameServer, local_addr=("127.0.0.1", 0)
        )
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = transport.get_extra_info("sockname")[1]
        resolver.lifetime = 5.0
        locator = Locator(Networks(allowed), lambda host: host == trusted, resolver)
        try:
            await scenario(locator, server)
        finally:
            transport.close()
            await asyncio.sleep(0)

    uvloop.run(run())


@pytest.mark.parametrize(
    ("uri", "targets"),
    [
        ("sip:x@9.9.9.9", [("udp", "9.9.9.9", 5060)]),
        ("sip:x@9.9.9.9:5080;transport=TCP", [("tcp", "9.9.9.9", 5080)]),
        ("sips:x@[2001:4860::5]", [("tls", "2001:4860::5", 5061)]),
        ("sip:x@b.test:5077", [("udp", "9.0.0.3", 5077)]),
        ("sip:x@b.test;transport=tls", [("tls", "9.0.0.3", 5061)]),
        ("sip:x@b.test", [("udp", "9.0.0.3", 5060)]),
        ("sip:x@srv.test", [("tcp", "9.0.0.1", 5074),
                            ("tcp", "2001:4860::1", 5074)]),
        ("sip:x@full.test", [
            ("tls", "9.0.0.1", 5072), ("tls", "2001:4860::1", 5072),
            ("tls", "9.0.0.3", 5071), ("udp", "9.0.0.1", 5073),
            ("udp", "2001:4860::1", 5073),
        ]),
        ("sip:x@full.test;maddr=b.test", [("udp", "9.0.0.3", 5060)]),
        ("sips:x@full.test", [
            ("tls", "9.0.0.1", 5072), ("tls", "2001:4860::1", 5072),
            ("tls", "9.0.0.3", 5071),
        ]),
        ("sip:x@nowhere.test", []),
        ("tel:15550100", []),
        ("sip:", []),
        ("nonsense", []),
        (f"sip:x@{'a' * 300}.test", []),
        ("sip:x@a..test", []),
        ("sip:x@9.9.9.9:0", [("udp", "9.9.9.9", 5060)]),
    ],
)  # fmt: skip
def test_uris_lead_where_the_name_servers_say(
    uri: str, targets: list[tuple[str, str, int]]
) -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        found = await locator.find(uri)
        assert [(each.transport, *each.address) for each in found] == targets

    play(scenario)


def test_the_name_that_was_asked_for_has_to_be_in_the_certificate() -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        found = await locator.find("sips:x@full.test")
        assert {each.name for each in found} == {"full.test"}

    play(scenario)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:x@127.0.0.1", "sip:x@10.0.0.1", "sip:x@169.254.169.254", "sip:x@[::1]",
        "sip:x@[::ffff:10.0.0.1]", "sip:x@localhost", "sip:x@9.9.9.9;maddr=192.168.0.1",
        "sip:x@0.0.0.0", "sip:x@[fe80::1]",
    ],
)  # fmt: skip
def test_what_is_private_is_not_reached(uri: str) -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        assert await locator.find(uri) == []

    play(scenario)


def test_private_addresses_behind_a_name_are_left_out() -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        found = await locator.find("sip:x@inside.test")
        assert found == [Target("udp", ("9.0.0.4", 5060), "inside.test")]

    play(scenario)


def test_allowed_networks_and_the_operators_hosts_are_reached() -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        assert len(await locator.find("sip:x@inside.test")) == 2
        assert await locator.find("sip:x@127.0.0.1") == []

    play(scenario, allowed=("10.0.0.0/8",))
    play(scenario, trusted="inside.test")


def test_answers_are_remembered() -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        first = await locator.find("sip:x@b.test:5060")
        asked = list(server.asked)
        assert await locator.find("sip:x@b.test:5060") == first
        assert server.asked == asked

    play(scenario)


def test_there_is_a_limit_to_what_is_tried() -> None:
    async def scenario(locator: Locator, server: NameServer) -> None:
        assert len(await locator.find("sip:x@many.test:5060")) == 8

    play(scenario)


def test_a_name_server_that_does_not_answer_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia.sip.locating.ANSWER_SECONDS", 0.05)

    async def scenario(locator: Locator, server: NameServer) -> None:
        assert await locator.find("sip:x@dead.test") == []

    play(scenario)
