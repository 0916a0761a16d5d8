"""The event types that may be created over REST (wire-api 2.2), and a valid body of each."""

from pathlib import Path
from typing import Any

from tertulia.web.documents import read_examples

VECTORS = Path(__file__).parents[1] / "vectors/events"
MINTED = ("play_id", "say_id", "recording_id")

V1 = (
    "message", "message:submitted", "message:rejected", "message:undeliverable", "message:seen",
    "message:delivered", "ephemeral", "custom:order-status", "audio:play", "audio:play:stop",
    "audio:say", "audio:say:stop", "audio:dtmf", "audio:record", "audio:record:stop",
    "audio:mute:on", "audio:mute:off", "audio:earmuff:on", "audio:earmuff:off",
)  # fmt: skip
V03 = (
    *(name for name in V1 if name != "ephemeral"),
    "text", "text:seen", "text:delivered", "text:typing:on", "text:typing:off", "text:update",
    "image", "image:seen", "image:delivered", "audio:ringing:start", "audio:ringing:stop",
    "audio:say:done", "mixer:publisher:created", "mixer:publisher:destroyed",
    "mixer:subscriber:created", "mixer:subscriber:destroyed",
)  # fmt: skip
EXTENSIONS = ("custom:tertulia:edit", "custom:tertulia:reply", "custom:tertulia:reaction")
"""Ours, beside the reference: of both editions."""
UNKEPT = {"ephemeral", "text:typing:on", "text:typing:off"}


def bodies() -> dict[str, dict[str, Any]]:
    """A valid body of each type, as a caller sends it: without what the platform mints."""
    found: dict[str, dict[str, Any]] = {}
    for envelope in read_examples(VECTORS).values():
        assert isinstance(envelope, dict)
        name = envelope["type"]
        minted = MINTED if name in ("audio:play", "audio:say", "audio:record") else ()
        found[name] = {key: v for key, v in envelope["body"].items() if key not in minted}
        if name == "audio:dtmf":
            found[name] = {"digit": "5"}
    return found


BODIES = bodies()
