"""What happened to SIP messages, for `/metrics`."""

from collections import Counter
from typing import Literal

Name = Literal[
    "received", "sent", "malformed", "unsent",
    "connections", "connections_refused", "connections_cut",
    "rate_limited", "locked_out", "lock_outs", "challenged", "authentication_failed",
    "calls_in", "calls_out", "calls_capped", "registrations", "unresolved",
]  # fmt: skip


class Counts(Counter[str]):
    """Each only grows. Names are those of the figures."""

    def note(self, name: Name, count: int = 1) -> None:
        self[name] += count
