"""What webhooks are told of messages beyond the app: the forms of the message API, and those of the
older API of short messages. Whom they are told is not decided here."""

from typing import Any

from tertulia.model.instant import Instant, iso
from tertulia.model.message_errors import Code, error_of, told
from tertulia.model.sending import Inbound, MessageChannel, Sending, SendingStatus, Workflow

READ = "read"
"""The status of a message that its recipient has read."""
_FREE = {"currency": "EUR", "price": "0.00"}
_WIRE_CHANNELS = {MessageChannel.VIBER: "viber_service"}
_RECEIPTS: dict[str, str] = {
    SendingStatus.ACCEPTED: "accepted", SendingStatus.SUBMITTED: "buffered",
    SendingStatus.DELIVERED: "delivered", SendingStatus.REJECTED: "rejected",
    SendingStatus.UNDELIVERABLE: "failed", READ: "delivered",
}  # fmt: skip


def wire_channel(channel: str) -> str:
    """COMPAT: by which name webhooks know it."""
    return _WIRE_CHANNELS.get(MessageChannel(channel), channel)


def status_members(sending: Sending, status: str, now: Instant) -> dict[str, Any]:
    """Of the status webhook. `status`: a SendingStatus, or READ."""
    order = sending.order
    members: dict[str, Any] = {
        "message_uuid": sending.id, "to": order.to, "from": order.from_, "timestamp": iso(now),
        "status": str(status), "channel": wire_channel(order.channel),
    }  # fmt: skip
    if order.client_ref:
        members["client_ref"] = order.client_ref
    if sending.problem is not None and status in _FAILED:
        members["error"] = told(sending.problem, sending.id)
    if status in (SendingStatus.SUBMITTED, SendingStatus.DELIVERED):
        members["usage"] = _FREE
    if order.channel == MessageChannel.SMS and sending.refs:
        members["sms"] = {"count_total": str(len(sending.refs))}
    if sending.workflow is not None:
        members["workflow"] = _workflow(sending.workflow)
    return members


def inbound_members(inbound: Inbound) -> dict[str, Any]:
    """Of the inbound webhook."""
    arrival, answers = inbound.arrival, inbound.answers
    channel = wire_channel(arrival.channel)
    members: dict[str, Any] = {
        "channel": channel, "message_uuid": inbound.id, "to": arrival.to, "from": arrival.from_,
        "timestamp": iso(inbound.at), "message_type": arrival.content.message_type,
        **arrival.content.members, **arrival.content.extras,
    }  # fmt: skip
    if arrival.name:
        members["profile"] = {"name": arrival.name}
    if arrival.channel == MessageChannel.WHATSAPP:
        members["context_status"] = _context_status(arrival.context, answers)
    if answers:
        members["context"] = {"message_uuid": answers, "message_from": arrival.to}
    if details := _details(inbound):
        members[channel] = {**members.get(channel, {}), **details}
    if arrival.channel == MessageChannel.SMS:
        members["usage"] = _FREE
    return members


def receipt_members(
    sending: Sending, status: str, now: Instant, api_key: str = ""
) -> dict[str, Any]:  # fmt: skip
    """Of the older API's delivery receipt: `msisdn` is whom the message went to."""
    problem = sending.problem if status in _FAILED else None
    shown = _RECEIPTS.get(status, "unknown")
    if problem is not None and problem.code == Code.EXPIRED:
        shown = "expired"
    order = sending.order
    members: dict[str, Any] = {
        "msisdn": order.to, "to": order.from_, "network-code": "", "messageId": sending.id,
        "price": "0.00000000", "status": shown, "scts": _scts(now),
        "err-code": error_of(problem).receipt if problem else "0", "api-key": api_key,
        "message-timestamp": _moment(now),
    }  # fmt: skip
    return {**members, "client-ref": order.client_ref} if order.client_ref else members


_FAILED = (SendingStatus.REJECTED, SendingStatus.UNDELIVERABLE)


def _workflow(workflow: Workflow) -> dict[str, str]:
    return {
        "id": workflow.id, "items_number": str(workflow.item), "items_total": str(workflow.items),
    }  # fmt: skip


def _context_status(context: str, answers: str) -> str:
    if not context:
        return "none"
    return "available" if answers else "unavailable"


def _details(inbound: Inbound) -> dict[str, Any]:
    arrival = inbound.arrival
    if arrival.channel != MessageChannel.SMS:
        return arrival.details
    return {"num_messages": "1", "keyword": _keyword(arrival.content.text), **arrival.details}


def _keyword(text: str) -> str:
    """The first word, by which programs tell what is wanted."""
    return text.split(maxsplit=1)[0].upper() if text.strip() else ""


def _moment(at: Instant) -> str:
    """`2020-01-01 12:00:00`"""
    return iso(at)[:19].replace("T", " ")


def _scts(at: Instant) -> str:
    """`2001011200`: to the minute."""
    return "".join(each for each in iso(at)[2:16] if each.isdecimal())
