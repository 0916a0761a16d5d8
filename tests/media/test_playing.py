"""What is played: to the sample, in its order, and told at the right instant."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.media.desk import FRAME_MS, START, AtOnce, Reports, ramp, read, tone, write

from tertulia.media.audio_files import AudioFile, Samples
from tertulia.media.playing import STALLED_MS, WAITING_MAX, Players
from tertulia.media.tones import BEEP, named
from tertulia.model.commands import Play, Played, Playing, Ripe
from tertulia.model.instant import Instant


class Deck:
    """Players whose time passes when something is pulled."""

    def __init__(self) -> None:
        self.jobs = AtOnce()
        self.reports = Reports()
        self.players = Players(self.reports, self.jobs)
        self.at = START
        self.players.advance(self.at)

    def pull(self, ticks: int = 1, rate: int = 16_000, key: str = "leg") -> Samples:
        """What is heard in so many ticks, None as silence."""
        frames = []
        for _ in range(ticks):
            self.players.advance(self.at)
            frame = self.players.pull(key, rate, rate // 50)
            frames.append(np.zeros(rate // 50, np.int16) if frame is None else frame)
            self.at = Instant(self.at + FRAME_MS)
        return np.concatenate(frames)

    def play(
        self, path: Path | str, play: str = "p", *, queue: bool = False, **more: object
    ) -> None:
        fields = {"leg": "leg", "queue": queue, **more}
        self.players.start(Play(play, str(path), **fields))  # type: ignore[arg-type]


@pytest.fixture
def deck() -> Deck:
    return Deck()


@pytest.mark.parametrize("count", [1, 319, 320, 321, 960, 1_000, 16_000, 100_000])
def test_a_file_is_played_to_the_sample(deck: Deck, tmp_path: Path, count: int) -> None:
    samples = ramp(count)
    deck.play(write(tmp_path / "a", samples))
    ticks = -(-count // 320)
    heard = deck.pull(ticks)
    assert np.array_equal(heard[:count], samples)
    assert not heard[count:].any()
    assert deck.reports == [
        Playing("p", START),
        Played("p", Instant(START + count * 1000 // 16_000)),
    ]
    assert not deck.players.targets
    assert deck.players.underruns == 0


def test_the_end_is_told_with_the_last_sample_and_not_before(deck: Deck, tmp_path: Path) -> None:
    deck.play(write(tmp_path / "a", ramp(64_000)))
    deck.pull(199)
    assert deck.reports.taken() == [Playing("p", START)]
    deck.pull(1)
    assert deck.reports == [Played("p", Instant(START + 4_000))]


@pytest.mark.parametrize("loop", [2, 5])
def test_repeats_follow_without_a_gap(deck: Deck, tmp_path: Path, loop: int) -> None:
    samples = ramp(1_111)
    deck.play(write(tmp_path / "a", samples), loop=loop)
    heard = deck.pull(40)[: 1_111 * loop]
    assert np.array_equal(heard, np.tile(samples, loop))
    assert isinstance(deck.reports[-1], Played)


def test_endless_is_played_until_it_is_stopped(deck: Deck, tmp_path: Path) -> None:
    deck.play(write(tmp_path / "a", ramp(100)), loop=0)
    assert deck.pull(1_000).all()
    deck.players.stop("p")
    deck.pull()
    assert deck.reports == [Playing("p", START), Played("p", Instant(START + 20_005), stopped=True)]


def test_what_is_queued_follows_to_the_sample(deck: Deck, tmp_path: Path) -> None:
    first, second, third = ramp(1_000), ramp(500, 5_000), ramp(700, 9_000)
    for name, samples in (("a", first), ("b", second), ("c", third)):
        deck.play(write(tmp_path / name, samples), name, queue=True)
    heard = deck.pull(8)
    assert np.array_equal(heard[:2_200], np.concatenate([first, second, third]))
    assert [type(report).__name__ for report in deck.reports] == ["Playing", "Played"] * 3
    assert deck.reports[2] == Playing("b", Instant(START + 62))
    assert deck.reports[-1] == Played("c", Instant(START + 137))


def test_what_is_not_queued_ends_the_present_one(deck: Deck, tmp_path: Path) -> None:
    loud = np.full(50_000, 10_000, np.int16)
    deck.play(write(tmp_path / "a", loud), "a")
    deck.play(write(tmp_path / "w", ramp(320)), "w", queue=True)
    deck.pull(2)
    deck.play(write(tmp_path / "b", ramp(560)), "b")
    heard = deck.pull(3)
    assert (np.diff(heard[:80].astype(int)) <= 0).all()
    assert heard[79] == 0
    assert np.array_equal(heard[80:], np.concatenate([ramp(560), ramp(320)]))
    changed = Instant(START + 45)
    assert deck.reports == [
        Playing("a", START), Played("a", changed, stopped=True),
        Playing("b", changed), Played("b", Instant(START + 80)),
        Playing("w", Instant(START + 80)), Played("w", Instant(START + 100)),
    ]  # fmt: skip


def test_the_last_of_many_that_are_not_queued_is_heard(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(640))
    for name in "abc":
        deck.play(path, name)
    assert deck.reports.taken() == [
        Played("a", START, stopped=True), Played("b", START, stopped=True)
    ]  # fmt: skip
    deck.pull()
    deck.play(path, "d")
    deck.play(path, "e")
    deck.pull(3)
    assert [report for report in deck.reports if isinstance(report, Played)] == [
        Played("d", Instant(START), stopped=True),
        Played("c", Instant(START + 25), stopped=True),
        Played("e", Instant(START + 65)),
    ]


def test_waiting_plays_stay_when_one_is_put_before_them(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(320))
    deck.play(path, "a")
    deck.play(path, "b", queue=True)
    deck.play(path, "c")
    deck.pull(3)
    order = [report.play for report in deck.reports if isinstance(report, Playing)]
    assert order == ["c", "b"]


def test_stopping_what_waits(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(320))
    deck.play(path, "a")
    deck.play(path, "b", queue=True)
    deck.players.stop("b")
    deck.players.stop("nobody")
    assert deck.reports.taken() == [Played("b", START, stopped=True)]
    deck.pull(2)
    assert len(deck.reports) == 2


def test_too_many_wait(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(320))
    for number in range(WAITING_MAX + 2):
        deck.play(path, str(number), queue=True)
    (report,) = deck.reports
    assert report == Played(
        str(WAITING_MAX + 1), START, error="too much is waiting to be played there"
    )


def test_what_cannot_be_played_ends_at_once_wherever_it_waits(deck: Deck, tmp_path: Path) -> None:
    deck.play(write(tmp_path / "a", ramp(3_200)), "a")
    deck.play(tmp_path / "none", "b", queue=True)
    deck.play("siren", "c", kind="tone", queue=True)
    deck.play(tmp_path / "none", "r", kind="raw", queue=True)
    (tmp_path / "text").write_text("no audio")
    deck.play(tmp_path / "text", "d", queue=True)
    deck.pull(10)
    errors = {report.play: report.error for report in deck.reports if isinstance(report, Played)}
    assert errors == {
        "a": None,
        "b": "the file cannot be opened: No such file or directory",
        "c": "there is no tone called siren",
        "r": "the file cannot be opened: No such file or directory",
        "d": "the file is not WAV, MP3 or Ogg audio: format not recognised",
    }
    assert deck.reports[-1] == Played("a", Instant(START + 200))
    assert all(
        report.at == START for report in deck.reports[:-1] if isinstance(report, Played | Playing)
    )


def test_a_level_is_heard(deck: Deck, tmp_path: Path) -> None:
    deck.play(write(tmp_path / "a", np.full(640, 1_000, np.int16)), level=-0.5)
    assert set(deck.pull(2)) == {100}


def test_a_room_that_changes_its_rate_hears_on(deck: Deck, tmp_path: Path) -> None:
    deck.play(write(tmp_path / "a", tone(64_000)))
    parts = [deck.pull(50), deck.pull(50, 8_000), deck.pull(50), deck.pull(50, 8_000)]
    assert [len(part) for part in parts] == [16_000, 8_000, 16_000, 8_000]
    for part, rate in zip(parts, (16_000, 8_000) * 2, strict=True):
        steps = np.abs(np.diff(part[: -rate // 50].astype(int))).max()
        assert steps <= 8_000 * 2 * np.pi * 440 / rate * 1.2  # as a sine has them: no click
    deck.pull(1)
    (_, end) = deck.reports
    assert isinstance(end, Played)
    assert abs(end.at - START - 4_000) <= 1


def test_two_targets_are_two_lanes(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(640))
    deck.play(path, "a")
    deck.play(path, "b", leg=None, room="room")
    assert set(deck.players.targets) == {"leg", "room"}
    assert np.array_equal(deck.pull(), deck.pull(key="room"))
    assert deck.players.pull("nobody", 16_000, 320) is None


def test_a_target_that_is_gone(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(640))
    deck.play(path, "a")
    deck.play(path, "b", queue=True)
    deck.pull()
    deck.players.gone("leg")
    deck.players.gone("leg")
    end = {"at": START, "stopped": True}
    assert deck.reports[1:] == [Played("a", **end), Played("b", **end)]  # type: ignore[arg-type]
    assert not deck.players.targets


def test_a_growing_file_is_heard_as_it_grows(deck: Deck, tmp_path: Path) -> None:
    path, samples = tmp_path / "raw", ramp(2_000)
    path.write_bytes(b"")
    deck.play(path, kind="raw")
    assert not deck.pull(3).any()
    assert not deck.reports
    with path.open("ab") as file:
        file.write(samples[:1_000].tobytes())
        file.flush()
        assert np.array_equal(deck.pull(4)[:1_000], samples[:1_000])
        assert deck.reports == [Playing("p", Instant(START + 60))]
        file.write(samples[1_000:].tobytes())
    deck.players.ripe(Ripe("p", 4_000))
    assert np.array_equal(deck.pull(4)[:1_000], samples[1_000:])
    assert deck.reports[1:] == [Played("p", Instant(START + 140 + 62))]
    assert deck.players.underruns == 0


def test_a_growing_file_that_is_ripe_before_it_is_heard(deck: Deck, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(ramp(640).tobytes())
    deck.jobs.holds = True
    deck.play(path, kind="raw", loop=2)
    deck.players.ripe(Ripe("p", 640))
    deck.jobs.release()
    assert np.array_equal(deck.pull(2), np.tile(ramp(320), 2))
    assert deck.reports[-1] == Played("p", Instant(START + 40))


def test_speech_that_fails_ends_what_was_begun(deck: Deck, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(ramp(640).tobytes())
    deck.play(path, kind="raw")
    deck.pull()
    deck.players.ripe(Ripe("p", 0, "the engine broke"))
    deck.players.ripe(Ripe("nobody", 5))
    assert deck.reports[-1] == Played("p", START, error="the engine broke")


def test_a_growing_file_that_never_grows(deck: Deck, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"")
    deck.play(path, kind="raw")
    deck.pull(STALLED_MS // FRAME_MS + 1)
    assert deck.reports == [
        Played("p", Instant(START + STALLED_MS), error="nothing more came for 30 seconds")
    ]


def test_nothing_was_said(deck: Deck, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"")
    deck.play(path, kind="raw", loop=0)
    deck.players.ripe(Ripe("p", 0))
    deck.pull(1)
    assert deck.reports == [Played("p", START)]


@pytest.mark.parametrize("name", ["ringback", "busy", "hold"])
def test_tones_go_on_until_they_are_stopped(deck: Deck, name: str) -> None:
    sound = named(name)
    assert sound is not None
    deck.play(name, kind="tone")
    assert np.array_equal(deck.pull(500), sound.samples(0, 160_000, 16_000))
    assert deck.reports == [Playing("p", START)]


@pytest.mark.parametrize("loop", [1, 3])
def test_a_beep_as_a_tone(deck: Deck, loop: int) -> None:
    deck.play("beep", kind="tone", loop=loop)
    assert np.array_equal(deck.pull(15 * loop), np.tile(BEEP.samples(0, 4_800, 16_000), loop))
    assert deck.reports[-1] == Played("p", Instant(START + 300 * loop))


def test_a_beep_on_top_of_what_is_played(deck: Deck, tmp_path: Path) -> None:
    samples = ramp(6_400)
    deck.play(write(tmp_path / "a", samples))
    deck.players.beep("leg")
    heard = deck.pull(20)
    expected = samples.astype(int)
    expected[:4_800] += BEEP.samples(0, 4_800, 16_000)
    assert np.array_equal(heard, np.clip(expected, -32_768, 32_767))
    deck.players.beep("leg")
    assert np.array_equal(deck.pull(15, 8_000), BEEP.samples(0, 2_400, 8_000))
    assert not deck.players.targets


def test_a_slow_disk_is_silence_and_is_counted(deck: Deck, tmp_path: Path) -> None:
    samples = ramp(48_000)
    deck.play(write(tmp_path / "a", samples))
    deck.pull()
    deck.jobs.holds = True
    heard = deck.pull(100)
    missing = deck.players.underruns
    assert missing > 0
    deck.jobs.release()
    after = deck.pull(150)
    everything = np.concatenate([samples[:320], heard[heard != 0], after[after != 0]])
    assert np.array_equal(
        everything, np.concatenate([samples[:320], samples[320:][samples[320:] != 0]])
    )


def test_a_file_is_closed_when_it_is_over(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(640))
    before = len(os.listdir("/proc/self/fd"))
    for name in "abcd":
        deck.play(path, name, queue=name > "b")
    deck.pull(2)
    deck.players.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_same_play_twice_is_one(deck: Deck, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(640))
    deck.play(path)
    deck.play(path)
    deck.players.start(Play("x", str(path)))
    deck.pull(3)
    assert deck.reports == [Playing("p", START), Played("p", Instant(START + 40))]


def test_threads_fetch_ahead(tmp_path: Path) -> None:
    reports = Reports()
    players = Players(reports)
    path = write(tmp_path / "a", tone(32_000), kind="OGG")
    expected = read(path)
    names = [f"p{number}" for number in range(40)]
    for name in names:
        players.start(Play(name, str(path), leg=name))
    heard: dict[str, list[Samples]] = {name: [] for name in names}
    deadline = time.monotonic() + 10
    for tick in range(10_000):
        players.advance(Instant(START + tick * FRAME_MS))
        for name in tuple(players.targets):
            frame = players.pull(name, 16_000, 320)
            if frame is not None:
                heard[name].append(frame)
        if not players.targets or time.monotonic() > deadline:
            break
        threading.Event().wait(0.002)
    players.close()
    assert all(
        np.abs(np.concatenate(heard[name])[:32_000].astype(int) - expected).max() <= 1
        for name in names
    )
    assert players.underruns == 0


def test_a_bug_in_one_job_ends_neither_the_thread_nor_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: AudioFile) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(AudioFile, "read", broken)
    reports = Reports()
    players = Players(reports)
    players.start(Play("p", str(write(tmp_path / "a", ramp(320))), leg="leg"))
    deadline = time.monotonic() + 10
    while not reports and time.monotonic() < deadline:
        players.advance(START)
        threading.Event().wait(0.002)
    players.close()
    assert reports == [Played("p", START, error="it cannot be played")]
    assert "A job of the media worker failed." in caplog.text
