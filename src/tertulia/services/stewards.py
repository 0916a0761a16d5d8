"""Which node does what one does for all."""

from collections.abc import Iterable
from hashlib import sha256

from tertulia.ports.cluster import Homes


def steward(homes: Homes, what: str) -> str:
    """The name of the node that does it: the same for all who see the same nodes."""
    others = [node.name for node in homes.nodes() if not node.is_leaving]
    return one_of([homes.name, *others], what)


def one_of(nodes: Iterable[str], what: str) -> str:
    """Another one only when that has gone, or a new one has taken its place."""
    return max(nodes, key=lambda node: sha256(f"{what} {node}".encode()).digest())
