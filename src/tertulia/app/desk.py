"""The desk of the webhooks: REST's and the command line's look into the dispatcher's journal."""

from collections.abc import Callable

from tertulia.dispatch.reading import AttemptFilter, JournalReader, ListedAttempt, ListedDeadLetter
from tertulia.dispatch.records import Counts, Replay
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import Instant, iso
from tertulia.ports import Clock
from tertulia.web.rest.webhooks import (
    AttemptQuery,
    AttemptResource,
    DeadLetterQuery,
    DeadLetterResource,
    ReplayDraft,
    ReplayResource,
)


class JournalDesk:
    """The journal is written by another process, and read here."""

    def __init__(self, journal: JournalReader, clock: Clock, wake: Callable[[], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._wake = wake

    async def close(self) -> None:
        await self._journal.close()

    async def attempts(
        self, application_id: ApplicationId, query: AttemptQuery
    ) -> list[AttemptResource]:
        return await attempts(query, self._journal, application_id)

    async def dead_letters(
        self, application_id: ApplicationId, query: DeadLetterQuery
    ) -> list[DeadLetterResource]:
        return await dead_letters(query, self._journal, application_id)

    async def request_replay(
        self, application_id: ApplicationId, draft: ReplayDraft
    ) -> ReplayResource:
        made = await ask_for(draft, self._journal, application_id, self._clock.now())
        self._wake()
        return made

    async def replay(self, application_id: ApplicationId, replay_id: int) -> ReplayResource | None:
        found = await self._journal.replay(application_id, replay_id)
        return None if found is None else _replay(found)

    async def counts(self) -> list[Counts]:
        return await self._journal.counts()

    async def leases(self, node: str) -> int:
        return await self._journal.leases(node)


async def attempts(
    query: AttemptQuery, journal: JournalReader, application_id: ApplicationId
) -> list[AttemptResource]:
    where = AttemptFilter(
        application_id,
        ConversationId(query.conversation_id) if query.conversation_id else None,
        Position(query.position) if query.position else None, query.delivered,
    )  # fmt: skip
    found = await journal.list_attempts(where, after=query.after, limit=query.limit)
    return [_attempt(item) for item in found]


async def dead_letters(
    query: DeadLetterQuery, journal: JournalReader, application_id: ApplicationId
) -> list[DeadLetterResource]:
    found = await journal.list_dead_letters(application_id, after=query.after, limit=query.limit)
    return [_dead_letter(item) for item in found]


async def ask_for(
    draft: ReplayDraft, journal: JournalReader, application_id: ApplicationId, now: Instant
) -> ReplayResource:
    """The dispatcher has to be woken, or looks by itself after a while."""
    made = await journal.request_replay(
        application_id, now=now, target=draft.target,
        conversation_id=ConversationId(draft.conversation_id) if draft.conversation_id else None,
        first=Position(draft.first) if draft.first else None,
        last=Position(draft.last) if draft.last else None,
    )  # fmt: skip
    return _replay(made)


def _attempt(listed: ListedAttempt) -> AttemptResource:
    made = listed.attempt
    return AttemptResource(
        number=listed.number, position=made.position, conversation_id=made.lane.conversation_id,
        event_id=made.event_id, type=made.type, target=made.lane.target, purpose=made.purpose.value,
        url=made.url, attempt=made.number, at=iso(made.at), latency_ms=made.latency_ms,
        status=made.status, reason=made.reason, delivered=made.delivered,
        body_head=made.body_head.decode("utf-8", "replace"),
    )  # fmt: skip


def _dead_letter(listed: ListedDeadLetter) -> DeadLetterResource:
    letter = listed.letter
    return DeadLetterResource(
        number=listed.number, position=letter.position,
        conversation_id=letter.lane.conversation_id, event_id=letter.event_id, type=letter.type,
        target=letter.lane.target, tries=letter.tries, failing_since=iso(letter.failing_since),
        at=iso(letter.at), reason=letter.reason,
    )  # fmt: skip


def _replay(made: Replay) -> ReplayResource:
    return ReplayResource(
        made.id, made.state.value, iso(made.requested_at), made.delivered, made.failed
    )
