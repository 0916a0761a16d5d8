"""What a server says faster or slower than time, and in any pieces: every sample is heard once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.media.socket_queue import CUSHION, LIMIT_FRAMES, MARKS_MAX, SocketQueue

RATE = 16_000
FRAME = 640


def ramp(octets: int, start: int = 1) -> bytes:
    """Samples that tell where they are, none of them 0."""
    count = -(-octets // 2)
    return ((np.arange(count) + start) % 30_000 + 1).astype("<i2").tobytes()[:octets]


def pulled(queue: SocketQueue, ticks: int) -> list[bytes | None]:
    return [queue.pull() for _ in range(ticks)]


def heard(frames: list[bytes | None]) -> bytes:
    return b"".join(frame for frame in frames if frame is not None)


@pytest.mark.parametrize(("rate", "octets"), [(8_000, 320), (16_000, 640), (24_000, 960)])
def test_a_frame_is_20_ms(rate: int, octets: int) -> None:
    assert SocketQueue(rate).frame == octets


def test_a_burst_is_heard_at_once_and_whole() -> None:
    queue, said = SocketQueue(RATE), ramp(50 * FRAME)
    queue.put(said)
    frames = pulled(queue, 52)
    assert heard(frames) == said
    assert None not in frames[:50] and frames[50:] == [None, None]


def test_a_server_that_sends_in_time_has_a_frame_to_spare() -> None:
    """The first frame is heard a tick later than it could be; then one may be late."""
    queue, said = SocketQueue(RATE), ramp(200 * FRAME)
    frames: list[bytes | None] = []
    for tick in range(210):
        if tick != 100:
            queue.put(said[tick * FRAME : (tick + 1) * FRAME])
        if tick == 101:
            queue.put(b"")
        frames.append(queue.pull())
        if tick == 100:
            queue.put(said[tick * FRAME : (tick + 1) * FRAME])
    assert frames[0] is None and None not in frames[1:201]
    assert heard(frames) == said


def test_a_short_word_is_heard_after_two_ticks() -> None:
    queue = SocketQueue(RATE)
    queue.put(ramp(100))
    frames = pulled(queue, CUSHION + 2)
    assert frames[:CUSHION] == [None] * CUSHION and frames[-1] is None
    assert heard(frames) == ramp(100).ljust(FRAME, b"\0")


def test_a_pause_in_the_middle_adds_no_silence_of_its_own() -> None:
    queue, said = SocketQueue(RATE), ramp(5 * FRAME + 400)
    queue.put(said[: 3 * FRAME + 200])
    frames = pulled(queue, 4)
    assert frames[3] is None
    queue.put(said[3 * FRAME + 200 :])
    frames += pulled(queue, 10)
    assert heard(frames).rstrip(b"\0") == said.rstrip(b"\0")


@given(
    sizes=st.lists(st.integers(0, 3 * FRAME + 1), min_size=1, max_size=60),
    every=st.integers(1, 4),
)
def test_whatever_the_pieces_every_sample_is_heard_once(sizes: list[int], every: int) -> None:
    """Frames that are filled up are the only ones with zeros."""
    queue, said = SocketQueue(RATE), ramp(sum(sizes))
    frames: list[bytes | None] = []
    at = 0
    for index, size in enumerate(sizes):
        queue.put(said[at : at + size])
        at += size
        if index % every == 0:
            frames.append(queue.pull())
    frames += pulled(queue, sum(sizes) // FRAME + 4 * CUSHION)
    samples = np.frombuffer(heard(frames), "<i2")
    assert samples[samples != 0].tolist() == np.frombuffer(said[: len(said) & ~1], "<i2").tolist()
    assert len(queue) == len(said) & 1


@pytest.mark.parametrize("sizes", [(5001, 1001, 3), (5002, 1, 1), (5003, 0, 2), (5000, 1001, 0)])
def test_what_does_not_fit_is_lost_in_whole_samples(sizes: tuple[int, ...]) -> None:
    queue = SocketQueue(RATE)
    full = LIMIT_FRAMES * FRAME
    said = ramp(full + sum(sizes) + 2 * FRAME)
    at = 0
    for size in (1, full - 1 + sizes[0], *sizes[1:]):
        queue.put(said[at : at + size])
        at += size
        assert len(queue) <= full
    assert queue.lost == sum(sizes)
    frames = pulled(queue, LIMIT_FRAMES)
    queue.put(said[at:])
    frames += pulled(queue, 8)
    samples = np.frombuffer(heard(frames), "<i2")
    rest = said[at + (at & 1) :]
    expected = np.frombuffer(said[:full] + rest[: len(rest) & ~1], "<i2")
    assert samples[samples != 0].tolist() == expected.tolist()


def test_a_clear_forgets_half_a_lost_sample() -> None:
    queue = SocketQueue(RATE)
    queue.put(bytes(LIMIT_FRAMES * FRAME + 1))
    queue.clear()
    queue.put(ramp(2 * FRAME))
    assert heard(pulled(queue, 4)) == ramp(2 * FRAME)


def test_a_clear_is_silent_within_a_frame_and_does_not_click() -> None:
    queue = SocketQueue(RATE)
    queue.put(np.full(50 * 320, 8000, "<i2").tobytes())
    assert heard(pulled(queue, 3)) == np.full(960, 8000, "<i2").tobytes()
    queue.clear()
    last = queue.pull()
    assert last is not None and queue.pull() is None and len(queue) == 0
    samples = np.frombuffer(last, "<i2").astype(int)
    assert np.abs(np.diff(samples[:80])).max() < 150 and not samples[80:].any()


@pytest.mark.parametrize("octets", range(6))
def test_a_clear_just_before_the_end(octets: int) -> None:
    queue = SocketQueue(RATE)
    queue.put(ramp(2 * FRAME + octets))
    pulled(queue, 2)
    queue.clear()
    assert len(heard(pulled(queue, 4))) in (0, FRAME)


def test_what_is_said_after_a_clear_is_whole() -> None:
    queue = SocketQueue(RATE)
    queue.put(ramp(10 * FRAME + 1))
    pulled(queue, 3)
    queue.clear()
    queue.put(ramp(4 * FRAME, start=5000))
    frames = pulled(queue, 6)
    assert heard(frames[1:]) == ramp(4 * FRAME, start=5000)


def test_marks_come_back_in_order_when_all_before_them_was_heard() -> None:
    queue = SocketQueue(RATE)
    queue.mark(b"0")
    queue.put(ramp(2 * FRAME))
    queue.mark(b"1")
    queue.mark(b"2")
    queue.put(ramp(FRAME // 2))
    queue.mark(b"3")
    came = [queue.reached()]
    for _ in range(7):
        queue.pull()
        came.append(queue.reached())
    assert came == [[b"0"], [], [b"1", b"2"], [], [], [b"3"], [], []]


@pytest.mark.parametrize("octets", [1, 641, 1281])
def test_half_a_sample_holds_no_mark_back(octets: int) -> None:
    queue = SocketQueue(RATE)
    queue.put(ramp(octets))
    queue.mark(b"end")
    pulled(queue, 8)
    assert queue.reached() == [b"end"]


def test_a_clear_forgets_marks() -> None:
    queue = SocketQueue(RATE)
    for cleared in range(2):
        queue.put(ramp(5 * FRAME + 1))
        queue.mark(b"never")
        pulled(queue, cleared)
        queue.clear()
    queue.put(ramp(FRAME))
    queue.mark(b"end")
    pulled(queue, 6)
    assert queue.reached() == [b"end"]


def test_marks_that_wait_are_bounded() -> None:
    queue = SocketQueue(RATE)
    queue.put(ramp(4 * FRAME))
    taken = sum(queue.mark(b"x" * 1000) for _ in range(1000))
    assert 200 < taken < MARKS_MAX / 1000
    pulled(queue, 5)
    assert len(queue.reached()) == taken and queue.mark(b"x")


def in_time(queue: SocketQueue, said: bytes, ahead: int) -> list[bytes | None]:
    """A frame a tick, after the first ones at once."""
    queue.put(said[: ahead * FRAME])
    frames = []
    for at in range(ahead * FRAME, len(said), FRAME):
        queue.put(said[at : at + FRAME])
        frames.append(queue.pull())
    return frames


def with_pauses(seconds: int) -> bytes:
    """A tenth of each second is silent."""
    samples = np.frombuffer(ramp(seconds * 50 * FRAME), "<i2").copy().reshape(-1, 16_000)
    samples[:, :1600] = 150
    return samples.tobytes()


def test_what_is_heard_too_late_is_made_good_in_silence() -> None:
    queue, said = SocketQueue(RATE), with_pauses(12)
    frames = in_time(queue, said, ahead=20)
    assert len(queue) == FRAME and None not in frames
    samples = np.frombuffer(heard(frames) + bytes(queue._held), "<i2")
    voice = np.frombuffer(said, "<i2")
    assert samples[samples != 150].tolist() == voice[voice != 150].tolist()


def test_without_silence_nothing_is_left_out() -> None:
    queue, said = SocketQueue(RATE), ramp(600 * FRAME)
    frames = in_time(queue, said, ahead=20)
    assert len(queue) == 20 * FRAME
    assert heard(frames) == said[: 580 * FRAME]


@pytest.mark.parametrize("every", [10, 40, 600])
def test_what_is_said_ahead_of_time_keeps_its_silence(every: int) -> None:
    """In pieces that are longer than the time between them, by a twentieth at least."""
    queue, said = SocketQueue(RATE), with_pauses(12)
    frames, at = [], 0
    for tick in range(700):
        if tick % every == 0:
            size = (every + max(every // 20, 1)) * FRAME
            queue.put(said[at : at + size])
            at += size
        frames.append(queue.pull())
    assert heard(frames).rstrip(b"\0") == said


def test_a_mark_behind_silence_that_is_left_out_is_reached() -> None:
    queue = SocketQueue(RATE)
    in_time(queue, with_pauses(3), ahead=20)
    queue.mark(b"end")
    pulled(queue, 25)
    assert queue.reached() == [b"end"] and len(queue) == 0


STEP = st.one_of(
    st.integers(0, 3 * FRAME).map(lambda size: ("put", size)),
    st.just(("put", FRAME)), st.just(("pull", 1)), st.just(("pull", 200)), st.just(("clear", 0)),
    st.just(("mark", 0)), st.just(("put", LIMIT_FRAMES * FRAME - 1)),
    st.integers(90, 110).map(lambda ticks: ("in time", ticks)),
)  # fmt: skip


@given(steps=st.lists(STEP, max_size=30))
def test_whatever_is_done_it_stays_whole(steps: list[tuple[str, int]]) -> None:
    queue = SocketQueue(RATE)
    marks: list[bytes] = []
    for index, (step, size) in enumerate(steps):
        if step == "put":
            queue.put(bytes(size))
        elif step == "pull":
            assert {len(frame) for frame in pulled(queue, size) if frame} <= {FRAME}
        elif step == "in time":
            in_time(queue, bytes(size * FRAME), ahead=5)
        elif step == "clear":
            queue.clear()
            marks.clear()
        elif queue.mark(b"%d" % index):
            marks.append(b"%d" % index)
        assert len(queue) <= LIMIT_FRAMES * FRAME
    pulled(queue, LIMIT_FRAMES + 10)
    assert queue.reached()[-len(marks) :] == marks and len(queue) <= 1
