"""The message API through the whole pipeline, with a carrier that does as it is told."""

from typing import Any

import pytest
from tests.api.cast import ACCOUNT, refusal, stranger, user
from tests.api.conftest import Play

from tertulia.model.sending import SendingStatus
from tertulia.testing.world import NUMBER, World

PHONE = "447700900001"
PATH = "/v1/messages"
STATUS = "https://app.test/status"
TEXT: dict[str, Any] = {
    "channel": "sms", "message_type": "text", "text": "Hi", "to": PHONE, "from": NUMBER,
    "client_ref": "mine", "webhook_url": STATUS,
}  # fmt: skip
NOWHERE = f"{PATH}/00000000-0000-4000-8000-000000000000"


async def sent(world: World, **changes: Any) -> str:
    answer = await world.call("POST", PATH, {**TEXT, **changes})
    assert answer.status == 202, answer.json
    await world.settle()
    message_uuid: str = answer.json["message_uuid"]
    return message_uuid


async def told(world: World) -> list[Any]:
    """What the status webhook was told: status and reference."""
    await world.settle()
    return [
        (each.members["status"], each.members.get("client_ref"))
        for each in world.answers.asked if each.webhook.address == STATUS
    ]  # fmt: skip


def test_a_message_is_sent_and_its_statuses_are_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("POST", PATH, TEXT)
        assert answer.status == 202
        assert set(answer.json) == {"message_uuid"}
        await world.settle()
        (sending,) = world.post.taken
        assert sending.id == answer.json["message_uuid"]
        assert (sending.order.to, sending.order.content.text) == (PHONE, "Hi")
        await world.post.delivers(world.post.refs[sending.id])
        assert await told(world) == [("submitted", "mine"), ("delivered", "mine")]

    play(scenario)


def test_another_follows_what_fails(play: Play) -> None:
    async def scenario(world: World) -> None:
        second = {**TEXT, "channel": "whatsapp", "client_ref": "second"}
        answer = await world.call("POST", PATH, {**TEXT, "failover": [second]})
        assert set(answer.json) == {"message_uuid", "workflow_id"}
        await world.settle()
        ref = world.post.refs[answer.json["message_uuid"]]
        await world.post.tells(ref, SendingStatus.UNDELIVERABLE)
        await world.settle()
        assert [each.order.channel for each in world.post.taken] == ["sms", "whatsapp"]
        assert await told(world) == [
            ("submitted", "mine"), ("undeliverable", "mine"), ("submitted", "second"),
        ]  # fmt: skip
        workflow = world.answers.asked[-1].members["workflow"]
        assert workflow == {
            "id": answer.json["workflow_id"], "items_number": "2", "items_total": "2",
        }  # fmt: skip

    play(scenario)


def test_the_account_sends_as_the_application_of_its_number(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("POST", PATH, {**TEXT, "channel": "rcs"}, headers=ACCOUNT)
        assert answer.status == 202
        await world.settle()
        (sending,) = world.post.taken
        assert sending.application_id == world.application.id
        one = f"{PATH}/{sending.id}"
        changed = await world.call("PATCH", one, {"status": "revoked"}, headers=ACCOUNT)
        assert (changed.status, changed.json) == (200, {})
        assert [each.id for each in world.post.revoked] == [sending.id]
        missing = await world.call("PATCH", NOWHERE, {"status": "revoked"}, headers=ACCOUNT)
        assert refusal(missing) == (404, "message:error:not-found")
        wrong = {"authorization": "Basic a2V5Ondyb25n"}
        for method, path, body in (("POST", PATH, TEXT), ("PATCH", one, {"status": "read"})):
            answer = await world.call(method, path, body, headers=wrong)
            assert refusal(answer) == (401, "system:error:invalid-token")

    play(scenario)


def test_an_inbound_message_is_marked_as_read(play: Play) -> None:
    async def scenario(world: World) -> None:
        await world.post.brings("Hello", PHONE, NUMBER, channel="whatsapp", ref="in-1")
        inbound = await world.store.inbound_of("post", "in-1")
        assert inbound is not None
        one = f"{PATH}/{inbound.id}"
        typing = {"status": "read", "replying_indicator": {"show": True, "type": "text"}}
        for body in ({"status": "read"}, typing):
            assert (await world.call("PATCH", one, body)).status == 200
        assert [typing for _, typing in world.post.marked] == [False, True]
        answer = await world.call("PATCH", one, {"status": "revoked"})
        assert refusal(answer) == (404, "message:error:not-found")

    play(scenario)


def test_what_the_channel_cannot_is_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = f"{PATH}/{await sent(world)}"
        answer = await world.call("PATCH", one, {"status": "revoked"})
        assert refusal(answer) == (400, "message:error:invalid-state")

    play(scenario)


@pytest.mark.parametrize("changes, code, name", [
    ({"to": "12"}, "messages#1170", "to"), ({"from": "x" * 20}, "messages#1120", "from"),
    ({"ttl": "soon"}, "messages#1020", "ttl"), ({"channel": "fax"}, "messages#1020", "channel"),
    ({"message_type": "image"}, "messages#1020", "message_type"),
])  # fmt: skip
def test_what_is_wrong_is_unprocessable(
    play: Play, changes: dict[str, Any], code: str, name: str
) -> None:
    async def scenario(world: World) -> None:
        head = await world.store.head()
        for headers in ({}, ACCOUNT):
            answer = await world.call("POST", PATH, {**TEXT, **changes}, headers=headers)
            assert refusal(answer) == (422, code)
            assert [each["name"] for each in answer.json["invalid_parameters"]] == [name]
            assert answer.json["type"].endswith(f"#{code.partition('#')[2]}")
            assert {"title", "detail", "instance"} < set(answer.json)
        assert await world.store.head() == head

    play(scenario)


def test_what_is_no_json_is_unprocessable(play: Play) -> None:
    async def scenario(world: World) -> None:
        for body in (b"{", b"[]", b"null", b""):
            assert refusal(await world.call("POST", PATH, body))[0] == 422

    play(scenario)


def test_messages_are_the_applications_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = f"{PATH}/{await sent(world, channel='rcs')}"
        await user(world, "alice")
        for method, path, body in (("POST", PATH, TEXT), ("PATCH", one, {"status": "revoked"})):
            answer = await world.call(method, path, body, user="alice")
            assert refusal(answer) == (403, "system:error:permission")
        token = (await stranger(world)).token()
        answer = await world.call("PATCH", one, {"status": "revoked"}, token=token)
        assert refusal(answer) == (404, "message:error:not-found")
        narrow = world.token(acl={"paths": {"/*/messages/**": {"methods": ["PATCH"]}}})
        assert refusal(await world.call("POST", PATH, TEXT, token=narrow))[0] == 403
        assert (await world.call("PATCH", one, {"status": "revoked"}, token=narrow)).status == 200
        assert len(world.post.revoked) == 1

    play(scenario)
