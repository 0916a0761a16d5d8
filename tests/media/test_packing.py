"""Frames of 20 ms as packets of other lengths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.media.packing import Packer


@given(st.sampled_from([10, 20, 30, 40, 50, 60, 100, 120]), st.integers(1, 40))
def test_octets_and_timestamps_go_on(milliseconds: int, frames: int) -> None:
    packer = Packer()
    packer.set(3, milliseconds)
    said = bytes(number % 256 for number in range(160 * frames))
    heard, ticks = b"", 0
    for number in range(frames):
        for piece in packer.push(3, said[160 * number : 160 * number + 160]):
            assert 160 * number - piece.behind == ticks
            assert len(piece.payload) == milliseconds * 8
            heard += piece.payload
            ticks += milliseconds * 8
    assert heard == said[: len(heard)]
    assert len(said) - len(heard) < milliseconds * 8


def test_what_waits_gives_way() -> None:
    packer = Packer()
    packer.set(0, 40)
    assert packer.push(0, bytes(160)) == []
    packer.drop(0)
    assert packer.push(0, bytes(160)) == []
    (piece,) = packer.push(0, bytes(160))
    assert piece.behind == 160
    packer.forget(0)
    with pytest.raises(KeyError):
        packer.push(0, bytes(160))
