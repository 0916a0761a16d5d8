"""The AsyncAPI document: whole, linked, and true of the golden webhooks."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.web.pointers import references, resolve

from tertulia.model.events.registry import Reach, all_types, find
from tertulia.web.asyncapi import asyncapi
from tertulia.web.asyncapi_packets import ALL
from tertulia.web.documents import read_examples

DOCUMENT: dict[str, Any] = json.loads(json.dumps(asyncapi("https://127.0.0.1:8443")))
EXAMPLES = read_examples(Path(__file__).parents[1] / "vectors/events")


def test_structure() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses == {"webhook": None, "stream": "/tertulia/v1/events", "session": "/v2/rtc"}
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}
        for part in (operation, operation.get("reply", operation)):
            prefix = f"{part['channel']['$ref']}/messages/"
            assert part["messages"]
            assert all(message["$ref"].startswith(prefix) for message in part["messages"])


def test_every_message_of_a_channel_is_sent_or_received() -> None:
    carried = {
        message["$ref"]
        for operation in DOCUMENT["operations"].values()
        for message in operation["messages"]
    }
    for name, channel in DOCUMENT["channels"].items():
        for key in channel["messages"]:
            assert f"#/channels/{name}/messages/{key}" in carried


@pytest.mark.parametrize(
    ("url", "protocols"),
    [("https://127.0.0.1:8443", ("wss", "https")), ("http://127.0.0.1:8080", ("ws", "http"))],
)
def test_servers_are_reached_as_the_caller_reached_us(url: str, protocols: tuple[str, str]) -> None:
    servers: Any = asyncapi(url)["servers"]
    assert (servers["socket"]["protocol"], servers["rest"]["protocol"]) == protocols
    assert servers["socket"]["host"] == servers["rest"]["host"] == url.partition("//")[2]


@pytest.mark.parametrize(
    ("channel", "reach"),
    [("webhook", Reach.WEBHOOK), ("stream", Reach.WEBHOOK), ("session", Reach.SESSION)],
)
def test_every_type_is_on_its_channels(channel: str, reach: Reach) -> None:
    sent = {
        resolve(DOCUMENT, link["$ref"])["name"]
        for link in DOCUMENT["channels"][channel]["messages"].values()
    }
    beside = {packet.name for packet in ALL} if channel == "session" else set()
    assert sent - beside == {found.name for found in all_types() if found.reaches & reach}
    assert beside <= sent
    assert channel != "webhook" or len(sent) == 68 + 5


def test_every_reference_resolves() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 200
    for reference in found:
        assert resolve(DOCUMENT, reference) is not None


def test_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    for kind in ("messages", "schemas", "securitySchemes"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_schemas_are_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("label", sorted(EXAMPLES))
def test_golden_webhook_matches_its_message(label: str) -> None:
    envelope: Any = EXAMPLES[label]
    found = find(envelope["type"])
    assert found is not None
    payload = DOCUMENT["components"]["messages"][f"webhook.{found.class_name}"]["payload"]
    schema = {**payload, "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(envelope)


@pytest.mark.parametrize("label", ["message.text", "text", "image"])
def test_an_erased_message_matches_too(label: str) -> None:
    envelope: Any = EXAMPLES[label]
    found = find(envelope["type"])
    assert found is not None
    payload = DOCUMENT["components"]["messages"][f"webhook.{found.class_name}"]["payload"]
    validator = Draft202012Validator({**payload, "components": DOCUMENT["components"]})
    erased = {"timestamp": {"deleted": "2026-05-04T09:00:00.000Z"}}
    assert validator.is_valid({**envelope, "body": erased})
    assert not validator.is_valid({**envelope, "body": {"other": 1}})
