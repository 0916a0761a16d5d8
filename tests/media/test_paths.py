"""Media paths of protected legs: addresses learned and forgotten, new paths, ends."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.media.engine_world import World, world

from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.media.srtp import Srtp, SrtpKeys
from tertulia.model.commands import (
    Accept,
    Accepted,
    Answer,
    Answered,
    Close,
    Closed,
    Down,
    Join,
    Offer,
    Offered,
    Refused,
    Up,
)
from tertulia.protocols import rtcp, rtp, stun
from tertulia.protocols.sdp import SdpRefused

OURS = SrtpKeys("AEAD_AES_128_GCM", bytes(28), bytes([1]) * 28)
THEIRS = SrtpKeys("AEAD_AES_128_GCM", OURS.remote, OURS.local)
FIRST, SECOND = ("10.5.0.1", 1000), ("10.5.0.2", 2000)


class Path:
    """A media path that does at once what it is told."""

    made = 0

    def __init__(self) -> None:
        Path.made += 1
        self.local_ufrag = f"u{Path.made}"
        self.remote: Any = None
        self.paths: set[Any] = set()
        self.keys: SrtpKeys | None = None
        self.state = "new"
        self.next_timer: float | None = None
        self.dtls: list[bytes] = []
        self.negotiated = SimpleNamespace(
            codec="PCMU", payload_type=0, dtmf={}, dtmf_type=None, level_extension=None,
            ssrc=5, cname="us", sends=True,
        )  # fmt: skip

    def answer(self, offer: str) -> str:
        if offer == "bad":
            raise SdpRefused("no audio")
        self.state = "checking"
        return f"answer {self.local_ufrag}"

    def offer(self) -> str:
        return f"offer {self.local_ufrag}"

    def accept(self, answer: str) -> None:
        self.answer(answer)

    def on_stun(self, data: bytes, address: Any, now: float) -> list[tuple[bytes, Any]]:
        self.paths.add(address)
        self.remote = address
        return [(b"\x01\x01" + data[2:20], address)]

    def on_dtls(self, data: bytes, now: float) -> list[bytes]:
        self.dtls.append(data)
        self.keys, self.state = OURS, "connected"
        return [b"\x16reply"]

    def on_timer(self, now: float) -> list[bytes]:
        self.state, self.next_timer = "lost", None
        return []

    def close(self) -> list[bytes]:
        self.state = "closed"
        return [b"\x15bye"]


def browsers(at: World) -> list[Path]:
    """The paths that the engine of this world makes."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path())
        return made[-1]

    at.make_path = make  # type: ignore[method-assign, assignment]
    return made


def check(at: World, path: Path, address: tuple[str, int]) -> None:
    name = f"{path.local_ufrag}:theirs".encode()
    data = stun.write(stun.Kind.REQUEST, bytes(12), [(stun.Attribute.USERNAME, name)], key=b"k")
    at.port.waiting.append((data, at.port.key(address)))
    at.engine.receive()


def connect(at: World, path: Path, address: tuple[str, int] = FIRST) -> None:
    check(at, path, address)
    at.port.waiting.append((b"\x16hello", at.port.key(address)))
    at.engine.receive()


def sent(at: World, address: tuple[str, int]) -> list[bytes]:
    return at.port.sent.pop(at.port.key(address), [])


def audio_to(at: World, address: tuple[str, int]) -> list[bytes]:
    return [data for data in sent(at, address) if data[0] == 0x80 and data[1] == 0]


def test_a_leg_connects_and_is_heard_protected() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"), Join("a", "room"))
        b = at.phone("b")
        at.obey(Join("b", "room"))
        connect(at, paths[0])
        assert b"\x16reply" in sent(at, FIRST)
        session = Srtp(THEIRS)
        for number in range(30):
            tone = np.sin(2 * np.pi * 400 * (number * 160 + np.arange(160)) / 8000) * 8000
            payload = ulaw_encode(tone.astype(np.int16)).tobytes()
            packet = rtp.write(rtp.RtpPacket(0, number, number * 160, 9, payload))
            at.port.waiting.append((session.protect(packet), at.port.key(FIRST)))
            at.tick()
        assert b.level(400, 20) > 6000
        heard = [session.unprotect(data) for data in audio_to(at, FIRST)]
        assert len(heard) == 30 and None not in heard
        assert (ulaw_decode(np.frombuffer((heard[-1] or b"")[12:], np.uint8)) == 0).all()
        (answered,), (up,) = at.heard(Answered), at.heard(Up)[-1:]
        assert isinstance(answered, Answered) and isinstance(up, Up)
        assert (up.leg, up.codec, up.remote) == ("a", "PCMU", "10.5.0.1:1000")


def test_packets_that_are_forged_are_refused() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        plain = rtp.write(rtp.RtpPacket(0, 1, 160, 9, bytes(160)))
        check(at, paths[0], FIRST)
        at.port.waiting.append((plain, at.port.key(FIRST)))
        at.tick()
        connect(at, paths[0])
        at.port.waiting.append((plain, at.port.key(FIRST)))
        at.port.waiting.append((b"\x80\xc9" + bytes(30), at.port.key(FIRST)))
        at.tick()
        assert at.engine.legs.arrivals.counts.refused == 3
        assert at.engine.bank.traffic.packets_in.sum() == 0


def test_a_client_that_moves_is_followed() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        connect(at, paths[0])
        at.tick(2)
        assert len(audio_to(at, FIRST)) == 2
        check(at, paths[0], SECOND)
        at.tick(2)
        assert not audio_to(at, FIRST) and len(audio_to(at, SECOND)) == 2
        paths[0].paths.discard(FIRST)
        check(at, paths[0], SECOND)
        assert at.engine.legs.arrivals.addresses == 1


def test_nobody_takes_the_address_of_a_leg_that_speaks_from_there() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"), Answer("b", "offer"))
        connect(at, paths[0])
        session = Srtp(THEIRS)
        for number in range(10):
            packet = rtp.write(rtp.RtpPacket(0, number, number * 160, 7, bytes(160)))
            at.port.waiting.append((session.protect(packet), at.port.key(FIRST)))
            if number == 5:
                check(at, paths[1], FIRST)
            at.tick()
        assert at.engine.bank.traffic.packets_in[:2].tolist() == [10, 0]
        at.tick(150)
        check(at, paths[1], FIRST)
        assert at.engine.legs.arrivals.owner(at.port.key(FIRST)) == 1, "it has fallen silent"


def test_a_new_path_takes_the_place_of_the_old_one() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        connect(at, paths[0])
        at.obey(Answer("a", "bad"))
        at.tick(2)
        assert len(audio_to(at, FIRST)) == 2
        assert [type(report) for report in at.reports] == [Answered, Up, Refused]
        at.obey(Answer("a", "offer"))
        assert b"\x15bye" in sent(at, FIRST)
        connect(at, paths[-1], SECOND)
        at.tick(2)
        assert not audio_to(at, FIRST) and len(audio_to(at, SECOND)) == 2
        assert at.engine.legs.arrivals.addresses == 1
        assert len(at.heard(Up)) == 2


def test_an_offer_leaves_the_path_as_it_is_until_it_is_answered() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        connect(at, paths[0])
        at.obey(Offer("a"))
        check(at, paths[1], SECOND)
        at.port.waiting.append((b"\x16early", at.port.key(SECOND)))
        at.tick(2)
        assert paths[1].dtls == [b"\x16early"] and paths[0].dtls == [b"\x16hello"]
        assert len(audio_to(at, FIRST)) == 2
        at.obey(Accept("a", "answer"))
        at.tick(2)
        assert not audio_to(at, FIRST) and len(audio_to(at, SECOND)) == 2
        at.obey(Accept("a", "again"), Accept("nobody", "answer"), Offer("b"), Accept("b", "bad"))
        kinds = [type(report) for report in at.reports if not isinstance(report, Up)]
        assert kinds == [Answered, Offered, Accepted, Refused, Refused, Offered, Refused]


def test_a_leg_without_consent_is_down_once() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        paths[0].next_timer = at.now + 1
        connect(at, paths[0])
        at.tick(100)
        downs = [report.reason for report in at.heard(Down) if isinstance(report, Down)]
        assert downs == ["timeout"]
        audio_to(at, FIRST)
        at.tick(2)
        assert not audio_to(at, FIRST)


def test_datagrams_for_a_path_that_was_given_up_change_nothing() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        check(at, paths[0], FIRST)
        at.obey(Close("a"))
        check(at, paths[0], FIRST)
        at.engine.legs.paths._shake(  # what has waited for its turn
            SimpleNamespace(path=None, offered=None, slot=0), paths[0], b"late",  # type: ignore[arg-type]
        )  # fmt: skip
        assert at.engine.legs.arrivals.addresses == 0
        assert isinstance(at.reports[-1], Closed)


def test_reports_are_sent_and_heard() -> None:
    with world() as at:
        paths = browsers(at)
        at.obey(Answer("a", "offer"))
        connect(at, paths[0])
        session = Srtp(THEIRS)
        block = rtcp.Block(5, 64, 10, 100, 0, 0, 0)
        report = rtcp.write([rtcp.ReceiverReport(9, (block,)), rtcp.Description(9, "them")])
        at.port.waiting.append((session.protect_rtcp(report), at.port.key(FIRST)))
        at.tick(260)
        assert at.engine.sender.encoders.loss[0] == 25
        reports = [data for data in sent(at, FIRST) if data[0] & 0xC0 == 0x80 and data[1] == 200]
        assert 1 <= len(reports) <= 2
        items = rtcp.read(session.unprotect_rtcp(reports[0]) or b"") or []
        assert isinstance(items[0], rtcp.SenderReport)
        packets, octets = items[0].sent.packets, items[0].sent.octets
        assert packets > 0
        assert octets == packets * 160, "of the payloads alone"
