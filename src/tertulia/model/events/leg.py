"""Events of legs: the media paths between this server and one endpoint each."""

from enum import StrEnum

from msgspec import field

from tertulia.model.events.registry import EVERYWHERE, Body, event
from tertulia.model.events.values import Direction, Part


class LegType(StrEnum):
    APP = "app"
    PHONE = "phone"
    SIP = "sip"
    WEBSOCKET = "websocket"
    VBC = "vbc"
    WHATSAPP_VOICE = "whatsapp-voice"


class LegStatus(StrEnum):
    STARTED = "started"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    MACHINE = "machine"
    FAILED = "failed"
    BUSY = "busy"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class LegEnd(StrEnum):
    """Why a leg is completed (wire-api 2.3)."""

    OK = "ok"
    FAILED = "failed"
    BUSY = "busy"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    REQUEST_TERMINATED = "request_terminated"
    BAD_EXTENSION = "bad_extension"
    BUSY_HERE = "busy_here"
    REQUEST_TIMEOUT = "request_timeout"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    BAD_GATEWAY = "bad_gateway"
    ADDRESS_INCOMPLETE = "address_incomplete"
    SERVER_INTERNAL_ERROR = "server_internal_error"
    NOT_IMPLEMENTED = "not_implemented"
    SERVER_TIMEOUT = "server_timeout"
    VERSION_NOT_SUPPORTED = "version_not_supported"
    SERVICE_UNAVAILABLE = "service_unavailable"
    PAYMENT_REQUIRED = "payment_required"
    BANNED_CALL_ENDED = "banned_call_ended"
    FLOW_FAILED = "flow_failed"


class LegState(Part, frozen=True):
    """How a leg has ended."""

    status: LegStatus
    successful: bool
    reason: LegEnd


class LegStep(Part, frozen=True):
    """A status that a leg has had, with where it was then: in a conversation, or knocking."""

    status: LegStatus
    date: str
    conversation_id: str | None = None
    member_id: str | None = None
    knocker_id: str | None = None
    state: LegState | None = None


@event("leg:status:update", reaches=EVERYWHERE)
class LegStatusUpdate(Body, frozen=True):
    """A leg changed its status."""

    leg_id: str
    type: LegType
    status: LegStatus
    # COMPAT: direction and history are optional by the reference; the browser SDK needs both.
    direction: Direction
    status_history: list[LegStep] = field(name="statusHistory")
    """Oldest first."""
    state: LegState | None = None
