"""Keys that are pressed on legs, and those that are sent to them."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tertulia.media import tones
from tertulia.media.bank import Bank
from tertulia.media.dtmf import Tones
from tertulia.media.leg import Leg, Pressing
from tertulia.media.sending import Override
from tertulia.protocols.rtp import RtpPacket
from tertulia.protocols.telephone_event import DIGITS, PAUSE, EventPacket, Pressed, events

Samples = NDArray[np.int16]
Numbers = NDArray[np.int64]

WAITING_MAX = 256
"""Keys that wait to be sent to a leg."""
_TONE_FRAMES = 10
"""100 ms of a key, 100 of silence."""

OnDigit = Callable[[Leg, str, int], None]


class Keys:
    """`on_digit` is told of each key that was let go, with the milliseconds it was down."""

    def __init__(self, bank: Bank, by_slot: dict[int, Leg], on_digit: OnDigit) -> None:
        self._bank, self._by_slot, self._on_digit = bank, by_slot, on_digit
        self._down: set[Leg] = set()
        self._sending: set[Leg] = set()
        self._tones = (Tones(8_000, bank.capacity), Tones(16_000, bank.capacity))
        self.in_band = np.zeros(bank.capacity, np.bool_)
        """Legs whose keys can only come as tones."""

    def forget(self, leg: Leg) -> None:
        self._down.discard(leg)
        self._sending.discard(leg)
        self.in_band[leg.slot] = False
        for each in self._tones:
            each.forget(leg.slot)

    def begin(self, leg: Leg) -> None:
        """Its audio begins anew."""
        has_tones = not self._bank.echoes[leg.slot] and not self._bank.sockets[leg.slot]
        self.in_band[leg.slot] = not leg.dtmf and has_tones

    # ── received ──

    def receive(self, leg: Leg, packet: RtpPacket, rate: int, now: float) -> None:
        """A packet of telephone-event."""
        pressed = leg.receiver.receive(packet.payload, rate, packet.timestamp, packet.marker, now)
        self._down.add(leg)
        self._tell(leg, pressed)

    def poll(self, now: float) -> None:
        for leg in tuple(self._down):
            self._tell(leg, leg.receiver.poll(now))
            if leg.receiver.is_idle:
                self._down.discard(leg)

    def listen(self, frames: Samples, slots: Numbers) -> None:
        """Frames of legs at 8 or 16 kHz: those without telephone-event may hold tones."""
        chosen = self.in_band[slots]
        if chosen.any():
            found = self._tones[frames.shape[1] > 160].hear(frames[chosen], slots[chosen])
            for slot, pressed in found:
                self._tell(self._by_slot[slot], [pressed])

    def _tell(self, leg: Leg, pressed: list[Pressed]) -> None:
        for key in pressed:
            self._on_digit(leg, key.digit, key.milliseconds)

    # ── sent ──

    def press(self, leg: Leg, digits: str) -> None:
        """Behind those that are still being sent; what is no key is left out."""
        keys = [key for key in digits.upper() if key in DIGITS or key == PAUSE.upper()]
        leg.waiting = (leg.waiting + "".join(keys))[:WAITING_MAX]
        if leg.waiting:
            self._sending.add(leg)

    def overrides(self) -> dict[int, Override]:
        """Packets of this tick in place of audio, by slot."""
        found: dict[int, Override] = {}
        for leg in tuple(self._sending):
            if leg.dtmf_type is None:
                continue
            packet = self._next(leg, leg.dtmf_type)
            if packet is not None and leg.pressing is not None:
                timestamp = leg.pressing.at + packet.timestamp
                found[leg.slot] = Override(
                    packet.payload, leg.pressing.payload_type, packet.marker, timestamp
                )
        return found

    def _next(self, leg: Leg, payload_type: int) -> EventPacket | None:
        if leg.pressing is None:
            if not leg.waiting:
                self._sending.discard(leg)
                return None
            at = int(self._bank.ticks_out[leg.slot])
            packets = events(leg.waiting, leg.dtmf[payload_type])
            leg.waiting, leg.pressing = "", Pressing(packets, payload_type, at)
        packet = next(leg.pressing.packets, Ellipsis)
        if isinstance(packet, EventPacket) or packet is None:
            return packet
        leg.pressing = None
        return None

    def sounds(self, rate: int, wide: NDArray[np.bool_]) -> list[tuple[Leg, Samples]]:
        """The next frame of the keys of legs at this rate that take them only as tones."""
        found = []
        for leg in tuple(self._sending):
            if leg.dtmf_type is not None or wide[leg.slot] != (rate > 8_000):
                continue
            if leg.waiting:
                found.append((leg, self._sound(leg, rate)))
            else:
                self._sending.discard(leg)
        return found

    def _sound(self, leg: Leg, rate: int) -> Samples:
        frames = _key(leg.waiting[0], rate)
        frame: Samples = frames[leg.tone_frame]
        leg.tone_frame += 1
        if leg.tone_frame == len(frames):
            leg.tone_frame, leg.waiting = 0, leg.waiting[1:]
        return frame


@lru_cache(maxsize=64)
def _key(key: str, rate: int) -> Samples:
    """Of a key, [frames, samples]."""
    if key == PAUSE.upper():
        return np.zeros((25, rate // 50), np.int16)
    samples = tones.digit(key).samples(0, _TONE_FRAMES * rate // 50, rate)
    frames: Samples = samples.reshape(_TONE_FRAMES, -1)
    return frames
