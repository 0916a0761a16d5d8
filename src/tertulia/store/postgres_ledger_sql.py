"""The statements of the shared ledger of sessions."""

from tertulia.model.session import SessionsOf

ALIVE_SECONDS = 10
"""Since the last sign of life of a node; then nobody is connected with it."""

_LAZILY = "lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS is_off)"
"""What would be lost with the server is no more than what is lost with a node."""
_ALIVE = f"""
EXISTS (SELECT FROM nodes n WHERE n.name = s.node AND n.incarnation = s.incarnation
    AND n.seen_at > now() - interval '{ALIVE_SECONDS} s')"""

BEGIN = """
WITH other AS (
    INSERT INTO meta SELECT 'sessions_epoch', value FROM meta WHERE key = 'epoch'
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value
    RETURNING value)
DELETE FROM sessions WHERE EXISTS (SELECT FROM other)"""
"""What was acknowledged in another epoch means nothing."""
OPEN = """
INSERT INTO sessions (id, application, "user", created_at, record, node, incarnation,
    acknowledged, user_name, expires_at)
SELECT id, application, "user", created_at, record, $1, $2, acknowledged, user_name, expires_at
FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::bigint[],
    $9::bytea[], $10::bigint[])
    AS t (id, application, "user", created_at, record, acknowledged, user_name, expires_at)
ON CONFLICT (id) DO NOTHING"""
WRITE = f"""
WITH {_LAZILY}
UPDATE sessions s SET
    acknowledged = greatest(s.acknowledged, t.acknowledged),
    user_name = coalesce(t.user_name, s.user_name),
    expires_at = coalesce(t.expires_at, s.expires_at),
    left_at = CASE WHEN t.is_connected IS NULL THEN s.left_at
        WHEN t.is_connected THEN NULL ELSE coalesce(s.left_at, now()) END
FROM lazily, unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bool[])
    AS t (id, turn, acknowledged, user_name, expires_at, is_connected)
WHERE s.id = t.id AND s.turn = t.turn RETURNING s.id"""
CLOSE = f"""
WITH {_LAZILY}
DELETE FROM sessions s USING lazily, unnest($1::text[], $2::bigint[]) AS t (id, turn)
WHERE s.id = t.id AND s.turn = t.turn"""
FIND = "SELECT record, node, turn, acknowledged FROM sessions WHERE id = $1"
TAKE = """
UPDATE sessions SET node = $1, incarnation = $2, turn = turn + 1, left_at = now(),
    acknowledged = greatest(acknowledged, $5)
WHERE id = $3 AND turn = $4 RETURNING turn, acknowledged"""
_SHOWN = "SELECT record, user_name, expires_at FROM sessions s WHERE"
ONE = f"{_SHOWN} id = $1 AND application = $2"
COUNT = f'SELECT count(*) FROM sessions s WHERE "user" = $1 AND left_at IS NULL AND {_ALIVE}'
DIE = f"""
UPDATE sessions SET left_at = now() WHERE left_at IS NULL AND id IN (
    SELECT id FROM sessions s WHERE left_at IS NULL AND NOT {_ALIVE}
    LIMIT 1000 FOR UPDATE SKIP LOCKED)"""
"""Nobody has told when they were left by a node that has died: now."""
SWEEP = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE left_at < now() - make_interval(secs => $1)
    LIMIT 1000 FOR UPDATE SKIP LOCKED)"""


def listed(*, of_user: bool, after: bool, before: bool, descending: bool) -> str:
    """Of the application $1: then the user, the key behind which, that before which, how many."""
    conditions = ["application = $1"]
    at = 2
    if of_user:
        conditions.append(f'"user" = ${at}')
        at += 1
    for is_given, sign in (
        (after, "<" if descending else ">"),
        (before, ">" if descending else "<"),
    ):
        if is_given:
            conditions.append(f"(created_at, id) {sign} (${at}, ${at + 1})")
            at += 2
    direction = "DESC" if descending != before else "ASC"
    return (
        f"{_SHOWN} {' AND '.join(conditions)} AND left_at IS NULL AND {_ALIVE}"
        f" ORDER BY created_at {direction}, id {direction} LIMIT ${at}"
    )


def those(which: SessionsOf, first: int) -> tuple[str, list[str]]:
    """A condition and its arguments, numbered from `first` on."""
    given = {"id": which.session_id, '"user"': which.user_id, "application": which.application_id}
    named = {column: value for column, value in given.items() if value is not None}
    assert named, "not all sessions of all are meant"
    conditions = [f"{column} = ${at}" for at, column in enumerate(named, first)]
    return " AND ".join(conditions), list(named.values())
