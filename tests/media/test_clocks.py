"""Senders whose clock is not ours, networks that hold packets back: what is played, and when."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np
import pytest

from tertulia.media.jitter import FRAME_MS, Jitter

SECONDS = 120
SPEECH_TICKS, SILENT_TICKS = 150, 40
"""Of a sentence, and of the pause at its end."""


class Sent(NamedTuple):
    came: float
    """Milliseconds, as the next."""
    said: float
    number: int


def sent(
    skew: float = 0.0,
    burst: int = 1,
    delay: Callable[[Random], float] = lambda random: 3.0,
    loss: float = 0.0,
) -> list[Sent]:
    """`burst` packets leave together, when the last of them is said."""
    random = Random(1)
    period = FRAME_MS / (1 + skew)
    packets = [
        Sent(
            (number // burst * burst + burst - 1) * period + delay(random), number * period, number
        )
        for number in range(int(SECONDS * 1000 / period))
        if random.random() >= loss
    ]
    return sorted(packets)


class Line:
    """One stream through a buffer."""

    def __init__(self, packets: list[Sent]) -> None:
        self.jitter, self.slots = Jitter(2), np.array([1])
        self.packets = packets
        self.delays: list[float] = []
        self.missing = 0
        for tick in range(1, int(packets[-1].came) // FRAME_MS):
            self._tick(tick, float(tick * FRAME_MS))

    def _tick(self, tick: int, at: float) -> None:
        come = 0
        while come < len(self.packets) and self.packets[come].came <= at:
            come += 1
        if come:
            self._store(self.packets[:come], at)
            self.packets = self.packets[come:]
        due = self.jitter.play(self.slots)
        if len(due.slots) and due.there[0]:
            self.delays.append(at - float(self.jitter.frames[due.cells[0], :8].view(np.float64)[0]))
        elif len(due.slots):
            self.missing += 1
        silent = tick % SPEECH_TICKS >= SPEECH_TICKS - SILENT_TICKS
        self.jitter.catch_up(due.slots, np.full(len(due.slots), silent))

    def _store(self, packets: list[Sent], at: float) -> None:
        slots = np.full(len(packets), 1)
        numbers = np.array([packet.number for packet in packets])
        ahead = np.array([at - packet.came for packet in packets])
        rows = np.zeros((len(packets), 160), np.uint8)
        rows[:, :8] = np.array([[packet.said] for packet in packets]).view(np.uint8)
        frames = self.jitter.place(slots, (numbers * 160 + 5000) % (1 << 32), ahead)
        starts, sizes = np.zeros(len(packets), np.int64), np.full(len(packets), 160)
        self.jitter.store(
            slots, frames, numbers & 0xFFFF, rows, starts, sizes, ahead_ms=ahead
        )  # fmt: skip


@pytest.mark.parametrize("skew", [-0.01, -0.0002, 0.0002, 0.01])
def test_a_sender_with_another_clock_is_heard_and_its_delay_does_not_grow(skew: float) -> None:
    line = Line(sent(skew))
    # A frame is missing for each that its clock loses on ours.
    assert line.missing <= SECONDS * 1000 / FRAME_MS * max(-skew, 0) + 2
    assert line.jitter.late[1] <= 2
    assert max(line.delays) < 120


@pytest.mark.parametrize("burst", [2, 3, 5])
def test_packets_that_come_together_are_all_played(burst: int) -> None:
    line = Line(sent(burst=burst))
    assert line.missing == 0
    assert set(line.delays[-500:]) <= {burst * FRAME_MS, (burst + 1) * FRAME_MS}


@pytest.mark.parametrize(("spread", "longest"), [(30, 50), (60, 85), (120, 145)])
def test_the_buffer_grows_with_the_jitter_and_no_more(spread: int, longest: int) -> None:
    line = Line(sent(delay=lambda random: random.uniform(0, spread)))
    assert line.missing < SECONDS * 50 / 100
    assert max(line.delays) <= longest


def test_loss_is_no_delay() -> None:
    line = Line(sent(loss=0.3))
    assert max(line.delays) <= FRAME_MS
    assert line.jitter.late[1] == 0


def test_what_is_held_back_for_ever_longer_does_not_fill_the_buffer() -> None:
    line = Line(sent(delay=lambda random: random.choice((3.0, 3.0, 3.0, 3.0, 200.0))))
    assert max(line.delays) <= 220
    assert line.missing < SECONDS * 50 / 10
