"""Trunks at work: how much is called by them, what comes from them, and their registrations."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tertulia.model.bucket import Bucket
from tertulia.model.ids import ApplicationId
from tertulia.protocols.networks import Networks
from tertulia.protocols.sip import fields
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.signals import Replied
from tertulia.protocols.sip.uri import SipUri
from tertulia.protocols.sip.verbs import AnyVerb, Ask, Forget
from tertulia.sip.counts import Counts
from tertulia.sip.plan import SIMULATED, Caps, Plan, TrunkPlan

REFRESH = 0.8
"""Share of a registration's life after which it is made again."""
FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0
"""Seconds after a registration that failed; doubled."""
LOOK_SECONDS = 1.0
"""Between two looks at which trunks are this node's to register."""
SOON = 10.0
"""Seconds that a caller is told to wait when there is no saying when a call will end."""


class Refusal(NamedTuple):
    """There are too many calls already."""

    code: int
    retry_after: float


class Meter:
    """Calls at once and calls a second, of one trunk or application."""

    def __init__(self, caps: Caps, code: int) -> None:
        self._caps = caps
        self._code = code
        self._bucket: Bucket | None = None
        self.calls = 0

    def enter(self, now: float) -> Refusal | None:
        """Count a call, unless it is one too many."""
        caps = self._caps
        if caps.calls and self.calls >= caps.calls:
            return Refusal(self._code, SOON)
        if caps.calls_per_second:
            if self._bucket is None:
                rate = caps.calls_per_second
                self._bucket = Bucket(rate, max(1.0, rate), now)
            if wait := self._bucket.take(now):
                return Refusal(self._code, wait)
        self.calls += 1
        return None

    def leave(self) -> None:
        self.calls -= 1


def enter(meters: Iterable[Meter], now: float) -> Refusal | None:
    """Count a call in all of them, or in none."""
    entered: list[Meter] = []
    for meter in meters:
        refusal = meter.enter(now)
        if refusal is not None:
            for each in entered:
                each.leave()
            return refusal
        entered.append(meter)
    return None


class Trunk:
    def __init__(self, plan: TrunkPlan, place: Callable[[], tuple[str, int] | None] | None) -> None:
        """`place` says where it is just now, of one that moves."""
        self.plan = plan
        self.meter = Meter(plan.caps, 503)
        self._place = place
        self._networks = Networks(plan.from_networks)
        self._peer: str | None = None

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def credentials(self) -> Credentials | None:
        plan = self.plan
        return Credentials(plan.username, plan.password) if plan.username else None

    def uri(self, user: str | None = None) -> str | None:
        """Of somebody behind it; None: there is no way to it just now."""
        plan = self.plan
        place = (plan.host, plan.port) if self._place is None else self._place()
        if place is None or not place[0]:
            return None
        params = {"transport": plan.transport} if plan.transport else None
        return str(SipUri.make(place[0], user=user, port=place[1] or None, params=params))

    def sends_from(self, host: str) -> bool:
        """Whether calls from that address are its calls."""
        return host == self._peer or self._networks.has(host)

    def registered_at(self, host: str) -> None:
        """The registrar's address: calls come from there."""
        self._peer = host


class Trunks:
    def __init__(
        self, plan: Plan, phones: Callable[[], tuple[str, int] | None] | None = None
    ) -> None:
        """`phones` says where the simulated phones are."""
        self._plan = plan
        self._trunks = {
            each.name: Trunk(each, phones if each.name == SIMULATED else None)
            for each in plan.every_trunk()
        }
        self._meters: dict[ApplicationId, Meter] = {}
        self.hosts = {trunk.plan.host.lower() for trunk in self} - {""}

    def __iter__(self) -> Iterator[Trunk]:
        return iter(self._trunks.values())

    def ways(self, number: str) -> list[Trunk]:
        return [self._trunks[each.name] for each in self._plan.ways(number)]

    def sender(self, host: str) -> Trunk | None:
        """Whose calls come from that address."""
        return next((trunk for trunk in self._trunks.values() if trunk.sends_from(host)), None)

    def known_as(self, username: str) -> Trunk | None:
        """Which one shows that name when it is challenged."""
        return next(
            (
                trunk for trunk in self._trunks.values()
                if trunk.plan.inbound_username and trunk.plan.inbound_username == username
            ),
            None,
        )  # fmt: skip

    def meters(self, application_id: ApplicationId) -> list[Meter]:
        """In which an application's calls count: none if it has no caps."""
        caps = self._plan.caps.get(application_id)
        if caps is None:
            return []
        return [self._meters.setdefault(application_id, Meter(caps, 486))]


class Registrations:
    """Keeps those trunks registered that ask for it. Their questions are named `register:NAME`.

    `is_ours` says of a trunk's name whether this node is to register it: of several that were, each
    would get the calls that come by it.
    """

    def __init__(
        self, trunks: Iterable[Trunk], tell: Callable[[AnyVerb], None], counts: Counts,
        is_ours: Callable[[str], bool] | None = None,
    ) -> None:  # fmt: skip
        self._is_ours = is_ours
        self._is_leaving = False
        self._wanted: set[str] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._trunks = {f"register:{each.name}": each for each in trunks if each.plan.register}
        self._tell = tell
        self._counts = counts
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self.up: set[str] = set()
        """Names of trunks that are registered."""
        self._ending: asyncio.Future[None] | None = None

    def start(self) -> None:
        for call, trunk in self._trunks.items():
            self._decide(call, trunk)
        if self._is_ours is not None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.start)

    def _decide(self, call: str, trunk: Trunk) -> None:
        is_ours = self._is_ours is None or trunk.plan.every_node or self._is_ours(trunk.name)
        is_ours = is_ours and not self._is_leaving
        if is_ours and call not in self._wanted:
            self._wanted.add(call)
            self._register(call)
        elif not is_ours and call in self._wanted:
            self._wanted.discard(call)
            if (timer := self._timers.pop(call, None)) is not None:
                timer.cancel()
            self._register(call, expires=0)

    def trunk(self, call: str) -> Trunk | None:
        """Whose question that is."""
        return self._trunks.get(call)

    def replied(self, reply: Replied) -> None:
        trunk = self._trunks[reply.call]
        if self._ending is not None:
            self._took_back(reply.call, trunk)
        elif reply.call not in self._wanted:
            self.up.discard(trunk.name)
        elif 200 <= reply.code < 300:
            self._counts.note("registrations")
            self.up.add(trunk.name)
            self._failures.pop(reply.call, None)
            if reply.flow is not None:
                trunk.registered_at(reply.flow.peer[0])
            self._again(reply.call, _granted(reply, trunk.plan.register_interval) * REFRESH)
        else:
            self.up.discard(trunk.name)
            failures = self._failures[reply.call] = self._failures.get(reply.call, 0) + 1
            self._again(reply.call, min(FIRST_RETRY * 2 ** min(failures, 10), LONGEST_RETRY))

    def leave(self) -> None:
        """Take back what is registered: no more calls are to come by it."""
        self._is_leaving = True
        for call, trunk in self._trunks.items():
            self._decide(call, trunk)

    async def end(self, patience: float) -> None:
        """Take back what is registered."""
        if self._looking is not None:
            self._looking.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._ending = asyncio.get_running_loop().create_future()
        for call, trunk in self._trunks.items():
            if trunk.name in self.up:
                self._register(call, expires=0)
        if self.up:
            await asyncio.wait([self._ending], timeout=patience)

    def _took_back(self, call: str, trunk: Trunk) -> None:
        self.up.discard(trunk.name)
        self._tell(Forget(call))
        if not self.up and self._ending is not None and not self._ending.done():
            self._ending.set_result(None)

    def _register(self, call: str, expires: int | None = None) -> None:
        trunk = self._trunks[call]
        plan, registrar = trunk.plan, trunk.uri()
        if registrar is None:
            return
        self._tell(
            Ask(
                call, "REGISTER", registrar, str(SipUri.make(plan.host, user=plan.username)),
                expires=plan.register_interval if expires is None else expires,
            )
        )  # fmt: skip

    def _again(self, call: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[call] = loop.call_later(seconds, self._register, call)


def _granted(reply: Replied, asked: int) -> float:
    """Seconds for which a registrar keeps what we asked for."""
    if reply.message is None:
        return asked
    ours = [
        contact.expires for contact in reply.message.contacts
        if contact.expires and (reply.flow is None or contact.uri.port == reply.flow.local[1])
    ]  # fmt: skip
    granted = ours[0] if ours else reply.message.headers.read(fields.EXPIRES)
    return max(1, min(granted or asked, asked))
