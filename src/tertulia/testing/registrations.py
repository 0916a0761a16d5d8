"""Registrations of softphones without a store, for tests: the nodes of one process share them."""

from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from tertulia.model.ids import ApplicationId
from tertulia.ports.phones import Contact, Registered

Book = dict[tuple[ApplicationId, str], dict[str, Contact]]
"""By user and address; the seconds of each are a time here."""


class SharedBook:
    """ports.Registrations of one node."""

    def __init__(self, node: str, book: Book, now: Callable[[], float]) -> None:
        self._node = node
        self._book = book
        self._now = now

    @property
    def node(self) -> str:
        return self._node

    async def register(
        self, application_id: ApplicationId, name: str, contacts: Sequence[Contact]
    ) -> Registered | None:
        known = self._user(application_id, name)
        live = {each.uri: each for each in await self.of(application_id, name)}
        old = [live[each.uri] for each in contacts if each.uri in live]
        wanted = {each.uri: each for each in contacts}
        if any(_is_newer(each, wanted[each.uri]) for each in old if each.node != self._node):
            return None
        for each in contacts:
            if each.seconds:
                until = self._now() + each.seconds
                known[each.uri] = replace(each, seconds=until, node=self._node)
            else:
                known.pop(each.uri, None)
        left = [each for each in old if each.node != self._node]
        return Registered(await self.of(application_id, name), left)

    async def of(self, application_id: ApplicationId, name: str) -> list[Contact]:
        now, known = self._now(), self._user(application_id, name)
        return [
            replace(each, seconds=each.seconds - now)
            for _, each in sorted(known.items()) if each.seconds > now
        ]  # fmt: skip

    async def lost(self, application_id: ApplicationId, name: str, uris: Collection[str]) -> None:
        known = self._user(application_id, name)
        for uri in uris:
            if uri in known and known[uri].node == self._node:
                del known[uri]

    async def clear(self) -> None:
        for known in self._book.values():
            for uri in [uri for uri, each in known.items() if each.node == self._node]:
                del known[uri]

    def _user(self, application_id: ApplicationId, name: str) -> dict[str, Contact]:
        return self._book.setdefault((application_id, name), {})


def _is_newer(known: Contact, wanted: Contact) -> bool:
    return known.call_id == wanted.call_id and known.sequence >= wanted.sequence
