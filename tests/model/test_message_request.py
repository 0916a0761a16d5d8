"""Requests of the message API: all that the published clients send, and what is refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.errors import IllegalRecipient, IllegalSender, Unprocessable, ValidationFailed
from tertulia.model.message_members import SHAPES
from tertulia.model.message_request import MessageChange, MessageDraft, requested
from tertulia.model.sending import Order
from tertulia.model.validation import decode

VECTORS = Path(__file__).parents[1] / "vectors/messages"
SENT: dict[str, dict[str, Any]] = {
    f"{client} {name}": vector
    for client in ("node", "python")
    for name, vector in json.loads((VECTORS / f"{client}.json").read_text()).items()
}
SMS = {
    "channel": "sms", "message_type": "text", "to": "447700900000", "from": "Shop", "text": "Hi"
}  # fmt: skip
CARD = {"title": "Tea", "text": "Green", "media_url": "https://m/i.png"}


def read(body: dict[str, Any]) -> tuple[Order, ...]:
    return requested(decode(msgspec.json.encode(body), MessageDraft))


@pytest.mark.parametrize("vector", SENT.values(), ids=SENT)
def test_what_the_published_clients_send_is_taken(vector: dict[str, Any]) -> None:
    (order,) = read(vector["request"])
    assert msgspec.to_builtins(order) == vector["order"]


def test_the_published_clients_send_all_there_is() -> None:
    sent = {
        (order["channel"], order["content"]["message_type"])
        for order in (vector["order"] for vector in SENT.values())
    }
    known = {(str(channel), kind) for channel, row in SHAPES.items() for kind in row.types}
    assert sent - {(str(channel), "text") for channel in SHAPES} == known


@pytest.mark.parametrize("changes, name", [
    ({"to": "12"}, "to"), ({"to": "0447700900000"}, "to"), ({"to": "44770090000a"}, "to"),
    ({"to": "1" * 16}, "to"), ({"from": "a much longer name"}, "from"), ({"from": "äö\n"}, "from"),
    ({"text": None}, "text"), ({"text": "x" * 3201}, "text"),
    ({"ttl": 19}, "ttl"), ({"ttl": 604_801}, "ttl"), ({"message_type": "image"}, "message_type"),
    ({"message_type": "binary"}, "message_type"), ({"client_ref": "x" * 101}, "client_ref"),
    ({"webhook_url": "ftp://h/x"}, "webhook_url"), ({"webhook_version": "v2"}, "webhook_version"),
    ({"sms": {"encoding_type": "morse"}}, "sms.encoding_type"), ({"channel": "fax"}, "channel"),
    ({"failover": [{**SMS, "to": "1"}]}, "failover[0].to"),
    ({"failover": [SMS, {**SMS, "text": "x" * 3201}]}, "failover[1].text"),
    ({"failover": [{**SMS, "failover": [SMS]}]}, "failover.failover"),
    ({"failover": [SMS] * 11}, "failover"),
])  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationFailed) as failure:
        read({**SMS, **changes})
    assert [each.name for each in failure.value.parameters] == [name]
    assert name.partition(".")[0] in failure.value.parameters[0].reason


@pytest.mark.parametrize("channel, members, name", [
    ("mms", {"message_type": "image", "image": {"url": "https://m/i", "caption": ""}},
     "image.caption"),
    ("mms", {"message_type": "content", "content": []}, "content"),
    ("mms", {"message_type": "content", "content": [{"type": "poem", "url": "https://m/i"}]},
     "content[0].type"),
    ("mms", {"message_type": "text", "text": "Hi", "ttl": 299}, "ttl"),
    ("whatsapp", {"message_type": "sticker", "sticker": {}}, "sticker.url"),
    ("whatsapp", {"message_type": "sticker", "sticker": {"url": "https://m/i", "id": "x"}},
     "sticker.url"),
    ("whatsapp", {"message_type": "template", "template": {}}, "template.name"),
    ("whatsapp", {"message_type": "reaction", "reaction": {"action": "react", "emoji": "x"}},
     "context"),
    ("whatsapp", {"message_type": "reaction", "reaction": {"action": "react"}},
     "reaction.emoji"),
    ("whatsapp", {"message_type": "image", "image": {"url": "javascript:x"}}, "image.url"),
    ("viber_service", {"message_type": "text", "text": "x" * 1001}, "text"),
    ("viber_service", {"message_type": "text", "text": "x", "viber_service": {"ttl": 29}},
     "viber_service.ttl"),
    ("viber_service", {"message_type": "video", "video": {"url": "https://m/i"},
                       "viber_service": {"duration": "601"}}, "viber_service.duration"),
    ("messenger", {"message_type": "text", "text": "x" * 641}, "text"),
    ("messenger", {"message_type": "text", "text": "x",
                   "messenger": {"category": "message_tag"}}, "messenger.tag"),
    ("rcs", {"message_type": "carousel", "carousel": {"cards": [CARD]}}, "carousel.cards"),
    ("rcs", {"message_type": "carousel", "carousel": {"cards": [CARD, CARD]}}, "rcs"),
    ("rcs", {"message_type": "carousel", "carousel": {"cards": [CARD, CARD]}, "rcs": {}},
     "rcs.card_width"),
    ("rcs", {"message_type": "card", "card": CARD, "rcs": {"card_orientation": "HORIZONTAL"}},
     "rcs.image_alignment"),
    ("rcs", {"message_type": "text", "text": "x",
             "suggestions": [{"type": "dial", "text": "a", "postback_data": ""}]},
     "suggestions[0].phone_number"),
    ("rcs", {"message_type": "audio", "audio": {"url": "https://m/i"}}, "message_type"),
    ("sms", {"message_type": "template", "template": {"name": "x"}}, "message_type"),
])  # fmt: skip
def test_the_limits_of_channels(channel: str, members: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationFailed) as failure:
        read({"channel": channel, "to": "447700900000", "from": "447700900001", **members})
    assert [each.name for each in failure.value.parameters] == [name]
    assert failure.value.status == 422
    assert isinstance(failure.value, Unprocessable)


@pytest.mark.parametrize("members, name", [
    ({"message_type": "text", "text": "x"}, "email"),
    ({"message_type": "text", "text": "x", "email": {}}, "email.subject"),
    ({"message_type": "content", "content": [{"type": "html"}], "email": {"subject": "x"}},
     "content[0].body"),
])  # fmt: skip
def test_the_limits_of_email(members: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationFailed) as failure:
        read({"channel": "email", "to": "a@mail.test", "from": "b@mail.test", **members})
    assert [each.name for each in failure.value.parameters] == [name]


def test_addresses_have_numbers_of_their_own() -> None:
    for changes, kind, code in (
        ({"to": "x"}, IllegalRecipient, "messages#1170"),
        ({"from": "x" * 12}, IllegalSender, "messages#1120"),
    ):
        with pytest.raises(kind) as failure:
            read({**SMS, **changes})
        assert failure.value.code == code


def test_addresses_are_kept_plain() -> None:
    (order,) = read({**SMS, "to": "+447700900000", "from": "My Shop"})
    assert (order.to, order.from_) == ("447700900000", "MyShop")


def test_what_belongs_to_another_channel_is_left_out() -> None:
    (order,) = read({**SMS, "viber_service": {"category": "promotion"}, "image": {"url": "x"}})
    assert order.content.members == {"text": "Hi"}
    assert order.content.extras == {}


def test_a_failover_follows_in_its_order() -> None:
    second = {**SMS, "channel": "whatsapp", "from": "447700900001", "client_ref": "b"}
    orders = read({**SMS, "client_ref": "a", "failover": [second, {**SMS, "client_ref": "c"}]})
    assert [(order.channel, order.client_ref) for order in orders] == [
        ("sms", "a"), ("whatsapp", "b"), ("sms", "c"),
    ]  # fmt: skip


def test_a_change_may_show_that_somebody_types() -> None:
    for body, is_typing in (
        ({"status": "read"}, False),
        ({"status": "read", "replying_indicator": {"show": True, "type": "text"}}, True),
        ({"status": "revoked", "replying_indicator": {"show": False}}, False),
    ):
        assert decode(msgspec.json.encode(body), MessageChange).is_typing is is_typing
    with pytest.raises(ValidationFailed):
        decode(b'{"status":"delivered"}', MessageChange)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                               max_size=3),
    max_leaves=6,
)  # fmt: skip
MEMBERS = sorted({each.encode_name for each in msgspec.structs.fields(MessageDraft)})


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([vector["request"] for vector in SENT.values()]),
    st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, min_size=1, max_size=2),
)
def test_nothing_else_is_raised(request: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        orders = read({**request, **changes})
    except ValidationFailed as failure:
        assert failure.parameters
    else:
        assert all(each.content.message_type for each in orders)
