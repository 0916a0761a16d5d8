"""The target guard: URLs, and every spelling of an address that must not be reached."""

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.dispatch.answer import Failure
from tertulia.dispatch.target import Resolver, Target, TargetGuard, parse_target
from tertulia.protocols.networks import is_public


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.com", Target(False, "example.com", 80, "example.com", "/")),
        ("https://Example.COM/a?b=c", Target(True, "example.com", 443, "example.com", "/a?b=c")),
        ("https://h:8443/x#frag", Target(True, "h", 8443, "h:8443", "/x")),
        ("http://h:80/", Target(False, "h", 80, "h", "/")),
        ("http://h?q=1", Target(False, "h", 80, "h", "/?q=1")),
        ("http://[2001:DB8::1]:81/", Target(False, "2001:db8::1", 81, "[2001:db8::1]:81", "/")),
        ("http://bücher.example/ü%20", Target(
            False, "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC%20")),
        ("HTTP://h/", Target(False, "h", 80, "h", "/")),
    ],
)  # fmt: skip
def test_urls(url: str, target: Target) -> None:
    assert parse_target(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "", "h", "//h/", "/path", "ftp://h/", "file:///etc/passwd", "gopher://h/", "http:h",
        "http:/h",
        "http://", "http:///x", "http://:80/", "http://user@h/", "http://user:pw@h/", "http://h:0/",
        "http://h:65536/", "http://h:x/", "http://h:/", "http://[::1/", "http://::1/",
        "http://[fe80::1%25eth0]/",
        "http://h\\@evil/", "http://h /", "http://h/a b", "http://h/\r\nX: y", "http://h\x00/",
        "http://.h/",
        "http://a..b\u3002/", "http://[1.2.3.4]/", "http://h%2f/",
    ],
)  # fmt: skip
def test_what_is_refused_as_a_url(url: str) -> None:
    assert isinstance(parse_target(url), Failure)


@given(st.text(max_size=60))
def test_no_url_raises(text: str) -> None:
    parse_target(text)
    parse_target("http://" + text)


REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "2001:db8::1", "2001::1", "3fff::1", "100::1", "5f00::1", "4000::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::169.254.169.254",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
]  # fmt: skip
PERMITTED = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1",
    "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_refused_addresses(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PERMITTED)
def test_permitted_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_no_embedding_hides_an_address(inner: object) -> None:
    v4 = int(ip_address(str(inner)))
    for prefix in ("::", "::ffff:0:0", "64:ff9b::"):
        assert not is_public(ip_address(int(ip_address(prefix)) | v4))
    assert not is_public(ip_address((0x2002 << 112) | (v4 << 80)))


async def addresses(
    host: str, found: list[str], allowed: tuple[str, ...] = ()
) -> list[str] | Failure:
    async def resolve(_host: str, _port: int) -> list[str]:
        if not found:
            raise OSError("no such host")
        return found

    target = Target(False, host, 80, host, "/")
    return await TargetGuard(allowed, resolve).addresses(target)


def test_only_permitted_addresses_are_given() -> None:
    found = asyncio.run(addresses("h", ["10.0.0.1", "1.1.1.1", "::1"]))
    assert found == ["1.1.1.1"]


def test_none_permitted_and_none_found() -> None:
    for found in (["10.0.0.1"], ["fe80::1%eth0"], []):
        assert isinstance(asyncio.run(addresses("h", found)), Failure)


@pytest.mark.parametrize(
    ("allowed", "address", "permitted"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("::1/128", "::1", True),
        ("::1/128", "127.0.0.1", False),
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.2.3", False),
    ],
)
def test_the_allow_list(allowed: str, address: str, permitted: bool) -> None:
    assert TargetGuard([allowed]).permits(ip_address(address)) is permitted


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "::1"]
)
def test_every_spelling_of_loopback_is_resolved_and_refused(host: str) -> None:
    async def judge() -> list[str] | Failure:
        return await TargetGuard().addresses(Target(False, host, 80, host, "/"))

    assert isinstance(asyncio.run(judge()), Failure)


def test_one_look_up_serves_all_who_ask_meanwhile() -> None:
    async def ask() -> list[list[str]]:
        resolver = Resolver(threads=1)
        return await asyncio.gather(*(resolver.resolve("127.0.0.1", 80) for _ in range(5)))

    assert asyncio.run(ask()) == [["127.0.0.1"]] * 5
