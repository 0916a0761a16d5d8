"""Nodes in one process that agree about homes because a test says so."""

from collections.abc import Callable

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Arrival, Elsewhere, Node


class Town:
    """Where each application is at home, and which nodes are alive."""

    def __init__(self) -> None:
        self.homes: dict[ApplicationId, str] = {}
        self.alive: list[str] = []

    def node(self, name: str) -> "ScriptedHomes":
        self.alive.append(name)
        return ScriptedHomes(name, self)


class ScriptedHomes:
    """Homes. An application that is nowhere is at home with the first who asks."""

    own: frozenset[ApplicationId] | None = None

    def __init__(self, name: str, town: Town) -> None:
        self.name = name
        self._town = town

    def has(self, application_id: ApplicationId) -> bool:
        return self._town.homes.get(application_id) == self.name

    async def find(self, application_id: ApplicationId) -> Node | None:
        name = self._town.homes.get(application_id)
        if name not in self._town.alive:
            name = self._town.homes[application_id] = self.name
        return None if name == self.name else _node(name)

    async def require(self, application_id: ApplicationId) -> None:
        node = await self.find(application_id)
        if node is not None:
            raise Elsewhere(node)

    def nodes(self) -> list[Node]:
        return [_node(name) for name in self._town.alive if name != self.name]

    def on_arrival(self, listener: Arrival) -> None:
        """A test says what there is to be said."""

    def on_departure(self, listener: Callable[[ApplicationId], None]) -> None:
        """As above."""


def _node(name: str) -> Node:
    return Node(name, f"http://{name}.test")
