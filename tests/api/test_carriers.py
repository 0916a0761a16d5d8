"""Where carriers tell: who is let in, what is answered, and that what came is kept."""

import msgspec
import pytest
from msgspec.structs import replace
from tests.api.cast import NOBODY
from tests.api.conftest import Play
from tests.carriers.far_http import SECRET, WhatsAppApi
from tests.contracts.message_carrier import THEIRS, FarMessage

from tertulia.app.compose import Hub
from tertulia.carriers.graph import WhatsAppCarrier
from tertulia.carriers.http import HttpAnswer, HttpCall
from tertulia.model.sending import SendingStatus
from tertulia.ports.messaging import OutOfReach
from tertulia.testing.world import NUMBER, World
from tertulia.web.rest.carriers import BODY_MAX

API = WhatsAppApi()
MESSAGE = FarMessage("wamid.7", THEIRS, NUMBER, "Hi")


class Nowhere:
    async def request(self, call: HttpCall) -> HttpAnswer:
        raise OutOfReach("there is no network")


async def opened(world: World) -> World:
    """With a carrier at `/carriers/north`."""
    carrier = WhatsAppCarrier(API.account(), Nowhere(), lambda: None)
    world.hub = Hub(replace(world.outside, doors={"north": carrier}), world.settings)
    await carrier.start(world.hub.services.arrivals)
    return world


def signed(told: object) -> tuple[bytes, dict[str, str]]:
    knock = API.signed(msgspec.json.encode(told))
    return knock.body, {**NOBODY, **knock.headers}


def test_a_message_is_kept_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        await opened(world)
        body, headers = signed(API.message(MESSAGE))
        for _ in range(2):
            answer = await world.call("POST", "/carriers/north", body, headers=headers)
            assert (answer.status, answer.raw, answer.content_type) == (200, b"", "text/plain")
        kept = await world.store.inbound_of("north", "wamid.7")
        assert kept is not None
        assert (kept.arrival.from_, kept.arrival.content.text) == (THEIRS, "Hi")
        assert kept.application_id == world.application.id

    play(scenario)


def test_a_status_of_nobodys_message_is_heard(play: Play) -> None:
    async def scenario(world: World) -> None:
        await opened(world)
        body, headers = signed(API.status(MESSAGE, SendingStatus.DELIVERED))
        assert (await world.call("POST", "/carriers/north", body, headers=headers)).status == 200

    play(scenario)


def test_the_webhook_is_set(play: Play) -> None:
    async def scenario(world: World) -> None:
        await opened(world)
        query = "hub.mode=subscribe&hub.challenge=4%2B2&hub.verify_token="
        answer = await world.call("GET", f"/carriers/north?{query}word", headers=NOBODY)
        assert (answer.status, answer.raw) == (200, b"4+2")
        refused = await world.call("GET", f"/carriers/north?{query}wrong", headers=NOBODY)
        assert (refused.status, refused.json["title"]) == (403, "Forbidden.")

    play(scenario)


@pytest.mark.parametrize(
    ("body", "sign", "status"),
    [
        (b"{}", False, 401),
        (b"nonsense", True, 400),
        (b"[" * 10_000, True, 400),
        (b"{}" + b" " * BODY_MAX, True, 413),
    ],
)
def test_what_is_refused(play: Play, body: bytes, sign: bool, status: int) -> None:
    async def scenario(world: World) -> None:
        await opened(world)
        headers = {**NOBODY, **(API.signed(body).headers if sign else {})}
        answer = await world.call("POST", "/carriers/north", body, headers=headers)
        assert answer.status == status
        assert SECRET.encode() not in answer.raw

    play(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/carriers/south", 404),
        ("GET", "/carriers/south", 404),
        ("POST", "/carriers", 404),
        ("DELETE", "/carriers/north", 405),
    ],
)
def test_where_nobody_is(play: Play, method: str, path: str, status: int) -> None:
    async def scenario(world: World) -> None:
        await opened(world)
        answer = await world.call(method, path, b"{}", headers=NOBODY)
        assert answer.status == status

    play(scenario)
