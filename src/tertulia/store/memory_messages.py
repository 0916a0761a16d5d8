"""What is kept of messages beyond the app, in the memory adapter's tables."""

from tertulia.model.event import Bookmark
from tertulia.model.ids import ApplicationId, MessageId, Position
from tertulia.model.instant import Instant
from tertulia.model.sending import Inbound, Sending, address_of
from tertulia.model.state import Member
from tertulia.ports.messaging import Unsent
from tertulia.store.guards import stage
from tertulia.store.tables import Tables


class MemoryMessages:
    """MessageRecords."""

    _tables: Tables

    async def sending(self, message_id: MessageId) -> Sending | None:
        _, sending = self._tables.sendings.get(message_id, (0, None))
        return sending

    async def sending_of(self, carrier: str, ref: str) -> Sending | None:
        message_id = self._tables.message_refs.get((carrier, ref))
        return await self.sending(message_id) if message_id else None

    async def unsent(self, after: int = 0, limit: int = 500) -> list[Unsent]:
        found = [
            Unsent(number, sending)
            for number, sending in self._tables.sendings.values()
            if number > after and stage(sending) == 0
        ]
        return found[:limit]

    async def overdue(self, now: Instant, limit: int = 500) -> list[Sending]:
        found = [
            (sending.due_at, number, sending)
            for number, sending in self._tables.sendings.values()
            if stage(sending) == 1 and sending.due_at is not None and sending.due_at <= now
        ]
        return [sending for *_, sending in sorted(found, key=lambda each: each[:2])][:limit]

    async def inbound(self, message_id: MessageId) -> Inbound | None:
        _, inbound = self._tables.inbounds.get(message_id, (0, None))
        return inbound

    async def inbound_of(self, carrier: str, ref: str) -> Inbound | None:
        for _, inbound in self._tables.inbounds.values():
            if (inbound.arrival.carrier, inbound.arrival.ref) == (carrier, ref):
                return inbound
        return None

    async def undecided(self, limit: int = 500) -> list[Inbound]:
        return [each for _, each in self._tables.inbounds.values() if each.is_waiting][:limit]

    async def members_at(self, application_id: ApplicationId, address: str) -> list[Member]:
        tables = self._tables
        found = [
            (number, member)
            for room, members in tables.members.items()
            for number, member in members.values()
            if address_of(member) == address and not tables.is_deleted(room)
            and tables.conversations[room][1].application_id == application_id
        ]  # fmt: skip
        return [member for _, member in sorted(found, key=lambda each: each[0], reverse=True)]

    async def bookmark(self, name: str) -> Position | None:
        return self._tables.bookmarks.get(name)

    async def put_bookmark(
        self, name: str, position: Position, application_id: ApplicationId
    ) -> None:
        self._tables.put(Bookmark(name, position))
