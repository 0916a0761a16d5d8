"""The UDP port of a worker: one socket for all legs of browsers, and one more for IPv6 where there
is any; beside it the lines of phones, which have sockets of their own.

Packets stand in the rows of matrices that are made once; who sent them is a number, so that the
legs of a whole batch are found by one look-up. A batch is one call of recvmmsg or sendmmsg with up
to 64 packets: 1 and 4 µs a packet, nearly all of it the kernel's; the plain calls take 3 and 6.
"""

import contextlib
import ctypes
import errno
import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from tertulia.media.address_book import NAME, Address, AddressBook
from tertulia.media.lines import ANY, NO_LINE, Line, Lines, Numbers, Octets, Range

WIDTH = 1536
"""Octets of a row: what one frame of Ethernet carries, and a trailer of SRTP."""
BATCH = 64
ROWS = 8 * BATCH
"""Received at once at most: 512 rows of a fast path that costs the same 40 calls for any number."""
_BUFFER = 8 << 20


class Port(Protocol):
    """Where packets come from and go to. Addresses are keys; a key is never 0."""

    packets: Octets
    """ROWS × WIDTH: what was received."""
    sizes: Numbers
    sources: Numbers
    """Keys of the senders."""
    lines: Numbers
    """By which line each came: its slot, doubled, and 1 more for RTCP; NO_LINE is the port itself.
    """

    def receive(self, start: int = 0) -> int:
        """Fill rows from `start` on. Returns how many; 0 when nothing is waiting."""

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers, files: Numbers) -> int:
        """Rows that were handed on; the others are lost, as packets are. Rows are WIDTH wide;
        `files` are those of lines, or NO_LINE."""

    def send_one(self, data: bytes, address: Address) -> None:
        """Lost when it cannot be sent now."""

    def key(self, address: Address) -> int:
        """Raises OSError or ValueError: it is no address."""

    def address(self, key: int) -> Address:
        """Of a key that was received or given out."""

    def open_line(self, slot: int, *, sixth: bool) -> Line:
        """Raises OSError: no pair of ports is free, or no file."""

    def give_up_control(self, line: Line) -> None:
        """RTCP comes to the line's other socket from now on."""

    def close_line(self, line: Line) -> None: ...

    def local_host(self, remote: str) -> str | None:
        """Our address as this one sees it; None where there is no way to it."""


class _Sockets(NamedTuple):
    plain: socket.socket
    sixth: socket.socket | None


class UdpPort:
    """Real sockets. Raises OSError when the port is taken."""

    def __init__(self, host: str, port: int, host6: str | None = None, phones: Range = ANY) -> None:
        self.packets = np.zeros((ROWS, WIDTH), np.uint8)
        self.sizes = np.zeros(ROWS, np.int64)
        self.sources = np.zeros(ROWS, np.int64)
        self.lines = np.full(ROWS, NO_LINE, np.int64)
        plain = _bound(socket.AF_INET, host, port)
        sixth = None
        if host6 is not None:
            with contextlib.suppress(OSError):
                sixth = _bound(socket.AF_INET6, host6, plain.getsockname()[1])
        self.sockets = _Sockets(plain, sixth)
        self.number: int = plain.getsockname()[1]
        self._book = AddressBook()
        self._lanes = [_lane(one, self) for one in self.sockets if one is not None]
        hosts = host, None if sixth is None else host6
        self._phones = Lines(hosts, phones, self, self._book)

    def filenos(self) -> list[int]:
        shared = [one.fileno() for one in self.sockets if one is not None]
        return shared + self._phones.filenos()

    def receive(self, start: int = 0) -> int:
        filled = start
        for lane in self._lanes:
            filled += lane.receive(filled)
        self.lines[start:filled] = NO_LINE
        if self._phones.count:
            filled += self._phones.receive(filled)
        return filled - start

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers, files: Numbers) -> int:
        if not self._phones.count or not (lined := files != NO_LINE).any():
            return self._send(rows, sizes, targets)
        if lined.all():
            return self._phones.send(rows, sizes, targets, files)
        rest = ~lined
        sent = self._phones.send(rows[lined], sizes[lined], targets[lined], files[lined])
        return sent + self._send(rows[rest], sizes[rest], targets[rest])

    def _send(self, rows: Octets, sizes: Numbers, targets: Numbers) -> int:
        fourth = (targets & 0xFFFF) == socket.AF_INET
        if fourth.all():
            return self._lanes[0].send(rows, sizes, targets)
        sent = 0
        for lane, chosen in zip(self._lanes, (fourth, ~fourth), strict=False):
            if chosen.any():
                sent += lane.send(rows[chosen], sizes[chosen], targets[chosen])
        return sent

    def send_one(self, data: bytes, address: Address) -> None:
        """Lost when the socket cannot take it now."""
        target = self.sockets.sixth if ":" in address[0] else self.sockets.plain
        if target is not None:
            with contextlib.suppress(OSError):
                target.sendto(data, address)

    def key(self, address: Address) -> int:
        return self._book.key(address)

    def address(self, key: int) -> Address:
        return self._book.address(key)

    def open_line(self, slot: int, *, sixth: bool) -> Line:
        return self._phones.open(slot, sixth=sixth)

    def give_up_control(self, line: Line) -> None:
        self._phones.give_up_control(line)

    def close_line(self, line: Line) -> None:
        self._phones.close(line)

    def local_host(self, remote: str) -> str | None:
        target = self.sockets.sixth if ":" in remote else self.sockets.plain
        if target is None:
            return None
        with contextlib.suppress(OSError), socket.socket(target.family, socket.SOCK_DGRAM) as asked:
            bound = target.getsockname()[0]
            asked.bind((bound, 0))
            asked.connect((remote, 9))  # sends nothing
            found: str = asked.getsockname()[0]
            return found
        return None

    def names(self, keys: Numbers, width: int) -> Octets:
        """`sockaddr`s of keys: one a row."""
        return self._book.names(keys, width)

    def learn(self, names: Octets) -> Numbers:
        return self._book.learn(names)

    def close(self) -> None:
        self._phones.end()
        for one in self.sockets:
            if one is not None:
                one.close()


def _bound(family: int, host: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            one.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        # Past the machine's limit for everybody, where we may: a frame of 1500 legs takes 1.2 MB
        # of the kernel's memory, the usual limit is 0.4.
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _BUFFER)
        one.setblocking(False)
        one.bind((host, port))
    except OSError:
        one.close()
        raise
    return one


class _Lane(Protocol):
    def receive(self, start: int) -> int: ...
    def send(self, rows: Octets, sizes: Numbers, targets: Numbers) -> int: ...


# PyDLL: the calls never wait, so they keep the interpreter lock; see opus.py.
_LIBC = ctypes.PyDLL(None, use_errno=True) if sys.platform == "linux" else None
_HEADER = np.dtype(
    {
        "names": ["name", "name_size", "vector", "vector_size", "size"],
        "formats": ["u8", "u4", "u8", "u8", "u4"],
        "offsets": [0, 8, 16, 24, 56],
        "itemsize": 64,
    }
)
"""`struct mmsghdr` of 64-bit Linux; the fields between stay 0."""


def _lane(one: socket.socket, port: UdpPort) -> "_Lane":
    fits = ctypes.sizeof(ctypes.c_void_p) == 8 and hasattr(_LIBC, "recvmmsg")
    return _BatchLane(one, port) if fits and hasattr(_LIBC, "sendmmsg") else _PlainLane(one, port)


class _Messages:
    """An array of `mmsghdr` with its vectors and names, for so many rows of a matrix."""

    def __init__(self, rows: int, name_size: int, name_width: int) -> None:
        self.names = np.zeros((rows, name_width), np.uint8)
        self.vectors = np.zeros((rows, 2), np.uint64)
        self.headers = np.zeros(rows, _HEADER)
        self.headers["name"] = self.names.ctypes.data + np.arange(
            rows, dtype=np.uint64
        ) * np.uint64(name_width)
        self.headers["name_size"] = name_size
        self.headers["vector"] = self.vectors.ctypes.data + np.arange(rows, dtype=np.uint64) * 16
        self.headers["vector_size"] = 1
        self.address = self.headers.ctypes.data

    def point_at(self, rows: Octets) -> None:
        stride = np.uint64(rows.strides[0])
        self.vectors[: len(rows), 0] = (
            rows.ctypes.data + np.arange(len(rows), dtype=np.uint64) * stride
        )


class _BatchLane:
    """recvmmsg and sendmmsg."""

    def __init__(self, one: socket.socket, port: UdpPort) -> None:
        assert _LIBC is not None
        self._port, self._file = port, one.fileno()
        self._width = 16 if one.family == socket.AF_INET else NAME
        self._recvmmsg, self._sendmmsg = _LIBC.recvmmsg, _LIBC.sendmmsg
        pointer, number = ctypes.c_void_p, ctypes.c_uint
        self._recvmmsg.argtypes = [ctypes.c_int, pointer, number, ctypes.c_int, pointer]
        self._sendmmsg.argtypes = [ctypes.c_int, pointer, number, ctypes.c_int]
        self._in = _Messages(ROWS, 32, 32)
        self._in.point_at(port.packets)
        self._in.vectors[:, 1] = WIDTH
        self._out = _Messages(BATCH, self._width, 32)

    def receive(self, start: int) -> int:
        filled = start
        while filled < ROWS:
            count = min(BATCH, ROWS - filled)
            self._in.headers["name_size"][filled : filled + count] = 32
            got = self._recvmmsg(
                self._file, self._in.address + filled * 64, count, socket.MSG_DONTWAIT, None
            )
            if got <= 0:
                break
            filled += got
            if got < count:
                break
        if filled > start:
            chosen = slice(start, filled)
            self._port.sizes[chosen] = self._in.headers["size"][chosen]
            self._port.sources[chosen] = self._port.learn(self._in.names[chosen])
        return filled - start

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers) -> int:
        sent = 0
        out = self._out
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            count = len(part)
            out.point_at(part)
            out.vectors[:count, 1] = sizes[start : start + count]
            names = self._port.names(targets[start : start + count], self._width)
            out.names[:count, : self._width] = names
            sent += self._send_all(count)
        return sent

    def _send_all(self, count: int) -> int:
        done = sent = 0
        while done < count:
            got = self._sendmmsg(self._file, self._out.address + done * 64, count - done, 0)
            if got > 0:
                done, sent = done + got, sent + got
            elif ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS):
                break
            else:
                # The first of the rest is refused, an ICMP error of an earlier one or a bad
                # address: it is lost, those behind it are not.
                done += 1
        return sent


class _PlainLane:
    """A call a packet: where the batch calls are not."""

    def __init__(self, one: socket.socket, port: UdpPort) -> None:
        self._socket, self._port = one, port

    def receive(self, start: int) -> int:
        filled = start
        while filled < ROWS:
            try:
                size, address = self._socket.recvfrom_into(self._port.packets[filled].data, WIDTH)
            except BlockingIOError:
                break
            except OSError:
                continue
            self._port.sizes[filled] = size
            self._port.sources[filled] = self._port.key(address)
            filled += 1
        return filled - start

    def send(self, rows: Octets, sizes: Numbers, targets: Numbers) -> int:
        sent = 0
        listed: Sequence[tuple[int, int]] = list(zip(sizes.tolist(), targets.tolist(), strict=True))
        for row, (size, target) in zip(rows, listed, strict=True):
            with contextlib.suppress(OSError):
                self._socket.sendto(row[:size].data, self._port.address(target))
                sent += 1
        return sent
