"""How well legs are heard, and what is played to them, as they themselves hear it."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tests.media.engine_world import Phone, World, amplitude, world

from tertulia.model.commands import (
    Close,
    Hearing,
    Join,
    Plain,
    Play,
    Playing,
    Record,
    Recorded,
    StopRecord,
)

TONE = 1000.0


def clarity(samples: NDArray[np.int16]) -> float:
    """Decibels of the tone over all else."""
    times = np.arange(len(samples)) * 2 * np.pi * TONE / 8000
    waves = np.stack([np.sin(times), np.cos(times)], axis=1)
    fitted = waves @ np.linalg.lstsq(waves, samples.astype(float), rcond=None)[0]
    return float(10 * np.log10(fitted.var() / max((samples - fitted).var(), 1e-9)))


def until(at: World, kind: type, count: int = 1) -> None:
    """Files are read and written by threads."""
    for _ in range(2000):
        if len(at.heard(kind)) >= count:
            return
        at.tick()
        time.sleep(0.001)
    raise AssertionError(f"no {kind.__name__}")


@pytest.mark.parametrize("milliseconds", [10, 20, 30, 40, 50, 60, 120])
def test_packets_of_any_length_are_heard_without_a_seam(milliseconds: int) -> None:
    with world() as at:
        talker, listener = at.phone("a", TONE), at.phone("b")
        at.obey(Join("a", "room"), Join("b", "room"))
        talker.by_hand = True
        for tick in range(200):
            while talker.spoken <= tick * 160:
                talker.send(talker.packet(milliseconds * 8))
            at.tick()
        assert clarity(np.concatenate(listener.heard[60:])) > 39
        assert min(clarity(frame) for frame in listener.heard[60:]) > 39


def test_a_room_that_changes_its_rate_costs_a_frame_at_most() -> None:
    with world() as at:
        _, listener = at.phone("a", TONE), at.phone("b")
        at.obey(Join("a", "room"), Join("b", "room"))
        at.tick(50)
        at.obey(Plain("o", "10.7.7.7", 4000, "opus", 111), Join("o", "room"))
        at.tick(50)
        at.obey(Close("o"))
        at.tick(50)
        clear = [clarity(frame) > 38 for frame in listener.heard[20:]]
        assert clear.count(False) <= 2
        steps = np.abs(np.diff(np.concatenate(listener.heard[20:]).astype(int)))
        assert steps.max() < 1.2 * steps[:1000].max()


def tone_to(at: World, leg: Phone) -> None:
    at.obey(Play("tone", "ringback", kind="tone", leg=leg.name, loop=0))
    until(at, Playing)
    at.tick(20)


def test_a_leg_in_no_room_hears_what_is_played_to_it() -> None:
    with world() as at:
        waiting = at.phone("a")
        tone_to(at, waiting)
        assert waiting.loudness(15) > 1000


def test_an_earmuffed_leg_hears_what_is_played_to_it_alone() -> None:
    with world() as at:
        muffed, _ = at.phone("a"), at.phone("b", TONE)
        at.obey(Join("a", "room"), Join("b", "room"), Hearing("a", earmuffed=True))
        at.tick(20)
        assert muffed.loudness(10) == 0
        tone_to(at, muffed)
        assert muffed.loudness(15) > 1000
        assert muffed.level(TONE, 20) < 100


def test_channels_of_a_recording_are_in_the_order_of_joining(tmp_path: Path) -> None:
    tones = {"c": 300.0, "b": 500.0, "a": 700.0}
    with world() as at:
        for name, hertz in tones.items():
            at.phone(name, hertz)
        at.obey(Join("b", "room"), Join("a", "room"), Join("c", "room"))
        at.tick(10)
        at.obey(Record("r", str(tmp_path / "r"), room="room", format="wav", channels=3))
        at.tick(60)
        at.obey(StopRecord("r"))
        until(at, Recorded)
        recorded = at.heard(Recorded)[0]
        assert isinstance(recorded, Recorded)
        samples, rate = soundfile.read(recorded.tracks[0].path, dtype="int16")
    heard = [
        [name for name, hertz in tones.items() if amplitude(column[4000:], hertz, rate) > 1000]
        for column in samples.T
    ]
    assert heard == [["b"], ["a"], ["c"]]
