"""Answers of the message API and of the older SMS API, as their clients read them."""

from msgspec import Struct, field


class MessageReference(Struct, frozen=True, omit_defaults=True):
    """A message that will be carried."""

    message_uuid: str
    workflow_id: str | None = None
    """When others may follow in its place."""


class SmsPart(Struct, frozen=True, omit_defaults=True):
    """What became of a part of a short message, or of all of it: why it was refused."""

    status: str
    """`0` when it was taken."""
    error_text: str | None = field(default=None, name="error-text")
    to: str | None = None
    message_id: str | None = field(default=None, name="message-id")
    remaining_balance: str | None = field(default=None, name="remaining-balance")
    message_price: str | None = field(default=None, name="message-price")
    network: str | None = None
    client_ref: str | None = field(default=None, name="client-ref")
    account_ref: str | None = field(default=None, name="account-ref")


class SmsAnswer(Struct, frozen=True):
    message_count: str = field(name="message-count")
    """COMPAT: text, though it is a number; the published clients read it so."""
    messages: list[SmsPart]
