"""What webhooks are told of messages: golden."""

from typing import Any

import pytest
from msgspec.structs import replace

from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.message_errors import told
from tertulia.model.message_hooks import (
    READ,
    inbound_members,
    receipt_members,
    status_members,
)
from tertulia.model.sending import (
    Arrival,
    Content,
    Inbound,
    Order,
    Problem,
    Sending,
    SendingStatus,
    Workflow,
)

NOW = Instant(1_800_000_000_123)
ID = MessageId("aaaaaaaa-bbbb-cccc-dddd-0123456789ab")
APPLICATION = ApplicationId("app")
SENDING = Sending(
    ID, APPLICATION, Order("sms", "447700900000", "Shop", Content("text", {"text": "Hi"})),
    created_at=NOW, changed_at=NOW,
)  # fmt: skip
FREE = {"currency": "EUR", "price": "0.00"}
HEAD = {
    "message_uuid": ID, "to": "447700900000", "from": "Shop",
    "timestamp": "2027-01-15T08:00:00.123Z", "channel": "sms",
}  # fmt: skip
UNREACHABLE = Problem("1260", "err:045")
RECEIPT = {
    "msisdn": "447700900000", "to": "Shop", "network-code": "", "messageId": ID,
    "price": "0.00000000", "scts": "2701150800", "err-code": "0", "api-key": "key",
    "message-timestamp": "2027-01-15 08:00:00",
}  # fmt: skip


@pytest.mark.parametrize("changes, status, expected", [
    ({"refs": ("a", "b")}, "submitted", {"usage": FREE, "sms": {"count_total": "2"}}),
    ({}, "delivered", {"usage": FREE}), ({}, READ, {}),
    ({"problem": UNREACHABLE}, "undeliverable", {"error": {
        "type": "urn:tertulia:error:messages#1260", "title": "1260",
        "detail": "Destination unreachable - err:045", "instance": ID}}),
    ({"problem": UNREACHABLE}, "submitted", {"usage": FREE}),
    ({"workflow": Workflow("W", 1, 2)}, "rejected",
     {"workflow": {"id": "W", "items_number": "1", "items_total": "2"}}),
])  # fmt: skip
def test_statuses(changes: dict[str, Any], status: str, expected: dict[str, Any]) -> None:
    found = status_members(replace(SENDING, **changes), status, NOW)
    assert found == {**HEAD, "status": status, **expected}


def test_a_channel_has_its_name_of_the_wire() -> None:
    order = replace(SENDING.order, channel="viber", client_ref="mine")
    found = status_members(replace(SENDING, order=order), SendingStatus.SUBMITTED, NOW)
    assert (found["channel"], found["client_ref"]) == ("viber_service", "mine")


@pytest.mark.parametrize("problem, status, shown, code", [
    (None, "submitted", "buffered", "0"), (None, "delivered", "delivered", "0"),
    (None, READ, "delivered", "0"), (UNREACHABLE, "undeliverable", "failed", "12"),
    (Problem("1360"), "undeliverable", "expired", "99"),
    (Problem("1120"), "rejected", "rejected", "99"), (Problem("?"), "rejected", "rejected", "1"),
    (None, "lost", "unknown", "0"),
])  # fmt: skip
def test_receipts(problem: Problem | None, status: str, shown: str, code: str) -> None:
    found = receipt_members(replace(SENDING, problem=problem), status, NOW, "key")
    assert found == {**RECEIPT, "status": shown, "err-code": code}


def test_a_receipt_tells_the_reference() -> None:
    order = replace(SENDING.order, client_ref="mine")
    assert receipt_members(replace(SENDING, order=order), READ, NOW)["client-ref"] == "mine"


def inbound(channel: str, content: Content, **members: Any) -> Inbound:
    arrival = Arrival(
        "c", "r", channel, from_="447700900000", to="15550199", content=content, **members
    )
    return Inbound(ID, APPLICATION, arrival, NOW)


def test_an_inbound_sms() -> None:
    found = inbound_members(inbound("sms", Content("text", {"text": "stop it"})))
    assert found == {
        "channel": "sms", "message_uuid": ID, "to": "15550199", "from": "447700900000",
        "timestamp": HEAD["timestamp"], "message_type": "text", "text": "stop it",
        "sms": {"num_messages": "1", "keyword": "STOP"}, "usage": FREE,
    }  # fmt: skip
    empty = inbound("sms", Content("text", {"text": " "}), details={"num_messages": "2"})
    assert inbound_members(empty)["sms"] == {"num_messages": "2", "keyword": ""}


def test_an_inbound_message_of_a_chat() -> None:
    image = {"url": "https://media.test/a", "caption": "A cat"}
    message = inbound(
        "whatsapp", Content("image", {"image": image}), name="Ada", context="wamid",
        details={"referral": {"url": "x"}},
    )  # fmt: skip
    assert inbound_members(replace(message, answers="answered")) == {
        "channel": "whatsapp", "message_uuid": ID, "to": "15550199", "from": "447700900000",
        "timestamp": HEAD["timestamp"], "message_type": "image", "image": image,
        "profile": {"name": "Ada"}, "context_status": "available",
        "context": {"message_uuid": "answered", "message_from": "15550199"},
        "whatsapp": {"referral": {"url": "x"}},
    }  # fmt: skip
    assert inbound_members(message)["context_status"] == "unavailable"
    plain = inbound_members(inbound("whatsapp", Content("text", {"text": "Hi"})))
    assert (plain["context_status"], "context" in plain) == ("none", False)


def test_an_error_that_is_not_listed_is_unknown() -> None:
    assert told(Problem("9999"), "i") == {
        "type": "urn:tertulia:error:messages#9999", "title": "9999", "instance": "i",
        "detail": "Unknown - The carrier gave no reason that is known",
    }  # fmt: skip
