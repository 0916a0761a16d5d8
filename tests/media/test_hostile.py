"""What strangers and ill-behaved legs send: the others hear nothing of it, and nothing raises."""

from random import Random

import numpy as np
import pytest
from tests.media.engine_world import Phone, World, world

from tertulia.media import tones
from tertulia.media.g711 import ulaw_encode
from tertulia.media.sending import HEADER
from tertulia.model.commands import Close, Closed, Digit, Hearing, Join, Plain, Speaking
from tertulia.protocols import rtp
from tertulia.protocols.rtp import RtpPacket

TONE = 440.0
OPUS_20_MS = b"\x48"
"""First octet of a packet of Opus."""
TYPES = {"opus": 111, "PCMU": 0, "PCMA": 8}


def call(at: World) -> Phone:
    """Two legs, of which the second hears the first. Returns it."""
    at.phone("a", TONE)
    listener = at.phone("b")
    at.obey(Join("a", "room"), Join("b", "room"))
    return listener


def opus_leg(at: World, name: str = "x", codec: str = "opus") -> int:
    """The key of the address of a leg of which each test sends by itself."""
    number = len(at.engine.legs) + 1
    at.obey(Plain(name, f"10.9.0.{number}", 4000, codec, TYPES[codec], 101))
    at.engine.bank.level_id[at.engine.legs.named[name].slot] = 1
    return at.port.key((f"10.9.0.{number}", 4000))


def undisturbed(listener: Phone, frames: int) -> bool:
    heard = np.concatenate(listener.heard[-frames:])
    times = np.arange(len(heard)) * 2 * np.pi * TONE / 8000
    waves = np.stack([np.sin(times), np.cos(times)], axis=1)
    fitted = waves @ np.linalg.lstsq(waves, heard.astype(float), rcond=None)[0]
    return bool(np.abs(heard - fitted).max() < 200)


def test_long_packets_beside_long_extensions() -> None:
    with world() as at:
        listener, key = call(at), opus_leg(at)
        at.tick(10)
        long = rtp.write(RtpPacket(111, 1, 960, 5, OPUS_20_MS + bytes(1270)))
        extended = (
            rtp.write(RtpPacket(111, 2, 1920, 5, b""))
            + b"\xbe\xde\x00\x50"
            + bytes(320)
            + OPUS_20_MS
        )
        at.port.waiting.append((long, key))
        at.port.waiting.append((bytes((extended[0] | 0x10,)) + extended[1:], key))
        at.tick(30)
        assert undisturbed(listener, 30)
        assert at.engine.bank.traffic.packets_in[at.engine.legs.named["x"].slot] == 2


class Mutator:
    """A sender of whatever looks like RTP."""

    def __init__(self, random: Random, payload_type: int) -> None:
        self.random, self.payload_type = random, payload_type
        self.sequence = self.timestamp = 0

    def packet(self) -> bytes:
        random = self.random
        steps = (160, 160, 960, 960, 320, 80, 240, 0, -1600, 7, 1 << 31, random.getrandbits(32))
        self.sequence = (self.sequence + random.choice((1, 1, 1, 2, -1, 0, 40_000))) & 0xFFFF
        self.timestamp = (self.timestamp + random.choice(steps)) & 0xFFFF_FFFF
        first = 0x80 | random.choice((0, 0, 0, 0, 0x10, 0x20, 0x3F, random.getrandbits(6)))
        kind = random.choice((self.payload_type,) * 6 + (101, random.getrandbits(7)))
        head = (
            bytes((first, kind)) + self.sequence.to_bytes(2, "big")
            + self.timestamp.to_bytes(4, "big") + bytes((0, 0, 0, random.choice((1, 1, 1, 1, 2))))
        )  # fmt: skip
        words = random.choice((0, 1, 2, 80, 65_535))
        extension = b"\xbe\xde" + words.to_bytes(2, "big") + b"\x10" + random.randbytes(4 * words)
        sizes = (0, 1, 4, 60, 80, 160, 160, 240, 960, 1280, 1400)
        payload = random.randbytes(random.choice(sizes))
        return (head + (extension[: 4 + 4 * min(words, 80)] if first & 16 else b"") + payload)[
            :1536
        ]

    def other(self) -> bytes:
        first = self.random.choice((0, 1, 22, 23, 64, 0x80, 0xFF))
        second = self.random.choice((0, 1, 200, 201, 203))
        size = self.random.choice((0, 1, 20, 100, 1400))
        return (bytes((first, second)) + self.random.randbytes(size))[: size + 1]


@pytest.mark.parametrize("codec", ["opus", "PCMU", "PCMA"])
@pytest.mark.parametrize("seed", [1, 2])
def test_anything_from_the_address_of_a_leg_and_from_strangers(codec: str, seed: int) -> None:
    random = Random(seed)
    with world() as at:
        listener = call(at)
        keys = [opus_leg(at, f"x{index}", codec) for index in range(3)]
        at.obey(*(Join(f"x{index}", f"other{index // 2}") for index in range(3)))
        senders = [Mutator(random, TYPES[codec]) for _ in keys]
        at.tick(10)
        for tick in range(250):
            for sender, key in zip(senders, keys, strict=True):
                for _ in range(random.choice((0, 1, 1, 2, 5))):
                    at.port.waiting.append((sender.packet(), key))
                at.port.waiting.append((sender.other(), random.choice((key, 99_999))))
            if tick % 40 == 0:
                muted, earmuffed = random.random() < 0.5, random.random() < 0.5
                at.obey(Hearing(f"x{tick // 40 % 3}", muted, earmuffed))
            at.tick()
        assert undisturbed(listener, 250)


@pytest.mark.parametrize("kind", ["audio", "checks", "control", "keys"])
def test_a_leg_that_floods_us_has_no_more_than_its_share(kind: str) -> None:
    packets = {
        "audio": b"\x80\x6f" + bytes(60),
        "checks": b"\x00\x01" + bytes(60),
        "control": b"\x80\xc8" + bytes(60),
        "keys": b"\x80\x65" + bytes(60),
    }
    with world() as at:
        listener, key = call(at), opus_leg(at)
        at.tick(10)
        refused = at.engine.legs.arrivals.counts.refused
        for _ in range(10):
            at.port.waiting.extend([(packets[kind], key)] * 3000)
            at.tick()
        assert at.engine.legs.arrivals.counts.refused - refused > 10 * 2000
        assert undisturbed(listener, 10)


def test_odd_packets_may_come_exactly_as_late_as_the_stream_may_jump() -> None:
    with world() as at:
        talker = at.phone("a", TONE)
        at.obey(Join("a", "room"))
        talker.by_hand = True
        packets = [talker.packet(240) for _ in range(30)]
        for packet in packets[:20]:
            talker.send(packet)
            at.tick(2)
        expected = (20 * 240) - 10 * 160
        again = bytearray(packets[0])
        again[4:8] = ((int.from_bytes(packets[0][4:8]) + expected) & 0xFFFF_FFFF).to_bytes(4)
        talker.send(bytes(again))
        at.tick(2)


def test_odd_packets_are_heard_again_after_any_jump() -> None:
    with world() as at:
        talker, listener = at.phone("a", TONE), at.phone("b")
        at.obey(Join("a", "room"), Join("b", "room"))
        talker.by_hand = True
        for tick in range(200):
            if tick == 80:
                talker.timestamp = (talker.timestamp + 12_345) & 0xFFFF_FFFF
            if tick % 3 != 2:
                talker.send(talker.packet(240))
            at.tick()
        assert listener.level(TONE, 50) > 7900


def test_a_leg_inherits_nothing_of_the_one_that_had_its_slot() -> None:
    with world() as at:
        first = at.phone("a", TONE)
        at.obey(Join("a", "room"))
        at.tick(50)
        first.by_hand = True
        packets = [first.packet() for _ in range(30)]
        for packet in packets[20:]:
            first.send(packet)
            at.tick()
        at.tick(5)
        for packet in packets[:20]:
            first.send(packet)
        at.tick()
        at.obey(Close("a"))
        at.phones.clear()
        at.phone("b", TONE)
        at.tick(50)
        at.obey(Close("b"))
        worse, account = (
            report.account for report in at.heard(Closed) if isinstance(report, Closed)
        )
        assert worse is not None and worse.jitter_loss > 0
        assert account is not None
        assert (account.packets_lost, account.jitter_loss, account.flaws) == (0, 0, 0)
        assert account.mos > 4.3


def test_a_muted_leg_is_not_heard_but_its_keys_are() -> None:
    """Also those that come as tones; it is not taken for speaking."""
    with world() as at:
        talker, listener = at.phone("a", dtmf=False), at.phone("b")
        at.obey(Join("a", "room"), Join("b", "room"), Hearing("a", muted=True))
        at.tick(10)
        talker.by_hand = True
        for frame in tones.digit("5").samples(0, 800, 8000).reshape(5, 160):
            template = talker.packet()
            talker.send(template[:HEADER] + ulaw_encode(frame).tobytes())
            at.tick()
        talker.by_hand, talker.hertz, talker.sings = False, 150.0, True
        at.tick(50)
        assert [report.digit for report in at.heard(Digit) if isinstance(report, Digit)] == ["5"]
        assert listener.loudness(60) == 0
        assert not at.heard(Speaking)


def test_an_engine_that_missed_time_takes_no_delay_from_it() -> None:
    with world() as at:
        listener = call(at)
        at.tick(50)
        for _ in range(25):
            for phone in at.phones:
                phone.speak()
        at.engine.skip(25)
        at.tick(50)
        assert undisturbed(listener, 40)
        assert 0 < at.engine.bank.jitter.latest[0] <= 20
        assert at.engine.bank.jitter.late.sum() == 0


def test_a_room_never_goes_on_with_the_encoder_of_another() -> None:
    with world() as at:
        for name in ("a", "b"):
            opus_leg(at, name)
        at.obey(Join("a", "first"))
        before = at.engine.rooms.numbers
        at.obey(Join("a", "second"))
        assert not before & at.engine.rooms.numbers


def test_who_said_to_be_silent_once_is_heard_when_it_says_so_no_longer() -> None:
    with world() as at:
        listener = call(at)
        talker = at.phones[0]
        at.engine.bank.level_id[0] = 1
        talker.by_hand = True
        packet = talker.packet()
        silent = bytes((packet[0] | 0x10,)) + packet[1:HEADER] + b"\xbe\xde\0\1\x10\x7f\0\0"
        talker.send(silent + packet[HEADER:])
        at.tick()
        talker.by_hand = False
        at.tick(60)
        assert listener.level(TONE, 40) > 7900
