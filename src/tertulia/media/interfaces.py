"""The addresses of this machine's interfaces, which clients are told when no others are set."""

import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

SIOCGIFADDR = 0x8915
"""Linux's request for the IPv4 address of an interface (netdevice(7))."""
_IF_INET6 = Path("/proc/net/if_inet6")
_GLOBAL_SCOPE, _HOST_SCOPE = "00", "10"
_LOOPBACK = ("127.0.0.1", "::1")


def interface_addresses(*, sixth: bool, loopback: bool) -> list[str]:
    """IPv4 before IPv6, loopback last; `sixth` is whether IPv6 is wanted. Without link-local
    ones, which mean nothing elsewhere. Loopback also when there is nothing else."""
    found = _fourth() + (_sixth(_GLOBAL_SCOPE) if sixth else [])
    others = [each for each in found if not ipaddress.ip_address(each).is_loopback]
    if others and not loopback:
        return others
    return [*others, *(_LOOPBACK if sixth and "::1" in _sixth(_HOST_SCOPE) else _LOOPBACK[:1])]


def _fourth() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asked, SIOCGIFADDR, request)
            except OSError:  # it has none, or is none of Linux
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return [each for each in found if not ipaddress.ip_address(each).is_link_local]


def _sixth(scope: str) -> list[str]:
    """Lines of: address, index, length of the prefix, scope, flags, name."""
    try:
        lines = [line.split() for line in _IF_INET6.read_text().splitlines()]
    except OSError:
        return []
    return [
        str(ipaddress.IPv6Address(bytes.fromhex(fields[0])))
        for fields in lines
        if fields[3] == scope
    ]
