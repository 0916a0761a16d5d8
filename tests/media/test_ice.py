"""The ICE-lite agent: whom it answers, where it sends to, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.media.checks import TRANSACTION, check

from tertulia.media.ice import PATHS_MAX, IceLite
from tertulia.protocols.stun import Attribute, Kind, Message, address, error_code, read, verify

HOME = ("192.0.2.1", 1000)
AWAY = ("2001:db8::9", 2000, 0, 0)
PASSWORD = "p" * 24


def agent() -> IceLite:
    ice = IceLite("us", PASSWORD)
    ice.remote_ufrag = "them"
    return ice


def reply(ice: IceLite, data: bytes, source: tuple[str | int, ...] = HOME) -> Message:
    (said,) = ice.on_stun(data, source, 0.0)
    message = read(said)
    assert message is not None
    assert message.transaction == TRANSACTION
    return message


def test_a_good_check_is_answered_with_its_address() -> None:
    ice = agent()
    (said,) = ice.on_stun(check("us:them", PASSWORD), AWAY, 5.0)
    message = read(said)
    assert message is not None
    assert message.kind is Kind.SUCCESS
    assert verify(said, message, PASSWORD.encode())
    value = message.attributes[Attribute.XOR_MAPPED_ADDRESS]
    assert address(value, TRANSACTION) == AWAY[:2]
    assert (ice.remote, ice.nominated, ice.heard) == (AWAY, False, 5.0)


def test_the_newest_nomination_is_taken() -> None:
    ice = agent()
    for source, nominate in [(HOME, False), (AWAY, True), (HOME, False), (AWAY, False)]:
        ice.on_stun(check("us:them", PASSWORD, nominate=nominate), source, 0.0)
    assert (ice.remote, ice.nominated) == (AWAY, True)
    ice.on_stun(check("us:them", PASSWORD, nominate=True), HOME, 0.0)
    assert ice.remote == HOME
    assert set(ice.paths) == {HOME, AWAY}


def test_checks_before_our_offer_is_answered() -> None:
    ice = IceLite("us", PASSWORD)
    assert reply(ice, check("us:who", PASSWORD)).kind is Kind.SUCCESS


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (check("us:them", "wrong"), 401),
        (check("we:them", PASSWORD), 401),
        (check("us:who", PASSWORD), 401),
        (check("us", PASSWORD), 401),
        (check("us:them", None), 400),
        (check(None, PASSWORD), 400),
        (check("us:them", PASSWORD, role=Attribute.ICE_CONTROLLED), 487),
        (check("us:them", PASSWORD, strange=True), 420),
    ],
)
def test_refusals(data: bytes, code: int) -> None:
    ice = agent()
    message = reply(ice, data)
    assert (message.kind, error_code(message)) == (Kind.ERROR, code)
    assert (ice.remote, ice.heard, ice.paths, ice.refused) == (None, None, {}, 1)


@pytest.mark.parametrize("kind", [Kind.INDICATION, Kind.SUCCESS, Kind.ERROR])
def test_what_asks_for_nothing_gets_nothing(kind: Kind) -> None:
    ice = agent()
    assert ice.on_stun(check("us:them", PASSWORD, kind=kind), HOME, 0.0) == []
    assert ice.remote is None


def test_addresses_are_bounded_and_the_one_in_use_stays() -> None:
    ice = agent()
    ice.on_stun(check("us:them", PASSWORD, nominate=True), HOME, 0.0)
    for port in range(3 * PATHS_MAX):
        ice.on_stun(check("us:them", PASSWORD), ("192.0.2.9", port), 1.0 + port)
    assert len(ice.paths) == PATHS_MAX
    assert HOME in ice.paths


@given(st.data())
def test_changed_checks_move_nothing(draw: st.DataObject) -> None:
    good = check("us:them", PASSWORD, nominate=True)
    at = draw.draw(st.integers(0, len(good) - 9))  # what follows is FINGERPRINT itself
    octet = draw.draw(st.integers(1, 255))
    changed = bytearray(good)
    changed[at] ^= octet
    ice = agent()
    ice.on_stun(bytes(changed), HOME, 0.0)
    ice.on_stun(draw.draw(st.binary(max_size=100)), ("not an address", 0), 0.0)
    assert ice.remote is None


def test_an_address_that_is_none() -> None:
    assert agent().on_stun(check("us:them", PASSWORD), ("nowhere", 1), 0.0) == []
