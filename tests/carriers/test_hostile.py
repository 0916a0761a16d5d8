"""Whatever comes to a carrier's door in its own name: it is answered, and nothing is raised."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.carriers import test_contracts as suites
from tests.contracts.message_carrier import Ears

from tertulia.model.sending import Arrival, Outcome

DOORS = (
    suites.TestWhatsAppDoor, suites.TestMessengerDoor, suites.TestViberDoor,
    suites.TestGatewayDoor,
)  # fmt: skip
Draw = Callable[[st.SearchStrategy[Any]], Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)  # fmt: skip


def bent(told: Any, draw: Draw) -> Any:
    """With something else in one place of it."""
    if draw(st.integers(0, 5)) == 0 or not isinstance(told, dict | list) or not told:
        return draw(JSON)
    if isinstance(told, list):
        return [bent(told[0], draw), *told[1:]]
    name = draw(st.sampled_from(sorted(told)))
    return {**told, name: bent(told[name], draw)}


def check(kind: type[suites.DoorOf], told: object) -> None:
    async def run() -> None:
        suite, ears = kind(), Ears()
        door = suite.door()
        await suite.open(door, ears)
        answer = await door.knock(suite.knock_of(told))
        assert answer.status in (200, 400)
        told_all: list[Outcome | Arrival] = [*ears.outcomes, *ears.arrivals]
        for each in told_all:
            assert 0 < len(each.ref) <= 300
            # what is kept can be read again: no type but those that were declared
            msgspec.convert(msgspec.to_builtins(each), type(each))

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
@given(told=JSON)
@settings(max_examples=50, deadline=None)
def test_anything(kind: type[suites.DoorOf], told: object) -> None:
    check(kind, told)
    check(kind, {"entry": told, "event": "message", "message": told})


@pytest.mark.parametrize("kind", DOORS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_almost_right(kind: type[suites.DoorOf], data: st.DataObject) -> None:
    suite = kind()
    told = (suite.delivered("71"), suite.message("72", "Hi"))[data.draw(st.integers(0, 1))]
    check(kind, bent(told, data.draw))
