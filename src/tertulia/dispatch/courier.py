"""One attempt: build the envelope, sign it, send it, record how it ended.

POST carries the envelope as its body, and the signature's payload hash is that body's. A GET has no
body, so the hash is of nothing, and the envelope's members are query parameters: strings and
numbers as they are, objects (params, body, _embedded) as JSON text, null ones left out.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

import msgspec

from tertulia.dispatch.addresses import Address
from tertulia.dispatch.answer import Answer, Call, Failure, Sender, Withheld
from tertulia.dispatch.attempt import is_success
from tertulia.dispatch.envelope import envelope
from tertulia.dispatch.gates import SLOW_MS, Gate, Gates
from tertulia.dispatch.lane import lane_of
from tertulia.dispatch.recorder import Recorder
from tertulia.dispatch.records import Attempt, Purpose
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.work import WebhookWork
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.ports import Clock, Ids
from tertulia.protocols.signature import sign, signing_key

LOOK_AGAIN = 0.1
"""Seconds between looks whether a lease that ran out has been renewed."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Courier:
    """Carries events to their addresses, as many at once as there is room for."""

    def __init__(
        self,
        settings: DispatchSettings,
        *,
        sender: Sender,
        recorder: Recorder,
        work: WebhookWork,
        clock: Clock,
        ids: Ids,
        epoch: str,
    ) -> None:
        self._settings = settings
        self._key = signing_key(settings.signing_secret)
        self._sender = sender
        self._recorder = recorder
        self._work = work
        self._clock = clock
        self._ids = ids
        self._gates = Gates(settings)
        self._constant_headers = (
            "Content-Type: application/json\r\n"
            f"User-Agent: {settings.user_agent}\r\n"
            f"Tertulia-Epoch: {epoch}\r\n"
        )

    async def deliver(
        self, event: Event, target: str, address: Address, *, purpose: Purpose, number: int
    ) -> Attempt:
        """Make the `number`-th attempt for an event, as soon as it may be made."""
        async with self._gates.place(event.application_id, address.url) as endpoint:
            at, answer = await self._send(event, address, number)
            attempt = _attempt(
                event, target, address, purpose=purpose, number=number, at=at,
                latency_ms=self._clock.now() - at, answer=answer,
            )  # fmt: skip
            _adjust(endpoint, attempt)
        self._recorder.attempt(attempt)
        return attempt

    async def _send(self, event: Event, address: Address, number: int) -> tuple[Instant, Answer]:
        """When it went, and the answer. Who has lost the application for good is cancelled."""
        may_go = partial(self._work.may_send, event.application_id)
        while True:
            if may_go():
                at = self._clock.now()
                answer = await self._sender.send(self._call(event, address, number, at, may_go))
                if not isinstance(answer, Withheld):
                    return at, answer
            await asyncio.sleep(LOOK_AGAIN)

    def _call(
        self, event: Event, address: Address, number: int, at: Instant, may_go: Callable[[], bool]
    ) -> Call:
        query, body = "", envelope(event)
        if address.method == "GET":
            query, body = as_query(body), b""
        return Call(
            address.url, address.method, self._headers(event, body, number, at), body,
            address.connect_timeout_ms, address.total_timeout_ms, query, may_go,
        )  # fmt: skip

    def _headers(self, event: Event, body: bytes, number: int, at: Instant) -> bytes:
        token = self._signature(body, event.application_id, at)
        position = f"Tertulia-Position: {event.position}\r\n" if event.position else ""
        text = (
            f"Authorization: Bearer {token}\r\n{self._constant_headers}"
            f"Tertulia-Attempt: {number}\r\n{position}"
        )
        return text.encode("ascii")

    def _signature(self, body: bytes, application_id: ApplicationId, at: Instant) -> str:
        return sign(
            self._key, body, iat=at // 1000, jti=self._ids.bare(),
            api_key=self._settings.api_key, application_id=application_id,
        )  # fmt: skip


def as_query(body: bytes) -> str:
    """An envelope's members as the parameters of a query."""
    pairs = []
    for name, raw in _members(body).items():
        value = msgspec.json.decode(raw)
        if value is not None:
            pairs.append((name, value if isinstance(value, str) else bytes(raw)))
    return urlencode(pairs)


def _attempt(
    event: Event,
    target: str,
    address: Address,
    *,
    purpose: Purpose,
    number: int,
    at: Instant,
    latency_ms: int,
    answer: Answer,
) -> Attempt:
    lane = lane_of(event, target)
    if isinstance(answer, Failure):
        status, reason, head, delivered = None, answer.reason, b"", False
    else:
        status, reason, head = answer.status, None, answer.head
        delivered = is_success(answer.status)
    return Attempt(
        lane, purpose, event.id, event.position, event.type, address.url, number, at, latency_ms,
        status, reason, head, delivered,
    )  # fmt: skip


def _adjust(endpoint: Gate, attempt: Attempt) -> None:
    if attempt.delivered:
        endpoint.widen()
    elif attempt.latency_ms >= SLOW_MS:
        endpoint.narrow()
