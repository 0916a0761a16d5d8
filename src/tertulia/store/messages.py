"""What is kept of messages beyond the app, looked up by a reader."""

from tertulia.model.errors import Unavailable
from tertulia.model.event import Bookmark
from tertulia.model.ids import ApplicationId, MessageId, Position
from tertulia.model.instant import Instant
from tertulia.model.sending import Inbound, Sending
from tertulia.model.state import Member
from tertulia.ports.messaging import Unsent
from tertulia.store import rows
from tertulia.store.entry import rows_entry
from tertulia.store.sides import Reader, Writer


class StoredMessages:
    """MessageRecords."""

    _reader: Reader
    _writer: Writer | None

    async def sending(self, message_id: MessageId) -> Sending | None:
        found = await self._reader.read("sending", rows.sendings, {"message": message_id})
        return found[0] if found else None

    async def sending_of(self, carrier: str, ref: str) -> Sending | None:
        found = await self._reader.read(
            "sending_of", rows.sendings, {"carrier": carrier, "ref": ref}
        )
        return found[0] if found else None

    async def unsent(self, after: int = 0, limit: int = 500) -> list[Unsent]:
        found = await self._reader.read("unsent", rows.unsent, {"after": after, "limit": limit})
        return [Unsent(number, sending) for number, sending in found]

    async def overdue(self, now: Instant, limit: int = 500) -> list[Sending]:
        return await self._reader.read("overdue", rows.sendings, {"now": now, "limit": limit})

    async def inbound(self, message_id: MessageId) -> Inbound | None:
        found = await self._reader.read("inbound", rows.inbounds, {"message": message_id})
        return found[0] if found else None

    async def inbound_of(self, carrier: str, ref: str) -> Inbound | None:
        found = await self._reader.read(
            "inbound_of", rows.inbounds, {"carrier": carrier, "ref": ref}
        )
        return found[0] if found else None

    async def undecided(self, limit: int = 500) -> list[Inbound]:
        return await self._reader.read("undecided", rows.inbounds, {"limit": limit})

    async def members_at(self, application_id: ApplicationId, address: str) -> list[Member]:
        return await self._reader.read(
            "members_at", rows.own_members,
            {"application": application_id, "address": address},
        )  # fmt: skip

    async def bookmark(self, name: str) -> Position | None:
        return await self._reader.read("bookmark", rows.bookmark, {"name": name})

    async def put_bookmark(
        self, name: str, position: Position, application_id: ApplicationId
    ) -> None:
        if self._writer is None:
            raise Unavailable("the store is open for reading")
        future = self._writer.future()
        self._writer.submit(rows_entry(application_id, (Bookmark(name, position),), future))
        await future
