"""What causes each event: of calls, model/events/heard.py tells; of all others, this."""

from collections.abc import Mapping

from tertulia.model.events.heard import HEARD

SAID: Mapping[str, str] = {
    "message": "a client says something; a phone sends an SMS",
    "message:rejected": "the SMSC refuses an SMS: it does not know the number",
    "message:submitted": "a carrier takes an SMS, and a WhatsApp message",
    "message:undeliverable": "the SMSC reports that the phone is switched off",
    "message:delivered": "the SMSC reports the delivery; a client got a message",
    "message:seen": "WhatsApp reports that it was read; a client saw a message",
    "conversation:updated": "the application renames a conversation",
    "conversation:deleted": "the application deletes a conversation",
    "member:message:status": "a carrier tells what has become of a member's message",
    "custom:*": "a client sends an event of its application's own",
    "ephemeral": "a client tells what need not be remembered",
    "event:delete": "a client deletes what it said",
    "text": "an older client says something",
    "text:seen": "an older client saw a text",
    "text:delivered": "an older client got a text",
    "text:typing:on": "an older client begins to type",
    "text:typing:off": "an older client ceases to type",
    "text:update": "an older application changes a text",
    "image": "an older client shows a picture",
    "image:seen": "an older client saw a picture",
    "image:delivered": "an older client got a picture",
    "mixer:publisher:created": "an older application says so",
    "mixer:publisher:destroyed": "an older application says so",
    "mixer:subscriber:created": "an older application says so",
    "mixer:subscriber:destroyed": "an older application says so",
    "custom:tertulia:edit": "a client changes what it said",
    "custom:tertulia:reply": "a client answers a message",
    "custom:tertulia:reaction": "a client reacts to a message",
    "custom:tertulia:message": "a message of the message API is delivered, another refused",
    "custom:tertulia:call": "a call rings, is answered, ends",
}
CAUSES: Mapping[str, str] = {**HEARD, **SAID}
"""Of every type of the catalogue."""
