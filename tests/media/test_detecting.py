"""Verdicts on what a leg says, alone and through an engine."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.engine_world import Phone, World, world
from tests.media.voices import framed, sentences

from tertulia.media.detecting import Detectors
from tertulia.media.g711 import ulaw_encode
from tertulia.model.commands import (
    AnyReport,
    Beeped,
    Close,
    Detect,
    Hearing,
    Join,
    Judged,
    StopDetect,
)
from tertulia.model.instant import Instant
from tertulia.protocols import rtp

Samples = NDArray[np.int16]
DETECT = Detect("d", "leg", beep=True)


def silence(seconds: float, rate: int = 8000) -> Samples:
    return np.zeros(round(seconds * rate), np.int16)


def tone(hertz: float, seconds: float, rate: int = 8000) -> Samples:
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(5000 * np.sin(2 * np.pi * hertz * times), np.int16)


def hello(rate: int = 8000) -> Samples:
    """Half a second of a sentence."""
    said = sentences(rate)[0]
    start = int(np.flatnonzero(np.abs(said) > 500)[0])
    return said[start : start + rate // 2]


def person(rate: int = 8000) -> Samples:
    return np.concatenate((silence(0.4, rate), hello(rate), silence(2, rate)))


def machine(rate: int = 8000, hertz: float = 1000.0) -> Samples:
    said = np.concatenate(sentences(rate)[:2])
    beep = tone(hertz, 0.4, rate)
    return np.concatenate((silence(0.4, rate), said, silence(0.5, rate), beep, silence(1, rate)))


def began(samples: Samples, rate: int = 8000) -> int:
    """Milliseconds until the beep of `machine`."""
    return 1000 * (len(samples) - round(1.4 * rate)) // rate


class Desk:
    """Detectors that are given one leg's frames; every tick is 20 ms."""

    def __init__(self, *detects: Detect) -> None:
        self.reports: list[AnyReport] = []
        self.detectors = Detectors(self.reports.append)
        self.at = 0
        self.tick()
        for detect in detects:
            self.detectors.start(detect)
        self.tick()
        self.begun = self.at

    def tick(self, frame: Samples | None = None) -> None:
        if frame is not None:
            self.detectors.push("leg", frame)
        self.at += 20
        self.detectors.advance(Instant(self.at))

    def say(self, samples: Samples, rate: int = 8000) -> None:
        for frame in framed(samples, rate):
            self.tick(frame if self.detectors.targets else None)

    def judged(self) -> list[Judged]:
        return [each for each in self.reports if isinstance(each, Judged)]

    def beeped(self) -> list[Beeped]:
        return [each for each in self.reports if isinstance(each, Beeped)]


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_person(rate: int) -> None:
    desk = Desk(DETECT)
    desk.say(person(rate), rate)
    (judged,) = desk.judged()
    assert (judged.verdict, judged.cause) == ("human", "short_greeting")
    assert 1400 <= judged.at - desk.begun <= 2200
    assert desk.beeped() == [] and not desk.detectors.targets


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_machine_and_its_beep(rate: int) -> None:
    desk, said = Desk(DETECT), machine(rate)
    desk.say(said, rate)
    (judged,), (beeped,) = desk.judged(), desk.beeped()
    assert judged.verdict == "machine" and judged.at - desk.begun <= 3300
    assert beeped.heard and beeped.hertz == pytest.approx(1000, abs=5)
    assert 100 <= beeped.at - desk.begun - began(said, rate) <= 200
    assert not desk.detectors.targets


def test_a_machine_whose_beep_nobody_waits_for() -> None:
    desk = Desk(Detect("d", "leg"))
    desk.say(machine())
    assert [each.verdict for each in desk.judged()] == ["machine"]
    assert desk.beeped() == [] and not desk.detectors.targets


def test_the_time_for_the_beep_runs_out() -> None:
    desk = Desk(Detect("d", "leg", beep=True, beep_ms=2000))
    desk.say(np.concatenate((*sentences(8000)[:3], silence(5))))
    (judged,), (beeped,) = desk.judged(), desk.beeped()
    assert beeped == Beeped("d", False, 0, beeped.at)
    assert beeped.at - judged.at == 2000


def test_a_beep_before_the_verdict_is_one() -> None:
    for before in (silence(0.5), np.concatenate((silence(0.3), hello()[:2400], silence(0.3)))):
        desk = Desk(DETECT)
        desk.say(np.concatenate((before, tone(800, 0.2), silence(2))))
        assert [type(each) for each in desk.reports] == [Judged, Beeped]
        assert desk.judged()[0].verdict == "machine"
        assert desk.beeped()[0].heard


def test_nobody_says_anything() -> None:
    """Frames that never come are silence, too."""
    for said in (True, False):
        desk = Desk(DETECT)
        for _ in range(160):
            desk.tick(silence(0.02) if said else None)
        (judged,) = desk.judged()
        assert (judged.verdict, judged.cause) == ("machine", "silence")


def test_a_leg_that_ends_or_is_not_listened_to_any_more() -> None:
    desk = Desk(DETECT, Detect("e", "leg"), DETECT)
    desk.say(silence(0.5))
    desk.detectors.stop("e")
    desk.detectors.stop("nobody")
    desk.detectors.gone("another")
    assert desk.reports == []
    desk.detectors.gone("leg")
    assert desk.reports == [Judged("d", "gone", 0, "gone", Instant(desk.at))]
    desk.say(person())
    assert len(desk.reports) == 1


def test_a_leg_that_ends_before_the_beep() -> None:
    desk = Desk(DETECT)
    desk.say(np.concatenate(sentences(8000)[:2]))
    desk.detectors.gone("leg")
    assert [each.verdict for each in desk.judged()] == ["machine"]
    assert desk.beeped() == [] and not desk.detectors.targets


def test_two_at_once_do_not_mix() -> None:
    """Also of different rates."""
    reports: list[AnyReport] = []
    detectors = Detectors(reports.append)
    detectors.start(Detect("h", "a"))
    detectors.start(Detect("m", "b"))
    at = 0
    waiting = np.concatenate((person(), silence(5)))
    for one, other in zip(framed(waiting, 8000), framed(machine(16_000), 16_000), strict=False):
        detectors.advance(Instant(at := at + 20))
        detectors.push("a", one)
        detectors.push("b", other)
    judged = {each.detect: each.verdict for each in reports if isinstance(each, Judged)}
    assert judged == {"h": "human", "m": "machine"}


# ── in the engine ──


def speak(at: World, phone: Phone, samples: Samples) -> None:
    phone.by_hand = True
    for frame in framed(samples, 8000):
        packet = rtp.read(phone.packet())
        assert packet is not None
        payload = ulaw_encode(frame).tobytes()
        phone.send(rtp.write(packet._replace(payload=payload)))
        at.tick()


@pytest.mark.parametrize("muted", [False, True])
@pytest.mark.parametrize("joined", [False, True])
def test_in_any_room_and_muted(muted: bool, joined: bool) -> None:
    with world() as at:
        phone = at.phone("a")
        at.tick(5)
        if joined:
            at.phone("b")
            at.obey(Join("a", "room"), Join("b", "room"))
        at.obey(Hearing("a", muted=muted), Detect("d", "a", beep=True))
        speak(at, phone, machine())
        kinds = [type(each) for each in at.heard(Judged, Beeped)]
        assert kinds == [Judged, Beeped]


def test_ends_with_its_leg() -> None:
    with world() as at:
        at.phone("a")
        at.obey(Detect("d", "a"), Detect("e", "a"), Detect("n", "nobody"))
        at.tick(10)
        at.obey(StopDetect("e"), Close("a"))
        found = [each for each in at.heard(Judged) if isinstance(each, Judged)]
        assert [(each.detect, each.verdict) for each in found] == [("n", "gone"), ("d", "gone")]
