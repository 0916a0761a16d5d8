"""Registrations of softphones on PostgreSQL: with which node each contact is, by its clock."""

from collections.abc import Collection, Sequence

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from tertulia.model.ids import ApplicationId
from tertulia.ports.phones import Contact, Registered
from tertulia.store.postgres_pool import PostgresPool

CONNECTIONS = 2
_SECONDS = "extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds"
_KNOWN = f"""
SELECT contact, call_id, sequence, node, {_SECONDS} FROM softphones
WHERE application = $1 AND name = $2 AND expires_at > clock_timestamp() ORDER BY contact"""
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))"
_PUT = """
INSERT INTO softphones (application, name, contact, node, call_id, sequence, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))"""
_DROP = """
DELETE FROM softphones WHERE application = $1 AND name = $2
    AND (contact = ANY($3) OR expires_at <= clock_timestamp())"""
_LOST = """
DELETE FROM softphones
WHERE application = $1 AND name = $2 AND contact = ANY($3) AND node = $4"""
_CLEAR = "DELETE FROM softphones WHERE node = $1 OR expires_at <= clock_timestamp()"


class PostgresRegistrations:
    """ports.Registrations of one node."""

    def __init__(self, pool: PostgresPool, node: str) -> None:
        self._pool = pool
        self._node = node

    @classmethod
    async def open(cls, url: str, node: str) -> "PostgresRegistrations":
        """Raises Unavailable."""
        pool = PostgresPool(url, "softphones", connections=CONNECTIONS)
        await pool.open()
        return cls(pool, node)

    @property
    def node(self) -> str:
        return self._node

    async def close(self) -> None:
        await self._pool.close()

    async def register(
        self, application_id: ApplicationId, name: str, contacts: Sequence[Contact]
    ) -> Registered | None:
        user = application_id, name

        async def change(connection: PoolConnectionProxy) -> Registered | None:
            await connection.execute(_TURN, *user)
            known = {row["contact"]: _contact(row) for row in await connection.fetch(_KNOWN, *user)}
            elsewhere = [
                (each, known[each.uri]) for each in contacts
                if each.uri in known and known[each.uri].node != self._node
            ]  # fmt: skip
            if any(_is_newer(old, wanted) for wanted, old in elsewhere):
                return None
            await connection.execute(_DROP, *user, [each.uri for each in contacts])
            rows = [
                (*user, each.uri, self._node, each.call_id, each.sequence, each.seconds)
                for each in contacts if each.seconds
            ]  # fmt: skip
            await connection.executemany(_PUT, rows)
            found = [_contact(row) for row in await connection.fetch(_KNOWN, *user)]
            return Registered(found, [old for _, old in elsewhere])

        return await self._pool.change(change)

    async def of(self, application_id: ApplicationId, name: str) -> list[Contact]:
        return [_contact(row) for row in await self._pool.fetch(_KNOWN, application_id, name)]

    async def lost(self, application_id: ApplicationId, name: str, uris: Collection[str]) -> None:
        await self._pool.fetch(_LOST, application_id, name, list(uris), self._node)

    async def clear(self) -> None:
        await self._pool.fetch(_CLEAR, self._node)


def _contact(row: Record) -> Contact:
    return Contact(row["contact"], row["call_id"], row["sequence"], row["seconds"], row["node"])


def _is_newer(known: Contact, wanted: Contact) -> bool:
    return known.call_id == wanted.call_id and known.sequence >= wanted.sequence
