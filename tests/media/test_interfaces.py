"""The addresses that clients are told."""

import ipaddress
from pathlib import Path

import pytest

from tertulia.media import interfaces
from tertulia.media.interfaces import interface_addresses

TABLE = """\
20010db8000000000000000000000002 04 40 00 82     eth0
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""
"""As /proc/net/if_inet6 has it."""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "if_inet6"
    file.write_text(TABLE)
    monkeypatch.setattr(interfaces, "_IF_INET6", file)
    monkeypatch.setattr(interfaces, "_fourth", lambda: ["127.0.0.1", "192.0.2.2"])


@pytest.mark.parametrize(
    ("sixth", "loopback", "found"),
    [
        (True, False, ["192.0.2.2", "2001:db8::2"]),
        (True, True, ["192.0.2.2", "2001:db8::2", "127.0.0.1", "::1"]),
        (False, False, ["192.0.2.2"]),
        (False, True, ["192.0.2.2", "127.0.0.1"]),
    ],
)
def test_what_is_told(table: None, sixth: bool, loopback: bool, found: list[str]) -> None:
    assert interface_addresses(sixth=sixth, loopback=loopback) == found


def test_loopback_is_told_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "_IF_INET6", Path("/no/such/table"))
    monkeypatch.setattr(interfaces, "_fourth", lambda: ["127.0.0.1"])
    assert interface_addresses(sixth=True, loopback=False) == ["127.0.0.1"]


def test_this_machine_has_some() -> None:
    found = [ipaddress.ip_address(each) for each in interface_addresses(sixth=True, loopback=True)]
    assert ipaddress.ip_address("127.0.0.1") in found
    assert not any(each.is_link_local or each.is_unspecified for each in found)
