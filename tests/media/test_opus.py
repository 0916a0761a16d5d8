"""Opus: the tones that go in come out; what is no Opus, or no library, does no harm."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media import opus
from tertulia.media.opus import (
    LONGEST,
    RATES,
    OpusDecoder,
    OpusEncoder,
    OpusMissing,
    Toc,
    candidates,
    probe,
    read_toc,
)

needs_opus = pytest.mark.skipif(opus.source is None, reason="there is no libopus on this machine")


def speech(rate: int, seconds: float = 1.0) -> NDArray[np.int16]:
    """Something that is voiced: a buzz about 140 Hz that glides and swells."""
    along = 2 * np.pi * np.arange(int(rate * seconds)) / rate
    phase = 140 * along + 12 * np.sin(3 * along)
    buzz = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    return np.asarray(np.rint(4000 * buzz * (1.2 - np.cos(4 * along)) / 2), np.int16)


def packets(rate: int, encoder: OpusEncoder, milliseconds: int = 20) -> list[bytes]:
    return [encoder.encode(frame) for frame in frames(speech(rate), rate * milliseconds // 1000)]


def frames(audio: NDArray[np.int16], size: int) -> list[NDArray[np.int16]]:
    return [audio[start : start + size] for start in range(0, len(audio) - size + 1, size)]


def likeness(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Correlation at the best delay up to 20 ms at 16 kHz."""
    ends = len(one) - 320
    return max(
        float(np.corrcoef(one[:ends], other[delay : delay + ends])[0, 1]) for delay in range(320)
    )


def test_the_library_comes_with_the_package() -> None:
    assert opus.source == "opuslib_next"
    assert "opus" in (opus.library.version if opus.library else "")


@needs_opus
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_there_and_back(rate: int, milliseconds: int) -> None:
    size = rate * milliseconds // 1000
    decoder, out = OpusDecoder(rate), np.zeros(size, np.int16)
    heard = []
    for packet in packets(rate, OpusEncoder(rate), milliseconds):
        assert (toc := read_toc(packet)) and toc.ticks == 48 * milliseconds
        assert decoder.decode_into(packet, out) == size
        heard.append(out.copy())
    if rate == 16_000:
        assert likeness(speech(rate)[: size * len(heard)], np.concatenate(heard)) > 0.8


@needs_opus
@pytest.mark.parametrize("complexity", [0, 1, 5, 10])
def test_bit_rates(complexity: int) -> None:
    sizes = []
    for bitrate in (24_000, 32_000):
        encoder = OpusEncoder(16_000, bitrate=bitrate, complexity=complexity)
        sizes.append(sum(map(len, packets(16_000, encoder))) * 8)
    assert 10_000 < sizes[0] < sizes[1] < 40_000


@needs_opus
def test_a_row_of_a_matrix() -> None:
    """By address, into the middle of a matrix, and nothing beside it."""
    matrix, packet = np.full((3, 320), 77, np.int16), packets(16_000, OpusEncoder(16_000))[10]
    address = matrix.ctypes.data + matrix.strides[0]
    assert OpusDecoder(16_000).decode_at(packet, address, 320) == 320
    assert np.all(matrix[[0, 2]] == 77)
    assert not np.all(matrix[1] == 77)


@needs_opus
def test_a_lost_frame_is_concealed() -> None:
    sent, decoder, out = packets(16_000, OpusEncoder(16_000)), OpusDecoder(16_000), frame()
    heard = []
    for number, packet in enumerate(sent):
        lost = number % 10 == 7
        count = decoder.conceal_into(out) if lost else decoder.decode_into(packet, out)
        assert count == 320
        heard.append(out.copy())
    assert likeness(speech(16_000), np.concatenate(heard)) > 0.7


@needs_opus
def test_a_lost_frame_is_recovered_from_the_next_packet() -> None:
    """It sounds more like what was said than what concealment makes up."""
    encoder = OpusEncoder(16_000, bitrate=32_000)
    encoder.set_loss(20)
    sent = packets(16_000, encoder)
    lost = set(range(5, len(sent) - 1, 6))
    made: dict[bool, float] = {}
    for recover in (False, True):
        decoder, out, heard = OpusDecoder(16_000), frame(), []
        for number, (packet, following) in enumerate(pairwise(sent)):
            if number not in lost:
                decoder.decode_into(packet, out)
            elif recover:
                assert decoder.recover_into(following, out) == 320
            else:
                decoder.conceal_into(out)
            heard.append(out.copy())
        made[recover] = likeness(speech(16_000)[: 320 * len(heard)], np.concatenate(heard))
    assert made[True] > made[False]
    assert made[True] > 0.8


@needs_opus
def test_recovery_without_a_copy_conceals() -> None:
    sent, decoder, out = packets(16_000, OpusEncoder(16_000)), OpusDecoder(16_000), frame()
    for packet in sent[:20]:
        decoder.decode_into(packet, out)
    assert decoder.recover_into(sent[21], out) == 320
    assert decoder.recover_into(b"", out) == 320
    assert decoder.recover_into(b"\x0b", out) == 0


@needs_opus
def test_silence_is_next_to_nothing() -> None:
    encoder = OpusEncoder(16_000, dtx=True)
    sizes = [len(encoder.encode(frame())) for _ in range(60)]
    assert sum(size <= 2 for size in sizes) > 25
    encoder.set_dtx(False)
    assert all(len(encoder.encode(frame())) > 2 for _ in range(60))


@needs_opus
def test_a_reset_coder_is_as_new() -> None:
    encoder, decoder = OpusEncoder(16_000), OpusDecoder(16_000)
    sent, out = packets(16_000, encoder), frame()
    encoder.reset()
    assert packets(16_000, encoder) == sent
    heard = []
    for _ in range(2):
        decoder.reset()
        heard.append([decoder.decode_into(packet, out) and out.tobytes() for packet in sent])
    assert heard[0] == heard[1]


def frame() -> NDArray[np.int16]:
    return np.zeros(320, np.int16)


@needs_opus
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=1500))
def test_any_octets_are_a_packet_or_nothing(payload: bytes) -> None:
    decoder, out = OpusDecoder(16_000), np.zeros(LONGEST // 3 + 8, np.int16)
    out[LONGEST // 3 :] = 99
    room = out[: LONGEST // 3]
    count, toc = decoder.decode_into(payload, room), read_toc(payload)
    assert count in (0, toc.ticks // 3 if toc else 0)
    assert 0 <= decoder.recover_into(payload, room[:320]) <= 320
    assert decoder.conceal_into(room[:320]) == 320
    assert np.all(out[LONGEST // 3 :] == 99)


@needs_opus
def test_a_packet_longer_than_the_room_is_nothing() -> None:
    packet = packets(16_000, OpusEncoder(16_000), 60)[3]
    decoder, out = OpusDecoder(16_000), np.zeros(960, np.int16)
    assert decoder.decode_into(packet, out[:320]) == 0
    assert not out.any()
    assert decoder.decode_into(packet, out) == 960


@needs_opus
def test_what_a_caller_may_not_do() -> None:
    with pytest.raises(ValueError, match="no rate"):
        OpusDecoder(44_100)
    with pytest.raises(ValueError, match="no rate"):
        OpusEncoder(44_100)
    with pytest.raises(ValueError, match="no frame"):
        OpusEncoder(16_000).encode(np.zeros(321, np.int16))
    with pytest.raises(ValueError, match="contiguous"):
        OpusEncoder(16_000).encode(np.zeros(640, np.int16)[::2])
    with pytest.raises(ValueError, match="refuses"):
        OpusEncoder(16_000).set_complexity(11)


@pytest.mark.parametrize(
    ("head", "toc"),
    [
        (b"\x00", Toc(1, 480)),  # SILK, 10 ms
        (b"\x48", Toc(1, 960)),  # SILK at 16 kHz, 20 ms: what a browser sends us
        (b"\x58", Toc(1, 2880)),  # SILK, 60 ms
        (b"\x78", Toc(1, 960)),  # both, 20 ms
        (b"\xe0", Toc(1, 120)),  # CELT, 2.5 ms
        (b"\x49", Toc(2, 1920)),
        (b"\x4a", Toc(2, 1920)),
        (b"\xfb\x03", Toc(3, 2880)),
        (b"\xe3\x30", Toc(48, 5760)),
        (b"\x4b\x06", Toc(6, 5760)),
        (b"\x4b\x07", None),  # 140 ms
        (b"\x4b\x40", None),  # no frames
        (b"\x4b", None),
        (b"", None),
    ],
)
def test_heads_of_packets(head: bytes, toc: Toc | None) -> None:
    assert read_toc(head) == toc
    assert read_toc(bytearray(head)) == read_toc(memoryview(head)) == toc


# ── without a library ──


def test_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "library", None)
    for make in (OpusDecoder, OpusEncoder):
        with pytest.raises(OpusMissing, match="opuslib-next-bundled"):
            make(16_000)
    assert read_toc(b"\x48") == Toc(1, 960)


def test_only_a_library_of_opus_will_do() -> None:
    """Not what is missing, nor what is something else."""
    python = ("python", sys.executable)
    assert probe([("nowhere", "libnowhere.so.9"), python]) is None
    assert probe([]) is None


@needs_opus
def test_the_first_that_opens_is_taken() -> None:
    found = probe([("nowhere", "libnowhere.so.9"), *candidates()])
    assert found is not None
    assert found.source == opus.source
    assert [source for source, _ in candidates()][-1] == "system"
