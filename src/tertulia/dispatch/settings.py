"""What the dispatcher can be told. Durations are milliseconds."""

from msgspec import Struct


class DispatchSettings(Struct, frozen=True, kw_only=True):
    signing_secret: str
    """Shared with the receivers. Webhooks are never sent unsigned."""
    api_key: str
    """The account's key, as a claim of each signature."""
    user_agent: str = "tertulia"

    first_retry_ms: int = 5_000
    longest_retry_ms: int = 900_000
    window_ms: int = 86_400_000
    """How long an event is tried before it becomes a dead letter."""
    connect_timeout_ms: int = 5_000
    total_timeout_ms: int = 10_000
    """From connecting to the end of the answer."""

    connections_per_origin: int = 64
    idle_ms: int = 30_000
    """After which an unused connection is closed."""

    in_flight: int = 1024
    in_flight_per_application: int = 128
    in_flight_per_endpoint: int = 64
    window_events: int = 2_000
    """Events of one application that may be read and not yet settled; then reading stops."""
    page: int = 500
    """Events read from the log at once."""
    ephemeral_waiting: int = 256
    """Announced events of one application under way; more are dropped."""

    flush_ms: int = 100
    flush_attempts: int = 200
    """The journal is written when either is reached."""
    backlog: int = 5_000
    """Attempts waiting for a journal that cannot be written; then reading stops."""
    attempts_kept: int = 200_000
    poll_ms: int = 1_000
    """How often applications, with their webhooks, and replay requests are read without a wake."""
    poll_spacing_ms: int = 250
    """How often at most, however many wakes there are."""
    pause_ms: int = 1_000
    """Wait after a failing store or a restart of an application's feed."""
