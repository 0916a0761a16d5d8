"""The log by a reader and a writer, whatever they work on."""

from collections.abc import Awaitable, Callable

from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position, UserId
from tertulia.ports import Append, EventQuery, Stretch
from tertulia.store import rows
from tertulia.store.entry import append_entry
from tertulia.store.queries import listing
from tertulia.store.sides import Parameter, Reader, Writer
from tertulia.store.tail import Tail

CUSTOM_TYPES = "custom:*"
_HIGHEST = 2**63 - 1


class StoredLog:
    """EventLog."""

    _reader: Reader
    _writer: Writer | None
    _tail: Tail | None
    """None where another process writes."""
    _epoch: str

    @property
    def epoch(self) -> str:
        return self._epoch

    def append(self, append: Append) -> Awaitable[Position]:
        if self._writer is None:
            raise Unavailable("the store is open for reading")
        future = self._writer.future()
        self._writer.submit(append_entry(append, future))
        return future

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None:
        found = await self._events("event", conversation=conversation_id, event=event_id)
        return found[0] if found else None

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]:
        parameters: dict[str, Parameter] = {
            "conversation": conversation_id,
            "after": query.after,
            "before": _HIGHEST if query.before is None else query.before,
            "types": rows.encode(query.types).decode() if query.types else None,
            "custom": CUSTOM_TYPES in query.types,
            "about": rows.encode(query.about).decode() if query.about else None,
            "exclude_deleted": query.exclude_deleted,
            "limit": query.limit,
        }
        name = listing("events", descending=query.descending)
        return [row.event() for row in await self._reader.read(name, rows.events, parameters)]

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        if application_id is None:
            return await self._events("follow", after=after, limit=limit)
        return await self._events(
            "follow_application", application=application_id, after=after, limit=limit
        )

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        return await self._events("follow_user", after=after, user=user_id, limit=limit)

    def tail(
        self, after: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        return None if self._tail is None else self._tail.after(after, application_id)

    def attended(self, after: Position) -> Stretch | None:
        return None if self._tail is None else self._tail.stretch(after)

    async def attend(self, application_id: ApplicationId) -> Position:
        if self._tail is None:
            return await self.head()
        return self._tail.attend(application_id)

    async def _events(self, name: str, **parameters: Parameter) -> list[Event]:
        found = await self._reader.read(name, rows.events, parameters)
        return [row.event() for row in found]

    async def head(self) -> Position:
        return await self._reader.read("head", rows.position)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """As `on_append`, of this process's own writes only."""
        if self._writer is not None:
            self._writer.on_batch(wake)

    def on_append(self, wake: Callable[[], None]) -> None:
        if self._writer is not None:
            self._writer.on_batch(wake)
