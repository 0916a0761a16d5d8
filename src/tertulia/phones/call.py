"""One call of a simulated phone: the script's orders carried out over SIP and RTP."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from tertulia.media import tones
from tertulia.media.g711 import Samples
from tertulia.phones import description
from tertulia.phones.callee import Callee, Press
from tertulia.phones.conduct import Conduct
from tertulia.phones.description import Agreed
from tertulia.phones.ear import RATE, Audio, Ear, Heard, Key, Speaks
from tertulia.phones.mouth import FRAME, Mouth
from tertulia.phones.orders import (
    Answers,
    AudioOrder,
    CallOrder,
    Echoes,
    GoesEarly,
    Holds,
    Hushes,
    Leaves,
    Order,
    Presses,
    Records,
    Refers,
    Refuses,
    Rings,
    Sounds,
)
from tertulia.phones.reporting import Reporting
from tertulia.phones.sounds import key
from tertulia.phones.wire import Wire
from tertulia.protocols.sdp import SdpRefused
from tertulia.protocols.sip import signals, verbs
from tertulia.protocols.telephone_event import PAUSE, PAUSE_MS, EventPacket, events

SECONDS_MAX = 2 * 3600.0
"""Of a call; then the phone hangs up."""
NOT_ACCEPTABLE = 488

_log = logging.getLogger(__name__)


class Outside(NamedTuple):
    """What a call needs of the exchange."""

    tell: Callable[[verbs.AnyVerb], None]
    prepare: "Prepare"
    keep: Callable[[str, Samples], None]
    """Of a number, what was said to it."""
    uri: Callable[[str], str]
    """Of a number, where it is called."""
    host: str
    clock: Callable[[], float]
    wall: Callable[[], float]
    random: Callable[[int], bytes]


class Prepare(Protocol):
    """Makes all sounds of a callee, by `sounds.key`."""

    async def __call__(self, callee: Callee, /) -> dict[str, Samples]: ...


class Call:
    """From `invited` or `dial` until `over` is called, once. Raises OSError when there is no port.

    `told` hears of what becomes of it, in words for the control.
    """

    def __init__(
        self, name: str, callee: Callee, outside: Outside, *, over: Callable[[], None],
        told: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._callee = callee
        self._outside = outside
        self._over, self._told = over, told or (lambda text: None)
        self._conduct = Conduct(callee, calls=told is not None)
        self._ear, self._mouth = Ear(), Mouth(outside.random(10))
        self._reporting = Reporting(self._ear, self._mouth, outside.wall)
        self._wire = Wire(callee.line, outside.host, self._receive, self._report)
        self._agreed: Agreed | None = None
        self._sounds: dict[str, Samples] = {}
        self._is_playing = self._is_closed = False
        self._version = 0
        """Of our description."""
        self._begun = outside.clock()
        self._preparing: asyncio.Task[None] | None = None

    # ── beginning and end ──

    def invited(self, body: bytes) -> None:
        """Somebody calls this number, with this offer; empty asks for ours."""
        try:
            self._agreed = self._read(body) if body else None
        except SdpRefused as refusal:
            self._refuse(NOT_ACCEPTABLE, refusal.reason)
            return
        self._preparing = asyncio.create_task(self._prepare())
        self._do(self._conduct.start(self._outside.clock()))

    def dial(self, invite: Callable[[bytes], verbs.Invite]) -> None:
        """This number calls; `invite` makes the verb for an offer."""

        async def dial() -> None:
            self._sounds = await self._outside.prepare(self._callee)
            self._outside.tell(invite(self._offer()))

        self._preparing = asyncio.create_task(dial())

    def hang_up(self) -> None:
        """From outside of the script."""
        if not self._is_closed:
            self._outside.tell(verbs.HangUp(self.name))
            self.close()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._preparing is not None:
            self._preparing.cancel()
        self._keep_recording()
        if self._agreed is not None:
            self._wire.report(self._reporting.goodbye())
        self._wire.close()
        self._over()

    async def _prepare(self) -> None:
        self._sounds = await self._outside.prepare(self._callee)
        self._do(self._conduct.prepared(self._outside.clock()))

    # ── what comes by SIP ──

    def take(self, signal: signals.AnySignal) -> None:
        match signal:
            case signals.Rang():
                self._told("ringing")
            case signals.Answered(body=body):
                self._answered(body)
            case signals.Agreed(body=body):
                self._agree(body)
            case signals.Reoffered(body=body):
                self._reoffered(body)
            case signals.Keyed(digit=digit):
                self._do(self._conduct.pressed(digit, self._outside.clock()))
            case signals.Referred():
                self._outside.tell(verbs.Refuse(self.name, 603))
            case signals.Transferred(code=code) if code >= 200:
                self._do(self._conduct.transferred(self._outside.clock()))
            case signals.Failed(code=code, text=text):
                self._told(f"failed {code} {text}".strip())
                self.close()
            case signals.Ended(code=code):
                self._told(f"ended {code}")
                self.close()
            case _:
                pass  # what a phone has nothing to do for

    def _answered(self, body: bytes) -> None:
        self._agree(body)
        if self._agreed is None:
            self._told("failed 488 Not Acceptable Here")
            self.hang_up()
            return
        self._told("answered")
        now = self._outside.clock()
        self._do(self._conduct.prepared(now) + self._conduct.start(now))

    def _reoffered(self, body: bytes) -> None:
        if not body:
            self._outside.tell(verbs.Answer(self.name, self._offer()))
        elif self._agree(body):
            self._outside.tell(verbs.Answer(self.name, self._answer()))
        else:
            self._outside.tell(verbs.Refuse(self.name, NOT_ACCEPTABLE))

    def _agree(self, body: bytes) -> bool:
        """False: it leads to nothing, and all stays as it was."""
        try:
            self._agreed = self._read(body)
        except SdpRefused:
            return False
        self._open()
        return True

    def _read(self, body: bytes) -> Agreed:
        """Raises SdpRefused."""
        line = self._callee.line
        return description.read(body, line.codecs, events=line.has_events)

    # ── what the script orders ──

    def _do(self, orders: list[Order]) -> None:
        for order in orders:
            if self._is_closed:
                return
            if isinstance(order, AudioOrder):
                self._do_audio(order)
            else:
                self._do_call(order)

    def _do_call(self, order: CallOrder) -> None:
        match order:
            case Rings():
                self._outside.tell(verbs.Ring(self.name))
            case GoesEarly():
                self._go_early()
            case Answers():
                self._open()
                body = self._answer() if self._agreed is not None else self._offer()
                self._outside.tell(verbs.Answer(self.name, body))
            case Refuses(code=code, text=text, to=to):
                self._refuse(code, text, to)
            case Holds(on=on):
                self._outside.tell(verbs.Offer(self.name, self._offer(holds=on)))
            case Refers(to=to):
                self._outside.tell(verbs.Refer(self.name, self._outside.uri(to)))
            case Leaves(why=why):
                self._leave(why)

    def _do_audio(self, order: AudioOrder) -> None:
        match order:
            case Sounds(step=step):
                self._is_playing = True
                self._mouth.play(self._sounds[key(step)])
            case Hushes():
                self._is_playing = False
                self._mouth.hush()
            case Presses(step=step):
                self._press(step)
            case Echoes(on=on):
                self._mouth.echo(on)
            case Records(on=on, seconds=seconds):
                self._record(on, seconds)

    def _go_early(self) -> None:
        """With a caller that leaves the offer to us there is nothing to be heard before."""
        if self._agreed is None:
            self._outside.tell(verbs.Ring(self.name))
            return
        self._open()
        self._outside.tell(verbs.Progress(self.name, self._answer()))

    def _refuse(self, code: int, text: str = "", to: str = "") -> None:
        headers = (("Contact", f"<{self._outside.uri(to)}>"),) if to else ()
        self._outside.tell(verbs.Refuse(self.name, code, text, headers))
        self.close()

    def _leave(self, why: str) -> None:
        if why:
            _log.error(
                "%s hangs up: %s", self._callee.number, why,
                extra={"action": "call_script_broken", "number": self._callee.number},
            )  # fmt: skip
        self._told("ended 200")
        self.hang_up()

    def _press(self, step: Press) -> None:
        self._is_playing = True
        if step.by == "info":
            for digit in step.digits.replace(PAUSE, ""):
                self._outside.tell(verbs.Key(self.name, digit, round(step.seconds * 1000)))
        elif step.by == "rtp" and self._agreed is not None and self._agreed.event_type is not None:
            self._mouth.press(_packets(step))
        else:
            self._mouth.play(_key_tones(step))

    def _record(self, on: bool, seconds: float) -> None:
        if on:
            self._ear.record(seconds)
        else:
            self._keep_recording()

    def _keep_recording(self) -> None:
        samples = self._ear.recorded()
        if samples is not None:
            self._outside.keep(self._callee.number, samples)

    # ── audio ──

    def tick(self, now: float) -> None:
        """Every 20 ms."""
        if self._is_playing and not self._mouth.is_busy:
            self._is_playing = False
            self._do(self._conduct.played(now))
        wake = self._conduct.wake
        if wake is not None and now >= wake:
            self._do(self._conduct.passed(now))
        self._hear(self._ear.poll(now), now)
        if self._is_closed:
            return
        packet = self._mouth.tick()
        if packet is not None:
            self._wire.send(packet)
        if (report := self._reporting.tick(now)) is not None:
            self._wire.report(report)
        if now - self._begun >= SECONDS_MAX:
            self.hang_up()

    def skip(self, ticks: int) -> None:
        """Time was missed."""
        self._mouth.skip(ticks)

    def _receive(self, data: bytes) -> None:
        now = self._outside.clock()
        self._hear(self._ear.receive(data, now), now)

    def _hear(self, heard: list[Heard], now: float) -> None:
        for each in heard:
            if self._is_closed:
                return
            match each:
                case Speaks(on=on, since=since):
                    self._do(self._conduct.speaks(on, now, since))
                case Key(digit=digit):
                    self._do(self._conduct.pressed(digit, now))
                case Audio():
                    packet = self._mouth.echoed(*each)
                    if packet is not None:
                        self._wire.send(packet)

    def _report(self, data: bytes) -> None:
        self._reporting.receive(data, self._outside.clock())

    # ── descriptions ──

    def _open(self) -> None:
        """What is agreed counts from now on."""
        if self._agreed is not None:
            for each in (self._wire, self._ear, self._mouth):
                each.agree(self._agreed)

    def _answer(self) -> bytes:
        assert self._agreed is not None
        self._version += 1
        return description.answer(self._agreed, self._outside.host, self._wire.port, self._version)

    def _offer(self, *, holds: bool = False) -> bytes:
        self._version += 1
        line = self._callee.line
        return description.offer(
            line.codecs, self._outside.host, self._wire.port, self._version,
            direction="sendonly" if holds else "sendrecv", events=line.has_events,
        )  # fmt: skip


def _packets(step: Press) -> Iterator[EventPacket | None]:
    return events(step.digits, RATE, round(step.seconds * 1000))


def _key_tones(step: Press) -> Samples:
    """Keys as they sound."""
    pieces = []
    for digit in step.digits:
        if digit == PAUSE:
            pieces.append(np.zeros(PAUSE_MS * RATE // 1000, np.int16))
        else:
            tone = tones.digit(digit, round(step.seconds * 1000))
            pieces.append(tone.samples(0, tone.length(RATE) or FRAME, RATE))
    return np.concatenate(pieces)
