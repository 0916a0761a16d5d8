"""What every adapter of Registrations promises."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from tertulia.model.ids import ApplicationId
from tertulia.ports.phones import Contact, Registered, Registrations

APP = ApplicationId("application-1")
OTHER = ApplicationId("application-2")
PHONE, DESK = "sip:alice@192.0.2.7:5070", "sip:alice@192.0.2.8:5060"

Join = Callable[[str], Awaitable[Registrations]]
"""One more node of that name, over the same store."""


def contact(
    uri: str = PHONE, *, call: str = "call", sequence: int = 1, seconds: float = 60
) -> Contact:
    return Contact(uri, call, sequence, seconds)


async def places(registrations: Registrations, name: str = "alice") -> list[tuple[str, str]]:
    return [(each.uri, each.node) for each in await registrations.of(APP, name)]


class RegistrationsContract(ABC):
    @abstractmethod
    def nodes(self) -> AbstractAsyncContextManager[Join]: ...

    def play(self, scenario: Callable[[Registrations, Registrations], Awaitable[None]]) -> None:
        async def run() -> None:
            async with self.nodes() as join:
                await scenario(await join("a"), await join("b"))

        asyncio.run(run())

    def test_what_one_node_has_all_nodes_know(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            made = await a.register(APP, "alice", [contact(), contact(DESK, seconds=600)])
            assert isinstance(made, Registered)
            assert ([each.uri for each in made.contacts], made.left) == ([PHONE, DESK], [])
            assert await places(b) == [(PHONE, "a"), (DESK, "a")]
            first, second = await b.of(APP, "alice")
            assert 55 < first.seconds <= 60 < 590 < second.seconds <= 600
            assert (first.call_id, first.sequence) == ("call", 1)
            assert await places(b, "bob") == []
            assert await b.of(OTHER, "alice") == []

        self.play(scenario)

    def test_a_contact_is_with_the_node_that_it_last_registered_with(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact(), contact(DESK)])
            made = await b.register(APP, "alice", [contact(sequence=2)])
            assert made is not None
            assert [(each.uri, each.node) for each in made.left] == [(PHONE, "a")]
            assert await places(a) == [(PHONE, "b"), (DESK, "a")]

        self.play(scenario)

    def test_what_is_older_changes_nothing(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact(sequence=5)])
            for sequence in (4, 5):
                late = [contact(sequence=sequence), contact(DESK)]
                assert await b.register(APP, "alice", late) is None
            assert await places(b) == [(PHONE, "a")]
            assert await b.register(APP, "alice", [contact(call="another", sequence=1)])
            assert await places(b) == [(PHONE, "b")]

        self.play(scenario)

    def test_a_contact_is_taken_back_at_any_node(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact(), contact(DESK)])
            made = await b.register(APP, "alice", [contact(sequence=2, seconds=0)])
            assert made is not None
            assert [each.uri for each in made.left] == [PHONE]
            assert await places(b) == [(DESK, "a")]
            assert await b.register(APP, "alice", [contact("sip:nobody@192.0.2.9", seconds=0)])

        self.play(scenario)

    def test_it_is_over_when_its_time_is(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact(seconds=0.05), contact(DESK)])
            await asyncio.sleep(0.1)
            assert await places(b) == [(DESK, "a")]
            assert await b.register(APP, "alice", [contact(sequence=1)])

        self.play(scenario)

    def test_a_lost_connection_takes_what_is_still_with_its_node(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact(), contact(DESK)])
            await b.register(APP, "alice", [contact(sequence=2)])
            await a.lost(APP, "alice", [PHONE, DESK])
            assert await places(a) == [(PHONE, "b")]

        self.play(scenario)

    def test_a_node_that_begins_anew_has_nothing(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            await a.register(APP, "alice", [contact()])
            await b.register(APP, "alice", [contact(DESK)])
            await a.clear()
            assert (await places(b), a.node, b.node) == ([(DESK, "b")], "a", "b")

        self.play(scenario)

    def test_many_at_once_leave_each_contact_with_one_node(self) -> None:
        async def scenario(a: Registrations, b: Registrations) -> None:
            made = await asyncio.gather(
                *(
                    node.register(APP, "alice", [contact(sequence=turn * 2 + index)])
                    for turn in range(10) for index, node in enumerate((a, b))
                )
            )  # fmt: skip
            assert any(made)
            assert len(await places(a)) == 1

        self.play(scenario)
