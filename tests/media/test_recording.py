"""Recordings: who is heard where, how long they are, when they end, what a crash leaves."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.media.desk import FRAME_MS, START, AtOnce, Reports, ramp, read, tone

from tertulia.media.audio_files import Samples
from tertulia.media.recording import BACKLOG_S, Frames, Recorders
from tertulia.media.tape import folded
from tertulia.media.wav import HEADER, SIZE_32, Note, WavFile, header, mend
from tertulia.model.commands import Record, Recorded, Recording, Salvage, Track
from tertulia.model.instant import Instant


class Studio:
    """Recorders of one room and one leg whose time passes with each frame."""

    def __init__(self) -> None:
        self.writer, self.finisher = AtOnce(), AtOnce()
        self.reports = Reports()
        self.beeps: list[str] = []
        self.recorders = Recorders(self.reports, self.beeps.append, self.writer, self.finisher)
        self.at = START

    def hear(self, mix: Samples | None, frames: Frames | None = None, key: str = "room") -> None:
        self.recorders.advance(self.at)
        self.recorders.push(key, frames or {}, mix)
        self.at = Instant(self.at + FRAME_MS)

    def hear_all(self, samples: Samples, rate: int = 16_000) -> None:
        for start in range(0, len(samples), rate // 50):
            self.hear(samples[start : start + rate // 50])

    def pass_silently(self, ticks: int) -> None:
        for _ in range(ticks):
            self.recorders.advance(self.at)
            self.at = Instant(self.at + FRAME_MS)

    def end(self, record: str = "r") -> Recorded:
        self.recorders.stop(record)
        return self.outcome()

    def outcome(self) -> Recorded:
        self.recorders.advance(self.at)
        (found,) = [report for report in self.reports if isinstance(report, Recorded)]
        return found


@pytest.fixture
def studio() -> Studio:
    return Studio()


def record(path: Path, **more: object) -> Record:
    fields = {"room": "room", "format": "wav", **more}
    return Record("r", str(path / "r"), **fields)  # type: ignore[arg-type]


def one(value: int) -> Samples:
    """A frame of one value."""
    return np.full(320, value, np.int16)


def test_a_room_is_recorded_to_the_sample(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    assert not studio.recorders.targets
    samples = ramp(320 * 77)
    studio.recorders.advance(studio.at)
    assert set(studio.recorders.targets) == {"room"}
    studio.hear_all(samples)
    ended = Instant(START + 77 * FRAME_MS)
    path = tmp_path / "r.wav"
    assert studio.end() == Recorded(
        "r", START, ended, [Track(str(path), HEADER + 2 * len(samples))]
    )
    assert studio.reports[0] == Recording("r", START)
    assert np.array_equal(read(path), samples)
    assert not studio.recorders.targets


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_other_formats_are_as_long_and_sound_the_same(
    studio: Studio, tmp_path: Path, kind: str
) -> None:
    studio.recorders.start(record(tmp_path, format=kind))
    samples = tone(320 * 100)
    studio.hear_all(samples)
    outcome = studio.end()
    (track,) = outcome.tracks
    assert track == Track(str(tmp_path / f"r.{kind}"), os.path.getsize(tmp_path / f"r.{kind}"))
    found = read(track.path)
    assert len(found) == (outcome.ended - outcome.started) * 16
    assert np.corrcoef(found, samples)[0, 1] > 0.99
    assert [path.name for path in tmp_path.iterdir()] == [f"r.{kind}"]


def test_silence_keeps_the_files_aligned_to_the_clock(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    studio.pass_silently(3)
    studio.hear_all(ramp(320 * 5))
    studio.pass_silently(500)
    studio.hear_all(ramp(320 * 2, 7_000))
    studio.pass_silently(10)
    outcome = studio.end()
    found = read(tmp_path / "r.wav")
    expected = np.zeros(320 * 520, np.int16)
    expected[960 : 960 + 1_600] = ramp(1_600)
    expected[508 * 320 : 510 * 320] = ramp(640, 7_000)
    assert abs(len(found) - len(expected)) <= 320
    assert np.array_equal(found[: 510 * 320], expected[: 510 * 320])
    assert not found[510 * 320 :].any()
    assert (outcome.ended - outcome.started) * 16 == len(found)


def test_ticks_that_are_late_or_lost_do_not_shift_what_follows(
    studio: Studio, tmp_path: Path
) -> None:
    studio.recorders.start(record(tmp_path))
    random = np.random.default_rng(7)
    loud_at = []
    for tick in range(1_000):
        at = START + tick * FRAME_MS
        if random.random() < 0.05:
            continue  # a tick that never came
        studio.at = Instant(at + int(random.integers(-4, 5)))
        loud = tick % 100 == 50
        if loud:
            loud_at.append(studio.at - START)
        studio.hear(one(9_000 if loud else 0))
    outcome = studio.end()
    found = read(tmp_path / "r.wav")
    started = np.flatnonzero(np.diff((found > 0).astype(int)) == 1) / 16 + (outcome.started - START)
    assert len(started) == len(loud_at)
    assert np.abs(started - loud_at).max() <= FRAME_MS + 1
    assert abs((outcome.ended - outcome.started) - 1_000 * FRAME_MS) <= 2 * FRAME_MS


def test_a_clock_that_is_set_is_no_time(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    studio.hear_all(ramp(3_200))
    studio.at = Instant(studio.at + 3_600_000)
    studio.hear_all(ramp(3_200))
    studio.at = Instant(studio.at - 7_200_000)
    studio.hear_all(ramp(3_200))
    studio.end()
    assert np.array_equal(read(tmp_path / "r.wav"), np.tile(ramp(3_200), 3))


def test_a_room_split_into_its_legs(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, channels=2))
    assert not studio.recorders.wants_legs("room")
    studio.hear(None, {"a": one(1), "b": None})
    assert studio.recorders.wants_legs("room")
    studio.hear(None, {"a": None, "b": one(2)})
    studio.hear(None, {"c": one(3), "b": one(2)})
    studio.hear(None, {"c": one(32_767), "b": one(32_767), "a": one(5)})
    studio.end()
    found = read(tmp_path / "r.wav")
    assert [tuple(row) for row in found[::320]] == [(1, 0), (0, 2), (0, 5), (5, 32_767)]


def test_thirty_two_channels(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, channels=99, format="mp3"))
    for _ in range(25):
        studio.hear(None, {f"leg{number}": one(number + 1) for number in range(34)})
    (track,) = studio.end().tracks
    assert track.path.endswith("r.wav")  # MP3 has no more than two
    found = read(track.path)
    assert found.shape == (25 * 320, 32)
    assert found[-1].tolist() == [*range(1, 32), 32 + 33 + 34]


def test_a_file_for_each_leg(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, multitrack=True))
    studio.hear(one(1), {"a": one(1)})
    for _ in range(20):
        studio.hear(one(3), {"a": one(1), "b": one(2)})
    studio.pass_silently(5)
    outcome = studio.end()
    assert [(Path(track.path).name, track.leg) for track in outcome.tracks] == [
        ("r.wav", None), ("r-1.wav", "a"), ("r-2.wav", "b"),
    ]  # fmt: skip
    mix, first, second = (read(track.path) for track in outcome.tracks)
    assert len(mix) == len(first) == len(second)
    assert mix[:640:320].tolist() == [1, 3]
    assert first[:640:320].tolist() == [1, 1]
    assert second[:640:320].tolist() == [0, 2]


def test_a_leg_and_what_it_hears(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, room=None, leg="leg"))
    for voice, heard in ((one(5), one(7)), (None, one(7)), (one(5), None), (one(30_000),) * 2):
        studio.hear(heard, {"leg": voice}, "leg")
    studio.end()
    assert read(tmp_path / "r.wav")[::320].tolist() == [12, 7, 5, 32_767]


@pytest.mark.parametrize("kind", ["wav", "ogg", "mp3"])
def test_a_leg_split(studio: Studio, tmp_path: Path, kind: str) -> None:
    studio.recorders.start(record(tmp_path, room=None, leg="leg", channels=2, format=kind))
    voice, heard = tone(32_000, hertz=440), tone(32_000, hertz=1_000, peak=4_000)
    for start in range(0, 32_000, 320):
        part = slice(start, start + 320)
        studio.hear(heard[part], {"leg": voice[part]}, "leg")
    studio.end()
    left, right = read(tmp_path / f"r.{kind}").T
    assert np.corrcoef(left, voice)[0, 1] > 0.98
    assert np.corrcoef(right, heard)[0, 1] > 0.98


def test_a_room_whose_rate_changes(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    for rate in (8_000, 16_000, 8_000, 48_000):
        studio.hear_all(tone(rate, rate), rate)
    studio.end()
    found = read(tmp_path / "r.wav")
    expected = np.tile(tone(16_000), 4)
    assert len(found) == 64_000
    assert np.corrcoef(found, expected)[0, 1] > 0.999


def test_it_ends_after_silence(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, silence_ms=3_000))
    studio.pass_silently(100)
    studio.hear_all(tone(32_000))
    studio.hear_all(np.full(16_000, 20, np.int16))
    studio.pass_silently(120)
    outcome = studio.outcome()
    assert outcome.reason == "silence"
    assert outcome.ended - START == pytest.approx(2_000 + 2_000 + 3_000, abs=FRAME_MS)


def test_it_ends_with_its_key(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, end_key="#"))
    studio.hear_all(ramp(3_200))
    studio.recorders.on_digit("1", "leg", "room")
    studio.recorders.on_digit("#", "leg", "another")
    studio.recorders.on_digit("#", "leg", None)
    assert studio.recorders.targets
    studio.recorders.on_digit("#", "leg", "room")
    assert studio.outcome().reason == "key"


def test_it_ends_at_its_limit_to_the_sample(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, limit_ms=1_010))
    studio.hear_all(ramp(320 * 60))
    outcome = studio.outcome()
    assert (outcome.reason, outcome.ended - outcome.started) == ("limit", 1_010)
    assert np.array_equal(read(tmp_path / "r.wav"), ramp(1_010 * 16))


def test_it_ends_when_its_target_is_gone(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    studio.hear_all(ramp(3_200))
    studio.recorders.gone("room")
    assert studio.outcome().reason == "left"


def test_it_never_began(studio: Studio, tmp_path: Path) -> None:
    for reason, ending in (("stopped", studio.recorders.stop), ("left", studio.recorders.gone)):
        studio.recorders.start(record(tmp_path))
        ending("room" if reason == "left" else "r")
        (outcome,) = studio.reports.taken()
        assert isinstance(outcome, Recorded)
        assert (outcome.reason, outcome.error, outcome.tracks) == (
            reason, "nothing was recorded", []
        )  # fmt: skip
    studio.recorders.stop("nobody")


def test_beeps(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, beep_start=True, beep_stop=True))
    assert not studio.beeps
    studio.hear_all(ramp(320))
    assert studio.beeps == ["room"]
    studio.end()
    assert studio.beeps == ["room", "room"]


def test_two_recordings_of_a_room(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(Record("a", str(tmp_path / "a"), room="room", format="wav"))
    studio.hear_all(ramp(640))
    studio.recorders.start(Record("b", str(tmp_path / "b"), room="room", format="wav"))
    studio.hear_all(ramp(640, 641))
    studio.recorders.stop("a")
    studio.hear_all(ramp(320, 1_281))
    studio.recorders.stop("b")
    assert np.array_equal(read(tmp_path / "a.wav"), ramp(1_280))
    assert np.array_equal(read(tmp_path / "b.wav"), ramp(960, 641))


def test_a_folder_that_is_not_there(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path / "none"))
    studio.hear_all(ramp(640))
    outcome = studio.outcome()
    assert (outcome.reason, outcome.tracks) == ("failed", [])
    assert outcome.error == "the recording cannot be written: No such file or directory"


def test_a_disk_that_is_too_slow(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path))
    studio.hear_all(ramp(640))
    studio.writer.holds = True
    studio.hear_all(ramp(320 * 50 * (BACKLOG_S + 1)))
    outcome = studio.outcome()
    assert (outcome.reason, outcome.tracks) == ("failed", [])
    assert outcome.error == "the disk is too slow for the recording"
    studio.writer.release()
    studio.recorders.salvage(Salvage("r", str(tmp_path / "r"), "wav"))
    studio.reports.clear()
    assert studio.outcome().reason == "salvaged"


def test_closing_leaves_whole_files_for_the_next_worker(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, format="mp3"))
    studio.hear_all(ramp(3_210 // 320 * 320))
    studio.recorders.close()
    assert np.array_equal(read(tmp_path / "r.wav"), ramp(3_200))
    assert not (tmp_path / "r.mp3").exists()


@pytest.fixture(params=["wav", "mp3", "ogg"])
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A process that records two legs, killed in the middle of it."""
    program = f"""
import sys, time
import numpy as np
from tertulia.media.recording import Recorders
from tertulia.model.commands import Record
recorders = Recorders(lambda report: None, lambda key: None)
recorders.start(Record("r", {str(tmp_path / "r")!r}, room="room", multitrack=True))
frame = np.full(320, 1_000, np.int16)
for tick in range(1_000_000):
    recorders.advance({START} + tick * 20)
    recorders.push("room", {{"leg-a": frame, "leg-b": frame if tick > 100 else None}}, frame)
    if tick % 500 == 0:
        print(tick, flush=True)
        time.sleep(0.02)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 5_000:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    yield tmp_path, request.param


def test_a_kill_leaves_what_can_be_played_and_salvaged(
    studio: Studio, killed: tuple[Path, str]
) -> None:
    path, kind = killed
    assert soundfile.info(path / "r.wav").samplerate == 16_000  # playable as it is
    studio.recorders.salvage(Salvage("r", str(path / "r"), kind))
    outcome = studio.outcome()
    assert (outcome.reason, outcome.error) == ("salvaged", None)
    assert outcome.started == START
    # the writer, which is fed five hundred times as fast as in life, may be ten seconds behind
    assert outcome.ended - START >= 4_000 * FRAME_MS
    assert [track.leg for track in outcome.tracks] == [None, "leg-a", "leg-b"]
    for track in outcome.tracks:
        found = read(track.path)
        assert len(found) == (outcome.ended - outcome.started) * 16
        assert os.path.getsize(track.path) == track.size
        assert found[200 * 320 : -640].mean() == pytest.approx(1_000, rel=0.02)
    assert {each.name for each in path.iterdir()} == {f"r{n}.{kind}" for n in ("", "-1", "-2")}


def test_salvaging_what_had_been_finished(studio: Studio, tmp_path: Path) -> None:
    studio.recorders.start(record(tmp_path, format="ogg"))
    studio.hear_all(tone(32_000))
    done = studio.end()
    studio.reports.clear()
    studio.recorders.salvage(Salvage("r", str(tmp_path / "r"), "ogg"))
    outcome = studio.outcome()
    assert outcome.tracks == done.tracks
    assert outcome.ended - outcome.started == 2_000


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"x" * 600, header(1, 16_000, 0, Note(5))])
def test_nothing_to_salvage(studio: Studio, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "r.wav").write_bytes(content)
    studio.recorders.salvage(Salvage("r", str(tmp_path / "r")))
    outcome = studio.outcome()
    assert (outcome.reason, outcome.tracks) == ("failed", [])
    assert (outcome.error or "").startswith("there is nothing to salvage: ")


def test_a_full_disk_ends_the_recording_and_keeps_what_there_is(tmp_path: Path) -> None:
    program = f"""
import resource, time
import numpy as np
from tertulia.media.recording import Recorders
from tertulia.model.commands import Record, Recorded
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
told = []
recorders = Recorders(told.append, lambda key: None)
recorders.start(Record("r", {str(tmp_path / "r")!r}, room="room"))
for tick in range(2_000):
    recorders.advance({START} + tick * 20)
    recorders.push("room", {{}}, np.full(320, tick, np.int16))
    time.sleep(0.0002)
    if isinstance(told[-1], Recorded):
        break
print(told[-1].reason, len(told[-1].tracks), told[-1].error)
recorders.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "failed 0 the recording cannot be written: File too large\n"
    mended = mend(tmp_path / "r.wav")
    assert mended.frames >= 40_000
    assert read(tmp_path / "r.wav")[320] == 1


def test_a_format_that_cannot_be_written_leaves_the_wav(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "r.part").mkdir()
    studio.recorders.start(record(tmp_path, format="ogg"))
    studio.hear_all(ramp(3_200))
    outcome = studio.end()
    assert (outcome.reason, outcome.error) == ("stopped", None)
    assert [track.path for track in outcome.tracks] == [str(tmp_path / "r.wav")]
    assert np.array_equal(read(tmp_path / "r.wav"), ramp(3_200))


def test_a_file_beyond_four_gigabytes(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 2, 16_000, Note(START))
    far = SIZE_32 // 4 + 1_000
    file.put(far, ramp(640).tobytes())
    file.finish(far + 320)
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.format, info.frames) == ("RF64", far + 320)
    assert mend(tmp_path / "a.wav").frames == far + 320


def test_a_leg_with_a_very_long_name() -> None:
    assert len(header(1, 16_000, 4, Note(START, "x" * 10_000))) == HEADER


@pytest.mark.parametrize(
    ("rows", "channels", "expected"),
    [([1], 1, [1]), ([1, 2], 1, [3]), ([1, 2, 4], 2, [1, 6]), ([1], 3, [1, 0, 0]), ([], 2, [0, 0])],
)
def test_rows_are_folded_into_channels(rows: list[int], channels: int, expected: list[int]) -> None:
    samples = np.array([[row] * 3 for row in rows], np.int16).reshape(len(rows), 3)
    assert folded(samples, channels)[0].tolist() == expected


def test_threads_write_while_the_loop_goes_on(tmp_path: Path) -> None:
    reports = Reports()
    recorders = Recorders(reports, lambda key: None)
    samples = tone(32_000)
    names = [f"r{number}" for number in range(20)]
    for name in names:
        recorders.start(Record(name, str(tmp_path / name), room=name, format="ogg"))
    for tick in range(100):
        recorders.advance(Instant(START + tick * FRAME_MS))
        for name in names:
            recorders.push(name, {}, samples[tick * 320 :][:320])
    for name in names:
        recorders.stop(name)
    deadline = time.monotonic() + 20
    while len(reports) < 40 and time.monotonic() < deadline:
        recorders.advance(Instant(START + 2_000))
        threading.Event().wait(0.005)
    recorders.close()
    ended = [report for report in reports if isinstance(report, Recorded)]
    assert {(report.reason, report.ended - report.started) for report in ended} == {
        ("stopped", 2_000)
    }
    assert all(len(read(report.tracks[0].path)) == 32_000 for report in ended)
