"""What every WebhookWork promises, where nobody else wants the application APP."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from tertulia.dispatch.work import WebhookWork
from tertulia.model.ids import ApplicationId

APP = ApplicationId("app-1")
Scenario = Callable[[WebhookWork], Awaitable[None]]


class WebhookWorkContract(ABC):
    @abstractmethod
    def play(self, scenario: Scenario) -> None:
        """Run it with the work of a node where APP is at home."""

    def test_what_is_to_be_ours_is_taken_and_kept(self) -> None:
        async def scenario(work: WebhookWork) -> None:
            assert await work.renew(()) > 0
            token = work.token(APP)
            assert token is not None
            for _ in range(3):
                await work.renew({APP})
                assert work.token(APP) == token
                assert work.may_send(APP)
                assert not work.is_leaving(APP)

        self.play(scenario)

    def test_what_was_given_back_can_be_taken_again(self) -> None:
        async def scenario(work: WebhookWork) -> None:
            await work.renew(())
            await work.give_back(APP)
            await work.give_back(APP)
            await work.renew(())
            assert work.token(APP) is not None
            assert work.may_send(APP)

        self.play(scenario)
