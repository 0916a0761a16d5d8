"""Who writes, where several may; and the table that says who it is."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Node


class Owner(Struct, frozen=True):
    """The process that writes, in a cluster: which applications are at home with it is in the
    table `homes`."""

    node: str
    incarnation: str


class Sight(NamedTuple):
    """What a node sees of the cluster."""

    nodes: tuple[Node, ...]
    """All that are alive, this one too."""
    leaving: frozenset[str]
    """Those of them that take over nothing any more."""
    version: int
    """Of the homes: another when any has changed."""


class Superseded(Exception):
    """Another process is this node by now."""


class HomesTable(Protocol):
    """As one owner uses it. Everything raises Unavailable when the table cannot be reached; another
    call tries again."""

    async def enter(self) -> None:
        """Be alive, and go on with the homes that this node had. Raises Superseded when another
        machine is this node already."""

    async def beat(self, *, is_leaving: bool = False) -> Sight:
        """Give a sign of life and look around. Raises Superseded."""

    async def homes(self) -> dict[ApplicationId, Owner]: ...

    async def claim(self, wanted: Sequence[ApplicationId] | None = None) -> int:
        """Take over of those without a living home, or of all such; how many were taken."""

    async def give(self, application_id: ApplicationId, to: str) -> bool:
        """Hand a home over; False when it is not ours, or nobody is there to have it."""

    async def leave(self) -> None:
        """Be no more: what is at home here is free at once."""

    async def close(self) -> None: ...
