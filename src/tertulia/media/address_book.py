"""Addresses as numbers, so that the senders and targets of a whole batch stand in one array."""

import secrets
import socket
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Address = tuple[Any, ...]
"""Host and port first, as sockets have it."""
Octets = NDArray[np.uint8]
Numbers = NDArray[np.int64]

NAME = 28
"""Octets of a `sockaddr_in6`; a `sockaddr_in` has 16."""


class AddressBook:
    """Keys of addresses. An IPv4 address is its own key: the first eight octets of its `sockaddr`
    (family, port, host). Of an IPv6 address it is a hash, multiplied by secrets so that nobody can
    take the key of another on purpose; it says AF_INET6 in the place of the family."""

    def __init__(self) -> None:
        self._factors = np.frombuffer(secrets.token_bytes(24), np.int64) | 1
        self._known: dict[int, bytes] = {}

    def key(self, address: Address) -> int:
        name = np.frombuffer(_sockaddr(address).ljust(32, b"\0"), np.uint8)
        return int(self.learn(name[np.newaxis])[0])

    def learn(self, names: Octets) -> Numbers:
        """Keys of `sockaddr`s; names are 32 octets wide."""
        words = names.view(np.int64)
        if names[0, 0:2].view(np.uint16)[0] == socket.AF_INET:
            return words[:, 0].copy()
        a, b, c = self._factors
        keys: Numbers = (words[:, 0] * a) ^ (words[:, 1] * b) ^ (words[:, 2] * c)
        keys = (keys & ~np.int64(0xFFFF)) | socket.AF_INET6
        for key, name in zip(keys.tolist(), names, strict=True):
            if key not in self._known:
                self._remember(key, name[:NAME].tobytes())
        return keys

    def _remember(self, key: int, name: bytes) -> None:
        # Strangers can send from any number of addresses: the oldest entry goes. A leg's address
        # is seen again with its next packet.
        if len(self._known) >= 65_536:
            del self._known[next(iter(self._known))]
        self._known[key] = name

    def names(self, keys: Numbers, width: int) -> Octets:
        if width == 16:
            names = np.zeros((len(keys), 2), np.int64)
            names[:, 0] = keys
            return names.view(np.uint8)
        nobody = bytes(NAME)
        joined = b"".join(self._known.get(key, nobody) for key in keys.tolist())
        return np.frombuffer(joined, np.uint8).reshape(-1, NAME)

    def address(self, key: int) -> Address:
        if key & 0xFFFF == socket.AF_INET:
            name = key.to_bytes(8, sys.byteorder, signed=True)
            return socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4], "big")
        name = self._known.get(key, bytes(NAME))
        host = socket.inet_ntop(socket.AF_INET6, name[8:24])
        return host, int.from_bytes(name[2:4], "big"), 0, int.from_bytes(name[24:28], sys.byteorder)


def _sockaddr(address: Address) -> bytes:
    host, port = address[0], int(address[1])
    if ":" not in host:
        family = socket.AF_INET.to_bytes(2, sys.byteorder)
        return family + port.to_bytes(2, "big") + socket.inet_aton(host) + bytes(8)
    family = socket.AF_INET6.to_bytes(2, sys.byteorder)
    scope = int(address[3]) if len(address) > 3 else 0
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return family + port.to_bytes(2, "big") + bytes(4) + packed + scope.to_bytes(4, sys.byteorder)
