"""A webhook call and what came of it, as values between the dispatcher and its HTTP client."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct


def always() -> bool:
    return True


class Call(Struct, frozen=True):
    """One request. `headers` are whole lines with their line ends. Durations are milliseconds."""

    url: str
    method: str
    headers: bytes
    body: bytes
    connect_timeout_ms: int
    total_timeout_ms: int
    query: str = ""
    """Encoded; added to the one that the URL has."""
    may_go: Callable[[], bool] = always
    """Asked right before it is sent: getting a connection may have taken long."""


class Response(Struct, frozen=True):
    status: int
    head: bytes
    """The beginning of the body, as much as its reader keeps."""
    headers: dict[str, str] = {}
    """By lower-case name, for a reader that keeps them."""


class Failure(Struct, frozen=True):
    """No answer, and why, in words for the list of attempts."""

    reason: str
    is_sent: bool = False
    """The receiver may have read the request."""


class Withheld(Failure, frozen=True):
    """Not a byte was sent: when it could be, it might not go any more."""


Answer = Response | Failure


class Sender(Protocol):
    async def send(self, call: Call) -> Answer:
        """Make the call. Whatever goes wrong is a Failure, never an exception."""
