"""Lines with real sockets on loopback: pairs of ports, packets both ways, nothing left open."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from tertulia.media.lines import NO_LINE, Line, Range
from tertulia.media.port import WIDTH, UdpPort

HOST = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[UdpPort]:
    made = UdpPort(HOST, 0, "::1")
    yield made
    made.close()


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def udp(host: str = HOST) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.bind((host, 0))
    one.settimeout(5)
    return one


def test_a_line_has_an_even_port_and_the_next(port: UdpPort) -> None:
    for slot in range(20):
        line = port.open_line(slot, sixth=False)
        assert line.number % 2 == 0
        assert line.rtcp.getsockname()[1] == line.number + 1
        for number in (line.number, line.number + 1):
            with pytest.raises(OSError), udp() as other:
                other.bind((HOST, number))


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_packets_are_known_by_the_port_they_come_to(port: UdpPort, host: str) -> None:
    if ":" in host and port.sockets.sixth is None:
        pytest.skip("this machine has no IPv6")
    lines = [port.open_line(slot, sixth=":" in host) for slot in (3, 9)]
    with udp(host) as phone, udp(HOST) as browser:
        phone.sendto(b"first", (host, lines[0].number))
        phone.sendto(b"second", (host, lines[1].number))
        phone.sendto(b"report", (host, lines[1].number + 1))
        browser.sendto(b"shared", (HOST, port.number))
        count = port.receive()
        found = {
            port.packets[row, : port.sizes[row]].tobytes(): (
                int(port.lines[row]), port.address(int(port.sources[row]))[:2],
            )
            for row in range(count)
        }  # fmt: skip
        there = phone.getsockname()[:2]
        assert found == {
            b"shared": (NO_LINE, browser.getsockname()), b"first": (6, there),
            b"second": (18, there), b"report": (19, there),
        }  # fmt: skip
        keys = np.array([port.key(there)] * 2 + [port.key(browser.getsockname())])
        rows = np.zeros((3, WIDTH), np.uint8)
        rows[:, 0] = (1, 2, 3)
        own = np.array([lines[1].file, lines[0].file, NO_LINE])
        assert port.send(rows, np.full(3, 1), keys, own) == 3
        heard = [phone.recvfrom(10) for _ in range(2)]
        assert [(data, address[1]) for data, address in heard] == [
            (b"\x01", lines[1].number), (b"\x02", lines[0].number),
        ]  # fmt: skip
        assert browser.recvfrom(10) == (b"\x03", (HOST, port.number))
        lines[0].send_control(b"bye", phone.getsockname(), mux=False)
        assert phone.recvfrom(10)[1][1] == lines[0].number + 1


def test_many_packets_of_one_line_are_taken_in_order(port: UdpPort) -> None:
    line = port.open_line(0, sixth=False)
    with udp() as phone:
        for number in range(10):
            phone.sendto(bytes((number,)), (HOST, line.number))
        heard: list[int] = []
        while count := port.receive():
            heard += port.packets[:count, 0].tolist()
        assert heard == list(range(10))


def test_closed_lines_leave_nothing_open() -> None:
    before = files()
    port = UdpPort(HOST, 0)
    shared = files()
    lines = [port.open_line(slot, sixth=False) for slot in range(10)]
    assert files() == shared + 20
    port.give_up_control(lines[0])
    port.give_up_control(lines[0])
    assert files() == shared + 19
    with udp() as phone:
        phone.sendto(b"late", (HOST, lines[1].number))
        for line in lines:
            port.close_line(line)
            port.close_line(line)
        assert port.receive() == 0
    assert files() == shared
    lines[1].send_control(b"nobody hears it", (HOST, 9), mux=True)
    port.open_line(0, sixth=False)
    port.close()
    assert files() == before


def test_lines_come_from_a_range_and_are_nobody_elses() -> None:
    with udp() as asked:
        base = asked.getsockname()[1] // 2 * 2 - 200
    ports = Range(base + 1, base + 9)
    one, other = UdpPort(HOST, 0, None, ports), UdpPort(HOST, 0, None, ports)
    opened: list[Line] = []
    with suppress(OSError):
        for port in [one, other] * 4:
            opened.append(port.open_line(len(opened), sixth=False))
    numbers = [line.number for line in opened]
    assert len(set(numbers)) == len(numbers) <= 4
    assert all(base + 1 <= number < base + 9 and number % 2 == 0 for number in numbers)
    with pytest.raises(OSError, match="no pair"):
        one.open_line(9, sixth=False)
    with pytest.raises(OSError, match="IPv6"):
        one.open_line(9, sixth=True)
    for port in (one, other):
        port.close()


def test_our_address_as_another_sees_it(port: UdpPort) -> None:
    assert port.local_host("127.0.0.1") == HOST
    assert port.local_host("127.0.0.9") == HOST
    other = UdpPort(HOST, 0)
    assert other.local_host("::1") is None and other.local_host("192.0.2.1") is None
    other.close()
