"""Two agents and a bad network: every call has one end on each side, and nothing stays behind."""

import random
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocols.sip.network import Network, Phone

from tertulia.protocols.sip.signals import (
    Answered,
    AnySignal,
    Ended,
    Failed,
    Invited,
    Referred,
    Reoffered,
)
from tertulia.protocols.sip.verbs import (
    Accept,
    Answer,
    AnyVerb,
    HangUp,
    Invite,
    Key,
    Offer,
    Progress,
    Refer,
    ReferResult,
    Refuse,
    Ring,
)

CALLEE: tuple[AnyVerb, ...] = (
    Ring(""),
    Progress("", b"early"),
    Answer("", b"answer"),
    Answer("", b"answer"),
    Refuse("", 486),
    HangUp(""),
    Offer("", b"again"),
    Key("", "5"),
)
CALLER: tuple[AnyVerb, ...] = (
    Offer("", b"another"),
    HangUp(""),
    Key("", "1"),
    Refer("", "sip:third@192.0.2.9"),
)
DELAYS = st.floats(0.0, 12.0)


def bad(loss: float, doubling: float, jitter: float, dice: random.Random) -> list[float]:
    if dice.random() < loss:
        return []
    copies = 2 if dice.random() < doubling else 1
    return [0.01 + jitter * dice.random() for _ in range(copies)]


def react(phone: Phone, signal: AnySignal) -> None:
    if isinstance(signal, Reoffered):
        phone.tell(Answer(signal.call, b"re-answer"))
    elif isinstance(signal, Answered) and signal.offer:
        phone.tell(Accept(signal.call, b"late answer"))
    elif isinstance(signal, Referred):
        phone.tell(ReferResult(signal.call, 200))


def named(verb: AnyVerb, call: str) -> AnyVerb:
    fields = {name: getattr(verb, name) for name in verb.__struct_fields__}
    return type(verb)(**{**fields, "call": call})


def tell_all(phone: Phone, verb: AnyVerb) -> None:
    """To the calls that have come in."""
    for signal in list(phone.signals):
        if isinstance(signal, Invited):
            phone.tell(named(verb, signal.call))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    doubling=st.sampled_from([0.0, 0.3]),
    jitter=st.sampled_from([0.0, 0.3, 2.0]),
    body=st.sampled_from([b"offer", b""]),
    transport=st.sampled_from(["udp", "tcp"]),
    callee=st.lists(st.tuples(DELAYS, st.sampled_from(CALLEE)), max_size=5),
    caller=st.lists(st.tuples(DELAYS, st.sampled_from(CALLER)), max_size=4),
)
def test_every_call_ends_once_and_leaves_nothing(
    seed: int,
    loss: float,
    doubling: float,
    jitter: float,
    body: bytes,
    transport: str,
    callee: list[tuple[float, AnyVerb]],
    caller: list[tuple[float, AnyVerb]],
) -> None:
    network = Network(seed, partial(bad, loss, doubling, jitter), transport)
    if transport != "udp":
        network.policy = lambda dice: [0.01]
    alice, bob = network.phone("alice"), network.phone("bob")
    alice.react = bob.react = react
    alice.tell(Invite("a", bob.uri, alice.uri, body, timeout=60))
    for seconds, verb in callee:
        network.later(seconds, partial(tell_all, bob, verb))
    for seconds, verb in caller:
        network.later(seconds, partial(alice.tell, named(verb, "a")))
    network.later(400, partial(alice.tell, HangUp("a")))
    network.later(500, partial(tell_all, bob, HangUp("")))
    network.run()
    for phone in (alice, bob):
        assert not any(phone.agent.sizes.values()), (phone.name, phone.agent.sizes)
        for call in {signal.call for signal in phone.signals}:
            ends = [s for s in phone.of(call) if isinstance(s, Failed | Ended)]
            assert len(ends) <= 1
            assert not ends or phone.of(call)[-1] is ends[0]
        assert phone.kinds("a").count("Answered") <= 1
