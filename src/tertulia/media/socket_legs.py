"""The websocket legs of a worker: the frames of a tick between their queues and the mixer, all of a
rate at once."""

import numpy as np
from numpy.typing import NDArray

from tertulia.media.bank import UNKNOWN, Bank, BankFull
from tertulia.media.hearing import Heard
from tertulia.media.leg import Leg
from tertulia.media.legs import Legs
from tertulia.media.outside import Outside
from tertulia.media.resampling import Doubling, Halving, Stretching
from tertulia.media.rooms import Layout
from tertulia.media.socket_leg import SocketLeg
from tertulia.media.voices import WIDE, Voices
from tertulia.model import commands

Samples = NDArray[np.int16]
Numbers = NDArray[np.int64]

RATES = (8_000, 16_000, 24_000)
CODEC = "L16"


class SocketLegs:
    def __init__(self, bank: Bank, voices: Voices, legs: Legs, outside: Outside) -> None:
        self._bank, self._voices, self._legs, self._outside = bank, voices, legs, outside
        self._sockets: dict[int, SocketLeg] = {}
        """By slot."""
        self._doubling, self._halving = Doubling(bank.capacity), Halving(bank.capacity)
        self._stretching = Stretching(bank.capacity, 16_000, 24_000)
        self._shrinking = Stretching(bank.capacity, 24_000, 16_000)

    # ── commands ──

    def open(self, command: commands.Socket) -> None:
        try:
            if command.rate not in RATES:
                raise ValueError("there is no such rate")
            if command.leg in self._legs.named:
                raise ValueError("there is a leg of this name")
            leg = self._legs.seat(command.leg)
        except ValueError as error:
            self._outside.report(commands.Refused(command.leg, str(error)))
        except BankFull:
            self._outside.report(commands.Refused(command.leg, commands.FULL))
        else:
            self._begin(leg, command)

    def _begin(self, leg: Leg, command: commands.Socket) -> None:
        self._bank.sockets[leg.slot], leg.codec = command.rate, CODEC
        self._legs.on_stream(leg)
        made = SocketLeg(leg, command, self._bank, self._outside, self._refuse)
        self._sockets[leg.slot] = made
        made.dial()

    def tell(self, command: commands.Tell) -> None:
        leg = self._legs.named.get(command.leg)
        if leg is not None and (socket := self._sockets.get(leg.slot)) is not None:
            socket.tell(command.text.encode())

    def on_hearing(self, slot: int, command: commands.Hearing) -> None:
        if (socket := self._sockets.get(slot)) is not None:
            socket.let_hear(not command.earmuffed)

    def forget(self, slot: int) -> None:
        if (socket := self._sockets.pop(slot, None)) is not None:
            socket.hang_up()
        for each in (self._doubling, self._halving, self._stretching, self._shrinking):
            each.forget(slot)

    def _refuse(self, socket: SocketLeg, reason: str) -> None:
        """It never began, and is no leg."""
        self._legs.unseat(socket.leg)
        self._outside.report(commands.Refused(socket.leg.name, reason))

    # ── the tick ──

    def tick(self, now: float) -> None:
        """After what was said and heard in it."""
        for socket in tuple(self._sockets.values()):
            socket.tick(now)

    def say(self) -> None:
        """What the servers say, as the rows of this frame."""
        said: dict[int, list[tuple[int, bytes]]] = {}
        for slot, socket in self._sockets.items():
            socket.has_joined = socket.has_joined or self._bank.room[slot] != UNKNOWN
            piece = socket.queue.pull() if socket.has_joined else None
            if piece is not None and not self._bank.muted[slot]:
                said.setdefault(socket.rate, []).append((slot, piece))
                socket.sounds = True
            elif socket.sounds:
                socket.sounds = False
                self._doubling.forget(slot)
                self._shrinking.forget(slot)
        for rate, listed in said.items():
            slots = np.array([slot for slot, _ in listed])
            frames = np.frombuffer(b"".join(piece for _, piece in listed), "<i2")
            self._put(rate, slots, frames.reshape(len(slots), -1).astype(np.int16))

    def _put(self, rate: int, slots: Numbers, frames: Samples) -> None:
        """A room of a leg of 16 kHz and more is always wide."""
        voices = self._voices
        voices.sounds[slots] = True
        if rate == 24_000:
            voices.wide[slots] = self._shrinking.push(frames, slots)
        elif rate == 16_000:
            voices.wide[slots] = frames
        else:
            wide = self._bank.wide[slots]
            voices.narrow[slots[~wide]] = frames[~wide]
            if wide.any():
                voices.wide[slots[wide]] = self._doubling.push(frames[wide], slots[wide])

    def hear(self, layout: Layout, heard: Heard) -> None:
        """Send what the legs of a layout hear."""
        if not self._sockets:
            return
        rates = self._bank.sockets[layout.slots]
        for rate in RATES:
            chosen = np.flatnonzero(rates == rate)
            if len(chosen):
                self._send(layout.slots[chosen], self._heard(rate, chosen, layout, heard))

    def _heard(self, rate: int, chosen: Numbers, layout: Layout, heard: Heard) -> Samples:
        """At the rate of the legs."""
        which, slots = heard.mixes.which[chosen], layout.slots[chosen]
        frames = np.zeros((len(chosen), heard.frames.shape[1]), np.int16)
        frames[which >= 0] = heard.mixes.audio[which[which >= 0]]
        if rate == 24_000:
            return self._stretching.push(frames, slots)
        if rate == 8_000 and frames.shape[1] == WIDE:
            return self._halving.push(frames, slots)
        return frames

    def _send(self, slots: Numbers, frames: Samples) -> None:
        octets = frames.astype("<i2").tobytes()
        size = len(octets) // len(slots)
        sent = [
            slot
            for index, slot in enumerate(slots.tolist())
            if self._sockets[slot].send(octets[index * size : (index + 1) * size])
        ]
        if sent:
            self._bank.traffic.send(np.array(sent), np.full(len(sent), size))
