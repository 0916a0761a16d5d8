"""What one phone sends and hears, packet by packet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.media.g711 import Samples, alaw_decode, ulaw_decode, ulaw_encode
from tertulia.media.voice import Voice
from tertulia.phones.babble import RATE, babble
from tertulia.phones.callee import Line
from tertulia.phones.description import Agreed
from tertulia.phones.ear import HANGOVER, Audio, Ear, Heard, Key, Speaks
from tertulia.phones.impairment import INWARD, OUTWARD, Impairment
from tertulia.phones.mouth import FRAME, Mouth
from tertulia.phones.reporting import Reporting
from tertulia.protocols import rtcp
from tertulia.protocols.rtp import RtpPacket, read, write
from tertulia.protocols.telephone_event import events

CODECS = {0: "PCMU", 8: "PCMA"}
SSRC, START, FIRST = 0xAABBCCDD, 0xFFFF_FF00, 0xFFFE


def agreed(codec: str = "PCMU", *, direction: str = "sendrecv") -> Agreed:
    payload_type = 0 if codec == "PCMU" else 8
    return Agreed(("127.0.0.1", 4000), codec, payload_type, CODECS, 101, direction, False)


def mouth(codec: str = "PCMU") -> Mouth:
    made = Mouth(SSRC.to_bytes(4) + START.to_bytes(4) + FIRST.to_bytes(2))
    made.agree(agreed(codec))
    return made


def sent(mouth: Mouth, ticks: int) -> list[RtpPacket]:
    packets = [mouth.tick() for _ in range(ticks)]
    return [found for each in packets if each is not None and (found := read(each)) is not None]


def tone(seconds: float, hertz: float = 440, level: float = 8000) -> Samples:
    at = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * hertz * at) * level, np.int16)


def packet(number: int, samples: Samples, *, payload_type: int = 0) -> bytes:
    """Of a stream of frames, this one."""
    frame = samples[number * FRAME : (number + 1) * FRAME]
    payload = ulaw_encode(frame).tobytes()
    return write(RtpPacket(payload_type, number & 0xFFFF, number * FRAME, 7, payload))


def ear() -> Ear:
    made = Ear()
    made.agree(agreed())
    return made


def changes(heard: list[Heard]) -> list[Heard]:
    return [each for each in heard if not isinstance(each, Audio)]


# --- what is sent ---


def test_packets_follow_each_other_also_over_the_edge() -> None:
    packets = sent(mouth(), 4)
    assert [each.sequence for each in packets] == [0xFFFE, 0xFFFF, 0, 1]
    assert [each.timestamp for each in packets] == [START, START + FRAME, 64, 224]
    assert [each.marker for each in packets] == [True, False, False, False]
    assert {each.payload for each in packets} == {b"\xff" * FRAME}
    assert {(each.ssrc, each.payload_type) for each in packets} == {(SSRC, 0)}


@pytest.mark.parametrize(("codec", "decode"), [("PCMU", ulaw_decode), ("PCMA", alaw_decode)])
def test_a_sound_is_heard_whole_and_then_silence(codec: str, decode: type) -> None:
    speaker, sound = mouth(codec), tone(0.05)
    speaker.play(sound)
    packets = sent(speaker, 2)
    assert speaker.is_busy
    packets += sent(speaker, 1)
    assert not speaker.is_busy
    packets += sent(speaker, 1)
    octets = np.frombuffer(b"".join(each.payload for each in packets), np.uint8)
    heard = decode(octets)
    assert np.abs(heard[: len(sound)].astype(int) - sound).max() < 300
    assert np.abs(heard[len(sound) :]).max() <= 8


def test_a_sound_waits_for_somebody_to_hear_it() -> None:
    speaker = Mouth(bytes(10))
    speaker.play(tone(0.04))
    assert sent(speaker, 3) == []
    speaker.agree(agreed())
    assert len({each.payload for each in sent(speaker, 3)}) == 3


def test_a_sound_goes_on_in_another_codec() -> None:
    speaker = mouth("PCMU")
    speaker.play(tone(0.1))
    sent(speaker, 2)
    speaker.agree(agreed("PCMA"))
    third = sent(speaker, 1)[0]
    heard = alaw_decode(np.frombuffer(third.payload, np.uint8))
    assert np.abs(heard.astype(int) - tone(0.1)[320:480]).max() < 300


def test_hushed_is_silent() -> None:
    speaker = mouth()
    speaker.play(tone(1))
    speaker.hush()
    assert not speaker.is_busy
    assert sent(speaker, 1)[0].payload == b"\xff" * FRAME


def test_on_hold_nothing_is_sent_and_time_goes_on() -> None:
    speaker = mouth()
    speaker.agree(agreed(direction="recvonly"))
    assert sent(speaker, 5) == []
    speaker.agree(agreed())
    assert sent(speaker, 1)[0].timestamp == (START + 5 * FRAME) & 0xFFFF_FFFF


def test_keys_are_heard_as_they_were_pressed() -> None:
    speaker, listener = mouth(), ear()
    speaker.press(events("1#p9", RATE))
    heard: list[Heard] = []
    for tick in range(200):
        data = speaker.tick()
        assert data is not None
        heard += listener.receive(data, tick * 0.02)
    assert [each.digit for each in heard if isinstance(each, Key)] == ["1", "#", "9"]
    assert not speaker.is_busy


def test_an_echo_gives_back_what_came_at_once() -> None:
    speaker = mouth()
    sent(speaker, 2)
    speaker.echo(True)
    assert speaker.tick() is None
    given = [speaker.echoed(0, 5000 + n * FRAME, bytes([n]) * FRAME) for n in range(3)]
    packets = [read(each) for each in given if each is not None]
    assert [each.payload[0] for each in packets if each] == [0, 1, 2]
    assert [each.timestamp for each in packets if each] == [64, 224, 384]
    assert [each.sequence for each in packets if each] == [0, 1, 2]
    speaker.echo(False)
    assert sent(speaker, 1)[0].timestamp == 544
    assert speaker.echoed(0, 0, b"x") is None


# --- what is heard ---


def test_speech_is_told_when_it_begins_and_ends() -> None:
    listener, sound = ear(), babble("Hello, this is Robin.")
    told: list[Heard] = []
    for number in range(len(sound) // FRAME):
        told += changes(listener.receive(packet(number, sound), number * 0.02))
    assert [each.on for each in told if isinstance(each, Speaks)] == [True]
    end = len(sound) / RATE
    assert changes(listener.poll(end)) == []
    over = listener.poll(end + HANGOVER)
    assert len(over) == 1 and isinstance(over[0], Speaks) and not over[0].on
    assert end - 0.4 < over[0].since < end


def test_a_click_and_a_quiet_line_are_no_speech() -> None:
    listener = ear()
    noise = np.random.default_rng(1).normal(0, 40, RATE).astype(np.int16)
    noise[800:1120] = 12000
    told = [changes(listener.receive(packet(n, noise), n * 0.02)) for n in range(50)]
    assert not any(told)


def test_speech_is_found_on_a_bad_line() -> None:
    listener, sound = ear(), babble("A somewhat longer sentence, as people say them.")
    line = Impairment(Line(loss=20, jitter=80, seed=3), INWARD)
    told: list[Heard] = []
    for number in range(len(sound) // FRAME):
        if (when := line.arrival(number * 0.02)) is not None:
            told += changes(listener.receive(packet(number, sound), when))
    assert told and isinstance(told[0], Speaks) and told[0].on


def test_a_recording_is_laid_out_in_time() -> None:
    listener, sound = ear(), tone(0.2)
    listener.record(0.2)
    for number in (0, 3, 2, 2, 6, 9, 12):  # 12 is after its end
        listener.receive(packet(number, tone(0.3)), 0.0)
    heard = listener.recorded()
    assert heard is not None and len(heard) == len(sound)
    frames, meant = heard.reshape(-1, FRAME).astype(int), sound.reshape(-1, FRAME)
    for number in range(10):
        expected = meant[number] if number in {0, 2, 3, 6, 9} else 0
        assert np.abs(frames[number] - expected).max() < 300
    assert listener.recorded() is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x00", packet(0, tone(0.1), payload_type=18), b"\x80\x00" + bytes(10)],
)
def test_what_is_no_packet_of_this_call_is_dropped(data: bytes) -> None:
    listener = ear()
    assert listener.receive(data, 0.0) == []
    assert listener.dropped == 1


@settings(max_examples=100)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x80\x00", b"\x80\x65", b"\x90\x08"]))
def test_nothing_that_comes_does_harm(data: bytes, head: bytes) -> None:
    listener = ear()
    listener.record(0.1)
    listener.receive(head + data, 0.0)
    listener.poll(1.0)


def test_loss_is_counted_and_reported() -> None:
    listener, speaker = ear(), mouth()
    for number in (*range(10), *range(12, 20)):
        listener.receive(packet(number, tone(0.4)), number * 0.02)
    sent(speaker, 3)
    reporting = Reporting(listener, speaker, lambda: 1_700_000_000.0)
    assert reporting.tick(0.0) is None
    report = reporting.tick(2.0)
    assert report is not None
    items = rtcp.read(report) or []
    assert isinstance(items[0], rtcp.SenderReport)
    block = items[0].blocks[0]
    assert (block.ssrc, block.lost, block.highest) == (7, 2, 19)
    assert items[0].sent.packets == 3
    assert reporting.tick(3.0) is None


# --- the line ---


def test_a_bad_line_loses_and_delays_as_told_and_always_alike() -> None:
    line = Line(loss=5, jitter=40, delay=10, seed=8)
    ways = [Impairment(line, way) for way in (OUTWARD, OUTWARD, INWARD)]
    first, again, back = (
        [way.arrival(n * 0.02) for n in range(5000)] for way in ways
    )  # fmt: skip
    assert first == again != back
    lost = sum(each is None for each in first)
    assert 200 < lost < 300
    late = [each - n * 0.02 for n, each in enumerate(first) if each is not None]
    assert 0.01 <= min(late) and max(late) <= 0.0501
    arrived = [each for each in first if each is not None]
    assert arrived == sorted(arrived)


def test_a_good_line_does_nothing() -> None:
    assert Line().is_good
    assert not Line(loss=1).is_good


# --- babble ---


def test_babble_is_taken_for_speech_and_always_alike() -> None:
    text = "Hello, you have reached nobody. Please leave a message."
    sound = babble(text)
    assert np.array_equal(sound, babble(text))
    assert 2.5 < len(sound) / RATE < 6
    detector = Voice(-40)
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    assert np.mean([detector.is_in(each) for each in frames]) > 0.5


@given(st.text(max_size=40))
@settings(max_examples=30)
def test_babble_says_anything(text: str) -> None:
    assert np.abs(babble(text)).max() > 1000
