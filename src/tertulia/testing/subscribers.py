"""Softphone users without a directory, for tests."""

from tertulia.ports.phones import Subscriber


class Enrolled:
    """ports.Subscribers of those that were enrolled."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Subscriber] = {}

    def enrol(self, domain: str, subscriber: Subscriber) -> None:
        self._known[domain.lower(), subscriber.name] = subscriber

    async def find(self, domain: str, name: str) -> Subscriber | None:
        return self._known.get((domain.lower(), name))
