"""Which addresses of the internet may be reached: public ones, and networks that are allowed.

For whatever follows an address that somebody else has given: webhooks, downloads, SIP URIs.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFUSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",
        "2001::/23", "2001:db8::/32", "3fff::/20",
    )
)  # fmt: skip
"""IANA's special-purpose addresses, and one cloud's metadata service at a public address."""
GLOBAL_V6 = IPv6Network("2000::/3")
"""Nothing else of IPv6 is reached: no loopback, unique local, link-local, multicast."""
NAT64 = IPv6Network("64:ff9b::/96")
SIX_TO_FOUR = IPv6Network("2002::/16")
COMPATIBLE = IPv6Network("::/96")


def embedded_address(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4 or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in SIX_TO_FOUR:
        return address.sixtofour
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def is_public(address: Address) -> bool:
    """Whether an address leads to the open internet and nowhere nearer."""
    inner = embedded_address(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address not in GLOBAL_V6:
        return False
    return not any(address in network for network in REFUSED)


class Networks:
    """Some networks. An IPv6 address that stands for an IPv4 address is in the network of that."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(text) for text in networks)

    def __contains__(self, address: Address) -> bool:
        inner = embedded_address(address)
        return any(
            address in network or (inner is not None and inner in network)
            for network in self._networks
        )

    def has(self, text: str) -> bool:
        """Whether an address in numbers is among them; one with a zone counts without it."""
        return read_address(text) in self

    def permits(self, address: Address) -> bool:
        """Whether an address is public or among them."""
        return is_public(address) or address in self


def read_address(text: str) -> Address:
    """An address in numbers. Raises ValueError."""
    return ip_address(text.partition("%")[0])
