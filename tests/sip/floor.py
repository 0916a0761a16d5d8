"""A SipCarrier on loopback with its signals, for scenarios of one or several."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.contracts.carrier import HERE, OFFER, OURS, Signals
from tests.sip.far import HOST, settings

from tertulia.app.chance import RandomIds, SystemClock
from tertulia.model.ids import UserId
from tertulia.model.state import Endpoint
from tertulia.model.telephone import Dial
from tertulia.ports.phones import Subscriber
from tertulia.settings import Settings
from tertulia.sip.carrier import SipCarrier
from tertulia.sip.plan import Plan, TrunkPlan
from tertulia.sip.sharing import Shared
from tertulia.sip.transports import Secrecy
from tertulia.testing.subscribers import Enrolled

LOOPBACK = ("127.0.0.0/8",)
PASSWORD = "correct horse"


class Floor:
    """A carrier, what it has reported, and who may register with it: alice and bob."""

    def __init__(self, plan: Plan, wanted: Settings, shared: Shared | None = None) -> None:
        self.signals = Signals()
        self.subscribers = Enrolled()
        for name in ("alice", "bob"):
            subscriber = Subscriber(UserId(f"USR-{name}"), HERE, name, {name: PASSWORD})
            self.subscribers.enrol(HOST, subscriber)
        self.carrier = SipCarrier(
            wanted,
            plan=plan,
            subscribers=self.subscribers,
            clock=SystemClock(),
            ids=RandomIds(),
            shared=shared,
        )
        self.carrier.on_signal(self.signals)

    def figure(self, name: str) -> float:
        return self.carrier.figures().get(name, ("", 0.0))[1]

    def dial(self, leg: str, to: Endpoint, *, caller: str = OURS) -> None:
        self.carrier.dial(Dial(leg, HERE, to, OFFER, caller))

    def dial_uri(self, leg: str, uri: str) -> None:
        self.dial(leg, Endpoint(type="sip", uri=uri))

    def dial_number(self, leg: str, number: str = "15550100") -> None:
        self.dial(leg, Endpoint(type="phone", number=number))


@asynccontextmanager
async def floor(
    *trunks: TrunkPlan, plan: Plan | None = None, secrecy: Secrecy | None = None,
    wanted: Settings | None = None, shared: Shared | None = None,
) -> AsyncIterator[Floor]:  # fmt: skip
    """With these trunks and the number OURS; or with a plan."""
    if plan is None:
        plan = Plan(trunks=trunks, numbers={OURS: HERE}, domains={HOST: HERE})
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
    made = Floor(plan, wanted or settings(), shared)
    await made.carrier.start(HOST, secrecy)
    try:
        yield made
    finally:
        await made.carrier.close()
    assert failures == []
