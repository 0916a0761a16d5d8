"""The OpenAPI document: valid, whole, stable in its names, as open or closed as the server is."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.web.pointers import references, resolve

from tertulia.devkit import RsaSmith
from tertulia.model import errors
from tertulia.model.events.registry import Creator, all_types, find
from tertulia.testing.world import World
from tertulia.web.documents import read_examples
from tertulia.web.openapi import openapi
from tertulia.web.problems import problem
from tertulia.web.routing import Guard, Route

VECTORS = Path(__file__).parents[1] / "vectors"
ROUTES: list[Route] = asyncio.run(World.open(keys=RsaSmith().new_pair())).hub.router.routes
DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi(ROUTES, "https://127.0.0.1:8443")))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
REST_EXAMPLES = {
    label: envelope
    for label, envelope in read_examples(VECTORS / "events").items()
    if isinstance(envelope, dict)
    and (found := find(envelope["type"])) is not None
    and found.creators & (Creator.REST | Creator.REST_LEGACY)
}


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def texts(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def validator(component: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{component}", "components": DOCUMENT["components"]}
    )


def creation(label: str) -> dict[str, Any]:
    """What a caller sends to cause the event of an example."""
    envelope = REST_EXAMPLES[label]
    body = dict(envelope["body"])
    found = find(envelope["type"])
    assert found is not None
    body.pop(found.mints, None)
    sent = {"type": envelope["type"], "body": body}
    return {**sent, "from": envelope["from"]} if envelope.get("from") else sent


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_reference_resolves_and_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    assert len(used) > 100
    for reference in used:
        assert resolve(DOCUMENT, reference) is not None
    for kind in ("schemas", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_names_are_plain() -> None:
    for name, schema in SCHEMAS.items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name), name
        Draft202012Validator.check_schema(schema)


def test_it_speaks_to_callers_only() -> None:
    for text in texts(DOCUMENT):
        assert not re.search(r"COMPAT|wire-|\(8 |\(\d\.\d", text), text


def test_operations_keep_their_names() -> None:
    """Generated clients call their methods by these: one that goes or changes breaks programs."""
    told = "".join(f"{route.operation} {route.method} {route.path}\n" for route in ROUTES)
    assert told == (VECTORS / "operations.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_a_route_is_described(route: Route) -> None:
    described = operation(route)
    assert described["operationId"] == route.operation
    assert described["summary"] == route.summary != ""
    assert [tag["name"] for tag in DOCUMENT["tags"]].count(described["tags"][0]) == 1
    asked = [scheme for schemes in described["security"] for scheme in schemes]
    assert asked == list(route.guard.schemes)
    assert bool(asked) is (route.guard is not Guard.OPEN)
    for parameter in described["parameters"]:
        assert parameter["required"] is (parameter["in"] == "path")
    statuses = {int(status) for status in described["responses"]}
    assert set(route.answers) < statuses
    assert statuses >= {400, 500, 503}
    assert (404 in statuses) is (bool(route.names) or 404 in route.refusals)
    assert statuses >= set(route.refusals)
    assert ("text/event-stream" in str(described["responses"])) is route.streams
    assert (401 in statuses) is (route.guard is not Guard.OPEN or 401 in route.refusals)
    assert ("requestBody" in described) is (route.body is not None) is (415 in statuses)


def test_every_tag_has_operations() -> None:
    used = {operation(route)["tags"][0] for route in ROUTES}
    assert [tag["name"] for tag in DOCUMENT["tags"] if tag["name"] not in used] == []


def test_a_body_is_required_where_it_cannot_be_empty() -> None:
    optional = {
        route.path.split("/")[-1]
        for route in ROUTES
        if "requestBody" in (described := operation(route))
        and not described["requestBody"]["required"]
    }
    assert optional == {
        "conversations", "users", "{conversation_id}", "{user_id}", "recording", "record", "asr",
        "json",
    }  # fmt: skip


def test_figures_are_plain_text() -> None:
    answer = DOCUMENT["paths"]["/metrics"]["get"]["responses"]["200"]
    assert list(answer["content"]) == ["text/plain"]


def test_files_come_in_forms_and_go_as_they_are() -> None:
    upload = DOCUMENT["paths"]["/v1/image"]["post"]["requestBody"]["content"]
    (form,) = upload.values()
    assert list(upload) == ["multipart/form-data"]
    described = SCHEMAS[form["schema"]["$ref"].rpartition("/")[2]]
    assert described["required"] == ["file"]
    assert described["properties"]["file"]["format"] == "binary"
    found = DOCUMENT["paths"]["/v3/media/{media_id}"]["get"]
    assert list(found["responses"]["200"]["content"]) == ["*/*"]
    assert {"304", "206", "416"} < set(found["responses"])
    assert "406" not in found["responses"]


def test_each_edition_takes_its_events() -> None:
    for edition, creators in (
        ("V1", Creator.REST),
        ("V03", Creator.REST | Creator.REST_LEGACY),
        ("Beta", Creator.REST | Creator.REST_LEGACY),
    ):
        creation = SCHEMAS[f"EventCreation{edition}"]
        kinds = {reference.removesuffix("Beta") for reference in references(creation)}
        names = {found.class_name for found in all_types() if found.creators & creators}
        assert kinds == {f"#/components/schemas/{name}Creation" for name in names}


@pytest.mark.parametrize("label", sorted(REST_EXAMPLES))
def test_an_example_can_be_created(label: str) -> None:
    validator("EventCreationV03").validate(creation(label))


@pytest.mark.parametrize("label", sorted(REST_EXAMPLES))
def test_bodies_are_closed_and_what_is_around_them_is_open(label: str) -> None:
    sent = creation(label)
    valid = validator("EventCreationV03").is_valid
    assert valid({**sent, "unknown": 1})
    found = find(sent["type"])
    is_open = found is not None and found.body == dict[str, Any]
    assert valid({**sent, "body": {**sent["body"], "unknown": 1}}) is is_open


def test_the_older_editions_let_members_be_left_out() -> None:
    for draft in (
        {"type": "audio:earmuff:on", "to": "MEM-1"},
        {"type": "audio:play", "body": {"stream_url": ["https://a/b"], "level": 0}},
    ):
        assert validator("EventCreationBeta").is_valid(draft)
        assert not validator("EventCreationV03").is_valid(draft)
    assert not validator("EventCreationBeta").is_valid({"type": "audio:play", "body": {}})


def test_what_the_platform_mints_cannot_be_sent() -> None:
    body = {"text": "Hi", "level": 0, "loop": 1}
    valid = validator("EventCreationV1").is_valid
    assert valid({"type": "audio:say", "body": body})
    assert not valid({"type": "audio:say", "body": {**body, "say_id": "1"}})


@pytest.mark.parametrize(("component", "good", "bad"), [
    ("ConversationDraft", {"state": "INACTIVE"}, {"state": "DELETED"}),
    ("Callback", {"method": "get", "url": ""}, {"method": "PUT"}),
    ("Callback", {"url": "https://h"}, {"url": "ftp://h"}),
    ("UserReference", {"name": "a"}, {}),
    ("MemberChange", {"state": "left"}, {"state": "invited"}),
    ("Webhook", {"address": "http://h"}, {"address": "http://h", "http_method": "PUT"}),
    ("Policy", {"policy": "hold"}, {"policy": "skip"}),
    ("Policy", {"policy": "skip", "tries": 3}, {"policy": "hold", "tries": 3}),
    ("ReplayDraft", {"first": 1}, {}),
    ("LegacyMemberDraft", {"action": "join"}, {"user_id": "USR-1"}),
    ("LegacyMemberDraft", {"state": "invited", "user": {"name": "a"}}, {"state": "left"}),
    ("LegacyMemberChange", {"action": "leave"}, {"action": "invite"}),
    ("MetricsDraft", {"metrics": []}, {"sessionId": "SES-1"}),
    ("AudioDtmf", {"digits": "12"}, {"channel": None}),
    ("AudioDtmf", {"digit": "1", "method": "in", "duration": 5}, {"digit": "1", "method": "in"}),
])  # fmt: skip
def test_what_code_checks_is_told(component: str, good: object, bad: object) -> None:
    valid = validator(component).is_valid
    assert (valid(good), valid(bad)) == (True, False)


def test_a_problem_is_one() -> None:
    refusal = problem(errors.ValidationFailed.of("a", "is required"), "abc")
    validator("Problem").validate(json.loads(refusal.body))
    assert not validator("Problem").is_valid({"title": "Not found."})
