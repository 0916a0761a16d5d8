"""What carriers by HTTP have in common: requests to them, whether they are reached, signatures."""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from tertulia.ports.messaging import CarrierHealth, Congested, OutOfReach

ANSWER_MAX = 64 * 1024
"""Octets of an answer that are read."""
REASON_MAX = 200
RETRY_MAX = 3600.0
"""Seconds, whatever a carrier asks for."""
DOWN_SECONDS = 10.0
"""After a failure; then it is worth a try."""
Where = Callable[[], str | None]
"""Start of the simulated carriers' URLs, `http://127.0.0.1:1234`; None: they are not there."""


class HttpCall(Struct, frozen=True):
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    """Until the end of the answer."""


class HttpAnswer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """Its beginning, at most ANSWER_MAX."""


class HttpOut(Protocol):
    async def request(self, call: HttpCall) -> HttpAnswer:
        """Make it once. Raises OutOfReach, in doubt from when the request may have been read."""


class Line:
    """Requests to one carrier; knows whether it is there. Only a request can tell: a carrier that
    was down is one to be tried again after some seconds, not for ever down."""

    def __init__(
        self, out: HttpOut, where: Where, seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._out = out
        self._where = where
        self._seconds = seconds
        self._monotonic = monotonic
        self._trouble = ""
        self._down_until = 0.0

    @property
    def health(self) -> CarrierHealth:
        """Up until something fails."""
        if not self._trouble:
            return CarrierHealth("up")
        is_down = self._monotonic() < self._down_until
        return CarrierHealth("down" if is_down else "starting", self._trouble)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        """Raises OutOfReach, Congested."""
        try:
            call = HttpCall(method, self._resolved(url), headers, body, self._seconds)
            answer = await self._out.request(call)
            _check(answer)
        except OutOfReach as error:
            self._is_down(str(error))
            raise
        except Congested:
            self._trouble = ""
            raise
        self._trouble = ""
        return answer

    async def post(self, url: str, headers: Mapping[str, str], told: object) -> HttpAnswer:
        """With JSON. Raises OutOfReach, Congested."""
        body = msgspec.json.encode(told)
        return await self.ask("POST", url, {"Content-Type": "application/json", **headers}, body)

    def refused(self, reason: str) -> OutOfReach:
        """What to raise when the carrier does not let us in: an operator has to see to it."""
        self._is_down(reason)
        return OutOfReach(reason)

    def _is_down(self, reason: str) -> None:
        self._trouble = reason
        self._down_until = self._monotonic() + DOWN_SECONDS

    def _resolved(self, url: str) -> str:
        if not url.startswith("{simulated}"):
            return url
        base = self._where()
        if base is None:
            raise OutOfReach("the simulated carriers are not there")
        return base + url.removeprefix("{simulated}")


def _check(answer: HttpAnswer) -> None:
    """Answers that say more of the carrier than of the message."""
    status = answer.status
    if status in (429, 503):
        raise Congested(f"the carrier answered {status}", patience(answer))
    if status >= 500:
        # Whether the one behind a gateway has it, only a body of the carrier's own could tell.
        is_doubtful = status in (502, 504) or not is_object(answer.body)
        raise OutOfReach(f"the carrier answered {status}", in_doubt=is_doubtful)
    if 300 <= status < 400 or status == 408:
        raise OutOfReach(f"the carrier answered {status}")


def patience(answer: HttpAnswer) -> float | None:
    """Seconds that a Retry-After field asks for (RFC 9110 10.2.3); dates are not read."""
    told = answer.headers.get("retry-after", "")
    return min(float(told), RETRY_MAX) if told.isascii() and told.isdigit() else None


def decoded(body: bytes) -> Any:
    """JSON; None when it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def is_object(body: bytes) -> bool:
    return isinstance(decoded(body), dict)


def text_at(told: object, *names: str) -> str:
    """A text or whole number inside objects; empty when there is none."""
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    if isinstance(told, str):
        return told
    return str(told) if isinstance(told, int) and not isinstance(told, bool) else ""


def objects(told: object) -> list[dict[str, Any]]:
    """Those of a list; none when it is no list."""
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def same(one: str, other: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def mac(secret: str, body: bytes, kind: str = "sha256", encoding: str = "hex") -> str:
    digest = hmac.new(secret.encode(), body, getattr(hashlib, kind)).digest()
    return digest.hex() if encoding == "hex" else b64encode(digest).decode()


def shortened(reason: str) -> str:
    return reason if len(reason) <= REASON_MAX else reason[: REASON_MAX - 1] + "…"
