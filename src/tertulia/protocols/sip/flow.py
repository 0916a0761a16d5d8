"""Where messages come from and go to: one UDP socket and a peer's address, or one connection."""

from typing import NamedTuple


class Flow(NamedTuple):
    """Named by the owner of the sockets; equal flows are the same flow."""

    transport: str
    """`udp`, `tcp` or `tls`."""
    local: tuple[str, int]
    """Address that the peer is to answer to: it stands in our Via and Contact. IPv6 without
    brackets."""
    peer: tuple[str, int]
    serial: int = 0
    """Tells connections between the same addresses apart; 0 for UDP."""

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"


def host_port(address: tuple[str, int]) -> str:
    """As in a URI or a Via: IPv6 in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
