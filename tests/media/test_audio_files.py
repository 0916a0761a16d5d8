"""Files of all kinds, at all rates, in any state."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.desk import ramp, tone, write

from tertulia.media.audio_files import (
    AudioError,
    AudioFile,
    Blocks,
    GrowingFile,
    Piece,
    Reader,
    Samples,
    amplification,
    quantised,
    transcode,
)


def pieces(blocks: Blocks, rate: int, level: float = 0.0) -> list[Piece]:
    reader = Reader(blocks, level)
    found = [reader.read(rate)]
    while not found[-1].last:
        found.append(reader.read(rate))
    reader.close()
    return found


def heard(blocks: Blocks, rate: int = 16_000, level: float = 0.0) -> Samples:
    return np.concatenate([piece.samples for piece in pieces(blocks, rate, level)])


def frequency(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * rate / len(samples)


@pytest.mark.parametrize("count", [1, 319, 320, 3_200, 3_201, 40_000])
def test_a_file_of_the_rate_is_itself(tmp_path: Path, count: int) -> None:
    samples = ramp(count)
    assert np.array_equal(heard(AudioFile(write(tmp_path / "a", samples))), samples)


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("own", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["WAV", "MP3", "OGG"])
def test_every_rate_keeps_length_and_pitch(tmp_path: Path, kind: str, own: int, rate: int) -> None:
    path = write(tmp_path / "a", tone(own * 2, own), own, kind)
    samples = heard(AudioFile(path), rate)
    assert len(samples) == 2 * rate
    assert frequency(samples[rate // 2 : -rate // 2], rate) == pytest.approx(440, abs=2)


@settings(max_examples=30, deadline=None)
@given(own=st.sampled_from([8_000, 22_050, 44_100]), count=st.integers(1, 30_000))
def test_the_length_is_exact(
    tmp_path_factory: pytest.TempPathFactory, own: int, count: int
) -> None:
    path = write(tmp_path_factory.mktemp("length") / "a", tone(count, own), own)
    assert abs(len(heard(AudioFile(path))) - count * 16_000 / own) <= 1


@pytest.mark.parametrize("count", [1, 7, 5_000, 80_000, 80_001, 100_000])
def test_repeats_have_no_gap(tmp_path: Path, count: int) -> None:
    samples = ramp(count)
    found = heard(AudioFile(write(tmp_path / "a", samples), loop=3))
    assert np.array_equal(found, np.tile(samples, 3))


@pytest.mark.parametrize("seconds", [1, 7])
def test_every_pass_of_an_mp3_is_the_same(tmp_path: Path, seconds: int) -> None:
    path = write(tmp_path / "a", tone(16_000 * seconds), kind="MP3")
    first, second = np.split(heard(AudioFile(path, loop=2)), 2)
    assert np.array_equal(first, second)


def test_endless_is_endless(tmp_path: Path) -> None:
    reader = Reader(AudioFile(write(tmp_path / "a", ramp(3)), loop=0))
    found = [reader.read(16_000) for _ in range(100)]
    assert not any(piece.last for piece in found)
    assert [len(piece.samples) for piece in found[1:]] == [3_200] * 99
    reader.close()


def test_a_changing_rate_loses_nothing(tmp_path: Path) -> None:
    reader = Reader(AudioFile(write(tmp_path / "a", tone(64_000, 16_000))))
    seconds = 0.0
    rates: list[int] = []
    while True:
        piece = reader.read(8_000 if len(rates) % 3 else 16_000)
        seconds += len(piece.samples) / piece.rate
        rates.append(piece.rate)
        if piece.last:
            break
    reader.close()
    assert set(rates) == {8_000, 16_000}
    assert seconds == pytest.approx(4.0, abs=0.001)


def test_channels_are_mixed(tmp_path: Path) -> None:
    both = np.stack([np.full(500, 1_000), np.full(500, 3_000)], axis=1).astype(np.int16)
    assert set(heard(AudioFile(write(tmp_path / "a", both)))) == {2_000}


@pytest.mark.parametrize(
    ("level", "decibels"), [(-1, -40), (-0.5, -20), (0, 0), (0.5, 6), (1, 12), (7, 12), (-9, -40)]
)
def test_levels_are_even_in_decibels(level: float, decibels: float) -> None:
    assert 20 * np.log10(amplification(level)) == pytest.approx(decibels)


def test_a_level_is_heard_and_limited(tmp_path: Path) -> None:
    soft = write(tmp_path / "soft", tone(16_000, peak=1_000))
    loud = write(tmp_path / "loud", tone(16_000, peak=30_000))
    assert heard(AudioFile(soft), level=1.0).max() == pytest.approx(3_981, rel=0.01)
    assert heard(AudioFile(soft), level=-1.0).max() == 10
    limited = heard(AudioFile(loud), level=1.0)
    assert 32_000 < limited.max() <= 32_767
    steps = np.abs(np.diff(limited.astype(int)))
    assert steps.max() < 4 * np.abs(np.diff(tone(16_000, peak=30_000).astype(int))).max()


def test_what_is_no_number_is_silence() -> None:
    strange = np.array([np.nan, np.inf, -np.inf, 2.0, -2.0, 0.5], np.float32)
    assert quantised(strange).tolist() == [0, 32_767, -32_768, 32_767, -32_768, 16_384]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not WAV, MP3 or Ogg"),
        (b"<html>" + b"not here " * 1_000, "is not WAV, MP3 or Ogg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "is not WAV, MP3 or Ogg"),
        (b"fLaC" + bytes(500), "is not WAV, MP3 or Ogg"),
        (b"RIFF\xff\xff\xff\xffWAVE", "is not WAV, MP3 or Ogg"),
        (b"OggS" + bytes(500), "is not WAV, MP3 or Ogg"),
    ],
)
def test_what_is_not_audio_says_so(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=reason):
        AudioFile(path)


def test_no_descriptor_is_left_of_what_is_not_audio(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"nothing")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(AudioError):
            AudioFile(path)
    AudioFile(write(tmp_path / "b", ramp(5))).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AudioError, match="cannot be opened: No such file"):
        AudioFile(tmp_path / "none")
    with pytest.raises(AudioError, match="this is not a file"):
        AudioFile(tmp_path)
    with pytest.raises(AudioError, match="this is not a file"):
        AudioFile(tmp_path / "pipe")
    with pytest.raises(AudioError, match="cannot be opened"):
        AudioFile("a\0b")


def test_an_empty_file_holds_no_audio(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no audio"):
        heard(AudioFile(write(tmp_path / "a", ramp(0)), loop=0))


@pytest.mark.parametrize("kind", ["WAV", "MP3", "OGG"])
def test_a_file_that_was_cut_is_played_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a", tone(160_000), kind=kind)
    content = path.read_bytes()
    for share in range(1, 20):
        path.write_bytes(content[: len(content) * share // 20])
        try:
            assert len(heard(AudioFile(path))) <= 160_000
        except AudioError as error:
            assert str(error)


@pytest.mark.parametrize("kind", ["WAV", "MP3", "OGG"])
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 255)), max_size=8))
def test_damage_never_ends_in_anything_else(
    tmp_path_factory: pytest.TempPathFactory, kind: str, places: list[tuple[int, int]]
) -> None:
    path = write(tmp_path_factory.mktemp("damage") / "a", tone(20_000), kind=kind)
    content = bytearray(path.read_bytes())
    for place, value in places:
        content[place % len(content)] = value
    path.write_bytes(content)
    try:
        reader = Reader(AudioFile(path))
        for _ in range(200):
            if reader.read(16_000).last:
                break
        reader.close()
    except AudioError as error:
        assert str(error)


def test_absurd_headers_are_refused(tmp_path: Path) -> None:
    many = np.zeros((10, 40), np.int16)
    with pytest.raises(AudioError, match="40 channels"):
        AudioFile(write(tmp_path / "a", many))
    with pytest.raises(AudioError, match="400000 samples a second"):
        AudioFile(write(tmp_path / "b", ramp(10), rate=400_000))
    soundfile.write(tmp_path / "c", ramp(10), 16_000, format="FLAC")
    with pytest.raises(AudioError, match="but FLAC"):
        AudioFile(tmp_path / "c")


def test_a_growing_file_is_read_as_it_grows(tmp_path: Path) -> None:
    path, samples = tmp_path / "a", ramp(5_000)
    data = samples.astype("<i2").tobytes()
    path.write_bytes(b"")
    growing = GrowingFile(path)
    reader = Reader(growing)
    assert not len(reader.read(16_000).samples)
    parts = []
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(data), 2_001):  # also in the middle of a sample
            file.write(data[start : start + 2_001])
            piece = reader.read(16_000)
            assert not piece.last
            parts.append(piece.samples)
    growing.size = len(data)
    while not (piece := reader.read(16_000)).last:
        parts.append(piece.samples)
    reader.close()
    assert np.array_equal(np.concatenate(parts), samples)


@pytest.mark.parametrize(
    ("size", "loop", "expected"), [(0, 1, 0), (0, 0, 0), (1, 0, 0), (10, 3, 15)]
)
def test_a_ripe_file_ends_where_it_should(
    tmp_path: Path, size: int, loop: int, expected: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(ramp(100).tobytes())
    growing = GrowingFile(path, loop=loop)
    growing.size = size
    assert len(heard(growing)) == expected


def test_a_ripe_file_that_is_too_short(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(ramp(100).tobytes())
    growing = GrowingFile(path)
    growing.size = 300
    with pytest.raises(AudioError, match="shorter than it should be"):
        heard(growing)


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_written_anew_is_as_long(tmp_path: Path, kind: str, channels: int) -> None:
    samples = np.stack([tone(50_001)] * channels, axis=1)
    transcode(write(tmp_path / "a.wav", samples), tmp_path / "b.part", kind)
    found = soundfile.info(tmp_path / "b.part")
    assert (found.frames, found.channels, found.samplerate) == (50_001, channels, 16_000)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", np.zeros((100, 3), np.int16))
    with pytest.raises(AudioError, match="cannot be written"):
        transcode(source, tmp_path / "b", "mp3")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 160_000).astype(np.int16)
    source = write(tmp_path / "a.wav", noise)
    program = f"""
import resource
from pathlib import Path
from tertulia.media.audio_files import AudioError, transcode
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
try:
    transcode(Path({str(source)!r}), Path({str(tmp_path / "b")!r}), {kind!r})
except AudioError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert "cannot be written" in done.stdout
    assert not (tmp_path / "b").exists()
