"""Real sockets on loopback: batches and plain calls, both families, addresses as keys."""

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media import port as ports
from tertulia.media.address_book import AddressBook
from tertulia.media.lines import NO_LINE
from tertulia.media.port import BATCH, ROWS, WIDTH, UdpPort

HOST = "127.0.0.1"


@pytest.fixture(params=["batches", "plain"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[UdpPort]]:
    if request.param == "plain":
        monkeypatch.setattr(ports, "_LIBC", None)
    made = [UdpPort(HOST, 0, "::1"), UdpPort(HOST, 0, "::1")]
    yield made
    for one in made:
        one.close()


def rows_of(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rows = np.random.default_rng(1).integers(0, 255, (count, WIDTH)).astype(np.uint8)
    return rows, np.arange(20, 20 + count)


def _lines(count: int) -> NDArray[np.int64]:
    """None of their own."""
    return np.full(count, NO_LINE)


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 200])
def test_what_is_sent_is_received(pair: list[UdpPort], count: int) -> None:
    one, other = pair
    rows, sizes = rows_of(count)
    target = one.key((HOST, other.number))
    assert one.send(rows, sizes, np.full(count, target), _lines(count)) == count
    assert other.receive() == count
    assert (other.sizes[:count] == sizes).all()
    assert (other.packets[:count, :20] == rows[:, :20]).all()
    assert {other.address(int(key)) for key in other.sources[:count]} == {(HOST, one.number)}
    assert other.receive() == 0


def test_both_families_share_a_port(pair: list[UdpPort]) -> None:
    one, other = pair
    if one.sockets.sixth is None:
        pytest.skip("this machine has no IPv6")
    rows, sizes = rows_of(4)
    keys = [one.key((HOST, other.number)), one.key(("::1", other.number))] * 2
    assert one.send(rows, sizes, np.array(keys), _lines(4)) == 4
    assert other.receive() == 4
    senders = [other.address(int(key))[:2] for key in other.sources[:4]]
    assert sorted(senders) == [(HOST, one.number)] * 2 + [("::1", one.number)] * 2
    other.send_one(b"reply", other.address(int(other.sources[0])))
    one.send_one(b"reply", ("::1", other.number, 0, 0))
    assert other.receive() + one.receive() == 2


def test_a_bad_address_loses_its_packet_alone(pair: list[UdpPort]) -> None:
    one, other = pair
    rows, sizes = rows_of(3)
    good, bad = one.key((HOST, other.number)), one.key((HOST, 0))
    assert one.send(rows, sizes, np.array([good, bad, good]), _lines(3)) == 2
    assert other.receive() == 2


def test_one_visit_takes_so_many_and_no_more(pair: list[UdpPort]) -> None:
    one, other = pair
    rows, sizes = np.zeros((400, WIDTH), np.uint8), np.full(400, 100)
    target = np.full(400, one.key((HOST, other.number)))
    one.send(rows, sizes, target, _lines(400))
    one.send(rows, sizes, target, _lines(400))
    assert other.receive() <= ROWS


def test_a_port_that_is_taken_is_refused() -> None:
    taken = UdpPort(HOST, 0)
    with pytest.raises(OSError):
        UdpPort(HOST, taken.number)
    taken.close()


@given(st.ip_addresses(v=4), st.integers(0, 65_535))
def test_addresses_of_ipv4_are_their_keys(host: object, number: int) -> None:
    book = AddressBook()
    key = book.key((str(host), number))
    assert key != 0 and AddressBook().address(key) == (str(host), number)


@given(st.ip_addresses(v=6), st.integers(0, 65_535))
def test_addresses_of_ipv6_are_remembered(host: object, number: int) -> None:
    book = AddressBook()
    key = book.key((str(host), number))
    assert book.address(key)[1] == number
    assert socket.inet_pton(socket.AF_INET6, book.address(key)[0]) == socket.inet_pton(
        socket.AF_INET6, str(host)
    )
