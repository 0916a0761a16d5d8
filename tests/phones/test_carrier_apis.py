"""The simulated carriers by HTTP: what they answer, and what they tell the hub, signed."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dispatch.virtual import VirtualClock, run
from tests.phones.carriers_stage import US, Stage, Told, ask, play

from tertulia.model.sending import Content
from tertulia.phones import webhooks
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.offices import Offices
from tertulia.phones.texting import file
from tertulia.protocols.http1 import Request

GRAPH = f"/graph/v21.0/{US}/messages"
VIBER, GATEWAY = "/viber/pa/send_message", "/gateway/messages"
BEARER = {"Authorization": "Bearer simulated"}
VIBER_TOKEN = {"X_Viber_Auth_Token": "simulated"}


def signature(told: Told) -> str:
    return hmac.new(b"simulated", told.raw, hashlib.sha256).hexdigest()


def whatsapp(to: str, text: str = "Hello") -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}}


async def statuses(stage: Stage, count: int) -> list[tuple[str, str]]:
    found = []
    for _ in range(count):
        told = await stage.hub.hear()
        assert told.carrier == "simulated-whatsapp"
        assert told.headers["x-hub-signature-256"] == f"sha256={signature(told)}"
        value = told.body["entry"][0]["changes"][0]["value"]
        assert value["metadata"]["phone_number_id"] == US
        for status in value.get("statuses", ()):
            found.append((status["id"], status["status"]))
        for message in value.get("messages", ()):
            found.append((message["from"], message[message["type"]].get("body", "file")))
    return found


def test_whatsapp_tells_what_becomes_of_a_message(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        status, answer = await stage.ask("POST", GRAPH, whatsapp("+1001"), **BEARER)
        assert (status, answer["contacts"]) == (200, [{"input": "+1001", "wa_id": "1001"}])
        ref = answer["messages"][0]["id"]
        assert await statuses(stage, 3) == [(ref, "sent"), (ref, "delivered"), (ref, "read")]

    play(tmp_path, scene)


def test_whatsapp_tells_a_failure_with_its_code(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.ask("POST", GRAPH, whatsapp("1002"), **BEARER)
        await stage.hub.hear()
        failed = (await stage.hub.hear()).body["entry"][0]["changes"][0]["value"]["statuses"][0]
        assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131026)

    play(tmp_path, scene)


def test_whatsapp_brings_answers_and_files(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.ask("POST", GRAPH, whatsapp("1003"), **BEARER)
        await stage.ask("POST", GRAPH, whatsapp("1004"), **BEARER)
        told = await statuses(stage, 6)
        assert {("1003", "You said: Hello"), ("1004", "file")} <= set(told)

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("path", "document", "headers", "status", "code"),
    [
        (GRAPH, whatsapp("1005"), BEARER, 400, 131026),
        (GRAPH, whatsapp("1006"), BEARER, 429, 130429),
        (GRAPH, whatsapp(""), BEARER, 400, 131009),
        (GRAPH, {"messaging_product": "whatsapp", "to": "1"}, BEARER, 400, 131009),
        (GRAPH, whatsapp("1001"), {}, 401, 190),
        (GRAPH, ["none"], BEARER, 400, 100),
        (GRAPH, {}, BEARER, 400, 100),
        (GRAPH, {"recipient": {"id": "1005"}, "message": {"text": "Hi"}}, BEARER, 400, 551),
        (GRAPH, {"recipient": {"id": "1006"}, "message": {"text": "Hi"}}, BEARER, 400, 613),
    ],
)
def test_the_graph_api_refuses(
    tmp_path: Path, path: str, document: Any, headers: dict[str, str], status: int, code: int
) -> None:
    async def scene(stage: Stage) -> None:
        found, answer = await stage.ask("POST", path, document, **headers)
        assert (found, answer["error"]["code"]) == (status, code)
        assert stage.hub.told.empty()

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "document",
    [
        {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"},
        {"recipient": {"id": "1"}, "sender_action": "typing_on"},
    ],
)
def test_what_is_only_noted(tmp_path: Path, document: dict[str, Any]) -> None:
    async def scene(stage: Stage) -> None:
        assert (await stage.ask("POST", GRAPH, document, **BEARER))[0] == 200

    play(tmp_path, scene)


def test_messenger_tells_delivery_and_a_watermark(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        draft = {"recipient": {"id": "1001"}, "message": {"text": "Hi"}}
        status, answer = await stage.ask("POST", GRAPH, draft, **BEARER)
        assert (status, answer["recipient_id"]) == (200, "1001")
        delivery, read = await stage.hub.hear(), await stage.hub.hear()
        assert delivery.carrier == "simulated-messenger"
        assert delivery.headers["x-hub-signature-256"] == f"sha256={signature(delivery)}"
        (told,) = delivery.body["entry"][0]["messaging"]
        assert (told["sender"]["id"], told["recipient"]["id"]) == ("1001", US)
        assert told["delivery"]["mids"] == [answer["message_id"]]
        (told,) = read.body["entry"][0]["messaging"]
        assert told["read"]["watermark"] >= told["timestamp"] - 1000

    play(tmp_path, scene)


def test_messenger_brings_what_handsets_write(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        write = stage.offices.texting.write
        write("messenger", "ann", "page", Content("text", {"text": "Hi"}))
        write("messenger", "ann", "page", file("image", "https://x.test/a.jpg"))
        first, second = [
            (await stage.hub.hear()).body["entry"][0]["messaging"][0] for _ in range(2)
        ]
        assert (first["sender"]["id"], first["message"]["text"]) == ("ann", "Hi")
        assert first["message"]["mid"] != second["message"]["mid"]
        payload = {"url": "https://x.test/a.jpg"}
        assert second["message"]["attachments"] == [{"type": "image", "payload": payload}]

    play(tmp_path, scene)


def viber(to: str, **more: object) -> dict[str, object]:
    return {"receiver": to, "type": "text", "text": "Hello", "sender": {"name": "ACME"}, **more}


def test_viber_tells_and_brings(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        _, answer = await stage.ask("POST", VIBER, viber("1001"), **VIBER_TOKEN)
        assert (answer["status"], answer["status_message"]) == (0, "ok")
        for event in ("delivered", "seen"):
            told = await stage.hub.hear()
            assert told.carrier == "simulated-viber"
            assert told.headers["x-viber-content-signature"] == signature(told)
            assert (told.body["event"], told.body["user_id"]) == (event, "1001")
            assert told.body["message_token"] == answer["message_token"]
        await stage.ask("POST", VIBER, viber("1002"), **VIBER_TOKEN)
        assert (await stage.hub.hear()).body["event"] == "failed"
        picture = viber("1004", type="picture", media="https://x.test/b.jpg")
        await stage.ask("POST", VIBER, picture, **VIBER_TOKEN)
        bodies = [(await stage.hub.hear()).body for _ in range(2)]
        message = next(each["message"] for each in bodies if each["event"] == "message")
        assert message == {"type": "picture", "media": "https://x.test/a.jpg", "text": "Look"}
        (shown, _) = stage.offices.texting.screens.of("viber", "1004")
        file = {"url": "https://x.test/b.jpg", "caption": "Hello"}
        assert shown.message.content == Content("image", {"image": file})

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("path", "document", "headers", "status"),
    [
        (VIBER, viber("1005"), VIBER_TOKEN, 5),
        (VIBER, viber("1006"), VIBER_TOKEN, 12),
        (VIBER, viber(""), VIBER_TOKEN, 3),
        (VIBER, [], VIBER_TOKEN, 3),
        (VIBER, viber("1001"), {}, 2),
        ("/viber/pa/broadcast", {}, VIBER_TOKEN, 1),
        ("/viber/pa/set_webhook", {"url": "https://x.test"}, VIBER_TOKEN, 0),
    ],
)
def test_viber_refuses_with_a_status(
    tmp_path: Path, path: str, document: Any, headers: dict[str, str], status: int
) -> None:
    async def scene(stage: Stage) -> None:
        found, answer = await stage.ask("POST", path, document, **headers)
        assert (found, answer["status"]) == (200, status)

    play(tmp_path, scene)


def gateway(to: str, **more: object) -> dict[str, object]:
    return {
        "id": "1", "channel": "rcs", "from": US, "to": to,
        "content": {"message_type": "text", "text": "Hello"}, **more,
    }  # fmt: skip


def test_the_gateway_tells_and_brings(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        status, answer = await stage.ask("POST", GATEWAY, gateway("1001"), **BEARER)
        assert status == 202
        for word in ("delivered", "read"):
            told = await stage.hub.hear()
            assert told.carrier == "simulated-rcs"
            assert told.headers["x-signature"] == f"sha256={signature(told)}"
            assert told.body == {"id": answer["id"], "status": word}
        await stage.ask("POST", GATEWAY, gateway("1002"), **BEARER)
        assert (await stage.hub.hear()).body["status"] == "undeliverable"
        await stage.ask("POST", GATEWAY, gateway("1003", channel="email"), **BEARER)
        both = [await stage.hub.hear() for _ in range(2)]
        brought = next(each for each in both if "content" in each.body)
        assert brought.carrier == "simulated-email"
        assert (brought.body["from"], brought.body["to"]) == ("1003", US)
        assert brought.body["content"]["text"] == "You said: Hello"

    play(tmp_path, scene)


def test_the_gateway_takes_a_message_once(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        given = {**BEARER, "Idempotency_Key": "K1"}
        first = await stage.ask("POST", GATEWAY, gateway("1001"), **given)
        assert await stage.ask("POST", GATEWAY, gateway("1001"), **given) == first
        assert len(stage.offices.texting.screens.of("rcs", "1001")) == 1

    play(tmp_path, scene)


def test_the_gateway_takes_back_what_is_not_there_yet(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        _, late = await stage.ask("POST", GATEWAY, gateway("15550111"), **BEARER)
        _, there = await stage.ask("POST", GATEWAY, gateway("1001"), **BEARER)
        revoked = await stage.ask("DELETE", f"{GATEWAY}/{late['id']}", **BEARER)
        kept = await stage.ask("DELETE", f"{GATEWAY}/{there['id']}", **BEARER)
        assert (revoked[0], kept[0]) == (204, 409)
        assert (await stage.ask("POST", f"{GATEWAY}/x/read", **BEARER))[0] == 204
        assert (await stage.ask("POST", f"{GATEWAY}/x/eat", **BEARER))[0] == 405

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("document", "headers", "status"),
    [
        (gateway("1005"), BEARER, 422),
        (gateway("1006"), BEARER, 429),
        (gateway("1001", channel="pigeon"), BEARER, 422),
        (gateway("1001", channel="sms"), BEARER, 422),
        (gateway("1001", content="x"), BEARER, 400),
        (gateway("1001"), {}, 401),
    ],
)
def test_the_gateway_refuses(
    tmp_path: Path, document: Any, headers: dict[str, str], status: int
) -> None:
    async def scene(stage: Stage) -> None:
        assert (await stage.ask("POST", GATEWAY, document, **headers))[0] == status

    play(tmp_path, scene)


NAMES = st.sampled_from(["id", "text", "body", "link", "attachment", "type", "payload", "caption"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from(["text", "image", "document", "location", "id", "message_type", ""])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "messaging_product": st.just("whatsapp"), "to": st.just("1001"), "type": KINDS,
            "text": JSON, "image": JSON, "document": JSON, "recipient": JSON, "message": JSON,
            "receiver": st.just("1001"), "sender": JSON, "media": JSON, "channel": st.just("rcs"),
            "content": JSON, "id": JSON, "status": JSON,
        },
    )
)  # fmt: skip
def test_whatever_is_sent_is_answered(document: dict[str, Any]) -> None:
    headers = {"authorization": "Bearer simulated", "x-viber-auth-token": "simulated"}

    async def scene() -> None:
        offices = Offices(Handsetbook(), now=VirtualClock().now, hub=lambda: None)
        for path in (GRAPH, VIBER, GATEWAY):
            body = msgspec.json.encode(document)
            answer = await offices.answer(
                Request("POST", path, path, "", headers, body=body), "http"
            )
            assert answer.status in (200, 202, 400, 422)
        for channel in ("whatsapp", "messenger", "viber", "rcs"):
            path = f"/handsets/{channel}/1001"
            answer = await offices.answer(Request("GET", path, path, "", headers), "http")
            assert answer.status == 200
            for each in msgspec.json.decode(answer.body)["messages"]:
                assert (each["direction"], each["to"]) == ("in", "1001")

    run(scene())


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/handsets", {}, 200),
        ("/handsets", {"Host": "localhost:99"}, 200),
        ("/handsets", {"Host": "evil.test"}, 421),
        ("/handsetsx", {}, 404),
        ("/", {}, 404),
    ],
)
def test_only_who_means_this_machine_is_answered(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    async def scene(stage: Stage) -> None:
        assert (await ask(stage.offices.http_port, "GET", path, **headers))[0] == status

    play(tmp_path, scene)


def with_no_rest(test: Callable[[Stage], Awaitable[None]], folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhooks, "FIRST_WAIT", 0.001)
        patch.setattr(webhooks, "LONGEST_WAIT", 0.001)
        patch.setattr(webhooks, "TRIES", 4)
        play(folder, test)


def test_what_the_hub_cannot_take_is_told_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.hub.statuses = [503, 404, 500]
        _, answer = await stage.ask("POST", GATEWAY, gateway("1001"), **BEARER)
        told = [(await stage.hub.hear()).body for _ in range(2)]
        assert [(each["id"], each["status"]) for each in told] == [
            (answer["id"], "delivered"), (answer["id"], "read"),
        ]  # fmt: skip

    with_no_rest(scene, tmp_path)


@pytest.mark.parametrize("statuses", [[400], [401], [503] * 4])
def test_what_the_hub_will_not_take_is_given_up(tmp_path: Path, statuses: list[int]) -> None:
    async def scene(stage: Stage) -> None:
        stage.hub.statuses = statuses
        await stage.ask("POST", GATEWAY, gateway("1001"), **BEARER)
        assert (await stage.hub.hear()).body["status"] == "read"

    with_no_rest(scene, tmp_path)


def test_the_oldest_is_dropped_when_too_much_waits(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        port, stage.hub.port = stage.hub.port, None
        for _ in range(5):
            stage.offices.texting.write("rcs", "1", US, Content("text", {"text": "Hi"}))
        waiting = stage.offices._webhooks
        assert (waiting.waiting, waiting.dropped) == (2, 3)
        stage.hub.port = port

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhooks, "WAITING_MAX", 2)
        play(tmp_path, scene)
