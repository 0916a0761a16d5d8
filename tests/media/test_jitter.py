"""Packets late, doubled, out of order and lost, as the player sees them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.media.jitter import DEPTH, FRAME_MS, Jitter

FIRST = (1 << 32) - 5 * 160
"""Timestamps go round soon."""
AHEAD = np.array([10.0])


class Line:
    """One stream: packet n carries the octet n, and comes before the tick that it is given."""

    def __init__(self) -> None:
        self.jitter = Jitter(2)
        self.slot = np.array([1])
        self.played: list[int | None] = []

    def come(self, number: int, ahead_ms: float = 10.0, jump: int = 0) -> bool:
        ticks = np.array([(FIRST + number * 160 + jump) % (1 << 32)])
        frames = self.jitter.place(self.slot, ticks, np.array([ahead_ms]))
        packets = np.full((1, 172), number & 0xFF, np.uint8)
        kept = self.jitter.store(
            self.slot, frames, np.array([(65_530 + number) & 0xFFFF]), packets,
            np.array([12]), np.array([160]), ahead_ms=np.array([ahead_ms]),
        )  # fmt: skip
        return bool(kept[0])

    def play(self) -> int | None:
        due = self.jitter.play(self.slot)
        said = None
        if len(due.slots) and due.there[0]:
            said = int(self.jitter.frames[due.cells[0], 0])
        self.played.append(said)
        return said

    def run(self, arrivals: Sequence[Sequence[int]]) -> list[int | None]:
        for numbers in arrivals:
            for number in numbers:
                self.come(number)
            self.play()
        return self.played


def test_packets_in_time_are_played_at_the_next_tick() -> None:
    assert Line().run([[n] for n in range(10)]) == list(range(10))


def test_a_packet_that_comes_just_before_a_tick_is_played_with_the_one_after() -> None:
    line = Line()
    line.come(0, ahead_ms=1.0)
    assert [line.play(), line.play()] == [None, 0]


def test_a_lost_packet_is_a_gap() -> None:
    line = Line()
    for number in (0, 1, 3, 4, 7):
        while len(line.played) < number:
            line.play()
        line.come(number)
    line.play()
    assert line.played == [0, 1, None, 3, 4, None, None, 7]


def test_gaps_count_lost_packets_but_no_pauses() -> None:
    line = Line()
    line.come(0)
    line.play()
    line.play()
    line.come(2)
    assert line.jitter.play(line.slot).gaps.tolist() == [1]
    for _ in range(3):
        line.play()
    # A pause of the sender: the timestamp goes on, the sequence number does not.
    packets = np.zeros((1, 172), np.uint8)
    frames = line.jitter.place(line.slot, np.array([(FIRST + 6 * 160) % (1 << 32)]), AHEAD)
    line.jitter.store(
        line.slot, frames, np.array([(65_533) & 0xFFFF]), packets, np.array([12]),
        np.array([160]), ahead_ms=AHEAD,
    )  # fmt: skip
    assert line.jitter.play(line.slot).gaps.tolist() == [0]


def test_packets_out_of_order_are_played_in_order() -> None:
    assert Line().run([[0], [2, 1], [], [3], [4]])[:5] == [0, 1, 2, 3, 4]


def test_doubled_packets_are_played_once() -> None:
    line = Line()
    assert [line.come(0), line.come(0)] == [True, False]
    line.play()
    assert not line.come(0)
    assert line.come(1)
    assert line.play() == 1
    assert line.jitter.late.sum() == 0


def test_playing_falls_back_for_packets_that_come_late() -> None:
    line = Line()
    played = line.run([[0], [1], [], [2], [3], [4]])
    assert played == [0, 1, None, 2, 3, 4]
    assert line.jitter.late[1] == 0, "it was played"


def test_one_straggler_does_not_delay_for_long() -> None:
    line = Line()
    line.run([[n] for n in range(20) if n != 10])
    line.come(10)
    line.run([[n] for n in range(20, 30)])
    assert line.jitter.earliest[1] <= 10 + 3 * FRAME_MS


def test_playing_catches_up_in_silence() -> None:
    line = Line()
    line.run([[0], [], [1], [2]])
    ticks = 0
    while line.jitter.latest[1] > FRAME_MS:
        line.come(ticks + 3)
        line.play()
        line.jitter.catch_up(line.slot, np.array([True]))
        ticks += 1
        assert ticks < 1000
    assert line.jitter.latest[1] < FRAME_MS


def test_frames_are_left_out_after_a_stall() -> None:
    line = Line()
    line.run([[n] for n in range(5)])
    line.jitter.skip(line.slot, 25)
    for number in range(5, 31):
        line.come(number)
    assert line.play() == 30


def test_a_burst_after_a_silent_network_goes_on_at_its_end() -> None:
    line = Line()
    line.run([[n] for n in range(5)])
    for number in range(5, 5 + 2 * DEPTH):
        line.come(number)
    heard = [line.play() for _ in range(6)]
    assert next(said for said in heard if said is not None) >= DEPTH


@pytest.mark.parametrize("jump", [50 * 160, -50 * 160, (1 << 30) // 160 * 160, 12_345 * 160])
def test_a_stream_that_jumps_is_followed(jump: int) -> None:
    line = Line()
    line.run([[n] for n in range(5)])
    for number in range(5, 40):
        line.come(number, jump=jump)
        line.play()
    assert line.played[-3:] in ([36, 37, 38], [37, 38, 39])


def test_odd_timestamps_are_no_frames() -> None:
    line = Line()
    line.come(0)
    assert line.jitter.place(line.slot, np.array([(FIRST + 81) % (1 << 32)]), AHEAD).tolist() == [
        -1
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(0, 1 << 32), max_size=4),
        max_size=30,
    )
)
def test_any_timestamps_are_taken(batches: list[list[int]]) -> None:
    jitter = Jitter(3)
    for batch in batches:
        slots = np.arange(len(batch)) % 3
        ticks = np.array(batch, np.int64) & 0xFFFF_FFFF
        frames = jitter.place(slots, ticks, np.full(len(batch), 10.0))
        whole = frames >= 0
        count = int(whole.sum())
        jitter.store(
            slots[whole], frames[whole], np.arange(count), np.zeros((count, 172), np.uint8),
            np.full(count, 12), np.full(count, 160), ahead_ms=np.full(count, 10.0),
        )  # fmt: skip
        due = jitter.play(np.arange(3))
        assert (due.gaps >= 0).all()
        assert np.isfinite(jitter.earliest).all()
