"""How simulated carriers tell the hub: POST to `/carriers/{name}`, again until it is taken.

What is told of one message keeps its order; of different ones it has none.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from tertulia.dispatch.answer import Answer, Call, Failure, Response
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.target import TargetGuard

HOST = "127.0.0.1"
LANES = 16
WAITING_MAX = 2000
"""In one lane. The oldest that would not fit is dropped, and told in the log."""
TRIES = 60
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
CONNECT_MS, TOTAL_MS = 2_000, 30_000
REPEATED = frozenset({404, 408, 425, 429, *range(500, 600)})
"""Answers after which it is tried again; 404 is that of a hub which is only starting."""

_log = logging.getLogger(__name__)


class Webhook(Struct, frozen=True):
    carrier: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Besides the type, which is JSON."""


class Webhooks:
    """From `start` to `close`. `where`: the hub's port for HTTP, None while that is not known."""

    def __init__(self, where: Callable[[], int | None]) -> None:
        self._where = where
        told = DispatchSettings(signing_secret="", api_key="", connections_per_origin=LANES)
        self._sender = HttpSender(told, TargetGuard(("127.0.0.0/8",), _loopback))
        self._lanes = [_Lane() for _ in range(LANES)]
        self._tasks: list[asyncio.Task[None]] = []
        self.dropped = 0

    @property
    def waiting(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(lane)) for lane in self._lanes]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sender.close()

    def post(self, about: str, webhook: Webhook) -> None:
        """Soon, after what was posted about the same."""
        lane = self._lanes[hash(about) % LANES]
        if len(lane.waiting) >= WAITING_MAX:
            lane.waiting.popleft()
            self._drop(webhook, "too many are waiting")
        lane.waiting.append(webhook)
        lane.news.set()

    async def _run(self, lane: "_Lane") -> None:
        while True:
            while not lane.waiting:
                lane.news.clear()
                await lane.news.wait()
            await self._bring(lane.waiting.popleft())

    async def _bring(self, webhook: Webhook) -> None:
        wait = FIRST_WAIT
        for _ in range(TRIES):
            answer = await self._try(webhook)
            if isinstance(answer, Response) and answer.status not in REPEATED:
                break
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        if isinstance(answer, Failure):
            self._drop(webhook, answer.reason)
        elif not 200 <= answer.status < 300:
            self._drop(webhook, f"it was answered {answer.status}")

    async def _try(self, webhook: Webhook) -> Answer:
        port = self._where()
        if port is None:
            return Failure("there is no hub")
        fields = (("Content-Type", "application/json"), *webhook.headers)
        headers = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")
        url = f"http://{HOST}:{port}/carriers/{webhook.carrier}"
        call = Call(url, "POST", headers, webhook.body, CONNECT_MS, TOTAL_MS)
        return await self._sender.send(call)

    def _drop(self, webhook: Webhook, reason: str) -> None:
        self.dropped += 1
        _log.warning(
            "a webhook of %s was given up: %s", webhook.carrier, reason,
            extra={"action": "simulated_webhook_dropped", "carrier": webhook.carrier},
        )  # fmt: skip


class _Lane:
    def __init__(self) -> None:
        self.waiting: deque[Webhook] = deque()
        self.news = asyncio.Event()


async def _loopback(host: str, port: int) -> list[str]:
    return [HOST]
