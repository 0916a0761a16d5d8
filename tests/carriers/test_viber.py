"""Messages in the words of Viber's bot API, both ways, and what its statuses mean."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.carriers.far_http import Answer, ViberApi, against
from tests.contracts.message_carrier import THEIRS, sending

from tertulia.carriers.viber_words import message, told
from tertulia.model.message_errors import Code
from tertulia.model.sending import Content
from tertulia.ports.messaging import Congested, Declined, OutOfReach

URL = "https://files.example/a/menu.pdf"
API = ViberApi()


def said(content: Content) -> dict[str, Any]:
    order = msgspec.structs.replace(sending("viber").order, content=content)
    body = message(
        msgspec.structs.replace(sending("viber"), order=order), "A shop of a long name" * 2
    )
    assert body.pop("receiver") == THEIRS
    assert len(body.pop("sender")["name"]) == 28
    assert body.pop("tracking_data") == sending("viber").id
    assert body.pop("min_api_version") == 1
    return body


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (Content("text", {"text": "Hi"}), {"type": "text", "text": "Hi"}),
        (Content("image", {"image": {"url": URL, "caption": "c"}}),
         {"type": "picture", "text": "c", "media": URL}),
        (Content("video", {"video": {"url": URL}},
                 {"viber_service": {"duration": "12", "file_size": "3"}}),
         {"type": "video", "media": URL, "size": 3 << 20, "duration": 12}),
        (Content("video", {"video": {"url": URL}}, {"viber_service": {"duration": "1e9"}}),
         {"type": "video", "media": URL, "size": 1}),
        (Content("file", {"file": {"url": URL}}),
         {"type": "file", "media": URL, "size": 1, "file_name": "menu.pdf"}),
        (Content("location", {"location": {"lat": 1, "long": 2}}),
         {"type": "location", "location": {"lat": 1, "lon": 2}}),
        (Content("custom", {"custom": {"type": "rich_media", "auth_token": "x"}}),
         {"type": "rich_media"}),
        (Content("text", {"text": "Hi"},
                 {"viber_service": {"action": {"url": URL, "text": "See"}}}),
         {"type": "text", "text": "Hi", "keyboard": {"Type": "keyboard", "Buttons": [
             {"ActionType": "open-url", "ActionBody": URL, "Text": "See"}]}}),
    ],
)  # fmt: skip
def test_what_is_said(content: Content, body: dict[str, Any]) -> None:
    assert said(content) == body


def test_what_cannot_be_said_is_declined() -> None:
    with pytest.raises(Declined):
        said(Content("audio", {"audio": {"url": URL}}))


@pytest.mark.parametrize(
    ("own", "content"),
    [
        ({"type": "text", "text": "Hi"}, Content("text", {"text": "Hi"})),
        ({"type": "picture", "media": URL, "text": "c"},
         Content("image", {"image": {"url": URL, "caption": "c"}})),
        ({"type": "file", "media": URL, "file_name": "m.pdf"},
         Content("file", {"file": {"url": URL, "name": "m.pdf"}})),
        ({"type": "url", "media": URL}, Content("text", {"text": URL})),
        ({"type": "location", "location": {"lat": 1, "lon": 2}},
         Content("location", {"location": {"lat": 1, "long": 2}})),
        ({"type": "contact", "contact": {"name": "Ann"}},
         Content("contacts", {"contacts": [{"name": "Ann"}]})),
        ({"type": "picture"}, Content("unsupported")),
        ({}, Content("unsupported")),
    ],
)  # fmt: skip
def test_what_is_heard(own: dict[str, Any], content: Content) -> None:
    whole = {"event": "message", "message_token": 2**62, "sender": {"id": "a=", "name": "Ann"}}
    [arrival] = told("bot", "shop", {**whole, "message": own})
    assert arrival is not None
    assert (arrival.ref, arrival.content) == (str(2**62), content)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "event", ["webhook", "conversation_started", "subscribed", "unsubscribed", "", "other"]
)
def test_what_tells_of_no_message_is_heard_and_does_nothing(event: str) -> None:
    assert list(told("bot", "shop", {"event": event, "message_token": 7})) == []


@pytest.mark.parametrize(
    ("answer", "failure", "code"),
    [
        ({"status": 5, "status_message": "receiverNotRegistered"}, Declined, Code.STRANGER),
        ({"status": 6, "status_message": "receiverNotSubscribed"}, Declined, Code.BARRED),
        ({"status": 99, "status_message": ""}, Declined, Code.UNKNOWN),
        ({"status": 12, "status_message": "tooManyRequests"}, Congested, ""),
        ({"status": 2, "status_message": "invalidAuthToken"}, OutOfReach, ""),
        ({"status": 0}, OutOfReach, "in doubt"),
        ({"status": "ok"}, OutOfReach, "in doubt"),
        (b"<html>", OutOfReach, "in doubt"),
    ],
)
def test_failures_are_told_apart(answer: Any, failure: type[Exception], code: str) -> None:
    async def scenario() -> None:
        async with against(API) as far:
            far.scripted.append(Answer(200, answer))
            with pytest.raises(failure) as failed:
                await far.carrier.submit(sending("viber"))
            if isinstance(failed.value, Declined):
                assert failed.value.problem.code == code
            if isinstance(failed.value, OutOfReach):
                assert failed.value.in_doubt is (code == "in doubt")

    asyncio.run(scenario())
