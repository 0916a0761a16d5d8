"""Discovery and the clients' metrics; and what the client SDK needs of v0.3 (wire-clients 5)."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.cast import (
    NO_CONVERSATION,
    NO_MEMBER,
    NO_USER,
    NOBODY,
    blamed,
    conversation,
    joined,
    refusal,
    user,
)
from tests.api.conftest import SETTINGS, Play

from tertulia.settings import Rtc
from tertulia.testing.world import World

METRICS = "/v2/rtc/metrics"
MEDIA = {
    "mute": False, "earmuff": False, "play_stream": False, "tts": False, "recording": False,
    "transcribing": False,
}  # fmt: skip


@pytest.mark.parametrize(("host", "ip"), [
    ("tertulia.test", "tertulia.test"), ("127.0.0.1:8443", "127.0.0.1"), ("[::1]:8443", "::1"),
])  # fmt: skip
def test_a_client_finds_this_server_where_it_asks(play: Play, host: str, ip: str) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        at = {"host": host}
        found = await world.call("GET", "/v0.3/discovery/api", user="alice", headers=at)
        assert (found.status, found.json) == (200, {"local": {
            "endpoint": f"https://{host}", "https": f"https://{host}", "ws": f"wss://{host}",
        }})  # fmt: skip
        media = await world.call("GET", "/v0.3/discovery/media/local", user="alice", headers=at)
        assert (media.status, media.json) == (200, [{"ip": ip, "port": 4321}])
        elsewhere = await world.call("GET", "/v0.3/discovery/media/us-1", headers=at)
        assert refusal(elsewhere) == (404, "http:error:not-found")
        assert (await world.call("GET", "/v0.3/discovery/api", headers=NOBODY)).status == 401

    play(scenario, replace(SETTINGS, rtc=Rtc(port=4321)))


REPORT = {"sessionId": "SES-1", "metrics": [
    {"name": "TIME_TO_RECONNECT_SUCCESS", "time": 1520, "attempt": 2},
]}  # fmt: skip


def test_metrics_are_taken_from_anybody_in_either_form(play: Play) -> None:
    async def scenario(world: World) -> None:
        for report in (REPORT, {"body": REPORT}, {"metrics": [{"name": "a"}]}):
            answer = await world.call("POST", METRICS, report, headers=NOBODY)
            assert (answer.status, answer.json) == (200, {})
        narrow = world.token(acl={"paths": {"/v1/users": {}}})
        assert (await world.call("POST", METRICS, REPORT, token=narrow)).status == 200

    play(scenario)


@pytest.mark.parametrize(("report", "blame"), [
    ({}, "body"), ({"metrics": [{}]}, "metrics[0].name"), ({"body": {}}, "body.metrics"),
    ({"metrics": [{"name": "a", "time": "soon"}]}, "metrics[0].time"), ([], "body"),
    ({"metrics": [{"name": "a"}] * 101}, "metrics"), (b"{", "body"),
])  # fmt: skip
def test_metrics_have_a_shape(play: Play, report: Any, blame: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("POST", METRICS, report, headers=NOBODY)
        assert blamed(answer) == blame

    play(scenario)


def test_metrics_are_small(play: Play) -> None:
    async def scenario(world: World) -> None:
        report = {**REPORT, "more": "x" * 65_536}
        answer = await world.call("POST", METRICS, report, headers=NOBODY)
        assert refusal(answer) == (413, "http:error:payload-too-large")

    play(scenario)


# What the client SDK reads of v0.3.


def test_a_conversation_tells_of_its_media_and_of_the_own_member(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="room & co")
        await joined(world, "CON-1", "alice")
        path = "/v0.3/conversations/CON-1"
        own = (await world.call("GET", f"{path}/members/me", user="alice")).json
        assert own["_embedded"]["user"]["name"] == "alice"
        for method, body in (("GET", None), ("PATCH", {"display_name": "A"})):
            shown = await world.call(method, path, body, user="alice")
            assert shown.json["media_state"] == MEDIA
            assert shown.json["_embedded"] == {"id": "MEM-1", "state": "JOINED", "member": own}
        made = await world.call("POST", "/v0.3/conversations", {})
        assert made.json["media_state"] == MEDIA and "_embedded" not in made.json
        v1 = await world.call("GET", "/v1/conversations/CON-1", user="alice")
        assert "media_state" not in v1.json
        listed = await world.call("GET", "/v0.3/users/USR-1/conversations", user="alice")
        assert listed.json["_embedded"]["conversations"][0]["_embedded"]["member"] == own

    play(scenario)


def test_a_conversation_is_found_by_its_name(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="room & co")
        await joined(world, "CON-1", "alice")
        await user(world, "eve")
        path = "/v0.3/conversations/room%20%26%20co"
        for name in ("alice", None):
            assert (await world.call("GET", path, user=name)).json["id"] == "CON-1"
        assert refusal(await world.call("GET", path, user="eve")) == (404, NO_CONVERSATION)
        await world.call("DELETE", "/v1/conversations/CON-1")
        assert refusal(await world.call("GET", path)) == (404, NO_CONVERSATION)

    play(scenario)


def test_a_user_names_itself_me(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await joined(world, "CON-1", "alice")
        assert (await world.call("GET", "/v0.3/users/me", user="alice")).json["id"] == "USR-1"
        assert refusal(await world.call("GET", "/v0.3/users/me")) == (404, NO_USER)
        own = "/v0.3/conversations/CON-1/members/me"
        assert refusal(await world.call("GET", own)) == (404, NO_MEMBER)

    play(scenario)


def test_a_patch_clears_what_is_null(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = await conversation(world, display_name="A", properties={"custom_data": {"k": 1}})
        path = "/v0.3/conversations/CON-1"
        changed = await world.call("PATCH", path, {"display_name": None, "properties": None})
        assert changed.status == 200
        assert not {"display_name", "properties"} & changed.json.keys()
        assert changed.json["name"] == made["name"]

    play(scenario)
