"""What has become of a message beyond the app, asked for instead of told."""

from tests.api.cast import refusal, stranger, user
from tests.api.conftest import Play
from tests.api.test_message_api import NOWHERE, TEXT, sent

from tertulia.testing.world import World

PATH = "/tertulia/v1/messages"


def test_the_newest_status_is_shown(play: Play) -> None:
    async def scenario(world: World) -> None:
        message_uuid = await sent(world)
        shown = (await world.call("GET", f"{PATH}/{message_uuid}")).json
        assert (shown["direction"], shown["carrier"]) == ("outbound", world.post.name)
        message = shown["message"]
        assert (message["status"], message["client_ref"]) == ("submitted", "mine")
        assert (message["to"], message["message_uuid"]) == (TEXT["to"], message_uuid)
        ref = world.post.refs[message_uuid]
        await world.post.delivers(ref)
        await world.settle()
        shown = (await world.call("GET", f"{PATH}/{message_uuid}")).json
        assert shown["message"]["status"] == "delivered"
        await world.post.reads(ref)
        await world.settle()
        shown = (await world.call("GET", f"{PATH}/{message_uuid}")).json
        assert shown["message"]["status"] == "read"

    play(scenario)


def test_a_message_is_its_applications_alone(play: Play) -> None:
    async def scenario(world: World) -> None:
        message_uuid = await sent(world)
        other = await stranger(world)
        path = f"{PATH}/{message_uuid}"
        assert refusal(await world.call("GET", path, token=other.token()))[0] == 404
        nowhere = NOWHERE.replace("/v1/messages", PATH)
        assert refusal(await world.call("GET", nowhere))[0] == 404
        await user(world, "alice")
        assert refusal(await world.call("GET", path, user="alice"))[0] == 403

    play(scenario)
