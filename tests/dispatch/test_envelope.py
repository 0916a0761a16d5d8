"""The webhook envelope against the golden example of every event type."""

import json
from pathlib import Path
from typing import Any

import pytest

from tertulia.dispatch.envelope import OUTSIDE, SIGNALLING, envelope
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId
from tertulia.model.instant import Instant, parse_date
from tertulia.model.notices import TARGETS as NOTICES

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "events").glob("*.json"))
TOP_LEVEL = ("session_destination", "isFromMB")


def stored(example: dict[str, Any]) -> Event:
    """The event as the log has it: signalling is numbered, and has its two members in the body."""
    body = dict(example.get("body", {}))
    body.update({name: example[name] for name in TOP_LEVEL if name in example})
    signalling = example["type"] in SIGNALLING
    timestamp = parse_date(example["timestamp"])
    assert timestamp is not None
    return Event(
        ApplicationId(example["application_id"]),
        example.get("conversation_id"),
        EventId(9) if signalling else example.get("id"),
        example["type"],
        timestamp,
        json.dumps(body, separators=(",", ":")).encode(),
        sender=MemberId("MEM-ignored") if signalling else example.get("from"),
        recipient=example.get("to"),
        embedded=json.dumps(example["_embedded"]).encode() if "_embedded" in example else None,
    )


def decoded(event: Event) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(envelope(event))
    return members


def test_there_are_examples() -> None:
    assert len(VECTORS) >= 68


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: str(path.stem))
def test_golden(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    is_told = example["type"] in NOTICES  # which is no envelope's to carry
    assert decoded(stored(example)) == (example["body"]["members"] if is_told else example)


def event(type_: str = "message", **members: Any) -> Event:
    given: dict[str, Any] = {
        "application_id": ApplicationId("APP"),
        "conversation_id": ConversationId("CON-1"),
        "id": EventId(7),
        "type": type_,
        "timestamp": Instant(1_777_886_122_814),
        "body": b'{"text":"x"}',
    }
    return Event(**(given | members))


def test_stored_bytes_are_not_touched() -> None:
    odd = b'{"b":1e3,  "a":"\\u0041"}'
    sent = envelope(event(body=odd, embedded=odd))
    assert sent.count(odd) == 2


@pytest.mark.parametrize("type_", ["audio:say", "custom:x", "event:delete"])
def test_what_the_application_did_has_a_null_sender(type_: str) -> None:
    assert decoded(event(type_))["from"] is None


def test_an_update_of_the_conversation_names_a_sender_only_if_there_is_one() -> None:
    assert "from" not in decoded(event("conversation:updated"))
    sent = decoded(event("conversation:updated", sender=MemberId("MEM-1")))
    assert sent["from"] == "MEM-1"


@pytest.mark.parametrize("type_", sorted(OUTSIDE))
def test_what_is_outside_of_conversations_has_no_number(type_: str) -> None:
    sent = decoded(event(type_))
    assert not {"id", "conversation_id"} & sent.keys()


def test_a_knocker_has_no_conversation_yet() -> None:
    sent = decoded(event("sip:ringing", conversation_id=None, id=None, sender="knocker:1"))
    assert sent["from"] == "knocker:1"
    assert not {"id", "conversation_id"} & sent.keys()


def test_a_deleted_event_tells_when_and_nothing_else() -> None:
    sent = decoded(event(body=b"{}", deleted_at=Instant(1_777_886_122_815)))
    assert sent["body"] == {"timestamp": {"deleted": "2026-05-04T09:15:22.815Z"}}


def test_an_empty_body_is_an_object() -> None:
    assert decoded(event(body=b""))["body"] == {}
