"""A journal's content, from one kind of tables to another: its store has moved, or is about to."""

from tertulia.dispatch.tables import Step, Tables

_CONTENT = {
    "webhook_progress": "application_id, cursor, waiting_since",
    "webhook_totals": "application_id, delivered, failed",
    "webhook_held": "application_id, conversation_id, target, about, after, position, tries,"
    " failing_since, not_before, reason",
    "webhook_attempts": "application_id, conversation_id, target, purpose, event_id, position,"
    " type, url, attempt, at, latency_ms, status, reason, body_head, delivered",
    "webhook_dead_letters": "application_id, conversation_id, target, event_id, position, type,"
    " tries, failing_since, at, reason",
    "webhook_replays": "application_id, conversation_id, first, last, target, requested_at, state,"
    " after, delivered, failed",
}
"""Columns of each table, but for numbers, which begin anew in the same order."""
_ORDERED = {
    "webhook_attempts": "number", "webhook_dead_letters": "number", "webhook_replays": "id",
}  # fmt: skip


async def carry(source: Tables, target: Tables, epoch: str | None = None) -> int:
    """Copy what is about applications that the target knows nothing of, as one transaction, if it
    is about the store of this epoch, when one is given; how many applications that were.

    Raises Unavailable.
    """
    known = await target.fetch("SELECT application_id FROM webhook_progress")
    rows = await source.fetch("SELECT epoch FROM webhook_epoch")
    if not rows or epoch not in (None, rows[0]["epoch"]):
        return 0
    steps = [
        await _step(source, table, {row["application_id"] for row in known}) for table in _CONTENT
    ]
    put_epoch = Step(
        "INSERT INTO webhook_epoch (one, epoch) VALUES (1, $1) ON CONFLICT (one) DO NOTHING",
        [(rows[0]["epoch"],)],
    )
    await target.write({}, lambda _: [put_epoch, *(step for step in steps if step.rows)])
    return len(steps[0].rows)


async def _step(source: Tables, table: str, known: set[str]) -> Step:
    columns = _CONTENT[table].split(", ")
    order = _ORDERED.get(table, "application_id")
    found = await source.fetch(f"SELECT {_CONTENT[table]} FROM {table} ORDER BY {order}")
    numbers = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    switches = {"delivered"} if table == "webhook_attempts" else set()
    rows = [
        [bool(row[name]) if name in switches else row[name] for name in columns]
        for row in found
        if row["application_id"] not in known
    ]
    return Step(f"INSERT INTO {table} ({_CONTENT[table]}) VALUES ({numbers})", rows)
