"""What every Homes promises."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from tests.contracts.builders import APP, NOW, application

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Homes

__all__ = ["APP", "NOW", "HomesContract", "application"]


class HomesContract(ABC):
    @abstractmethod
    def play(self, scenario: Callable[[Homes], Awaitable[None]]) -> None:
        """Run it with a node that is alone, where the application APP exists."""

    def test_an_application_comes_home_when_it_is_looked_for(self) -> None:
        async def scenario(homes: Homes) -> None:
            assert await homes.find(APP) is None
            assert homes.has(APP)
            await homes.require(APP)

        self.play(scenario)

    def test_who_is_alone_sees_no_other(self) -> None:
        async def scenario(homes: Homes) -> None:
            assert homes.nodes() == []
            assert homes.name

        self.play(scenario)

    def test_nobody_leaves_who_is_not_sent_away(self) -> None:
        async def scenario(homes: Homes) -> None:
            gone: list[ApplicationId] = []
            homes.on_departure(gone.append)
            for _ in range(3):
                await homes.require(APP)
            assert gone == []

        self.play(scenario)
