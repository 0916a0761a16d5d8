"""Messages in the Cloud API's words, both ways, and what its errors mean."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.carriers.far_http import Answer, WhatsAppApi, against
from tests.contracts.message_carrier import OURS, THEIRS, Ears, sending

from tertulia.carriers.whatsapp_in import told
from tertulia.carriers.whatsapp_out import message
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Content, Order, Outcome, SendingStatus
from tertulia.ports.messaging import Congested, Declined, Knock, OutOfReach

URL = "https://files.example/a/menu.pdf?v=1"
API = WhatsAppApi()


def out(content: Content, to: str = f"+{THEIRS}") -> dict[str, Any]:
    """The body of the request, without what all have."""
    body = message(Order("whatsapp", to, OURS, content))
    assert body.pop("messaging_product") == "whatsapp"
    assert body.pop("recipient_type") == "individual"
    assert body.pop("to") == THEIRS
    return body


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (Content("text", {"text": "Hi"}), {"type": "text", "text": {"body": "Hi"}}),
        (Content("image", {"image": {"url": URL, "caption": "c"}}),
         {"type": "image", "image": {"link": URL, "caption": "c"}}),
        (Content("audio", {"audio": {"url": URL}}), {"type": "audio", "audio": {"link": URL}}),
        (Content("video", {"video": {"url": URL, "caption": None}}),
         {"type": "video", "video": {"link": URL}}),
        (Content("file", {"file": {"url": URL}}),
         {"type": "document", "document": {"link": URL, "filename": "menu.pdf"}}),
        (Content("file", {"file": {"url": URL, "name": "n.pdf", "caption": "c"}}),
         {"type": "document", "document": {"link": URL, "caption": "c", "filename": "n.pdf"}}),
        (Content("vcard", {"vcard": {"url": URL}}),
         {"type": "document", "document": {"link": URL, "filename": "contact.vcf"}}),
        (Content("sticker", {"sticker": {"id": "17"}}),
         {"type": "sticker", "sticker": {"id": "17"}}),
        (Content("location", {"location": {"longitude": "1.5", "latitude": "2", "name": "n"}}),
         {"type": "location", "location": {"longitude": "1.5", "latitude": "2", "name": "n"}}),
        (Content("location", {"location": {"long": 1.5, "lat": 2}}),
         {"type": "location", "location": {"longitude": 1.5, "latitude": 2}}),
        (Content("reaction", {"reaction": {"action": "react", "emoji": "👍"}},
                 {"context": {"message_uuid": "u", "ref": "wamid.1"}}),
         {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}),
        (Content("reaction", {"reaction": {"action": "unreact"}},
                 {"context": {"ref": "wamid.1"}}),
         {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": ""}}),
        (Content("text", {"text": "Hi"}, {"context": {"ref": "wamid.1"}}),
         {"type": "text", "text": {"body": "Hi"}, "context": {"message_id": "wamid.1"}}),
        (Content("custom", {"custom": {"type": "interactive", "interactive": {"a": 1},
                                       "to": "somebody else"}}),
         {"type": "interactive", "interactive": {"a": 1}}),
        (Content("contacts", {"contacts": [{"name": {}}]}),
         {"type": "contacts", "contacts": [{"name": {}}]}),
    ],
)  # fmt: skip
def test_what_is_said(content: Content, body: dict[str, Any]) -> None:
    assert out(content) == body


@pytest.mark.parametrize(
    ("template", "extras", "expected"),
    [
        ({"name": "hello"}, {},
         {"name": "hello", "language": {"policy": "deterministic", "code": "en_US"}}),
        ({"name": "space:hello", "parameters": ["a", "b"]},
         {"whatsapp": {"policy": "deterministic", "locale": "de"}},
         {"name": "hello", "language": {"policy": "deterministic", "code": "de"},
          "components": [{"type": "body", "parameters": [{"type": "text", "text": "a"},
                                                         {"type": "text", "text": "b"}]}]}),
        ({"name": "hello", "parameters": [{"default": "a"}, {"type": "currency"}]},
         {"whatsapp": {"locale": "pt_BR"}},
         {"name": "hello", "language": {"policy": "deterministic", "code": "pt_BR"},
          "components": [{"type": "body", "parameters": [{"type": "text", "text": "a"},
                                                         {"type": "currency"}]}]}),
        ({"name": "hello", "components": [{"type": "button"}]}, {},
         {"name": "hello", "language": {"policy": "deterministic", "code": "en_US"},
          "components": [{"type": "button"}]}),
    ],
)  # fmt: skip
def test_templates(
    template: dict[str, Any], extras: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = out(Content("template", {"template": template}, extras))
    assert body == {"type": "template", "template": expected}


@pytest.mark.parametrize(
    "content",
    [
        Content("random"), Content("image", {"image": "no object"}), Content("image"),
        Content("reaction", {"reaction": {"action": "react", "emoji": "👍"}}),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_declined(content: Content) -> None:
    with pytest.raises(Declined) as declined:
        out(content)
    assert declined.value.problem.code in (Code.FACILITY, Code.INVALID)


def arrived(kind: str, own: Any, **more: Any) -> Arrival:
    value = {
        "metadata": {"display_phone_number": OURS, "phone_number_id": "1061"},
        "contacts": [{"wa_id": "other"}, {"wa_id": THEIRS, "profile": {"name": "Ann"}}],
        "messages": [{"from": THEIRS, "id": "wamid.9", "type": kind, kind: own, **more}],
    }  # fmt: skip
    [arrival] = told("north", batch(value))
    assert isinstance(arrival, Arrival)
    return arrival


def batch(*values: Any) -> dict[str, Any]:
    changes = [{"field": "messages", "value": value} for value in values]
    return {"entry": [{"changes": changes}]}


@pytest.mark.parametrize(
    ("kind", "own", "content"),
    [
        ("text", {"body": "Hi"}, Content("text", {"text": "Hi"})),
        ("image", {"id": "55", "mime_type": "image/png", "sha256": "x", "caption": "c"},
         Content("image", {"image": {"id": "55", "caption": "c", "mime_type": "image/png"}})),
        ("image", {"id": "55", "url": URL}, Content("image", {"image": {"url": URL, "id": "55"}})),
        ("document", {"id": "55", "filename": "n.pdf", "link": URL},
         Content("file", {"file": {"url": URL, "id": "55", "name": "n.pdf"}})),
        ("voice", {"id": "55"}, Content("audio", {"audio": {"id": "55"}})),
        ("sticker", {"id": "55"}, Content("sticker", {"sticker": {"id": "55"}})),
        ("location", {"latitude": 1, "longitude": 2, "name": "n"},
         Content("location", {"location": {"lat": 1, "long": 2, "name": "n"}})),
        ("contacts", [{"name": {}}], Content("contacts", {"contacts": [{"name": {}}]})),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "One"}},
         Content("reply", {"reply": {"id": "1", "title": "One"}})),
        ("button", {"payload": "p", "text": "t"},
         Content("button", {"button": {"payload": "p", "text": "t"}})),
        ("order", {"catalog_id": "c"}, Content("order", {"order": {"catalog_id": "c"}})),
        ("system", {"body": "moved"}, Content("unsupported")),
        ("image", "nonsense", Content("unsupported")),
        ("interactive", {"type": "nfm_reply"}, Content("unsupported")),
    ],
)  # fmt: skip
def test_what_is_heard(kind: str, own: Any, content: Content) -> None:
    arrival = arrived(kind, own)
    assert arrival.content == content
    assert (arrival.from_, arrival.to, arrival.name) == (THEIRS, OURS, "Ann")


def test_what_an_arrival_is_about() -> None:
    assert arrived("text", {"body": "Hi"}, context={"id": "wamid.1"}).context == "wamid.1"
    reaction = arrived("reaction", {"message_id": "wamid.2", "emoji": "👍"})
    assert reaction.context == "wamid.2"
    assert reaction.content.members == {"reaction": {"action": "react", "emoji": "👍"}}
    gone = arrived("reaction", {"message_id": "wamid.2", "emoji": ""})
    assert gone.content.members == {"reaction": {"action": "unreact"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"status": "sent"}, ("submitted", "")),
        ({"status": "delivered"}, ("delivered", "")),
        ({"status": "failed"}, ("undeliverable", Code.UNKNOWN)),
        ({"status": "failed", "errors": [{"code": 131026, "title": "t"}]},
         ("undeliverable", Code.UNREACHABLE)),
        ({"status": "failed", "errors": [{"code": 131047, "title": "t"}]},
         ("rejected", Code.WINDOW)),
        ({"status": "failed", "errors": [{"code": 132001, "title": "t"}]},
         ("rejected", Code.TEMPLATE)),
        ({"status": "failed", "errors": [{"code": "x" * 99}]}, ("undeliverable", Code.UNKNOWN)),
    ],
)  # fmt: skip
def test_statuses(status: dict[str, Any], expected: tuple[str, str]) -> None:
    [outcome] = told("north", batch({"statuses": [{"id": "wamid.1", **status}]}))
    assert isinstance(outcome, Outcome)
    code = outcome.problem.code if outcome.problem else ""
    assert (outcome.status, code) == expected
    assert outcome.problem is None or 0 < len(outcome.problem.reason) <= 200


def test_a_batch_is_heard_in_its_order_and_around_what_is_none() -> None:
    values = (
        {"statuses": [{"id": "1", "status": "sent"}, {"id": "1", "status": "delivered"}, 7]},
        {"statuses": [{"id": "", "status": "sent"}, {"id": "2", "status": "warming"}]},
        {"statuses": [{"id": "3", "status": "read"}], "messages": "none"},
    )
    found = list(told("north", batch(*values)))
    heard = [(each.ref, each.status) for each in found if isinstance(each, Outcome)]
    assert heard == [("1", "submitted"), ("1", "delivered"), ("3", None)]
    assert found.count(None) == 2


@pytest.mark.parametrize(
    ("answer", "failure", "state"),
    [
        (Answer(401, {"error": {"code": 190, "message": "expired"}}), OutOfReach, "down"),
        (Answer(400, {"error": {"code": 190, "message": "expired"}}), OutOfReach, "down"),
        (Answer(400, {"error": {"code": 131056, "message": "pair"}}), Congested, "up"),
        (Answer(429, {}, "Retry-After: 7\r\n"), Congested, "up"),
        (Answer(400, {"error": {"code": 100, "message": "bad"}}), Declined, "up"),
        (Answer(400, b"<html>"), Declined, "up"),
        (Answer(500, {"error": {"code": 131000, "message": "oops"}}), OutOfReach, "down"),
        (Answer(302, b"", "Location: http://127.0.0.1/\r\n"), OutOfReach, "down"),
    ],
)  # fmt: skip
def test_failures_are_told_apart(answer: Answer, failure: type[Exception], state: str) -> None:
    async def scenario() -> None:
        async with against(API) as far:
            await far.carrier.start(Ears())
            far.scripted.append(answer)
            with pytest.raises(failure) as failed:
                await far.carrier.submit(sending("whatsapp"))
            assert getattr(failed.value, "in_doubt", False) is False
            assert far.carrier.health.state == state
            if isinstance(failed.value, Congested) and answer.status == 429:
                assert failed.value.seconds == 7

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "answer",
    [Answer(502, b"bad gateway"), Answer(504, {}), Answer(500, b"oops"), Answer(200, {}),
     Answer(200, b"not JSON"), Answer(200, {"messages": [{}]})],
)  # fmt: skip
def test_what_it_may_have_taken_is_in_doubt(answer: Answer) -> None:
    async def scenario() -> None:
        async with against(API) as far:
            far.scripted.append(answer)
            with pytest.raises(OutOfReach) as failed:
                await far.carrier.submit(sending("whatsapp"))
            assert failed.value.in_doubt

    asyncio.run(scenario())


def test_reading_is_told_with_the_number_that_it_came_to() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            arrival = Arrival("north", "wamid.9", "whatsapp", THEIRS, OURS, Content("text"))
            await far.carrier.mark_read(arrival, typing=True)
            [request] = far.requests
            assert (request.path, request.json) == (
                "/v21.0/1061/messages",
                {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.9",
                 "typing_indicator": {"type": "text"}},
            )  # fmt: skip
            far.scripted.append(Answer(429, {}))
            with pytest.raises(OutOfReach):
                await far.carrier.mark_read(arrival)

    asyncio.run(scenario())


def test_a_sender_that_is_none_reaches_no_other_address() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            for sender in ("../me", "a b", "", "1?x=", "\r\nX: y"):
                order = Order("whatsapp", THEIRS, sender, Content("text", {"text": "Hi"}))
                wanted = msgspec.structs.replace(sending("whatsapp"), order=order)
                with pytest.raises(Declined):
                    await far.carrier.submit(wanted)
            assert not far.requests

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "word", "hub.challenge": "42"}, 200, b"42"),
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "42"}, 403, b""),
        ({"hub.verify_token": "word", "hub.challenge": "42"}, 403, b""),
        ({"hub.mode": "subscribe", "hub.verify_token": "word"}, 400, b""),
        ({"hub.mode": "subscribe", "hub.verify_token": "word", "hub.challenge": "\r\n"}, 400, b""),
        ({}, 403, b""),
    ],
)  # fmt: skip
def test_the_webhook_is_set(query: dict[str, str], status: int, body: bytes) -> None:
    async def scenario() -> None:
        async with against(API) as far:
            await far.carrier.start(Ears())
            answer = await far.carrier.knock(Knock("GET", query, {}, b""))
            assert (answer.status, answer.body) == (status, body)
            assert answer.content_type == "text/plain"

    asyncio.run(scenario())


def test_without_a_word_no_webhook_is_set() -> None:
    async def scenario() -> None:
        account = msgspec.structs.replace(API.account(), verify="")
        async with against(API, account) as far:
            await far.carrier.start(Ears())
            query = {"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "42"}
            assert (await far.carrier.knock(Knock("GET", query, {}, b""))).status == 403

    asyncio.run(scenario())


def test_what_makes_no_sense_is_counted() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            ears = Ears()
            await far.carrier.start(ears)
            told = batch({"statuses": [{"id": "1"}, {"id": "2", "status": "delivered"}]})
            answer = await far.carrier.knock(API.signed(msgspec.json.encode(told)))
            assert (answer.status, far.carrier.dropped) == (200, 1)
            assert [each.status for each in ears.outcomes] == [SendingStatus.DELIVERED]

    asyncio.run(scenario())
