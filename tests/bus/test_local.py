import pytest
from tests.contracts.bus import BusContract

from tertulia.bus.local import Exchange, LocalBus
from tertulia.ports.cluster import Bus


class TestLocalBus(BusContract):
    @pytest.fixture(autouse=True)
    def _exchange(self) -> None:
        self.exchange = Exchange()

    async def open(self) -> LocalBus:
        return self.exchange.bus()

    async def cut(self, bus: Bus) -> None:
        assert isinstance(bus, LocalBus)
        bus.cut()

    async def heal(self, bus: Bus) -> None:
        assert isinstance(bus, LocalBus)
        bus.heal()
