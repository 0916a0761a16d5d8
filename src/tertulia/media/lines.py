"""The sockets of phones: a pair of UDP ports for each leg, known by the one that a packet comes to.

Many phones may send from one address, so theirs would not tell them apart. Ready sockets are found
by epoll; each is read and written by one call, 1.5 and 4 µs, nearly all of it the kernel's.
"""

import contextlib
import ctypes
import errno
import random
import select
import socket
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.media.address_book import Address, AddressBook

Octets = NDArray[np.uint8]
Numbers = NDArray[np.int64]

NO_LINE = -1
"""In the place of a line: the port that all others share."""
TRIES = 64
"""Ports that are tried for a pair before there is none."""
_ROUNDS = 4
"""Packets of one socket that one visit takes: what a stall of a frame or two has left."""
_NAME = 32
"""Octets of the room for a `sockaddr`."""


class Range(NamedTuple):
    """Of the ports that may be used; both ends belong to it. 0 and 0: any."""

    first: int = 0
    last: int = 0


ANY = Range()


class Line:
    """The sockets of a leg. RTP's port is even; that of RTCP is the next, and may be given up."""

    def __init__(self, slot: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.slot = slot
        self.number: int = rtp.getsockname()[1]
        self.is_sixth = rtp.family == socket.AF_INET6
        self.file = rtp.fileno()
        self.rtp, self.rtcp = rtp, rtcp
        self.is_open = True

    def send_control(self, data: bytes, address: Address, *, mux: bool) -> None:
        """Lost when it cannot be sent now."""
        with contextlib.suppress(OSError, OverflowError):
            (self.rtp if mux else self.rtcp).sendto(data, address)


class Room(Protocol):
    """Where packets are put; see `port.Port`."""

    packets: Octets
    sizes: Numbers
    sources: Numbers
    lines: Numbers


class Lines:
    """`hosts` are bound to; the second may be None: then there is no IPv6."""

    def __init__(
        self, hosts: tuple[str, str | None], ports: Range, room: Room, book: AddressBook
    ) -> None:
        self._hosts, self._ports = hosts, ports
        self._families: tuple[_Family, ...] = ()
        if hasattr(select, "epoll"):
            kinds = ((socket.AF_INET, 16), (socket.AF_INET6, 28))
            self._families = tuple(_Family(kind, width, room, book) for kind, width in kinds)
        span = max(1, (ports.last - ports.first + 1) // 2)
        self._next = random.randrange(span)  # not those first that were given up last
        self._span = span
        self.count = 0
        """Lines that are open."""

    def filenos(self) -> list[int]:
        """To be watched for packets."""
        return [family.epoll.fileno() for family in self._families]

    def open(self, slot: int, *, sixth: bool) -> Line:
        """Raises OSError: no pair of ports is free, or no file."""
        host = self._hosts[sixth]
        if host is None or not self._families:
            raise OSError("there is no IPv6 here" if self._families else "phones need epoll")
        family = self._families[sixth]
        line = Line(slot, *self._pair(family.kind, host))
        family.add(line.rtp, slot * 2)
        family.add(line.rtcp, slot * 2 + 1)
        self.count += 1
        return line

    def give_up_control(self, line: Line) -> None:
        """RTCP shares the port of RTP from now on."""
        self._families[line.is_sixth].remove(line.rtcp)

    def close(self, line: Line) -> None:
        if line.is_open:
            line.is_open = False
            self.count -= 1
            for one in (line.rtp, line.rtcp):
                self._families[line.is_sixth].remove(one)

    def receive(self, start: int) -> int:
        """Fill rows from `start` on. Returns how many."""
        filled = start
        for family in self._families:
            if family.count:
                filled += family.receive(filled)
        return filled - start

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers, files: Numbers) -> int:
        """A row to each target by the socket with that file. Returns how many were handed on."""
        fourth = (targets & 0xFFFF) == socket.AF_INET
        if fourth.all():
            return self._families[0].send(rows, sizes, targets, files)
        sent = 0
        for family, chosen in zip(self._families, (fourth, ~fourth), strict=True):
            if chosen.any():
                part = rows[chosen]
                sent += family.send(part, sizes[chosen], targets[chosen], files[chosen])
        return sent

    def end(self) -> None:
        for family in self._families:
            family.close()

    def _pair(self, kind: int, host: str) -> tuple[socket.socket, socket.socket]:
        for number in self._numbers():
            pair = _bound_pair(kind, host, number)
            if pair is not None:
                return pair
        raise OSError("no pair of ports is free")

    def _numbers(self) -> Iterator[int]:
        if not self._ports.first:
            yield from repeat(0, TRIES)
        lowest = self._ports.first + self._ports.first % 2
        for _ in range(self._span if self._ports.first else 0):
            number = lowest + 2 * (self._next % self._span)
            self._next += 1
            if number < self._ports.last:
                yield number


def _bound_pair(kind: int, host: str, number: int) -> tuple[socket.socket, socket.socket] | None:
    """On an even port and the next, or with 0 on any such; None when either is taken. Without
    options to share them: who has a port has it alone. Raises OSError: it is for other reasons."""
    first = _bound(kind, host, number)
    if first is None:
        return None
    found = int(first.getsockname()[1])
    second = _bound(kind, host, found ^ 1) if found < 0xFFFF or found % 2 else None
    if second is None:
        first.close()
        return None
    return (second, first) if found % 2 else (first, second)


def _bound(kind: int, host: str, number: int) -> socket.socket | None:
    one = socket.socket(kind, socket.SOCK_DGRAM)
    try:
        if kind == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind((host, number))
    except OSError as error:
        one.close()
        if error.errno in _TAKEN:
            return None
        raise
    return one


_TAKEN = (errno.EADDRINUSE, errno.EACCES)


class _Family:
    """The sockets of one family of addresses."""

    def __init__(self, kind: int, width: int, room: Room, book: AddressBook) -> None:
        self.kind, self._width, self._room, self._book = kind, width, room, book
        self.count = 0
        self.epoll = select.epoll()
        self._marks: Numbers = np.full(256, NO_LINE, np.int64)
        """By file: the slot, doubled, and 1 more for RTCP."""
        self._sockets: dict[int, socket.socket] = {}
        self._calls = _Calls(room, width)

    def add(self, one: socket.socket, mark: int) -> None:
        file = one.fileno()
        if file >= len(self._marks):
            more = np.full(file + 1, NO_LINE, np.int64)
            self._marks = np.concatenate((self._marks, more))
        self._marks[file] = mark
        self._sockets[file] = one
        self.epoll.register(file, select.EPOLLIN)
        self.count += 1

    def remove(self, one: socket.socket) -> None:
        """Nothing when it was before."""
        file = one.fileno()
        if file in self._sockets:
            del self._sockets[file]
            self._marks[file] = NO_LINE
            self.epoll.unregister(file)
            self.count -= 1
        one.close()

    def close(self) -> None:
        for one in tuple(self._sockets.values()):
            self.remove(one)
        self.epoll.close()

    def receive(self, start: int) -> int:
        filled = start
        for _ in range(_ROUNDS):
            free = len(self._room.packets) - filled
            ready = self.epoll.poll(0, free) if free else []
            if not ready:
                break
            filled += self._read([file for file, _ in ready], filled)
        return filled - start

    def _read(self, files: list[int], start: int) -> int:
        """A packet of each."""
        room, rows = self._room, slice(start, start + len(files))
        sizes = np.array(self._calls.receive(files, rows), np.int64)
        room.sizes[rows], room.lines[rows] = sizes, self._marks[files]
        room.sources[rows] = self._book.learn(self._calls.names_in[rows])
        there = np.flatnonzero(sizes >= 0)
        if len(there) < len(files):
            # What has a wrong checksum is found to be no packet when it is read.
            kept = slice(start, start + len(there))
            for values in (room.packets, room.sizes, room.sources, room.lines):
                values[kept] = values[start + there]
        return len(there)

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers, files: Numbers) -> int:
        names = self._book.names(targets, self._width)
        return self._calls.send(files.tolist(), rows, sizes, names)


class _Calls:
    """recvfrom and sendto over rows, mapped without a step of Python between."""

    def __init__(self, room: Room, width: int) -> None:
        # PyDLL: the calls never wait, so they keep the interpreter lock; see opus.py.
        library = ctypes.PyDLL(None)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self._recvfrom, self._sendto = library.recvfrom, library.sendto
        self._recvfrom.argtypes = [ctypes.c_int, pointer, size, ctypes.c_int, pointer, pointer]
        self._sendto.argtypes = [ctypes.c_int, pointer, size, ctypes.c_int, pointer, ctypes.c_uint]
        self._recvfrom.restype = self._sendto.restype = ctypes.c_ssize_t
        count, self._width = room.packets.shape[0], width
        self._row = room.packets.shape[1]
        self.names_in: Octets = np.zeros((count, _NAME), np.uint8)
        self._name_sizes = np.full(count, width, np.uint32)
        self._rows_at = _places(room.packets)
        self._names_at = _places(self.names_in)
        self._name_sizes_at = _places(self._name_sizes[:, np.newaxis])

    def receive(self, files: list[int], rows: slice) -> list[int]:
        """Octets of each; -1 where there was none."""
        return list(
            map(
                self._recvfrom, files, self._rows_at[rows], repeat(self._row),
                repeat(socket.MSG_DONTWAIT), self._names_at[rows], self._name_sizes_at[rows],
            )
        )  # fmt: skip

    def send(self, files: list[int], rows: Octets, sizes: Numbers, names: Octets) -> int:
        sent = map(
            self._sendto, files, _places(rows), sizes.tolist(), repeat(socket.MSG_DONTWAIT),
            _places(names), repeat(self._width),
        )  # fmt: skip
        return sum(size >= 0 for size in sent)


def _places(rows: NDArray[Any]) -> list[int]:
    """Addresses of the rows."""
    start, step = rows.ctypes.data, rows.strides[0]
    return list(range(start, start + step * len(rows), step)) if len(rows) else []
