"""The media workers as the hub has them: connected over a socket, an application to each.

An application stays with its worker while that lives. A worker that ends, or falls silent, is
dropped: what it had is reported as ended, and its applications go to others.
"""

import asyncio
import logging
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from tertulia.app.holdings import DEATH, Holdings
from tertulia.app.replies import Question, Replies
from tertulia.media import link
from tertulia.model.commands import VERSION, AnyReport, Close, Command, Hello, Load, Report
from tertulia.model.ids import ApplicationId
from tertulia.ports import Clock, MediaUnavailable

ANSWER_SECONDS = 5.0
BEAT = 1.0
"""Seconds. A worker is heard once between two beats, by its Load if by nothing else."""
SILENT_BEATS = 3
"""Beats without a word, after which a worker is dropped. Beats and not seconds, so that a pause of
our own loop, after which all workers seem to have been silent, counts as one."""

_log = logging.getLogger(__name__)


class Worker:
    """A connected worker: what it has said of itself, what it has, and what it still owes."""

    def __init__(
        self,
        up: Callable[["Worker"], None],
        report: Callable[[AnyReport], None],
        lost: Callable[["Worker", str], None],
    ) -> None:
        self.hello: Hello | None = None
        self.load: Load | None = None
        self.silent = 0
        self.holdings = Holdings()
        self.replies = Replies()
        self.connection = link.hub_end(self._heard, lambda reason: lost(self, reason))
        self._up = up
        self._report = report

    @property
    def name(self) -> str:
        return self.hello.worker if self.hello else "?"

    def send(self, command: Command) -> asyncio.Future[Report]:
        """The reply, when it is a question. Raises MediaUnavailable."""
        if not self.connection.send(command):
            raise MediaUnavailable("What the media worker was to be told is too long.")
        self.holdings.told(command)
        return self.replies.expect(command)

    def _heard(self, report: AnyReport) -> None:
        self.silent = 0
        if self.hello is None:
            self._greeted(report)
        elif isinstance(report, Load):
            self.load = report
        elif not isinstance(report, Hello):
            self.holdings.heard(report)
            self._report(report)
            self.replies.heard(report)

    def _greeted(self, report: AnyReport) -> None:
        if not isinstance(report, Hello):
            self.connection.close("it did not begin with Hello")
        elif report.version != VERSION:
            self.connection.close(f"it says Hello in version {report.version}")
        else:
            self.hello = report
            self._up(self)


class MediaWorkers:
    """ports.Workers over the link. Make it, then `listen` on the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._connected: set[Worker] = set()
        self._up: dict[str, Worker] = {}
        self._homes: dict[ApplicationId, Worker] = {}
        self._listener: Callable[[AnyReport], None] | None = None
        self._server: asyncio.AbstractServer | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._is_closing = False

    async def listen(self, path: Path) -> None:
        """Raises OSError."""
        self._server = await link.listen(path, self._entered)
        self._beat()

    async def close(self) -> None:
        """Without a report: the workers end their legs themselves when they lose us."""
        self._is_closing = True
        if self._beating is not None:
            self._beating.cancel()
        if self._server is not None:
            self._server.close()
        for worker in list(self._connected):
            worker.connection.close("the hub ends")
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def up(self) -> list[Worker]:
        """By name."""
        return sorted(self._up.values(), key=lambda worker: worker.name)

    def on_report(self, listener: Callable[[AnyReport], None]) -> None:
        self._listener = listener

    def tell(self, application_id: ApplicationId, command: Command) -> None:
        self._home(application_id).send(command).cancel()

    async def ask(self, application_id: ApplicationId, command: Command) -> Report:
        worker = self._home(application_id)
        reply = worker.send(command)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await reply
        except (TimeoutError, asyncio.CancelledError) as given_up:
            self._take_back(worker, command)
            if isinstance(given_up, asyncio.CancelledError):
                raise
            raise MediaUnavailable("The media worker has not answered in time.") from None

    def _take_back(self, worker: Worker, command: Command) -> None:
        """A leg that is only now being made is for nobody when nobody waits for it any more."""
        if worker not in self._connected or not isinstance(command, Question):
            return
        if not worker.holdings.has_leg(command.leg):
            worker.send(Close(command.leg))

    def _home(self, application_id: ApplicationId) -> Worker:
        home = self._homes.get(application_id)
        if home is None:
            if not self._up:
                raise MediaUnavailable("No media worker is there.")
            home = max(self._up.values(), key=lambda each: _affinity(application_id, each.name))
            self._homes[application_id] = home
        return home

    def _entered(self) -> link.Connection[AnyReport]:
        worker = Worker(self._came_up, self._hand_on, self._lost)
        self._connected.add(worker)
        if self._is_closing:
            worker.connection.close("the hub ends")
        return worker.connection

    def _came_up(self, worker: Worker) -> None:
        assert worker.hello is not None
        earlier = self._up.get(worker.name)
        if earlier is not None:
            self._drop(earlier, "another took its name")
        self._up[worker.name] = worker
        _log.info(
            "media worker %s is up", worker.name,
            extra={
                "action": "media_worker_up", "worker": worker.name, "pid": worker.hello.pid,
                "port": worker.hello.port, "codecs": " ".join(worker.hello.codecs),
            },
        )  # fmt: skip

    def _hand_on(self, report: AnyReport) -> None:
        if self._listener is None:
            return
        try:
            self._listener(report)
        except Exception:
            _log.exception(
                "a report was not taken: %s", type(report).__name__,
                extra={"action": "media_report_failed"},
            )  # fmt: skip

    def _beat(self) -> None:
        self._beating = asyncio.get_running_loop().call_later(BEAT, self._beat)
        for worker in list(self._connected):
            worker.silent += 1
            if worker.silent > SILENT_BEATS:
                self._drop(worker, "it is silent")

    def _drop(self, worker: Worker, reason: str) -> None:
        worker.connection.close(reason)
        self._lost(worker, reason)

    def _lost(self, worker: Worker, reason: str) -> None:
        if worker not in self._connected:
            return  # it was dropped before its connection was lost
        self._connected.discard(worker)
        if self._up.get(worker.name) is worker:
            del self._up[worker.name]
        self._homes = {each: home for each, home in self._homes.items() if home is not worker}
        worker.replies.fail(f"{DEATH.capitalize()}.")
        if self._is_closing:
            return
        _log.error(
            "media worker %s is lost: %s", worker.name, reason,
            extra={"action": "media_worker_lost", "worker": worker.name},
        )  # fmt: skip
        for report in worker.holdings.lost(self._clock.now()):
            self._hand_on(report)


def _affinity(application_id: ApplicationId, worker: str) -> bytes:
    """The highest wins: with another worker, or one less, few applications move."""
    return blake2b(f"{application_id} {worker}".encode(), digest_size=8).digest()
