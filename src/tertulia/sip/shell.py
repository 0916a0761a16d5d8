"""A SIP agent on sockets: what comes goes in, what it wants goes out, and it is told the time."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from math import inf

from tertulia.protocols.networks import Networks
from tertulia.protocols.sip.agent import Agent, Limits
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import BadMessage, Request, Response, respond
from tertulia.protocols.sip.signals import AnySignal, Ended, Failed, Output, Resolve, Send
from tertulia.protocols.sip.verbs import AnyVerb
from tertulia.settings import Settings
from tertulia.sip.counts import Counts
from tertulia.sip.locating import Locator, Target
from tertulia.sip.strangers import Strangers
from tertulia.sip.transports import Transports

CHORES_MAX = 1000
"""Look-ups under way at once."""
LARGE = 1300
"""Octets of a request, above which a stream is tried before UDP (RFC 3261 section 18.1.1)."""


class Shell:
    """Make it on the loop, then `open`. `hear` is called with what happens to calls, `is_trusted`
    with the address of who begins something: whom no rate holds back; `lost` with connections."""

    def __init__(
        self, settings: Settings, *, hear: Callable[[AnySignal], None],
        is_trusted: Callable[[str], bool], lost: Callable[[Flow], None],
        name_call: Callable[[], str], credentials: Callable[[str, str], Credentials | None],
        hosts: set[str],
    ) -> None:  # fmt: skip
        """`hosts` may be anywhere; others have to be public, or where webhooks may go."""
        self.counts = Counts()
        self.strangers = Strangers(self.counts)
        self.transports = Transports(
            settings.sip, receive=self._receive, lost=self._lost, counts=self.counts
        )
        self._locator = Locator(
            Networks(settings.webhooks.allow_networks), lambda host: host in hosts
        )
        self._agent = Agent(
            os.urandom, name_call, credentials, limits=Limits(calls=settings.sip.max_calls)
        )
        self._hear = hear
        self._is_trusted = is_trusted
        self._tell_lost = lost
        self._is_draining = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf
        """When the timer comes."""
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        """Seconds that only go forward."""
        return self._loop.time()

    @property
    def sizes(self) -> dict[str, int]:
        """Of all that the agent remembers: nothing when nothing goes on."""
        return self._agent.sizes

    def tell(self, verb: AnyVerb) -> None:
        """Raises ValueError for a URI that is none."""
        self._agent.tell(verb, self.now)
        self._drain()

    def start(self, chore: Coroutine[None, None, None]) -> bool:
        """Let something happen that takes its time. False: too much of that is under way."""
        if len(self._chores) >= CHORES_MAX:
            chore.close()
            return False
        task = self._loop.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return True

    def know(self, flow: Flow) -> None:
        """Somebody has shown by a flow who it is."""
        self.strangers.know(flow, self.now)
        self.transports.know(flow)

    async def close(self) -> None:
        for task in self._chores:
            task.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self.transports.close()

    def _receive(self, item: Request | Response | BadMessage, flow: Flow) -> None:
        self.counts.note("received")
        if isinstance(item, BadMessage):
            self._refuse(item, flow)
            return
        if isinstance(item, Request) and _begins(item) and not self._admits(item, flow):
            return
        self._agent.receive(item, flow, self.now)
        self._drain()

    def _admits(self, request: Request, flow: Flow) -> bool:
        if self._is_trusted(flow.peer[0]):
            return True
        return self.strangers.admits(flow, request.method, self.now)

    def _refuse(self, bad: BadMessage, flow: Flow) -> None:
        """Without remembering anything of it."""
        self.counts.note("malformed")
        if bad.request is not None and self._admits(bad.request, flow):
            bad.request.stamp(*flow.peer)
            self.transports.send(flow, respond(bad.request, bad.status, bad.reason).encode())

    def _lost(self, flow: Flow) -> None:
        self.strangers.forget(flow)
        self._tell_lost(flow)
        self._agent.connection_lost(flow, self.now)
        self._drain()

    def _drain(self) -> None:
        """Also what is put in while something is taken out, in its turn."""
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while outputs := self._agent.take():
                for output in sorted(outputs, key=_is_last):
                    self._carry_out(output)
        finally:
            self._is_draining = False
        self._arm()

    def _carry_out(self, output: Output) -> None:
        if isinstance(output, Send):
            if not self.transports.send(output.flow, output.data) and output.flow.reliable:
                self._loop.call_soon(self._lost, output.flow)
        elif isinstance(output, Resolve):
            self._resolve(output)
        else:
            self._hear(output)

    def _arm(self) -> None:
        due = self._agent.next_timer
        if due is None or self._due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._timeout)

    def _timeout(self) -> None:
        self._due = inf
        self._agent.timeout(self.now)
        self._drain()

    def _resolve(self, wanted: Resolve) -> None:
        """Within a dialog the way that its messages came is tried first, and no name looked up."""
        targets = self._locator.at_once(wanted.uri)
        hint = wanted.hint
        if targets is None and hint is None:
            if not self.start(self._look_up(wanted)):
                self._resolved(wanted, [])
            return
        self._resolved(wanted, targets or [])

    async def _look_up(self, wanted: Resolve) -> None:
        self._resolved(wanted, await self._locator.find(wanted.uri))
        self._drain()

    def _resolved(self, wanted: Resolve, targets: list[Target]) -> None:
        flows = [] if wanted.hint is None else [wanted.hint]
        for target in _streams_first(targets, wanted):
            flow = self.transports.flow(*target)
            if flow is not None and flow not in flows:
                flows.append(flow)
        if not flows:
            self.counts.note("unresolved")
        self._agent.resolved(wanted.ticket, tuple(flows), self.now)


def _streams_first(targets: list[Target], wanted: Resolve) -> list[Target]:
    """What is too large for a datagram goes by TCP if the peer has it (RFC 3261 section 18.1.1),
    unless the URI says otherwise."""
    if wanted.size <= LARGE or "transport=" in wanted.uri.lower():
        return targets
    streams = [each._replace(transport="tcp") for each in targets if each.transport == "udp"]
    return [*streams, *targets]


def _begins(request: Request) -> bool:
    """Whether it belongs to nothing that is there."""
    return request.method not in ("ACK", "CANCEL") and not request.to.tag


def _is_last(output: Output) -> bool:
    """What ends a call comes behind the messages that it is seen by."""
    return isinstance(output, Ended | Failed)
