"""Keys over RTP: each press once, whatever the network does to its packets."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.protocols.telephone_event import (
    DIGITS,
    ENDS,
    SILENCE,
    TICK_MS,
    EventPacket,
    EventReceiver,
    Pressed,
    events,
)

TICK = TICK_MS / 1000
Network = Callable[[Iterable[tuple[float, EventPacket]]], list[tuple[float, EventPacket]]]


class Told(NamedTuple):
    at: float
    pressed: Pressed


def sent(digits: str, rate: int = 8000, **lengths: int) -> Iterator[tuple[float, EventPacket]]:
    for tick, packet in zip(count(), events(digits, rate, **lengths)):
        if packet is not None:
            yield tick * TICK, packet


def packet(digit: str, start: int, duration: int, *, end: bool = False, marker: bool = False
           ) -> EventPacket:  # fmt: skip
    payload = bytes((DIGITS.index(digit), 0x80 * end | 10)) + duration.to_bytes(2, "big")
    return EventPacket(payload, marker, start)


def told(
    arrivals: Iterable[tuple[float, EventPacket]], rate: int = 8000, base: int = 0
) -> list[Told]:
    """What a receiver tells that is polled every tick; `base` is the first timestamp."""
    receiver, found, clock = EventReceiver(), [], 0.0
    for at, one in arrivals:
        while clock + TICK <= at:
            clock += TICK
            found += [Told(clock, pressed) for pressed in receiver.poll(clock)]
        start = (base + one.timestamp) & 0xFFFFFFFF
        over = receiver.receive(one.payload, rate, start, one.marker, at)
        found += [Told(at, pressed) for pressed in over]
    found += [Told(clock + 1, pressed) for pressed in receiver.poll(clock + 1)]
    assert receiver.is_idle
    return found


def keys(found: Iterable[Told]) -> str:
    return "".join(one.pressed.digit for one in found)


def network(
    seed: int, *, loss: float = 0.1, jitter: float = 0.0, double: float = 0.0, marks: float = 1.0
) -> Network:
    """Loses, delays, doubles, and takes markers away."""
    chance = random.Random(seed)

    def carry(packets: Iterable[tuple[float, EventPacket]]) -> list[tuple[float, EventPacket]]:
        arrived = []
        for at, one in packets:
            marker = one.marker and chance.random() < marks
            for _ in range(1 + (chance.random() < double)):
                if chance.random() >= loss:
                    arrived.append((at + chance.random() * jitter, one._replace(marker=marker)))
        return sorted(arrived, key=lambda each: each[0])

    return carry


@pytest.mark.parametrize("rate", [8000, 48000])
def test_ten_thousand_digits_through_a_bad_network(rate: int) -> None:
    """10 % lost, out of order by up to 60 ms, a tenth doubled, half of the markers missing."""
    chance = random.Random(rate)
    digits = "".join(chance.choices(DIGITS, k=5000)) + "".join(
        digit * 5 for digit in chance.choices(DIGITS, k=1000)
    )
    bad = network(rate, jitter=0.06, double=0.1, marks=0.5)
    found = told(bad(sent(digits, rate, tone_ms=100, pause_ms=60)), rate, 0xFFFF0000)
    assert keys(found) == digits
    lengths = [one.pressed.milliseconds for one in found]
    assert max(lengths) == 100
    assert sum(length == 100 for length in lengths) > 9900


@given(
    st.text(DIGITS, max_size=12),
    st.integers(0, 2**32 - 1),
    st.sampled_from([8000, 16000, 48000]),
    st.integers(3, 20),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_every_press_once(
    digits: str, base: int, rate: int, ticks: int, chance: random.Random
) -> None:
    """As long as a packet of each arrives, and none after those of the next but one."""
    arrivals = []
    packets = list(sent(digits, rate, tone_ms=ticks * TICK_MS, pause_ms=60))
    size = ticks + ENDS
    for start in range(0, len(packets), size):
        mine = packets[start : start + size]
        chosen = [one for one in mine if chance.random() < 0.5] or [chance.choice(mine)]
        arrivals += [(at + chance.random() * 0.05, one._replace(marker=False))
                     for at, one in chosen + chosen[:2]]  # fmt: skip
    arrivals.sort(key=lambda each: each[0])
    assert keys(told(arrivals, rate, base)) == digits


def test_a_press_is_told_when_it_is_let_go() -> None:
    (found,) = told(sent("5", tone_ms=200))
    assert found.pressed == Pressed("5", 200)
    assert found.at == pytest.approx(0.2)


def test_without_an_end_it_is_told_after_silence() -> None:
    updates = [(at, one) for at, one in sent("5") if not one.payload[1] & 0x80]
    receiver = EventReceiver()
    for at, one in updates:
        assert receiver.receive(one.payload, 8000, one.timestamp, one.marker, at) == []
    assert receiver.poll(updates[-1][0] + SILENCE - 0.01) == []
    assert receiver.poll(updates[-1][0] + SILENCE) == [Pressed("5", 100)]
    assert receiver.poll(updates[-1][0] + 9) == []


def test_without_an_end_it_is_told_when_the_next_begins() -> None:
    first = [(at, one) for at, one in sent("5") if not one.payload[1] & 0x80]
    later = [(0.15, packet("5", 1200, 160))]
    receiver = EventReceiver()
    found = [
        pressed
        for at, one in first + later
        for pressed in receiver.receive(one.payload, 8000, one.timestamp, False, at)
    ]
    assert found == [Pressed("5", 100)]


def test_what_comes_late_is_told_before_what_came_first() -> None:
    arrivals = [
        (0.0, packet("2", 2000, 160)),
        (0.01, packet("1", 0, 800)),
        (0.02, packet("1", 0, 800, end=True)),
        (0.03, packet("2", 2000, 800, end=True)),
    ]
    assert [one.pressed for one in told(arrivals)] == [Pressed("1", 100), Pressed("2", 100)]


def test_what_comes_after_the_end_is_nothing() -> None:
    end = packet("1", 0, 800, end=True)
    arrivals = [(0.0, end), (0.1, packet("1", 0, 160, marker=True)), (0.5, end), (3.0, end)]
    assert keys(told(arrivals)) == "1"


def long_press(rate: int, seconds: float, every: int) -> Iterator[tuple[float, EventPacket]]:
    """In segments: the last packet of each is full, the next begins where it ended (2.5.1.3)."""
    total, step, segment = int(rate * seconds), rate * every // 1000, 0
    for at in [*range(step, total, step), total, total, total]:
        while at - segment > 0xFFFF:
            yield at / rate, packet("7", segment, 0xFFFF)
            segment += 0xFFFF
        yield at / rate, packet("7", segment, at - segment, end=at == total, marker=at == step)


def wrapping(rate: int, seconds: float) -> Iterator[tuple[float, EventPacket]]:
    """With one timestamp, and a duration that begins anew."""
    total = int(rate * seconds)
    for at in [*range(160, total, 160), total, total]:
        yield at / rate, packet("7", 0, at & 0xFFFF, end=at == total)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("rate", "every"), [(8000, 20), (8000, 50), (48000, 20), (48000, 50)])
def test_a_long_press_is_one(rate: int, every: int, seed: int) -> None:
    bad = network(seed, jitter=0.03, double=0.1, marks=0.0)
    (found,) = told(bad(long_press(rate, 20.0, every)), rate)
    assert found.pressed == Pressed("7", 20_000)


@pytest.mark.parametrize("seed", range(5))
def test_a_duration_that_wraps_is_one_press(seed: int) -> None:
    bad = network(seed, jitter=0.05, double=0.1)
    (found,) = told(bad(wrapping(8000, 20.0)))
    assert found.pressed == Pressed("7", 20_000)


def test_a_duration_that_stops_at_its_most_is_one_press() -> None:
    arrivals = [(at / 8000, packet("7", 0, min(at, 0xFFFF))) for at in range(160, 99_000, 160)]
    assert [one.pressed for one in told(arrivals)] == [Pressed("7", 8192)]


def test_the_same_key_after_a_full_segment_is_another_press() -> None:
    """With the end of the first, or the marker of the second: they do not look like segments."""
    first = [(at / 8000, packet("7", 0, at)) for at in range(160, 0xFFFF, 160)]
    marked = [*first, (8.2, packet("7", 0xFFFF, 160, marker=True))]
    ended = [*first, (8.19, packet("7", 0, 65500, end=True)), (8.2, packet("7", 0xFFFF, 160))]
    assert (keys(told(marked)), keys(told(ended))) == ("77", "77")


@given(
    st.lists(
        st.tuples(st.binary(max_size=6), st.integers(0, 2**32 - 1), st.booleans(),
                  st.floats(0, 0.2)),
        max_size=50,
    )
)  # fmt: skip
@settings(max_examples=60)
def test_no_octets_raise(packets: list[tuple[bytes, int, bool, float]]) -> None:
    receiver, now = EventReceiver(), 0.0
    for payload, timestamp, marker, step in packets:
        now += step
        for pressed in receiver.receive(payload, 8000, timestamp, marker, now):
            assert pressed.digit in DIGITS
            assert pressed.milliseconds >= 0


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1\x8a\0", b"\x10\x8a\0\xa0", b"\xff" * 4])
def test_what_is_no_key_is_nothing(payload: bytes) -> None:
    receiver = EventReceiver()
    assert receiver.receive(payload, 8000, 1, True, 0.0) == []
    assert receiver.is_idle


def test_packets_of_a_press() -> None:
    every = list(events("1", 8000, tone_ms=40, pause_ms=80))
    assert every == [
        EventPacket(b"\1\x0a\0\xa0", True, 0),
        EventPacket(b"\1\x0a\1\x40", False, 0),
        *[EventPacket(b"\1\x8a\1\x40", False, 0)] * ENDS,
        None,
    ]


def test_pauses_and_small_letters() -> None:
    every = list(events("ap#", 48000, tone_ms=20, pause_ms=0))
    assert len(every) == 4 + 25 + 4
    starts = {one.timestamp for one in every if one is not None}
    assert starts == {0, 29 * 960}
    assert [one.payload[0] for one in every if one is not None and one.marker] == [12, 11]


@pytest.mark.parametrize(
    ("digits", "rate", "tone_ms", "volume"),
    [("x", 8000, 100, 10), ("1", 48000, 1400, 10), ("1", 8000, 100, 64), ("1", 8000, 100, -1)],
)
def test_what_cannot_be_sent(digits: str, rate: int, tone_ms: int, volume: int) -> None:
    with pytest.raises(ValueError):
        events(digits, rate, tone_ms, volume=volume)
