"""Agents joined by a network under virtual time: packets may be lost, doubled, late."""

import heapq
import random
from collections.abc import Callable
from itertools import count

from tertulia.protocols.sip.agent import Agent, Limits, Preferences
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import BadMessage, Request, Response, respond
from tertulia.protocols.sip.parser import parse
from tertulia.protocols.sip.signals import AnySignal, Resolve, Send, Stepped
from tertulia.protocols.sip.uri import parse_uri
from tertulia.protocols.sip.verbs import AnyVerb

Address = tuple[str, int]
Policy = Callable[[random.Random], list[float]]
"""Delays at which a packet arrives: none, one or several."""
Reaction = Callable[["Phone", AnySignal], None]


def smooth(_: random.Random) -> list[float]:
    return [0.01]


class Phone:
    """An agent with its owner."""

    def __init__(
        self,
        network: "Network",
        name: str,
        address: Address,
        preferences: Preferences | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.signals: list[AnySignal] = []
        self.steps: list[str] = []
        self.sent: list[Request | Response] = []
        self.react: Reaction = lambda phone, signal: None
        self.credentials: Credentials | None = None
        self.network = network
        names = (f"{name}-in-{number}" for number in count(1))
        self.agent = Agent(
            network.dice.randbytes,
            lambda: next(names),
            lambda call, realm: self.credentials,
            preferences,
            limits,
        )

    def tell(self, verb: AnyVerb) -> None:
        self.agent.tell(verb, self.network.now)
        self.network.drain(self)

    def of(self, call: str) -> list[AnySignal]:
        return [signal for signal in self.signals if signal.call == call]

    def kinds(self, call: str | None = None) -> list[str]:
        chosen = self.signals if call is None else self.of(call)
        return [type(signal).__name__ for signal in chosen]

    def flow_to(self, other: "Phone") -> Flow:
        return Flow(self.network.transport, self.address, other.address)

    @property
    def uri(self) -> str:
        transport = (
            "" if self.network.transport == "udp" else f";transport={self.network.transport}"
        )
        return f"sip:{self.name}@{self.address[0]}:{self.address[1]}{transport}"


class Peer:
    """Somebody whose messages are written by hand."""

    def __init__(self, network: "Network", address: Address) -> None:
        self.network = network
        self.address = address
        self.received: list[Request | Response] = []
        self.flow: Flow | None = None
        """Back to who sent the last message."""

    @property
    def uri(self) -> str:
        return f"sip:peer@{self.address[0]}:{self.address[1]}"

    def requests(self, method: str) -> list[Request]:
        return [m for m in self.received if isinstance(m, Request) and m.method == method]

    def statuses(self) -> list[int]:
        return [m.status for m in self.received if isinstance(m, Response)]

    def answer(
        self, request: Request, status: int, tag: str = "p", body: bytes = b"", **fields: str
    ) -> None:
        """A response with further fields (`Record_Route` for Record-Route)."""
        response = respond(request, status, tag=tag, body=body)
        if status in range(180, 300) and request.method == "INVITE" and "Contact" not in fields:
            response.headers.add("Contact", f"<{self.uri}>")
        if body:
            response.headers.add("Content-Type", "application/sdp")
        for name, value in fields.items():
            response.headers.add(name.replace("_", "-"), value)
        self.send(response.encode())

    def send(self, data: bytes, to: Address | None = None) -> None:
        peer = to or (self.flow.peer if self.flow else ("", 0))
        self.network.inject(data, Flow(self.network.transport, self.address, peer))


class Network:
    def __init__(self, seed: int = 1, policy: Policy = smooth, transport: str = "udp") -> None:
        self.now = 100.0
        self.dice = random.Random(seed)
        self.policy = policy
        self.transport = transport
        self.phones: dict[Address, Phone] = {}
        self.peers: dict[Address, Peer] = {}
        self.sees: Callable[[Flow, bytes], bool] = lambda flow, data: True
        """Whether what is sent there gets into the network at all."""
        self.find: Callable[[str], tuple[Flow, ...]] | None = None
        """What URIs resolve to, if they are not literal addresses."""
        self._packets: list[tuple[float, int, Flow, bytes]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()

    def phone(
        self,
        name: str,
        preferences: Preferences | None = None,
        limits: Limits | None = None,
    ) -> Phone:
        address = (f"192.0.2.{len(self.phones) + 1}", 5060)
        phone = Phone(self, name, address, preferences, limits)
        self.phones[address] = phone
        return phone

    def peer(self, host: str = "192.0.2.200") -> Peer:
        peer = self.peers[host, 5060] = Peer(self, (host, 5060))
        return peer

    def inject(self, data: bytes, flow: Flow) -> None:
        """As if it had been sent by that flow (of the sender)."""
        heapq.heappush(self._packets, (self.now, next(self._count), flow, data))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now + seconds, next(self._count), action))

    def run(self, seconds: float | None = None) -> None:
        """Until nothing is left to happen, or for that long."""
        end = None if seconds is None else self.now + seconds
        for _ in range(200_000):
            when = self._next()
            if when is None or (end is not None and when > end):
                break
            self.now = max(self.now, when)
            self._step()
        else:
            raise AssertionError("it never ends")
        self.now = end or self.now

    def drain(self, phone: Phone) -> None:
        for output in phone.agent.take():
            if isinstance(output, Send):
                phone.sent.append(parse(output.data))
                self._send(output)
            elif isinstance(output, Resolve):
                self._resolve(phone, output)
            elif isinstance(output, Stepped):
                phone.steps.append(f"{'>' if output.sent else '<'} {output.line}")
            else:
                phone.signals.append(output)
                phone.react(phone, output)

    def _send(self, output: Send) -> None:
        if self.sees(output.flow, output.data):
            for delay in self.policy(self.dice):
                packet = (self.now + delay, next(self._count), output.flow, output.data)
                heapq.heappush(self._packets, packet)

    def _resolve(self, phone: Phone, output: Resolve) -> None:
        flows = self.find(output.uri) if self.find else self._literal(phone, output.uri)
        phone.agent.resolved(output.ticket, flows, self.now)
        self.drain(phone)

    def _literal(self, phone: Phone, text: str) -> tuple[Flow, ...]:
        uri = parse_uri(text)
        peer = (uri.address, uri.port or 5060)
        known = peer in self.phones or peer in self.peers
        return (Flow(self.transport, phone.address, peer),) if known else ()

    def _next(self) -> float | None:
        times = [phone.agent.next_timer for phone in self.phones.values()]
        times += [queue[0][0] for queue in (self._packets, self._later) if queue]
        return min((time for time in times if time is not None), default=None)

    def _step(self) -> None:
        while self._packets and self._packets[0][0] <= self.now:
            _, _, flow, data = heapq.heappop(self._packets)
            self._deliver(flow, data)
        while self._later and self._later[0][0] <= self.now:
            heapq.heappop(self._later)[2]()
        for phone in self.phones.values():
            phone.agent.timeout(self.now)
            self.drain(phone)

    def _deliver(self, flow: Flow, data: bytes) -> None:
        phone = self.phones.get(flow.peer)
        back = Flow(flow.transport, flow.peer, flow.local, flow.serial)
        try:
            message = parse(data)
        except BadMessage:
            return
        if flow.peer in self.peers:
            self.peers[flow.peer].received.append(message)
            self.peers[flow.peer].flow = back
        if phone is None:
            return
        phone.agent.receive(message, back, self.now)
        self.drain(phone)
