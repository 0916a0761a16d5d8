"""Phones: legs of RTP on lines of their own, from their descriptions to their goodbyes."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from G722 import G722
from hypothesis import given
from hypothesis import strategies as st
from tests.media.engine_world import Phone, World, amplitude, world

from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.media.srtp import Srtp, SrtpKeys
from tertulia.model.commands import (
    FULL,
    RTP,
    Accept,
    Accepted,
    Answer,
    Answered,
    Close,
    Closed,
    Digit,
    Down,
    Join,
    Offer,
    Offered,
    Press,
    Refused,
    Up,
)
from tertulia.protocols import rtcp, rtp
from tertulia.protocols.telephone_event import EventPacket, events

PCMU = ("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
REMOTE = bytes(range(30))


def sdp(host: str, *lines: str) -> str:
    head = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return "\r\n".join((*head, *(lines or PCMU), ""))


class Caller(Phone):
    """The far end of a line."""

    def __init__(self, at: World, name: str, number: int, hertz: float | None) -> None:
        super().__init__(at, name, number, hertz)
        self.payload_type = 0

    @property
    def slot(self) -> int:
        return self.world.engine.legs.named[self.name].slot

    @property
    def host(self) -> str:
        return self.address[0]

    def send(self, packet: bytes, *, control: bool = False) -> None:
        self.world.port.ringing.append((packet, self.key, self.slot * 2 + control))

    def offers(self, *lines: str) -> None:
        self.world.obey(Answer(self.name, sdp(self.host, *lines), RTP))

    def say(self, payload: bytes, payload_type: int, *, ticks: int = 160) -> None:
        packet = rtp.RtpPacket(payload_type, self.sequence, self.timestamp, self.ssrc, payload)
        self.send(rtp.write(packet))
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + ticks) & 0xFFFF_FFFF


def call(at: World, name: str, *lines: str, hertz: float | None = None) -> Caller:
    """A phone that has offered this, and is in the room."""
    caller = Caller(at, name, len(at.phones) + 1, hertz)
    at.phones.append(caller)
    caller.offers(*lines)
    at.obey(Join(name, "room"))
    return caller


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made
    assert not made.port.open_lines


def counted(at: World, *kinds: type) -> list[type]:
    return [type(report) for report in at.heard(*kinds)]


def test_a_call_between_two(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    assert counted(at, Answered, Up) == [Answered, Up] * 2
    answered, up = at.reports[:2]
    assert isinstance(answered, Answered) and "c=IN IP4 10.9.9.9\r\n" in answered.sdp
    assert "m=audio 40000 RTP/AVP 0 101\r\n" in answered.sdp
    assert isinstance(up, Up) and (up.codec, up.remote) == ("PCMU", "10.0.0.2:4000")
    at.tick(40)
    assert a.level(700) > 7000 and b.level(400) > 7000
    assert a.level(400) < 100


def test_a_phone_that_never_sends_is_in_the_call(at: World) -> None:
    mute, b = call(at, "mute"), call(at, "b", hertz=700)
    mute.by_hand = True
    at.tick(2000)
    assert mute.level(700) > 7000
    assert at.heard(Down) == [] and b.heard


def test_what_has_come_before_its_end_is_nobodys(at: World) -> None:
    """Also when somebody else has its slot by the time that it is sorted."""
    a = call(at, "a", hertz=400)
    at.tick(10)
    a.speak()
    a.send(rtcp.write([rtcp.ReceiverReport(a.ssrc)]), control=True)
    at.engine.receive()
    slot = a.slot
    at.phones.remove(a)
    at.obey(Close("a"))
    c = call(at, "c")
    assert c.slot == slot
    strangers = at.engine.legs.arrivals.counts.strangers
    at.tick(1)
    assert at.engine.legs.arrivals.counts.strangers == strangers + 2


def test_packets_go_where_they_come_from(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    a.by_hand = True
    at.tick(1)
    assert len(a.heard) == 1, "where its description says"
    a.address, a.by_hand = (a.host, 61_000), False
    at.tick(30)
    assert len(a.heard) >= 30 and b.level(400, 20) > 7000
    assert "10.0.0.2:61000" not in str(at.heard(Up)), "no new path"


def test_a_phone_behind_a_router_is_found(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    a.address = ("203.0.113.9", 7000)
    at.tick(30)
    assert len(a.heard) >= 28 and b.level(400, 20) > 7000


def test_a_stranger_gets_nothing(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    at.tick(10)
    thief = Caller(at, "a", 99, 1500)
    for _ in range(100):
        thief.speak()
        at.tick()
    assert at.port.sent.get(thief.key) is None
    assert b.level(1500) < 100 and b.level(400) > 7000
    assert at.engine.legs.arrivals.counts.strangers == 100
    at.port.sent.clear()
    a.by_hand = True
    at.tick(200)
    thief.speak()
    at.tick(1)
    assert at.port.sent.get(thief.key) is None, "not after so short a silence"
    at.tick(100)
    for _ in range(5):
        thief.speak()
        at.tick()
    assert at.port.sent[thief.key], "whoever goes on where there was nothing for long"


def test_the_same_host_may_move(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    at.tick(10)
    for ssrc, port in ((a.ssrc, 5000), (77, 6000)):
        a.address, a.ssrc = (a.host, port), ssrc
        before = len(a.heard)
        at.tick(1)
        assert len(a.heard) == before, "not by one packet"
        at.tick(10)
        assert len(a.heard) == before + 10
    a.silent = True
    at.tick(30)
    a.silent, a.address = False, (a.host, 7000)
    before = len(a.heard)
    at.tick(30)
    assert len(a.heard) == before + 30, "after a short silence at once"
    assert b.level(400, 10) > 7000


def test_forged_and_malformed_packets_leave_a_line_alone(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b")
    at.tick(5)
    stranger = Caller(at, "a", 99, None)
    junk = [b"", b"\x00", b"\x80", bytes(20), b"\x00\x01" + bytes(18), b"\x16" + bytes(40),
            b"\x80\x00" + bytes(6), b"\x80\xc8" + bytes(30), b"\xbf\x80" + bytes(200),
            b"\x90\x00" + bytes(9) + b"\xff" * 8]  # fmt: skip
    for data in junk:
        for who in (a, stranger):
            for control in (False, True):
                who.send(data, control=control)
    at.tick(40)
    assert b.level(400) > 7000 and at.port.sent.get(stranger.key) is None


@given(
    st.sampled_from(["0", "9", "96"]), st.booleans(),
    st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 255), st.booleans()), max_size=12),
)  # fmt: skip
def test_no_octets_raise(kind: str, secure: bool, packets: list[tuple[bytes, int, bool]]) -> None:
    with world(capacity=4) as at:
        rest = ("a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/8000", "a=ptime:30")
        section = f"m=audio 4000 RTP/{'SAVP' if secure else 'AVP'} {kind} 97 13"
        a = call(at, "a", section, *rest, crypto(REMOTE)[-1])
        a.by_hand = True
        assert at.heard(Refused) == []
        for data, second, control in packets:
            for head in (bytes((0x80, second)), bytes((0x80, int(kind))), b""):
                a.send(head + data, control=control)
            at.tick()


# ── hold, and new descriptions ──


@pytest.mark.parametrize("line", ["a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0"])
def test_who_is_on_hold_is_sent_nothing_and_is_not_gone(at: World, line: str) -> None:
    a, _ = call(at, "a", hertz=400), call(at, "b", hertz=700)
    at.tick(50)
    last = a.packets[-1]
    a.offers(*PCMU, line)
    a.silent = True
    heard = len(a.heard)
    at.tick(2000)
    assert len(a.heard) == heard
    a.offers(*PCMU)
    a.silent = False
    at.tick(50)
    first = a.packets[heard]
    assert len(a.heard) == heard + 50 and a.level(700) > 7000
    assert (first.sequence, first.ssrc) == ((last.sequence + 1) & 0xFFFF, last.ssrc)
    assert abs((first.timestamp - last.timestamp) % (1 << 32) - 2000 * 160) < 1000
    assert counted(at, Down, Up) == [Up, Up]
    said = [each.sdp for each in at.heard(Answered) if isinstance(each, Answered)]
    versions = [re.search(r"o=- (\d+) (\d+)", each) for each in (said[0], said[2], said[3])]
    assert [each and each[2] for each in versions] == ["1", "2", "3"]
    assert len({each and each[1] for each in versions}) == 1


def test_one_that_falls_silent_is_down_and_up_again(at: World) -> None:
    a = call(at, "a", hertz=400)
    at.tick(50)
    a.silent = True
    at.tick(1400)
    assert at.heard(Down) == []
    at.tick(300)
    assert at.heard(Down) == [Down("a", "timeout")]
    a.silent = False
    at.tick(200)
    assert counted(at, Up, Down) == [Up, Down, Up]
    assert len(at.heard(Up)) == 2


def test_reports_keep_a_silent_phone_up(at: World) -> None:
    a = call(at, "a", hertz=400)
    at.tick(50)
    a.silent = True
    for _ in range(5):
        at.tick(500)
        items = rtcp.ReceiverReport(a.ssrc), rtcp.Description(a.ssrc, "a")
        a.send(rtcp.write(items), control=True)
    assert at.heard(Down) == []


def test_media_move_to_another_address(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    at.tick(10)
    a.address = ("198.51.100.4", 9000)
    a.offers("m=audio 9000 RTP/AVP 0")
    before = len(a.heard)
    at.tick(40)
    assert len(a.heard) == before + 40 and b.level(400) > 7000
    ups = at.heard(Up)
    assert len(ups) == 3 and isinstance(ups[-1], Up) and ups[-1].remote == "198.51.100.4:9000"


def test_a_change_of_codec(at: World) -> None:
    a, _ = call(at, "a"), call(at, "b", hertz=700)
    at.tick(10)
    a.offers("m=audio 4000 RTP/AVP 8")
    before = a.packets[-1]
    at.tick(5)
    after = a.packets[-1]
    assert (after.payload_type, after.ssrc) == (8, before.ssrc)
    assert (after.sequence - before.sequence) % (1 << 16) == 5
    assert [up.codec for up in at.heard(Up) if isinstance(up, Up)] == ["PCMU", "PCMU", "PCMA"]


def test_a_refused_offer_leaves_the_leg_as_it_was(at: World) -> None:
    a, _ = call(at, "a"), call(at, "b", hertz=700)
    a.offers("m=audio 4000 RTP/AVP 18")
    assert at.heard(Refused) == [Refused("a", "no common codec")]
    at.tick(40)
    assert a.level(700) > 7000


# ── our offers ──


def test_early_media_then_the_answer_of_another(at: World) -> None:
    at.obey(Offer("a", RTP), Join("a", "room"))
    (offered,) = at.heard(Offered)
    assert isinstance(offered, Offered) and "RTP/AVP 0 8 9 111 101 110 13" in offered.sdp
    first, second = Caller(at, "a", 11, 400), Caller(at, "a", 12, 900)
    b = call(at, "b", hertz=700)
    at.tick(5)
    assert at.port.sent == {}
    at.obey(Accept("a", sdp(first.host)), Accept("a", sdp(first.host)))
    assert counted(at, Accepted, Up) == [Up, Accepted, Up, Accepted], "the same is no news"
    at.phones.append(first)
    at.tick(40)
    assert first.level(700) > 7000 and b.level(400) > 7000
    at.obey(Accept("a", sdp(second.host)))
    at.phones[1] = second
    at.tick(40)
    assert second.level(700) > 7000 and len(at.heard(Up)) == 3
    at.obey(Accept("a", "nonsense"))
    assert counted(at, Refused) == [Refused]


def test_another_offer_of_a_leg_that_is_there(at: World) -> None:
    a, b = call(at, "a", hertz=400), call(at, "b", hertz=700)
    at.obey(Offer("a", RTP))
    (offered,) = at.heard(Offered)
    assert isinstance(offered, Offered)
    assert "m=audio 40000 RTP/AVP 0 8 9 111 101 110 13" in offered.sdp
    assert re.search(r"o=- \d+ 2 ", offered.sdp)
    at.tick(30)
    assert b.level(400, 20) > 7000, "it goes on meanwhile"
    at.obey(Accept("a", sdp(a.host, "m=audio 4000 RTP/AVP 8")))
    at.tick(2)
    assert a.packets[-1].payload_type == 8
    at.obey(Accept("b", sdp(b.host)), Accept("nobody", sdp(b.host)))
    assert at.heard(Refused) == [
        Refused("b", "nothing was offered"), Refused("nobody", "nothing was offered"),
    ]  # fmt: skip


def test_who_has_accepted_several_codecs_may_change(at: World) -> None:
    at.obey(Offer("a", RTP), Join("a", "room"))
    a = Caller(at, "a", 1, None)
    a.by_hand = True
    at.obey(Accept("a", sdp(a.host, "m=audio 4000 RTP/AVP 0 8")))
    at.phones.append(a)
    at.tick(3)
    for _ in range(3):
        a.say(bytes(160), 8)
        at.tick(5)
    assert a.packets[-1].payload_type == 8
    a.say(bytes(160), 0)
    at.tick(2)
    assert a.packets[-1].payload_type == 8, "not twice within a second"
    at.tick(50)
    a.say(bytes(160), 0)
    at.tick(2)
    assert a.packets[-1].payload_type == 0
    assert [up.codec for up in at.heard(Up) if isinstance(up, Up)] == ["PCMU", "PCMA", "PCMU"]


# ── codecs and packets ──


def test_g722_both_ways(at: World) -> None:
    a, b = call(at, "a", "m=audio 4000 RTP/AVP 9"), call(at, "b", hertz=700)
    a.by_hand = True
    coder, decoder = G722(16_000, 64_000), G722(16_000, 64_000)
    for number in range(60):
        times = (number * 320 + np.arange(320)) / 16_000
        tone = (np.sin(2 * np.pi * 500 * times) * 8000).astype(np.int16)
        a.say(coder.encode(tone), 9)
        at.tick()
    assert b.level(500) > 6000
    heard = [decoder.decode(each.payload) for each in a.packets if each.payload_type == 9]
    assert {len(each) for each in heard} == {320}
    wide = np.concatenate([np.frombuffer(each, np.int16) for each in heard[-25:]])
    assert amplitude(wide, 700, 16_000) > 6000


@pytest.mark.parametrize("milliseconds", [10, 30, 40, 60])
def test_packets_of_other_lengths(at: World, milliseconds: int) -> None:
    a = call(at, "a", "m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000",
             f"a=ptime:{milliseconds}", hertz=400)  # fmt: skip
    b = call(at, "b", hertz=700)
    a.by_hand = True
    said = 0
    for tick in range(120):
        while said + milliseconds <= 20 * (tick + 1):
            a.send(a.packet(milliseconds * 8))
            said += milliseconds
        at.tick()
    assert b.level(400) > 7000
    assert {len(each.payload) for each in a.packets} == {milliseconds * 8}
    assert len(a.packets) == 120 * 20 // milliseconds
    stamps = [each.timestamp for each in a.packets]
    steps = {(after - before) % (1 << 32) for before, after in pairwise(stamps)}
    assert steps == {milliseconds * 8}
    heard = np.concatenate([ulaw_decode(np.frombuffer(p.payload, np.uint8)) for p in a.packets])
    assert amplitude(heard[-4000:], 700) > 7000
    at.obey(Press("a", "5"))
    at.tick(20)
    assert [each.payload_type for each in a.packets].count(96) == 8
    at.tick(40)
    assert len(a.packets[-1].payload) == milliseconds * 8


def test_comfort_noise_is_gentle_and_no_loss(at: World) -> None:
    a = call(at, "a", "m=audio 4000 RTP/AVP 0 13", hertz=400)
    b = call(at, "b")
    at.tick(50)
    a.by_hand = True
    a.say(bytes((45, 3, 4)), 13, ticks=200 * 160)
    at.tick(200)
    level = np.concatenate(b.heard[-50:]).astype(np.float64)
    assert 100 < np.sqrt((level**2).mean()) < 300, "45 dB below full scale"
    a.by_hand = False
    at.tick(50)
    assert b.level(400) > 7000
    assert at.engine.bank.traffic.gaps[a.slot] == 0
    at.obey(Close("a"))
    (closed,) = at.heard(Closed)
    assert isinstance(closed, Closed) and closed.account is not None
    assert closed.account.packets_lost == 0 and closed.account.flaws == 0


@pytest.mark.parametrize(("payload_type", "clock"), [(101, 8000), (97, 8000), (126, 48_000)])
def test_keys_both_ways(at: World, payload_type: int, clock: int) -> None:
    audio = "0" if clock == 8000 else "96"
    maps = ("a=rtpmap:96 opus/48000/2", f"a=rtpmap:{payload_type} telephone-event/{clock}")
    a = call(at, "a", f"m=audio 4000 RTP/AVP {audio} {payload_type}", *maps)
    a.by_hand = True
    for packet in events("7", clock):
        if isinstance(packet, EventPacket):
            made = rtp.RtpPacket(payload_type, a.sequence, packet.timestamp, a.ssrc,
                                 packet.payload, packet.marker)  # fmt: skip
            a.send(rtp.write(made))
            a.sequence = (a.sequence + 1) & 0xFFFF
        at.tick()
    (digit,) = at.heard(Digit)
    assert isinstance(digit, Digit) and (digit.digit, digit.milliseconds) == ("7", 100)
    at.obey(Press("a", "9"))
    at.tick(20)
    told = [each for each in a.packets if each.payload_type == payload_type]
    assert len(told) == 8 and {each.payload[0] for each in told} == {9}
    assert int.from_bytes(told[-1].payload[2:4], "big") == clock // 10


def test_keys_as_tones_where_there_is_nothing_else(at: World) -> None:
    a, b = call(at, "a", "m=audio 4000 RTP/AVP 0"), call(at, "b")
    a.by_hand = True
    for number in range(20):
        times = (number * 160 + np.arange(160)) / 8000
        tone = np.sin(2 * np.pi * 770 * times) + np.sin(2 * np.pi * 1336 * times)
        a.say(ulaw_encode((tone * 6000 * (number < 8)).astype(np.int16)).tobytes(), 0)
        at.tick()
    assert [each.digit for each in at.heard(Digit) if isinstance(each, Digit)] == ["5"]
    at.obey(Press("a", "5"))
    at.tick(4)
    assert a.level(770, 2) > 1000 and a.level(1336, 2) > 1000
    assert b.heard


# ── protection ──


def crypto(key: bytes, tag: int = 1) -> tuple[str, ...]:
    line = f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{b64encode(key).decode()}"
    return "m=audio 4000 RTP/SAVP 0 101", "a=rtpmap:101 telephone-event/8000", line


def our_key(text: str) -> bytes:
    found = re.search(r"AES_CM_128_HMAC_SHA1_80 inline:(\S+)", text)
    assert found is not None
    return b64decode(found[1])


class Sealed:
    """The far end of a protected line."""

    def __init__(self, at: World, caller: Caller, ours: bytes, remote: bytes) -> None:
        self.at, self.caller = at, caller
        self.session = Srtp(SrtpKeys("AES128_CM_SHA1_80", remote, ours))

    def talk(self, ticks: int) -> list[bytes | None]:
        heard = []
        for _ in range(ticks):
            self.caller.send(self.session.protect(self.caller.packet()))
            self.at.tick()
            for data in self.at.port.sent.pop(self.caller.key, []):
                heard.append(self.session.unprotect(data))
        return heard


def test_protected_both_ways_and_again_with_another_key(at: World) -> None:
    b = call(at, "b", hertz=700)
    a = Caller(at, "a", 9, 400)
    a.offers(*crypto(REMOTE))
    at.obey(Join("a", "room"))
    answered = at.heard(Answered)[-1]
    assert isinstance(answered, Answered) and "m=audio 40002 RTP/SAVP 0 101" in answered.sdp
    ours = our_key(answered.sdp)
    far = Sealed(at, a, ours, REMOTE)
    heard = far.talk(40)
    assert len(heard) == 40 and None not in heard and b.level(400) > 7000
    a.offers(*crypto(REMOTE), "a=sendonly")
    a.offers(*crypto(REMOTE))
    assert None not in far.talk(10), "the keys go on with their packets"
    other = bytes(reversed(REMOTE))
    a.offers(*crypto(other, tag=3))
    answered = at.heard(Answered)[-1]
    assert isinstance(answered, Answered) and our_key(answered.sdp) == ours
    assert "a=crypto:3 " in answered.sdp
    fresh = Sealed(at, a, ours, other)
    assert None not in fresh.talk(40) and b.level(400) > 7000


def test_whoever_has_the_key_may_move(at: World) -> None:
    b = call(at, "b", hertz=700)
    at.obey(Offer("a", RTP, secure=True), Join("a", "room"))
    offered = at.heard(Offered)[-1]
    assert isinstance(offered, Offered) and offered.sdp.count("a=crypto:") == 3
    a = Caller(at, "a", 9, 400)
    at.obey(Accept("a", sdp(a.host)))
    assert at.heard(Refused) == [Refused("a", "audio is not protected")]
    at.obey(Accept("a", sdp(a.host, *crypto(REMOTE))))
    far = Sealed(at, a, our_key(offered.sdp), REMOTE)
    far.talk(10)
    a.address = ("203.0.113.77", 5)
    assert len(far.talk(40)) >= 39 and b.level(400) > 7000
    thief = Caller(at, "a", 98, 1500)
    for _ in range(300):
        thief.speak()
        at.tick()
    assert at.port.sent.get(thief.key) is None


# ── reports and the end ──


def test_reports_and_a_goodbye(at: World) -> None:
    a, _ = call(at, "a", hertz=400), call(at, "b", hertz=700)
    control = at.port.key((a.host, 4001))
    at.tick(300)
    first, *_ = at.port.controls[control]
    items = rtcp.read(first) or []
    report = items[0]
    assert isinstance(report, rtcp.SenderReport) and report.blocks[0].ssrc == a.ssrc
    wall = 1_800_000_000.0 + at.now
    block = rtcp.Block(report.ssrc, 0, 0, 1, 0, rtcp.middle(rtcp.ntp(wall - 0.15)), 6554)
    a.address = (a.host, 4003)
    a.send(rtcp.write((rtcp.ReceiverReport(a.ssrc, (block,)),)), control=True)
    a.address = (a.host, 4000)
    at.tick(300)
    assert at.port.controls[at.port.key((a.host, 4003))], "where theirs come from"
    at.port.controls.clear()
    at.obey(Close("a"))
    (last,) = at.port.controls[at.port.key((a.host, 4003))]
    assert rtcp.Goodbye((report.ssrc,)) in (rtcp.read(last) or [])
    (closed,) = at.heard(Closed)
    assert isinstance(closed, Closed) and closed.account is not None
    account = closed.account
    assert 40 < account.round_trip < 75 and account.packets_in == 600
    assert account.packets_lost == 0 and account.milliseconds == 12_000 and account.mos > 4


def test_who_is_sent_nothing_gets_a_receiver_report(at: World) -> None:
    a = call(at, "a", *PCMU, "a=sendonly", "a=rtcp-mux", hertz=400)
    at.tick(300)
    (data,) = at.port.controls[a.key]
    items = rtcp.read(data) or []
    assert isinstance(items[0], rtcp.ReceiverReport)


def test_loss_and_jitter_are_in_the_account(at: World) -> None:
    a = call(at, "a", hertz=400)
    for number in range(400):
        a.silent = number % 10 == 5
        at.tick()
    at.obey(Close("a"))
    (closed,) = at.heard(Closed)
    assert isinstance(closed, Closed) and closed.account is not None
    assert closed.account.packets_lost == 40 and closed.account.packets_in == 360


def test_lines_are_given_back(at: World) -> None:
    for text in ("", "v=0", sdp("10.0.0.1", "m=audio 4000 RTP/AVP 18"), sdp("224.0.0.1")):
        at.obey(Answer("x", text, RTP))
    assert not at.port.open_lines and len(at.engine.legs) == 0
    at.port.most_lines = 1
    at.obey(Answer("a", sdp("10.0.0.1"), RTP), Offer("b", RTP), Answer("c", sdp("10.0.0.2"), RTP))
    assert len(at.engine.legs) == 1 and len(at.port.open_lines) == 1
    assert at.heard(Refused)[-2:] == [Refused("b", FULL), Refused("c", FULL)]
    at.obey(Close("a"), Close("b"), Offer("d", RTP), Accept("d", "v=0"), Close("d"))
    assert not at.port.open_lines
    assert at.engine.bank.line.max() == -1 and at.engine.bank.origin.max() == 0


def test_a_full_worker_has_no_line_either() -> None:
    with world(capacity=1) as at:
        at.obey(Answer("a", sdp("10.0.0.1"), RTP), Answer("b", sdp("10.0.0.2"), RTP))
        assert at.heard(Refused) == [Refused("b", FULL)] and len(at.port.open_lines) == 1


def test_legs_of_other_kinds_stay_what_they_are(at: World) -> None:
    at.phone("plain")
    at.obey(Answer("plain", sdp("10.0.0.1"), RTP))
    call(at, "a")
    at.obey(Offer("a"))
    kinds = [each.reason for each in at.heard(Refused) if isinstance(each, Refused)]
    assert kinds == ["it is a leg of another kind"] * 2
    at.obey(Answer("six", sdp("10.0.0.1").replace("IP4 10.0.0.1", "IP6 2001:db8::5"), RTP))
    at.obey(Answer("six", sdp("10.0.0.1"), RTP))
    refused = at.heard(Refused)[-1]
    assert isinstance(refused, Refused) and "version of IP" in refused.reason


def test_a_leg_of_ipv6_is_held_by_an_address_of_ipv4(at: World) -> None:
    a = Caller(at, "a", 9, 400)
    a.address = ("2001:db8::5", 4000)
    six = sdp("2001:db8::5").replace("IP4", "IP6")
    at.obey(Answer("a", six, RTP), Join("a", "room"))
    at.phones.append(a)
    at.tick(5)
    answered = at.heard(Answered)[-1]
    assert isinstance(answered, Answered) and "c=IN IP6 2001:db8::1" in answered.sdp
    assert len(a.heard) == 5
    at.obey(Answer("a", sdp("0.0.0.0"), RTP))
    at.tick(5)
    assert len(a.heard) == 5
    at.obey(Answer("a", six, RTP))
    at.tick(5)
    assert len(a.heard) == 10 and len(at.heard(Up)) == 1


def test_who_gives_a_name_is_known_by_the_first_packets(at: World) -> None:
    a, b = Caller(at, "a", 9, 400), call(at, "b", hertz=700)
    at.obey(Answer("a", sdp("phone.example"), RTP), Join("a", "room"))
    at.tick(5)
    at.phones.append(a)
    at.tick(30)
    assert len(a.heard) >= 29 and b.level(400) > 7000
