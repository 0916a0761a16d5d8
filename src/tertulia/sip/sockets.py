"""Sockets for SIP: UDP and TCP on the same port, and which address of ours a peer sees."""

import contextlib
import errno
import socket
from collections import OrderedDict

from tertulia.protocols.networks import is_public, read_address

BUFFER = 4 * 1024 * 1024
"""Octets that the kernel may keep for us in each direction: bursts come while the loop is busy."""
TRIES = 32
"""For a port that is free for both."""
ROUTES_MAX = 4096
ANY = {"0.0.0.0", "::"}


class Bound:
    """An address that is listened on, by UDP, TCP and perhaps TLS. `close` what was not handed on.

    `secure` is a port for TLS, 0 for any that is free, None for no TLS. Raises OSError.
    """

    def __init__(self, host: str, port: int, secure: int | None) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.family = found[0]
        self.host = str(found[4][0])
        self.tls: socket.socket | None = None
        self.udp, self.tcp = self._pair(port)
        self.port = int(self.udp.getsockname()[1])
        try:
            if secure is not None:
                self.tls = _open(self.family, socket.SOCK_STREAM, (self.host, secure))
        except OSError:
            self.close()
            raise
        self.tls_port = int(self.tls.getsockname()[1]) if self.tls else 0

    def _pair(self, port: int) -> tuple[socket.socket, socket.socket]:
        for last in (port != 0,) * (1 if port else TRIES):
            udp = _open(self.family, socket.SOCK_DGRAM, (self.host, port))
            try:
                free = (self.host, udp.getsockname()[1])
                return udp, _open(self.family, socket.SOCK_STREAM, free)
            except OSError:
                udp.close()
                if last:
                    raise
        raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")

    def close(self) -> None:
        for each in (self.udp, self.tcp, self.tls):
            if each is not None:
                each.close()


def _open(family: int, kind: int, address: tuple[str, int]) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF) if kind == socket.SOCK_DGRAM else ():
            with contextlib.suppress(OSError):  # the kernel grants what it likes
                made.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen(1024)
    except OSError:
        made.close()
        raise
    return made


class Faces:
    """The addresses that peers see of an address that is listened on."""

    def __init__(self, host: str, external: str = "") -> None:
        self._host = host
        self._external = external
        self._routes: OrderedDict[str, str] = OrderedDict()

    def toward(self, peer: str) -> str:
        """The address that a peer is told to answer to."""
        known = self._routes.get(peer)
        if known is None:
            known = self._routes[peer] = self._found(peer)
            if len(self._routes) > ROUTES_MAX:
                self._routes.popitem(last=False)
        return known

    def _found(self, peer: str) -> str:
        if self._external and (":" in peer) == (":" in self._external) and _is_far(peer):
            return self._external
        return _route(peer) if self._host in ANY else self._host


def _is_far(peer: str) -> bool:
    try:
        return is_public(read_address(peer))
    except ValueError:
        return False


def _route(peer: str) -> str:
    """The address that packets to a peer leave from: the kernel says, and nothing is sent."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
