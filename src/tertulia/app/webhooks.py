"""`tertulia webhooks`: the journal from the command line, beside a server or without one."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from tertulia.app.chance import SystemClock
from tertulia.devkit import development_application
from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.settings import Settings


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
    """Print one JSON object a line; the exit code."""
    file = settings.data.path / "dispatch.db"
    if not file.exists():
        say(f"{file} is not there: nothing was dispatched yet")
        return 1
    reader = JournalReader(file)
    try:
        for found in _look(reader, settings, asked):
            say(msgspec.json.encode(found).decode())
    finally:
        reader.close()
    return 0


def _look(reader: JournalReader, settings: Settings, asked: WebhookDirections) -> list[Any]:
    application_id = ApplicationId(asked.application or _development(settings))
    conversation_id = ConversationId(asked.conversation) if asked.conversation else None
    position = Position(asked.position) if asked.position else None
    if asked.what == "attempts":
        delivered = False if asked.failed else None
        where = AttemptFilter(application_id, conversation_id, position, delivered)
        return list(reader.list_attempts(where, limit=asked.limit))
    if asked.what == "dead-letters":
        return list(reader.list_dead_letters(application_id, limit=asked.limit))
    first = position or (Position(asked.first) if asked.first else None)
    last = position or (Position(asked.last) if asked.last else None)
    made = reader.request_replay(
        application_id, now=SystemClock().now(), conversation_id=conversation_id, first=first,
        last=last,
    )  # fmt: skip
    return [made]


def _development(settings: Settings) -> str:
    return development_application(settings).id
