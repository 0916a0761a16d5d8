"""Operators and developers: how carriers do, and the simulated handsets."""

import asyncio
from collections.abc import Mapping

import msgspec
import pytest
from msgspec.structs import replace
from tests.api.cast import ACCOUNT, NOT_GRANTED, refusal, user
from tests.api.conftest import Play

from tertulia.app.compose import Hub
from tertulia.app.handsets import HandsetLine
from tertulia.carriers.http import HttpAnswer, HttpCall
from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.ports.messaging import OutOfReach
from tertulia.testing.world import World

HANDSETS = "/tertulia/v1/handsets"
ONE = HANDSETS + "/sms/15550110"
CARRIERS = "/tertulia/v1/message-carriers"
LISTED = b'{"numbers":[{"number":"15550110","about":"Gets messages"}],"handsets":[]}'
SCREEN = b'{"channel":"sms","address":"15550110","about":"","messages":[{"id":"a"}]}'
NONE = (404, "http:error:not-found")


class Network:
    """carriers.http.HttpOut: what it is asked is kept."""

    def __init__(self, answers: Mapping[tuple[str, str], HttpAnswer | Exception]) -> None:
        self.answers = answers
        self.asked: list[HttpCall] = []

    async def request(self, call: HttpCall) -> HttpAnswer:
        self.asked.append(call)
        answer = self.answers[call.method, call.url.removeprefix("http://127.0.0.1:9")]
        if isinstance(answer, Exception):
            raise answer
        return answer


def answered(status: int, body: bytes) -> HttpAnswer:
    return HttpAnswer(status, {}, body)


def furnished(world: World, network: Network, start: str | None = "http://127.0.0.1:9") -> None:
    outside = replace(world.outside, handsets=HandsetLine(network, lambda: start))
    world.hub = Hub(outside, world.settings)


def test_handsets_are_listed_shown_and_write(play: Play) -> None:
    async def scenario(world: World) -> None:
        network = Network({
            ("GET", "/handsets"): answered(200, LISTED),
            ("GET", "/handsets/sms/15550110"): answered(200, SCREEN),
            ("POST", "/handsets/sms/15550110/messages"): answered(201, b'{"id":"m1"}'),
        })  # fmt: skip
        furnished(world, network)
        assert (await world.call("GET", HANDSETS)).raw == LISTED
        assert (await world.call("GET", ONE)).raw == SCREEN
        made = await world.call("POST", ONE + "/messages", {"to": "12", "text": "Hi"})
        assert (made.status, made.json) == (201, {"id": "m1"})
        assert msgspec.json.decode(network.asked[-1].body) == {"to": "12", "text": "Hi"}
        assert network.asked[-1].headers == {"Content-Type": "application/json"}

    play(scenario)


def test_an_address_is_one_part_of_the_path(play: Play) -> None:
    async def scenario(world: World) -> None:
        path = "/handsets/email/..%2Fa%3Fb%40c.test"
        network = Network({("GET", path): answered(200, SCREEN)})
        furnished(world, network)
        assert (await world.call("GET", HANDSETS + "/email/..%2Fa%3Fb%40c.test")).status == 200

    play(scenario)


@pytest.mark.parametrize(("answer", "expected"), [
    (answered(404, b'{"detail":"there is no such handset"}'), NONE),
    (answered(400, b'{"detail":"no files go by sms"}'), (400, "http:error:validation-fail")),
    (answered(500, b"oops"), (503, "system:error:unavailable")),
    (answered(200, b"[]"), (503, "system:error:unavailable")),
    (OutOfReach("refused"), (503, "system:error:unavailable")),
])  # fmt: skip
def test_what_goes_wrong_there_is_told(
    play: Play, answer: HttpAnswer | Exception, expected: tuple[int, str]
) -> None:
    async def scenario(world: World) -> None:
        furnished(world, Network({("GET", "/handsets/sms/15550110"): answer}))
        assert refusal(await world.call("GET", ONE)) == expected

    play(scenario)


def test_without_a_network_there_are_none(play: Play) -> None:
    async def scenario(world: World) -> None:
        draft = {"to": "1", "text": "Hi"}
        for method, path, body in (
            ("GET", HANDSETS, None), ("GET", ONE, None), ("POST", ONE + "/messages", draft),
        ):  # fmt: skip
            answer = await world.call(method, path, body)
            assert refusal(answer) == NONE
            assert "development mode" in answer.json["detail"]

    play(scenario)


def test_a_network_that_has_not_started_is_not_there_yet() -> None:
    line = HandsetLine(Network({}), lambda: None)
    with pytest.raises(Unavailable):
        asyncio.run(line.handsets())
    assert issubclass(Unavailable, TertuliaError)


def test_they_are_no_business_of_users(play: Play) -> None:
    async def scenario(world: World) -> None:
        furnished(world, Network({}))
        await user(world, "mallory")
        for path in (HANDSETS, ONE, CARRIERS):
            assert refusal(await world.call("GET", path, user="mallory")) == (403, NOT_GRANTED)

    play(scenario)


@pytest.mark.parametrize("draft", [
    {}, {"to": ""}, {"to": "1" * 201}, {"to": "1", "text": "x" * 10_001}, {"to": "1", "more": 1},
])  # fmt: skip
def test_a_bad_draft_is_refused_here(play: Play, draft: dict[str, object]) -> None:
    async def scenario(world: World) -> None:
        network = Network({})
        furnished(world, network)
        assert (await world.call("POST", ONE + "/messages", draft)).status == 400
        assert network.asked == []

    play(scenario)


def test_carriers_tell_how_they_do(play: Play) -> None:
    async def scenario(world: World) -> None:
        for headers in ({}, ACCOUNT):
            shown = (await world.call("GET", CARRIERS, headers=headers)).json["carriers"]
            assert [each["name"] for each in shown] == ["post", "other"]
            assert shown[0] | {"channels": []} == {
                "name": "post", "kind": "puppet", "channels": [], "state": "up", "detail": "",
                "waiting": 0, "under_way": 0, "submitted": 0,
            }  # fmt: skip
            assert "sms" in shown[0]["channels"]

    play(scenario)
