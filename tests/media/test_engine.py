"""What legs hear of each other, through an engine without network or clock."""

import numpy as np
import pytest
from tests.media.engine_world import Phone, World, world

from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.model.commands import (
    Close,
    Closed,
    Digit,
    Down,
    Echo,
    Hearing,
    Join,
    Leave,
    Levels,
    Opened,
    Plain,
    Press,
    Refused,
    Speaking,
    Up,
    Watch,
)
from tertulia.protocols import rtp
from tertulia.protocols.telephone_event import EventReceiver, Pressed, events

HERTZ = (400.0, 600.0, 850.0, 1150.0, 1500.0, 1900.0)
LOUD, DOWN = 6000.0, 8.0
"""A tone of 8000 that is heard, and one that is 60 dB down."""


def settled(at: World, phones: list[Phone], room: str = "room") -> None:
    at.obey(*(Join(phone.name, room) for phone in phones))
    at.tick(50)


def test_two_legs_hear_each_other_and_not_themselves() -> None:
    with world() as at:
        a, b = at.phone("a", 400), at.phone("b", 1000)
        settled(at, [a, b])
        assert a.level(1000) > LOUD and b.level(400) > LOUD
        assert a.level(400) < DOWN and b.level(1000) < DOWN
        assert [type(report) for report in at.reports[:2]] == [Opened, Up]


def test_a_matrix_of_who_hears_whom() -> None:
    """Six legs with lists, a mute and an earmuff: each cell by its tone.

    What is left where nobody is heard is the noise of µ-law; test_mixing.py shows the mix itself.
    """
    with world() as at:
        phones = [at.phone(f"l{index}", hertz) for index, hertz in enumerate(HERTZ)]
        for phone in phones:
            phone.volume = 3000.0  # so that the sum needs no limiter
        at.obey(
            Hearing("l0", can_hear=["l1", "l2"]),
            Hearing("l1", can_speak=["l0", "l5"]),
            Hearing("l2", muted=True),
            Hearing("l3", earmuffed=True),
            Hearing("l4", can_hear=[]),
        )
        settled(at, phones)
        heard = {
            0: {1},
            1: {0, 3, 4, 5},
            2: {0, 3, 4, 5},
            3: set(),
            4: set(),
            5: {0, 1, 3, 4},
        }
        for hearer, phone in enumerate(phones):
            for speaker, hertz in enumerate(HERTZ):
                level = phone.level(hertz)
                assert (level > 2500) if speaker in heard[hearer] else (level < 20), (
                    hearer, speaker, level,
                )  # fmt: skip


def test_a_muted_leg_is_not_decoded() -> None:
    with world() as at:
        a, b = at.phone("a", 400), at.phone("b")
        b.silent = True
        settled(at, [a, b])
        at.obey(Hearing("a", muted=True))
        at.tick(2)
        decoded = at.engine.voices.decoded
        at.tick(30)
        assert at.engine.voices.decoded == decoded
        assert b.loudness() == 0
        at.obey(Hearing("a"))
        at.tick(40)
        assert b.level(400) > LOUD


def test_muting_and_unmuting_do_not_click() -> None:
    """No step between samples is larger than the tone's own."""
    with world() as at:
        a, b = at.phone("a", 400), at.phone("b")
        settled(at, [a, b])
        for muted in (True, False, True, False):
            at.obey(Hearing("a", muted=muted))
            at.tick(10)
        heard = np.concatenate(b.heard[-40:]).astype(int)
        own_step = 8000 * 2 * np.pi * 400 / 8000
        assert np.abs(np.diff(heard)).max() < own_step * 1.2


def test_an_earmuffed_leg_and_one_alone_are_sent_silence() -> None:
    with world() as at:
        a, b, c = at.phone("a", 400), at.phone("b", 1000), at.phone("c", 700)
        at.obey(Hearing("a", earmuffed=True))
        settled(at, [a, b])
        settled(at, [c], "other")
        for phone in (a, c):
            assert len(phone.packets) >= 50
            assert phone.loudness(50) == 0


def test_rtp_goes_on_without_a_gap() -> None:
    with world() as at:
        a = at.phone("a")
        settled(at, [a])
        steps = np.diff([packet.sequence for packet in a.packets]) & 0xFFFF
        ticks = np.diff([packet.timestamp for packet in a.packets]) & 0xFFFF_FFFF
        assert set(steps.tolist()) == {1} and set(ticks.tolist()) == {160}
        assert len({packet.ssrc for packet in a.packets}) == 1


def test_joining_leaving_and_moving_between_rooms() -> None:
    with world() as at:
        a, b, c = at.phone("a", 400), at.phone("b", 1000), at.phone("c", 1500)
        settled(at, [a, b], "one")
        settled(at, [c], "two")
        assert a.level(1000) > LOUD and a.level(1500) < DOWN
        at.obey(Join("a", "two"))
        at.tick(30)
        assert a.level(1500) > LOUD and a.level(1000) < DOWN and b.loudness() == 0
        at.obey(Leave("a"))
        at.tick(30)
        assert a.loudness() == 0 and c.loudness() == 0
        assert len(at.engine.rooms) == 2
        at.obey(Leave("b"), Leave("c"), Join("nobody", "one"))
        assert len(at.engine.rooms) == 0


def test_an_echo_says_later_what_it_hears() -> None:
    with world() as at:
        a = at.phone("a", 400)
        at.obey(Echo("echo", 200), Join("echo", "room"))
        at.obey(Join("a", "room"))
        at.tick(8)
        assert a.loudness(8) == 0
        at.tick(60)
        assert a.level(400) > LOUD
        a.hertz = None
        at.tick(60)
        assert a.loudness(10) == 0


@pytest.mark.parametrize("hertz", [400.0, 1900.0])
def test_opus_and_g711_hear_each_other(hertz: float) -> None:
    """The room is at 16 kHz as soon as one leg is; the filters leave the tone as it is."""
    with world() as at:
        a, b = at.phone("a", hertz), at.phone("b")
        at.obey(Plain("wide", "10.9.9.9", 4000, "opus", 111), Join("wide", "room"))
        settled(at, [a, b])
        assert at.engine.bank.wide[at.engine.legs.named["a"].slot]
        assert b.level(hertz) > LOUD
        opus = at.port.sent[at.port.key(("10.9.9.9", 4000))]
        packets = [rtp.read(data) for data in opus]
        assert {packet.payload_type for packet in packets if packet} == {111}
        assert min(len(packet.payload) for packet in packets[-10:] if packet) > 20


def test_keys_are_sent_as_events() -> None:
    with world() as at:
        a = at.phone("a")
        settled(at, [a])
        at.obey(Press("a", "1p#"), Press("a", "x"))
        at.tick(90)
        receiver = EventReceiver()
        found: list[Pressed] = []
        for packet in a.packets:
            if packet.payload_type == 101:
                found += receiver.receive(
                    packet.payload, 8000, packet.timestamp, packet.marker, 0.0
                )
        assert [pressed.digit for pressed in found] == ["1", "#"]
        sequences = [packet.sequence for packet in a.packets]
        assert set((np.diff(sequences) & 0xFFFF).tolist()) == {1}


def test_keys_are_sent_as_tones_to_those_without_events() -> None:
    with world() as at:
        a, b = at.phone("a", dtmf=False), at.phone("b")
        settled(at, [a, b])
        at.obey(Press("a", "5"))
        at.tick(6)
        assert a.level(770, 3) > 1000 and a.level(1336, 3) > 1000
        at.tick(20)
        assert a.loudness(5) == 0 and b.loudness(25) == 0


def test_each_key_that_is_pressed_is_told_once() -> None:
    with world() as at:
        a = at.phone("a")
        settled(at, [a])
        start = a.timestamp
        for packet in events("42", 8000):
            if packet is not None:
                a.sequence = (a.sequence + 1) & 0xFFFF
                stamp = (start + packet.timestamp) & 0xFFFF_FFFF
                data = rtp.write(
                    rtp.RtpPacket(101, a.sequence, stamp, a.ssrc, packet.payload, packet.marker)
                )
                a.send(data)
            at.tick()
        assert [digit.digit for digit in at.heard(Digit) if isinstance(digit, Digit)] == ["4", "2"]
        at.obey(Close("a"))
        (closed,) = at.heard(Closed)
        assert isinstance(closed, Closed) and closed.account is not None
        assert closed.account.packets_lost == 0 and closed.account.flaws == 0


def test_keys_as_tones_are_told_of_legs_without_events() -> None:
    with world() as at:
        a = at.phone("a", 770, dtmf=False)
        second = Phone(at, "unused", 200, 1336)
        settled(at, [a])
        for down in (True, False):
            a.hertz = 770 if down else None
            for _ in range(6):
                at.now = at.engine.next_tick - 0.008
                if down:
                    _press_tone(a, second)
                else:
                    a.speak()
                at.engine.receive()
                at.now = at.engine.next_tick
                at.engine.tick()
        digits = [report.digit for report in at.heard(Digit) if isinstance(report, Digit)]
        assert digits == ["5"]


def _press_tone(a: Phone, second: Phone) -> None:
    from_low, from_high = rtp.read(a.packet()), rtp.read(second.packet())
    assert from_low is not None and from_high is not None
    low, high = (
        ulaw_decode(np.frombuffer(packet.payload, np.uint8)) // 2
        for packet in (from_low, from_high)
    )
    a.send(rtp.write(from_low._replace(payload=ulaw_encode(low + high).tobytes())))


def test_speaking_begins_and_ends_also_when_the_network_is_cut() -> None:
    with world() as at:
        a = at.phone("a")
        settled(at, [a])
        a.hertz, a.sings = 130, True
        at.tick(20)
        a.silent = True
        at.tick(45)
        told = [report.on for report in at.heard(Speaking) if isinstance(report, Speaking)]
        assert told == [True, False]


def test_levels_are_told_while_somebody_watches() -> None:
    with world() as at:
        a, b = at.phone("a", 400), at.phone("b")
        at.obey(Watch("room", True))
        settled(at, [a, b])
        levels = [report for report in at.heard(Levels) if isinstance(report, Levels)]
        assert len(levels) == 10
        assert levels[-1].legs["a"] > -20 and levels[-1].legs["b"] == -100
        at.obey(Watch("room", False))
        at.tick(20)
        assert len(at.heard(Levels)) == 10


def test_a_meter_shows_the_shortest_beep() -> None:
    """A microphone may beep once a second for 20 ms: between two reports, and always there."""
    with world() as at:
        a = at.phone("a", 400)
        settled(at, [a])
        at.obey(Watch("room", True))
        for _ in range(10):
            a.hertz = 400
            at.tick(1)
            a.hertz = None
            at.tick(9)
        loud = [each for each in at.heard(Levels) if isinstance(each, Levels)]
        assert sum(each.legs["a"] > -20 for each in loud) >= 10
        assert any(each.legs["a"] < -60 for each in loud), "a peak is of its time only"


def test_commands_about_nothing_are_answered_or_ignored() -> None:
    with world(capacity=1) as at:
        at.phone("a")
        at.obey(
            Plain("b", "10.1.1.1", 4000, "PCMU", 0),
            Plain("a", "10.1.1.1", 4000, "G729", 18),
            Plain("a", "no address", 4000, "PCMU", 0),
            Plain("a", "10.1.1.1", 70_000, "PCMU", 0),
            Close("c"),
            Press("c", "1"),
            Hearing("c"),
            Leave("c"),
        )
        assert [type(report) for report in at.reports] == [Opened, Up, *[Refused] * 4, Closed]


def test_a_leg_that_vanishes_is_down_and_comes_back() -> None:
    with world() as at:
        a = at.phone("a", 400)
        settled(at, [a])
        a.silent = True
        at.tick(1800)
        assert [report.reason for report in at.heard(Down) if isinstance(report, Down)] == [
            "timeout"
        ]
        at.obey(Close("a"))
        assert isinstance(at.reports[-1], Closed)


def test_a_thousand_legs_come_and_go_and_leave_nothing() -> None:
    with world(capacity=8) as at:
        engine = at.engine
        for turn in range(1000):
            name = f"l{turn}"
            at.obey(
                Plain(name, "10.2.0.1", 4000 + turn % 7, "opus" if turn % 2 else "PCMU", 96),
                Join(name, f"r{turn % 3}"),
                Hearing(name, muted=turn % 5 == 0),
            )
            if turn % 10 == 0:
                at.tick()
            at.obey(Close(name))
        at.tick()
        assert not engine.bank.used.any() and not engine.bank.sends.any()
        assert engine.legs.arrivals.addresses == 0 and len(engine.rooms) == 0
        assert len(engine.legs) == 0 and not engine.legs.by_slot
        assert not engine.bank.srtp[0] and not engine.bank.muted.any()
        assert len(at.heard(Closed)) == 1000
