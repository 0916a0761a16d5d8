"""What a conversation tells of a message that went to a member by a messaging channel."""

from typing import Any

import msgspec

from tertulia.model.decision import Decision
from tertulia.model.event import RECEIPTS, Event, Fact, Receipt
from tertulia.model.events.member import MemberMessageStatus
from tertulia.model.events.registry import encode_body
from tertulia.model.instant import Instant
from tertulia.model.sending import Problem, Sending
from tertulia.model.state import Conversation


def decide_status(
    conversation: Conversation, now: Instant, sending: Sending, original: Event | None, status: str
) -> Decision:
    """`message:<status>` of the member whom it was for, and the member's own event with all that is
    known; both are of the same commit. `original`: the message, as it is now."""
    place = sending.place
    assert place is not None
    kind = f"message:{'seen' if status == 'read' else status}"
    facts = [_status(sending, original)]
    if original is None or original.deleted_at is not None:
        return Decision(tuple(facts))
    reference = msgspec.json.encode({"event_id": place.event_id})
    facts.insert(0, Fact(kind, reference, sender=place.member_id))
    receipt = Receipt(place.event_id, RECEIPTS[kind], place.member_id, now)
    return Decision(tuple(facts), (receipt,))


def _status(sending: Sending, original: Event | None) -> Fact:
    place, order = sending.place, sending.order
    assert place is not None
    is_there = original is not None and original.deleted_at is None
    said: dict[str, Any] = msgspec.json.decode(original.body) if original and is_there else {}
    message_type = said.pop("message_type", order.content.message_type)
    if message_type not in MESSAGE_TYPES:
        message_type = "custom"
    members = {name: value for name, value in said.items() if name in CONTENT}
    body = {
        "original_event_id": place.event_id, "message_type": message_type,
        "channel_type": order.channel, "from": order.from_, "to": order.to,
        "message_uuid": sending.id, "error": _error(sending.problem),
    }  # fmt: skip
    try:
        checked = msgspec.convert({**members, **body}, MemberMessageStatus)
    except msgspec.ValidationError:  # what a carrier brought was held against no catalogue
        checked = msgspec.convert(body, MemberMessageStatus)
    return Fact("member:message:status", encode_body(checked), sender=place.member_id,
                became=sending)  # fmt: skip


def _error(problem: Problem | None) -> dict[str, str] | None:
    return {"code": problem.code, "reason": problem.reason} if problem is not None else None


MESSAGE_TYPES = frozenset(
    ("text", "image", "video", "audio", "file", "vcard", "custom", "template", "location")
)
CONTENT = frozenset(MemberMessageStatus.__struct_fields__)
"""What of a message its status repeats."""
