"""The adapters of Subscribers against their contract."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.contracts.builders import APP, user
from tests.contracts.subscribers import DOMAIN, SubscribersContract

from tertulia.model.ids import ApplicationId
from tertulia.ports.phones import Subscriber, Subscribers
from tertulia.services.subscribers import UserSubscribers
from tertulia.store.memory import MemoryStore
from tertulia.testing.subscribers import Enrolled


def tenant(domain: str) -> ApplicationId | None:
    return APP if domain.lower() == DOMAIN else None


async def with_channels(channels: dict[str, Any] | None) -> tuple[UserSubscribers, Subscriber]:
    store = MemoryStore()
    alice = replace(user("alice"), channels=channels)
    await store.put_user(alice)
    await store.put_user(user("bob"))
    found = Subscriber(alice.id, APP, "alice", {"alice": "secret"})
    return UserSubscribers(store, tenant), found


class TestUserSubscribers(SubscribersContract):
    async def subscribers(self) -> tuple[Subscribers, Subscriber]:
        return await with_channels({"sip": [{"username": "alice", "password": "secret"}]})


class TestEnrolled(SubscribersContract):
    async def subscribers(self) -> tuple[Subscribers, Subscriber]:
        enrolled = Enrolled()
        alice = Subscriber(user().id, APP, "alice", {"alice": "secret"})
        enrolled.enrol(DOMAIN, alice)
        return enrolled, alice


@pytest.mark.parametrize(
    ("sip", "passwords"),
    [
        ([{"username": "desk", "password": "a"}, {"username": "mobile", "password": "b"}],
         {"desk": "a", "mobile": "b"}),
        ([{"password": "a"}], {"alice": "a"}),
        ({"username": "desk", "password": "a"}, {"desk": "a"}),
        ([{"uri": "sip:alice@elsewhere.test"}, {"username": "x", "password": "a"}], {"x": "a"}),
        ([{"username": "x"}, {"username": "y", "password": ""}, 7, None, "text"], None),
        ([{"username": 5, "password": "a"}, {"username": "x", "password": 5}], None),
        ([], None), (None, None), ("text", None), (7, None),
    ],
)  # fmt: skip
def test_credentials_are_what_makes_sense_of_the_channels(
    sip: object, passwords: dict[str, str] | None
) -> None:
    async def run() -> Subscriber | None:
        subscribers, _ = await with_channels({"sip": sip})
        return await subscribers.find(DOMAIN, "alice")

    found = asyncio.run(run())
    assert (found.passwords if found else None) == passwords


def test_a_user_without_channels_is_no_subscriber() -> None:
    async def run() -> Subscriber | None:
        subscribers, _ = await with_channels(None)
        return await subscribers.find(DOMAIN, "alice")

    assert asyncio.run(run()) is None
