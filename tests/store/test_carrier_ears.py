"""What carriers tell, heard by a whole server in memory, over each kind of store."""

from tests.contracts.carrier_ears import CarrierEarsContract, Listener
from tests.store.test_memory import OnMemory
from tests.store.test_postgres import OnPostgres
from tests.store.test_sqlite import OnSqlite

from tertulia.app.outside import Store
from tertulia.devkit import RsaSmith
from tertulia.testing.world import NUMBER, World

KEYS = RsaSmith().new_pair()


class OfAServer(CarrierEarsContract):
    async def listener(self, store: Store) -> Listener:
        world = await World.open(keys=KEYS, store=store)
        return Listener(world.hub.services.arrivals, world.application.id, NUMBER)


class TestEarsOnMemory(OfAServer, OnMemory, CarrierEarsContract):
    pass


class TestEarsOnSqlite(OfAServer, OnSqlite, CarrierEarsContract):
    pass


class TestEarsOnPostgres(OfAServer, OnPostgres, CarrierEarsContract):
    pass
