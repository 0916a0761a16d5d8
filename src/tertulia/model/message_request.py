"""Requests of the message API: to send a message by a messaging channel, and to change one.

What a draft holds of its channel and type is a plain object: `requested` reads it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import asdict

from tertulia.model.carrying import (
    CARRIED,
    TEXT_MAX,
    address_problem,
    plain_address,
    sender_problem,
)
from tertulia.model.errors import (
    IllegalRecipient,
    IllegalSender,
    Parameter,
    Unprocessable,
    ValidationFailed,
)
from tertulia.model.events.values import WebUri
from tertulia.model.message_members import REQUIRED, SHAPES
from tertulia.model.sending import Content, MessageChannel, Order
from tertulia.model.state import Webhook
from tertulia.model.validation import convert

FAILOVER_MAX = 10
Address = Annotated[str, Meta(min_length=1, max_length=254)]
Thing = dict[str, Any] | None


class MessageDraft(Struct, frozen=True, kw_only=True):
    """The body of a request to send a message: beside the members of every one, that of its type,
    under the type's name, and what is its channel's own."""

    channel: Literal[
        "sms", "mms", "whatsapp", "viber_service", "viber", "messenger", "rcs", "email"
    ]  # fmt: skip
    message_type: Annotated[str, Meta(min_length=1, max_length=40)]
    to: Address
    from_: Address = field(name="from")
    client_ref: Annotated[str, Meta(max_length=100)] | None = None
    webhook_url: WebUri | None = None
    webhook_version: Literal["v0.1", "v1"] | None = None
    """COMPAT: taken; statuses are always told in the form of `v1`."""
    ttl: int | None = None
    """Seconds."""
    trusted_recipient: bool | None = None
    failover: Annotated[list["MessageDraft"], Meta(max_length=FAILOVER_MAX)] | None = None
    """What is sent in its place, one after the other, when it does not arrive."""
    text: Annotated[str, Meta(min_length=1, max_length=65_536)] | None = None
    image: Thing = None
    audio: Thing = None
    video: Thing = None
    file: Thing = None
    vcard: Thing = None
    template: Thing = None
    sticker: Thing = None
    reaction: Thing = None
    custom: Thing = None
    card: Thing = None
    carousel: Thing = None
    html: Thing = None
    content: list[dict[str, Any]] | None = None
    sms: Thing = None
    viber_service: Thing = None
    messenger: Thing = None
    whatsapp: Thing = None
    context: Thing = None
    category: str | None = None
    rcs: Thing = None
    suggestions: list[dict[str, Any]] | None = None
    email: Thing = None


class ReplyingIndicator(Struct, frozen=True):
    """That an answer is being written."""

    show: bool = False
    type: Literal["text"] = "text"


class MessageChange(Struct, frozen=True):
    """The body of a request to change a message: an inbound one was read, a sent one is revoked."""

    status: Literal["read", "revoked"]
    replying_indicator: ReplyingIndicator | None = None

    @property
    def is_typing(self) -> bool:
        return self.replying_indicator is not None and self.replying_indicator.show


def requested(draft: MessageDraft) -> tuple[Order, ...]:
    """The message, and those that may follow in its place. Raises Unprocessable."""
    first = _order(draft, "")
    followers = draft.failover or ()
    if any(each.failover for each in followers):
        raise Unprocessable.of("failover.failover", "is not allowed")
    return (first, *(_order(each, f"failover[{n}].") for n, each in enumerate(followers)))


def _order(draft: MessageDraft, prefix: str) -> Order:
    channel = "viber" if draft.channel == "viber_service" else draft.channel
    to, from_ = plain_address(channel, draft.to), plain_address(channel, draft.from_)
    if problem := address_problem(channel, to):
        raise IllegalRecipient.of(f"{prefix}to", problem.reason)
    if problem := sender_problem(channel, from_):
        raise IllegalSender.of(f"{prefix}from", problem.reason)
    try:
        content = _content(draft, channel, asdict(draft))
        ttl = _ttl(draft, channel)
    except ValidationFailed as failure:
        raise _renamed(failure, prefix) from None
    return Order(
        channel=channel, to=to, from_=from_, content=content, ttl=ttl,
        client_ref=draft.client_ref or "",
        webhook=Webhook(draft.webhook_url, "POST") if draft.webhook_url else None,
    )  # fmt: skip


def _renamed(failure: ValidationFailed, prefix: str) -> Unprocessable:
    return Unprocessable(parameters=tuple(
        Parameter(prefix + each.name, each.reason.replace('"', f'"{prefix}', 1))
        for each in failure.parameters
    ))  # fmt: skip


def _content(draft: MessageDraft, channel: str, given: dict[str, Any]) -> Content:
    kind, row = draft.message_type, SHAPES[channel]
    if kind != "text" and kind not in row.types:
        known = ", ".join(sorted(CARRIED[channel] - {"binary"}))
        raise Unprocessable.of("message_type", f"must be one of those of {channel}: {known}")
    if given[kind] is None:
        raise Unprocessable.of(kind, "is required")
    if kind == "text":
        _check_text(channel, given[kind])
    else:
        convert(given[kind], row.types[kind], root=kind)
    return Content(kind, {kind: given[kind]}, _extras(draft, channel, given))


def _check_text(channel: str, text: str) -> None:
    most = TEXT_MAX[channel]
    if len(text) > most:
        reason = f"length must be less than or equal to {most} characters long"
        raise Unprocessable.of("text", reason)


def _extras(draft: MessageDraft, channel: str, given: dict[str, Any]) -> dict[str, Any]:
    """What is the channel's own; of other channels nothing is kept."""
    found = {}
    for name, shape in SHAPES[channel].options.items():
        if given[name] is not None:
            convert(given[name], shape, root=name)
            found[name] = given[name]
    needed = REQUIRED.get((MessageChannel(channel), draft.message_type))
    if needed is not None and needed not in found:
        raise Unprocessable.of(needed, "is required")
    if draft.message_type == "carousel" and "card_width" not in found["rcs"]:
        raise Unprocessable.of("rcs.card_width", "is required")
    if draft.trusted_recipient is not None:
        found["trusted_recipient"] = draft.trusted_recipient
    return found


def _ttl(draft: MessageDraft, channel: str) -> int | None:
    ttl = draft.ttl
    if ttl is None and channel == MessageChannel.VIBER and draft.viber_service:
        ttl = draft.viber_service.get("ttl")
    least, most = SHAPES[channel].ttl
    if ttl is not None and not least <= ttl <= most:
        raise Unprocessable.of("ttl", f"must be a number of seconds from {least} to {most}")
    return ttl
