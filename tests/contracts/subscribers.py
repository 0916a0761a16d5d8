"""What every adapter of Subscribers promises."""

import asyncio
from abc import ABC, abstractmethod

import pytest

from tertulia.ports.phones import Subscriber, Subscribers

DOMAIN = "phones.test"


class SubscribersContract(ABC):
    @abstractmethod
    async def subscribers(self) -> tuple[Subscribers, Subscriber]:
        """With one user of DOMAIN, `alice`, who has a password, and what is to be found of it."""

    def find(self, domain: str, name: str) -> tuple[Subscriber | None, Subscriber]:
        async def run() -> tuple[Subscriber | None, Subscriber]:
            subscribers, alice = await self.subscribers()
            return await subscribers.find(domain, name), alice

        return asyncio.run(run())

    @pytest.mark.parametrize("domain", [DOMAIN, DOMAIN.upper()])
    def test_a_user_is_found_with_its_passwords(self, domain: str) -> None:
        found, alice = self.find(domain, "alice")
        assert found == alice
        assert found.passwords
        assert not any(password in repr(found) for password in found.passwords.values())

    @pytest.mark.parametrize(
        ("domain", "name"),
        [
            (DOMAIN, "bob"), (DOMAIN, "Alice"), (DOMAIN, ""), (DOMAIN, "alice\0"),
            (DOMAIN, "x" * 10_000), ("other.test", "alice"), ("", "alice"),
        ],
    )  # fmt: skip
    def test_nobody_else_is_found(self, domain: str, name: str) -> None:
        assert self.find(domain, name)[0] is None
