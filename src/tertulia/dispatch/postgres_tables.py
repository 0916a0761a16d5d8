"""The journal's tables on PostgreSQL, beside the log: for all nodes, each with its own work.

Writes are fenced: the rows of the leases under which they are made are locked against being taken
over until the commit, while their renewal, which changes no key, goes on.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from asyncpg import Connection

from tertulia.dispatch.tables import Claims, Row, Step, Value
from tertulia.model.ids import ApplicationId
from tertulia.postgres.line import Line
from tertulia.postgres.values import storable

SECONDS = 20.0
SETTINGS = {"idle_in_transaction_session_timeout": "2000"}
"""Milliseconds. A process that was stopped in its transaction keeps others waiting so long."""
_KEPT = """
SELECT l.application
FROM webhook_leases AS l
JOIN unnest($1::text[], $2::text[]) AS c (application, token)
    ON l.application = c.application AND l.token = c.token
FOR KEY SHARE OF l"""


class PostgresTables:
    def __init__(self, url: str, use: str = "journal") -> None:
        self._line = Line(url, use, seconds=SECONDS, settings=SETTINGS)

    async def fetch(self, sql: str, *values: Value) -> Sequence[Row]:
        async with self._line.hold() as connection:
            found: Sequence[Row] = await connection.fetch(sql, *_storable(values))
        return found

    async def write(
        self, claims: Claims, steps: Callable[[Collection[ApplicationId]], Iterable[Step]]
    ) -> Collection[ApplicationId]:
        async with self._line.hold() as connection, connection.transaction():
            lost = await _lost(connection, claims)
            for step in steps(lost):
                await connection.executemany(step.sql, [_storable(row) for row in step.rows])
        return lost

    async def close(self) -> None:
        await self._line.close()


async def _lost(connection: Connection, claims: Claims) -> Collection[ApplicationId]:
    if not claims:
        return ()
    kept = await connection.fetch(_KEPT, list(claims), list(claims.values()))
    return claims.keys() - {row["application"] for row in kept}


def _storable(values: Sequence[Value]) -> Sequence[Value]:
    return [storable(each) for each in values]
