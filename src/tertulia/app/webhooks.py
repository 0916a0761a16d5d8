"""`tertulia webhooks`: the journal from the command line, beside a server or without one."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from tertulia.app.chance import SystemClock
from tertulia.app.desk import ask_for, attempts, dead_letters
from tertulia.app.journals import journal_file, journal_tables
from tertulia.devkit import development_application
from tertulia.dispatch.reading import JournalReader
from tertulia.model.ids import ApplicationId
from tertulia.settings import Settings
from tertulia.web.rest.webhooks import AttemptQuery, DeadLetterQuery, ReplayDraft, ranged


class WebhookDirections(Struct, frozen=True):
    """What the command line asks for."""

    what: str
    application: str | None
    conversation: str | None
    position: int | None
    first: int | None
    last: int | None
    failed: bool
    limit: int


def run_webhooks(settings: Settings, asked: WebhookDirections, say: Callable[[str], None]) -> int:
    """Print one JSON object a line, of REST's shapes; the exit code. Raises ValidationFailed."""
    file = journal_file(settings)
    if not settings.store.url and not file.exists():
        say(f"{file} is not there: nothing was dispatched yet")
        return 1
    for found in asyncio.run(_answer(settings, asked)):
        say(msgspec.json.encode(found).decode())
    return 0


async def _answer(settings: Settings, asked: WebhookDirections) -> Sequence[Struct]:
    reader = JournalReader(journal_tables(settings, "webhooks"))
    try:
        return await _look(reader, settings, asked)
    finally:
        await reader.close()


async def _look(
    reader: JournalReader, settings: Settings, asked: WebhookDirections
) -> Sequence[Struct]:
    application_id = ApplicationId(asked.application or _development(settings))
    conversation_id = asked.conversation or ""
    if asked.what == "attempts":
        query = AttemptQuery(
            conversation_id, asked.position, False if asked.failed else None, limit=asked.limit
        )
        return await attempts(query, reader, application_id)
    if asked.what == "dead-letters":
        return await dead_letters(DeadLetterQuery(limit=asked.limit), reader, application_id)
    draft = ranged(ReplayDraft(asked.position, asked.first, asked.last, conversation_id or None))
    return [await ask_for(draft, reader, application_id, SystemClock().now())]


def _development(settings: Settings) -> str:
    return development_application(settings).id
