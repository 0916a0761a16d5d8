"""Real calls between mangled, doubled and shuffled messages: nothing raises, nothing stays."""

import random
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocols.sip.network import Network, Phone

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.signals import AnySignal, Invited, Reoffered
from tertulia.protocols.sip.verbs import (
    Answer,
    AnyVerb,
    HangUp,
    Invite,
    Key,
    Offer,
    Progress,
    Refer,
)


def mangled(data: bytes, dice: random.Random) -> bytes:
    """One message that is not quite what it was."""
    way = dice.randrange(5)
    lines = data.split(b"\r\n")
    first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
    if way == 0:
        return data[: dice.randrange(len(data))]
    if way == 1:
        at = dice.randrange(len(data))
        return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    if way == 2:
        lines[first], lines[second] = lines[second], lines[first]
    elif way == 3:
        del lines[first]
    else:
        lines.insert(first, lines[second])
    return b"\r\n".join(lines)


def noisy(network: Network, share: float, heard: list[bytes], flow: Flow, data: bytes) -> bool:
    """Before what is sent comes something like it, or like what was sent before."""
    dice = network.dice
    heard.append(data)
    if dice.random() < share:
        source = dice.choice(heard[-20:])
        network.inject(mangled(source, dice), dice.choice([flow, flow._replace(peer=flow.local)]))
    return dice.random() >= share / 4


def react(phone: Phone, signal: AnySignal) -> None:
    if isinstance(signal, Invited):
        phone.tell(Progress(signal.call, b"early"))
        phone.tell(Answer(signal.call, b"answer"))
    elif isinstance(signal, Reoffered):
        phone.tell(Answer(signal.call, b"again"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.2, 0.6, 1.0]))
def test_noise_changes_nothing_for_good(seed: int, share: float) -> None:
    network = Network(seed)
    alice, bob = network.phone("alice"), network.phone("bob")
    alice.react = bob.react = react
    network.sees = partial(noisy, network, share, [])
    alice.tell(Invite("a", bob.uri, alice.uri, b"offer", timeout=60))
    verbs: tuple[AnyVerb, ...] = (
        Offer("a", b"other"),
        Key("a", "1"),
        Refer("a", "sip:c@192.0.2.9"),
        HangUp("a"),
    )
    for number, verb in enumerate(verbs):
        network.later(1 + number, partial(alice.tell, verb))
    network.run(150)
    for phone in (alice, bob):
        for signal in phone.signals:
            phone.tell(HangUp(signal.call))
    network.sees = lambda flow, data: True
    network.run()
    for phone in (alice, bob):
        assert not any(phone.agent.sizes.values()), (phone.name, phone.agent.sizes)
