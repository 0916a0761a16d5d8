"""Homes on PostgreSQL: which node each application is at home with, and which nodes are alive.

A node is alive while it gives signs of life, by the server's clock. Homes change only under the
lock of the row `head` and with its `homes` counted up, so a writer that has lost one finds out
before it writes (postgres_known.py).
"""

import time
from collections.abc import Sequence

from asyncpg import Connection

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Node
from tertulia.postgres.line import Line
from tertulia.store.owner import Owner, Sight, Superseded

SECONDS = 3.0
"""For one command. A server that takes longer lets leases run out."""
LATELY_S = 5.0
CLAIMED_MAX = 500
"""Homes taken over at once: writers wait meanwhile."""

_ALIVE = "n.seen_at > clock_timestamp() - make_interval(secs => $1)"
_LOCK = "SELECT homes FROM head FOR UPDATE"
_CHANGED = "UPDATE head SET homes = homes + 1, writer = ''"
_TWIN = f"SELECT n.url FROM nodes AS n WHERE n.name = $2 AND {_ALIVE} AND NOT n.is_leaving"
_ENTER = """
INSERT INTO nodes (name, incarnation, url, seen_at) VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, url = excluded.url,
    seen_at = excluded.seen_at, is_leaving = false"""
_RESUME = "UPDATE homes SET incarnation = $2 WHERE node = $1"
_BEAT = """
UPDATE nodes SET seen_at = clock_timestamp(), is_leaving = $3
WHERE name = $1 AND incarnation = $2"""
_LOOK = f"""
SELECT n.name, n.url, n.is_leaving, (SELECT homes FROM head) AS homes
FROM nodes AS n WHERE {_ALIVE} ORDER BY n.name"""
_HOMES = "SELECT application, node, incarnation FROM homes"
_FREE = f"""
SELECT a.id FROM applications AS a
LEFT JOIN homes AS h ON h.application = a.id
LEFT JOIN nodes AS n ON n.name = h.node AND n.incarnation = h.incarnation AND {_ALIVE}
WHERE a.application IS NOT NULL AND n.name IS NULL AND ($2::text[] IS NULL OR a.id = ANY($2))
LIMIT $3"""
_TAKE = """
INSERT INTO homes (application, node, incarnation) SELECT unnest($3::text[]), $1, $2
ON CONFLICT (application) DO UPDATE SET node = excluded.node, incarnation = excluded.incarnation"""
_GIVE = f"""
UPDATE homes AS h SET node = n.name, incarnation = n.incarnation
FROM nodes AS n
WHERE h.application = $2 AND h.node = $3 AND h.incarnation = $4
    AND n.name = $5 AND {_ALIVE} AND NOT n.is_leaving"""
_LEAVE = "DELETE FROM homes WHERE node = $1 AND incarnation = $2"
_FORGET = "DELETE FROM nodes WHERE name = $1 AND incarnation = $2"


async def living(url: str) -> list[str]:
    """Nodes that have given a sign of life lately. Raises Unavailable."""
    line = _line(url)
    try:
        async with line.hold() as there:
            return [row["name"] for row in await there.fetch(_LOOK, LATELY_S)]
    finally:
        await line.close()


def _line(url: str) -> Line:
    return Line(url, "homes", seconds=SECONDS, settings={"statement_timeout": "3000"})


class PostgresHomes:
    """HomesTable, in the database of the log."""

    def __init__(self, url: str, owner: Owner, address: str, *, lease_s: float) -> None:
        self._owner = owner
        self._address = address
        self._lease_s = lease_s
        # Changes wait for writers, who may be stuck; a sign of life must not.
        self._looks, self._changes = _line(url), _line(url)
        self._seen_at: float | None = None
        """When the last sign of life was taken, by this machine's own clock."""
        self._sure_at = 0.0

    async def enter(self) -> None:
        async with self._changes.hold() as there:
            await self._enter(there)

    async def beat(self, *, is_leaving: bool = False) -> Sight:
        async with self._looks.hold() as there:
            sight = await self._beat(there, is_leaving)
        now = time.monotonic()
        if self._seen_at is not None and now - self._seen_at > self._lease_s:
            self._sure_at = now + self._lease_s
        self._seen_at = now
        return sight

    async def homes(self) -> dict[ApplicationId, Owner]:
        async with self._looks.hold() as there:
            rows = await there.fetch(_HOMES)
        return {ApplicationId(name): Owner(node, of) for name, node, of in rows}

    async def claim(
        self, wanted: Sequence[ApplicationId] | None = None, most: int = CLAIMED_MAX
    ) -> int:
        """At most so many at once; after a time in which it could give no sign of life itself, none
        for as long as a lease: the store was away, for others perhaps too, and they are to have the
        time to give theirs."""
        if time.monotonic() < self._sure_at:
            return 0
        async with self._looks.hold() as there:
            if not await self._free(there, wanted, 1):
                return 0
        async with self._changes.hold() as there:
            return await self._claim(there, wanted, most)

    async def give(self, application_id: ApplicationId, to: str) -> bool:
        async with self._changes.hold() as there:
            return await self._give(there, application_id, to)

    async def leave(self) -> None:
        async with self._changes.hold() as there, there.transaction():
            await there.execute(_LOCK)
            await there.execute(_LEAVE, self._owner.node, self._owner.incarnation)
            await there.execute(_FORGET, self._owner.node, self._owner.incarnation)
            await there.execute(_CHANGED)

    async def close(self) -> None:
        await self._looks.close()
        await self._changes.close()

    async def _enter(self, there: Connection) -> None:
        name, incarnation = self._owner.node, self._owner.incarnation
        async with there.transaction():
            await there.execute(_LOCK)
            twin = await there.fetchval(_TWIN, self._lease_s, name)
            if twin is not None and twin != self._address:
                raise Superseded(f"there is a node {name} already, at {twin}")
            await there.execute(_ENTER, name, incarnation, self._address)
            await there.execute(_RESUME, name, incarnation)
            await there.execute(_CHANGED)

    async def _beat(self, there: Connection, is_leaving: bool) -> Sight:
        name, incarnation = self._owner.node, self._owner.incarnation
        if await there.execute(_BEAT, name, incarnation, is_leaving) != "UPDATE 1":
            raise Superseded(f"another process is the node {name} by now")
        rows = await there.fetch(_LOOK, self._lease_s)
        return Sight(
            tuple(Node(row["name"], row["url"], row["is_leaving"]) for row in rows),
            frozenset(row["name"] for row in rows if row["is_leaving"]),
            rows[0]["homes"],
        )

    async def _free(
        self, there: Connection, wanted: Sequence[ApplicationId] | None, most: int
    ) -> list[str]:
        names = None if wanted is None else list(wanted)
        return [row["id"] for row in await there.fetch(_FREE, self._lease_s, names, most)]

    async def _claim(
        self, there: Connection, wanted: Sequence[ApplicationId] | None, most: int
    ) -> int:
        async with there.transaction():
            await there.execute(_LOCK)
            free = await self._free(there, wanted, most)
            if free:
                await there.execute(_TAKE, self._owner.node, self._owner.incarnation, free)
                await there.execute(_CHANGED)
        return len(free)

    async def _give(self, there: Connection, application_id: ApplicationId, to: str) -> bool:
        async with there.transaction():
            await there.execute(_LOCK)
            told = await there.execute(
                _GIVE, self._lease_s, application_id, self._owner.node, self._owner.incarnation, to
            )
            await there.execute(_CHANGED)
        return told == "UPDATE 1"
