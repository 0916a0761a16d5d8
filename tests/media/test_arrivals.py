"""Packets that are strange, hostile, lossy or of another shape than usual, through the engine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.engine_world import Phone, World, amplitude, world

from tertulia.media.g711 import ulaw_encode
from tertulia.media.opus import OpusEncoder
from tertulia.model.commands import Close, Closed, Join, Plain
from tertulia.protocols import rtp

LOUD = 6000.0


def talking(at: World) -> tuple[Phone, Phone]:
    a, b = at.phone("a", 400), at.phone("b")
    at.obey(Join("a", "room"), Join("b", "room"))
    at.tick(30)
    return a, b


def account(at: World, name: str) -> Closed:
    at.obey(Close(name))
    closed = at.reports[-1]
    assert isinstance(closed, Closed) and closed.account is not None
    return closed


def test_strangers_are_dropped_and_counted() -> None:
    with world() as at:
        a, b = talking(at)
        stranger = at.port.key(("10.66.0.1", 4000))
        for data in (a.packet(), b"", b"\x00" * 20, b"\x16\xfe\xfd", b"\xff" * 300):
            at.port.waiting.append((data, stranger))
        at.tick(5)
        assert at.engine.legs.arrivals.counts.strangers == 5
        assert b.level(400) > LOUD


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=64),
                st.binary(max_size=1600).map(lambda data: b"\x80\x00" + data),
                st.binary(max_size=64).map(lambda data: b"\x90\x6f" + data),
                st.binary(max_size=64).map(lambda data: b"\xbf\x65" + data),
                st.binary(max_size=64).map(lambda data: b"\x81\xc8" + data),
                st.binary(max_size=64).map(lambda data: b"\x00\x01\x00\x00\x21\x12\xa4\x42" + data),
            ),
            st.integers(0, 2),
        ),
        max_size=20,
    )
)
def test_no_octets_raise(packets: list[tuple[bytes, int]]) -> None:
    with world() as at:
        hosts = ("10.0.0.1", "10.0.0.2", "10.9.0.9")
        at.obey(
            Plain("g711", hosts[0], 4000, "PCMU", 0, 101),
            Plain("opus", hosts[1], 4000, "opus", 111, 101),
            Join("g711", "room"),
            Join("opus", "room"),
        )
        at.engine.bank.level_id[:2] = 1
        for data, sender in packets:
            at.port.waiting.append((data, at.port.key((hosts[sender], 4000))))
            if len(at.port.waiting) > 5:
                at.tick()
        at.tick(3)


def test_padding_sources_and_extensions_are_understood() -> None:
    with world() as at:
        a, b = talking(at)
        a.by_hand = True
        for _ in range(30):
            packet = rtp.read(a.packet())
            assert packet is not None
            data = rtp.write(packet._replace(sources=(1, 2), extensions=((3, b"ab"), (4, b"c"))))
            a.send(bytes((data[0] | 0x20,)) + data[1:] + b"\0\0\0\x04")
            at.tick()
        assert b.level(400, 20) > LOUD
        assert at.engine.legs.arrivals.counts.refused == 0


def test_a_leg_that_says_that_it_is_silent_is_not_decoded() -> None:
    with world() as at:
        a, b = talking(at)
        at.engine.bank.level_id[at.engine.legs.named["a"].slot] = 1
        a.by_hand = True
        for decibels, decoded in ((127, False), (20, True)):
            before = 0
            for turn in range(40):
                packet = rtp.read(a.packet())
                assert packet is not None
                level = rtp.level_extension(1, False, decibels)
                a.send(rtp.write(packet._replace(extensions=(level,))))
                b.silent = True
                if turn == 10:
                    before = at.engine.voices.decoded
                at.tick()
            assert (at.engine.voices.decoded > before) is decoded
            assert (b.level(400, 20) > LOUD) is decoded


@pytest.mark.parametrize("samples", [80, 240, 480, 40])
def test_packets_of_other_lengths(samples: int) -> None:
    with world() as at:
        a, b = talking(at)
        a.by_hand = True
        backlog = 0
        for _ in range(60):
            at.now = at.engine.next_tick - 0.008
            backlog += 160
            while backlog >= samples:
                a.send(a.packet(samples))
                backlog -= samples
            at.tick()
        assert b.level(400, 20) > LOUD * 0.9


@pytest.mark.parametrize("milliseconds", [10, 40, 60])
def test_packets_of_opus_of_other_lengths(milliseconds: int) -> None:
    with world() as at:
        b = at.phone("b")
        key = at.port.key(("10.7.0.1", 4000))
        at.obey(Plain("o", "10.7.0.1", 4000, "opus", 111), Join("o", "room"), Join("b", "room"))
        encoder, samples = OpusEncoder(16_000), 16 * milliseconds
        spoken = sequence = 0
        for tick in range(80):
            while spoken < tick * 320:
                tone = np.sin(2 * np.pi * 600 * (spoken + np.arange(samples)) / 16_000) * 8000
                payload = encoder.encode(tone.astype(np.int16))
                packet = rtp.RtpPacket(111, sequence, spoken * 3, 7, payload)
                at.port.waiting.append((rtp.write(packet), key))
                spoken, sequence = spoken + samples, sequence + 1
            at.tick()
        assert amplitude(np.concatenate(b.heard[-25:]), 600) > LOUD * 0.8


def test_loss_reordering_and_doubles_are_heard_through() -> None:
    with world() as at:
        a, b = talking(at)
        a.by_hand = True
        dice = np.random.default_rng(5)
        held: list[bytes] = []
        lost = 0
        for _ in range(200):
            packet = a.packet()
            chance = dice.random()
            if chance < 0.05:
                lost += 1
            elif chance < 0.15:
                held.append(packet)
            else:
                a.send(packet)
                if chance > 0.9:
                    a.send(packet)
                for late in held:
                    a.send(late)
                held.clear()
            at.tick()
        assert b.level(400, 100) > LOUD * 0.8
        found = account(at, "a").account
        assert found is not None
        # Doubles hide losses from the counts of RFC 3550, by its own rules.
        assert found.flaws >= lost * 0.8 and 1 < found.mos < 4.4


def test_a_new_source_is_a_new_stream() -> None:
    with world() as at:
        a, b = talking(at)
        a.ssrc, a.sequence, a.timestamp = 99, 5, 77
        at.tick(30)
        assert b.level(400) > LOUD
        found = account(at, "a").account
        assert found is not None and found.packets_lost == 0 and found.packets_in == 60


def test_a_stall_of_the_engine_leaves_frames_out() -> None:
    with world() as at:
        a, b = talking(at)
        heard = len(b.heard)
        for _ in range(25):
            a.speak()
        at.engine.skip(25)
        at.tick(1)
        assert len(b.heard) == heard + 1
        at.tick(30)
        assert b.level(400) > LOUD
        slot = at.engine.legs.named["a"].slot
        assert at.engine.bank.jitter.earliest[slot] < 60


def test_a_silent_frame_of_g711_costs_nobody_an_encoder() -> None:
    with world() as at:
        a, b = talking(at)
        a.hertz = None
        at.tick(40)
        assert not at.engine.voices.sounds.any()
        assert b.loudness(5) == 0
        assert ulaw_encode(np.zeros(1, np.int16))[0] == 0xFF


def test_jitter_of_forty_milliseconds_and_loss_are_heard_through() -> None:
    with world() as at:
        a, b = talking(at)
        a.by_hand = True
        dice = np.random.default_rng(7)
        coming: list[tuple[float, bytes]] = []
        for turn in range(500):
            tick = at.engine.next_tick
            if dice.random() >= 0.05:
                coming.append((tick - 0.008 + dice.random() * 0.04, a.packet()))
            else:
                a.packet()
            for when, packet in [each for each in coming if each[0] < tick]:
                at.now = max(at.now, when)
                a.send(packet)
                at.engine.receive()
            coming = [each for each in coming if each[0] >= tick]
            at.now = tick
            at.engine.tick()
            b.listen()
            if turn == 250:
                late = int(at.engine.bank.jitter.late.sum())
        assert b.level(400, 200) > LOUD * 0.8
        assert int(at.engine.bank.jitter.late.sum()) - late <= 5
        slot = at.engine.legs.named["a"].slot
        assert at.engine.bank.jitter.earliest[slot] <= 100


def test_a_flood_of_checks_is_cut_short() -> None:
    with world() as at:
        check = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
        at.port.waiting.extend((check, at.port.key((f"10.66.{n}.1", 5))) for n in range(200))
        at.engine.receive()
        assert at.engine.legs.arrivals.counts.strangers == 200
