"""The engine: all legs of a worker, a frame of 20 ms after the other.

    every 20 ms: engine.tick(); in between, when packets wait: engine.receive()

A tick takes what has come, decodes who counts, mixes all rooms of a rate at once, encodes each
distinct mix once, and sends. It waits for nobody: files and disks have threads of their own, what
is slow and seldom (handshakes, offers) has a bounded part of each tick (duties.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tertulia.media.bank import CAPACITY, UNKNOWN, Bank
from tertulia.media.detecting import Detectors
from tertulia.media.duties import Duties
from tertulia.media.hearing import Conference, Echoes
from tertulia.media.keys import Keys
from tertulia.media.leg import Leg
from tertulia.media.legs import Legs
from tertulia.media.listening import Listeners
from tertulia.media.outside import Outside
from tertulia.media.packing import Packer
from tertulia.media.playing import Players
from tertulia.media.port import Port
from tertulia.media.recording import Recorders
from tertulia.media.reporting import PERIOD_TICKS
from tertulia.media.rooms import Layout, Rooms
from tertulia.media.sending import Sender
from tertulia.media.socket_legs import SocketLegs
from tertulia.media.speaking import Activity
from tertulia.media.voices import Voices
from tertulia.model import commands
from tertulia.model.commands import AnyCommand
from tertulia.protocols.rtp import RtpPacket

TICK = 0.02
"""Seconds."""
_SPARE = 0.006
"""Seconds before the next tick until which commands are carried out beyond their budget. With the
budget alone an idle worker made 200 phones a second, and each waited for its turn."""
_LEVELS_TICKS = 5
_CROWD = 100
"""Legs from which the socket is emptied also within a tick: its buffer holds some 500 packets where
the machine allows no more."""


class Engine:
    """Used by one thread. `obey` and `receive` may be called at any time between ticks."""

    def __init__(self, port: Port, outside: Outside, capacity: int = CAPACITY) -> None:
        self._outside = outside
        self._report = outside.report
        self.bank = Bank(capacity)
        packer = Packer()
        self.legs = Legs(port, self.bank, outside, self, packer)
        self.rooms = Rooms(self.bank)
        self.voices = Voices(self.bank)
        self.ticks = 0
        self.next_tick = outside.clock() + TICK
        self._duties = Duties(outside.clock)
        self._activity = Activity(capacity)
        self._keys = Keys(self.bank, self.legs.by_slot, self._on_digit)
        self._players = Players(outside.report)
        self._recorders = Recorders(outside.report, self._players.beep)
        self._listeners = Listeners(outside.report)
        self._detectors = Detectors(outside.report)
        self._timed = (self._players, self._recorders, self._listeners, self._detectors)
        for part in self._timed:
            part.advance(outside.at())  # commands may come before the first tick
        self._conference = Conference(
            self.bank, self.voices, self._players, self._recorders, self._keys
        )
        self.sender = Sender(port, self.bank, self._conference.narrowed, packer)
        self._echoes = Echoes(self.bank, self.voices)
        self._sockets = SocketLegs(self.bank, self.voices, self.legs, outside)
        self._watched: set[str] = set()
        self._orders = self._make_orders()

    # ── commands ──

    def obey(self, command: AnyCommand) -> None:
        """At once, or with the next ticks when much is to be done."""
        self._duties.do(lambda: self._obey(command))

    def _obey(self, command: AnyCommand) -> None:
        self._orders[type(command)](command)

    def _make_orders(self) -> dict[type, Callable[[Any], None]]:
        legs = self.legs
        return {
            commands.Answer: legs.answer,
            commands.Offer: legs.offer,
            commands.Accept: legs.accept,
            commands.Plain: legs.open_plain,
            commands.Echo: self._echo,
            commands.Socket: self._sockets.open,
            commands.Tell: self._sockets.tell,
            commands.Join: self._join,
            commands.Leave: self._leave,
            commands.Hearing: self._hearing,
            commands.Press: self._press,
            commands.Close: legs.close,
            commands.Play: self._play,
            commands.Ripe: self._players.ripe,
            commands.StopPlay: lambda command: self._players.stop(command.play),
            commands.Record: self._record,
            commands.StopRecord: lambda command: self._recorders.stop(command.record),
            commands.Salvage: self._recorders.salvage,
            commands.Listen: self._listen,
            commands.StopListen: lambda command: self._listeners.stop(command.listen),
            commands.Detect: self._detect_answerer,
            commands.StopDetect: lambda command: self._detectors.stop(command.detect),
            commands.Watch: self._watch,
        }

    def _echo(self, command: commands.Echo) -> None:
        self.legs.open_echo(command)
        if (leg := self.legs.named.get(command.leg)) is not None:
            self._echoes.begin(leg.slot, command.delay_ms)

    def _join(self, command: commands.Join) -> None:
        if (leg := self.legs.named.get(command.leg)) is not None:
            self._empty(self.rooms.join(leg.slot, command.room))

    def _leave(self, command: commands.Leave) -> None:
        if (leg := self.legs.named.get(command.leg)) is not None:
            self._empty(self.rooms.leave(leg.slot))

    def _empty(self, room: str | None) -> None:
        """Nobody is in the room any more."""
        if room is not None:
            self._players.gone(room)
            self._recorders.gone(room)
            self._watched.discard(room)

    def _hearing(self, command: commands.Hearing) -> None:
        if (leg := self.legs.named.get(command.leg)) is not None:
            self.rooms.hear(leg.slot, command)
            self._sockets.on_hearing(leg.slot, command)

    def _press(self, command: commands.Press) -> None:
        leg = self.legs.named.get(command.leg)
        # The server of a websocket is told of keys by the hub, and has no use for tones.
        if leg is not None and not self.bank.sockets[leg.slot]:
            self._keys.press(leg, command.digits)

    def _play(self, command: commands.Play) -> None:
        leg, room = command.leg, command.room
        if leg not in self.legs.named and (room is None or self.rooms.named(room) is None):
            error = "there is nobody to hear it"
            self._report(commands.Played(command.play, self._outside.at(), error=error))
            return
        wide = leg is None or self._is_wide(leg)
        self._players.start(command, 16_000 if wide else 8_000)

    def _is_wide(self, name: str) -> bool:
        leg = self.legs.named.get(name)
        return leg is None or bool(self.bank.wide[leg.slot])

    def _record(self, command: commands.Record) -> None:
        self._recorders.start(command)
        if command.leg is not None and command.leg not in self.legs.named:
            self._recorders.gone(command.leg)

    def _listen(self, command: commands.Listen) -> None:
        self._listeners.start(command)
        if command.leg not in self.legs.named:
            self._listeners.gone(command.leg)

    def _detect_answerer(self, command: commands.Detect) -> None:
        self._detectors.start(command)
        if command.leg not in self.legs.named:
            self._detectors.gone(command.leg)

    def _watch(self, command: commands.Watch) -> None:
        if command.on:
            self._watched.add(command.room)
        else:
            self._watched.discard(command.room)

    # ── legs ──

    def on_new(self, leg: Leg) -> None:
        self.rooms.add(leg.slot, leg.name)

    def on_stream(self, leg: Leg) -> None:
        self.voices.forget(leg.slot)
        self._keys.begin(leg)
        self.rooms.refresh()

    def on_gone(self, leg: Leg) -> None:
        self._empty(self.rooms.remove(leg.slot))
        self.sender.forget(leg.slot)
        self._players.gone(leg.name)
        self._recorders.gone(leg.name)
        self._listeners.gone(leg.name)
        self._detectors.gone(leg.name)
        self._keys.forget(leg)
        for part in (self.voices, self._echoes, self._sockets, self._conference):
            part.forget(leg.slot)
        self._activity.forget(leg.slot)

    def on_event(self, leg: Leg, packet: RtpPacket, rate: int, now: float) -> None:
        self._keys.receive(leg, packet, rate, now)

    def on_loss(self, leg: Leg, percent: int) -> None:
        self.sender.encoders.loss[leg.slot] = percent

    def _on_digit(self, leg: Leg, digit: str, milliseconds: int) -> None:
        tones = bool(self._keys.in_band[leg.slot])
        self._report(commands.Digit(leg.name, digit, milliseconds, self._outside.at(), tones))
        room = self.rooms.of(leg.slot)
        self._recorders.on_digit(digit, leg.name, None if room is None else room.name)

    # ── frames ──

    def receive(self) -> int:
        """Take what waits at the port. Returns packets."""
        now = self._outside.clock()
        return self.legs.arrivals.receive(now, self.next_tick)

    def skip(self, frames: int) -> None:
        """Leave out frames: their time has passed."""
        self.bank.jitter.skip(self.bank.active, frames)
        self.next_tick += frames * TICK

    def tick(self) -> None:
        """One frame of everything."""
        now, at = self._outside.clock(), self._outside.at()
        self.legs.arrivals.receive(now, self.next_tick)
        self.legs.arrivals.sort(now, self.next_tick)
        self.legs.arrivals.renew()
        self.next_tick += TICK
        self.ticks += 1
        for part in self._timed:
            part.advance(at)
        if self.legs.named:
            self._converse(now)
        self._duties.renew(self.next_tick - _SPARE)

    def _converse(self, now: float) -> None:
        layouts = self.rooms.layouts()
        self._speak()
        self._keys.poll(now)
        self.sender.overrides = self._keys.overrides()
        for layout, rate in zip(layouts, (8_000, 16_000), strict=True):
            if len(layout.slots):
                self._hear(layout, rate)
        self._look_after(now)

    def _speak(self) -> None:
        """What everybody says in this frame."""
        bank, voices = self.bank, self.voices
        active = bank.active
        in_room = (bank.room != UNKNOWN) & ~bank.muted
        # Keys count also of those whom nobody hears; most tell them without audio.
        wanted = in_room | self._keys.in_band
        taps = [
            (tap, leg)
            for tap in (self._listeners, self._detectors)
            for key in tap.targets
            if (leg := self.legs.named.get(key))
        ]
        wanted[[leg.slot for _, leg in taps]] = True
        due = bank.jitter.play(active)
        bank.traffic.miss(due.slots[due.there], due.gaps[due.there])
        voices.decode(due, wanted)
        self._echoes.say()
        self._sockets.say()
        self._detect(active)
        for tap, leg in taps:
            if voices.sounds[leg.slot]:
                tap.push(leg.name, voices.row(leg.slot))
        voices.gate(active, self._activity.levels, in_room)
        bank.jitter.catch_up(due.slots, ~bank.talking[due.slots])
        self._relieve(active)

    def _detect(self, active: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Who is speaking, and which keys are heard."""
        sounding = active[self.voices.sounds[active]]
        wide = self.voices.are_wide(sounding)
        for room, slots in (
            (self.voices.narrow, sounding[~wide]),
            (self.voices.wide, sounding[wide]),
        ):
            if len(slots):
                frames = room.take(slots, axis=0)
                self._activity.hear(frames, slots, self.bank.muted[slots])
                self._keys.listen(frames, slots)
        at = self._outside.at()
        for slot, on in self._activity.tick():
            leg = self.legs.by_slot.get(slot)
            self.bank.talking[slot] = on
            if leg is not None:
                self._report(commands.Speaking(leg.name, on, at))

    def _hear(self, layout: Layout, rate: int) -> None:
        heard = self._conference.hear(layout, rate)
        self._conference.record(layout, heard)
        self._echoes.hear(layout, heard)
        self._sockets.hear(layout, heard)
        self._relieve(layout.slots)
        self.sender.send(layout, heard.mixes)
        self._relieve(layout.slots)

    def _relieve(self, slots: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        if len(slots) > _CROWD:
            self.receive()

    def _look_after(self, now: float) -> None:
        """What is not done in every frame of every leg."""
        self.legs.paths.tick(now)
        self._sockets.tick(now)
        turn = self.ticks % PERIOD_TICKS
        slots = self.bank.active
        slots = slots[slots % PERIOD_TICKS == turn]
        if len(slots):
            self.bank.traffic.sample(slots)
            self.legs.send_reports([self.legs.by_slot[slot] for slot in slots.tolist()], now)
        if turn == 0:
            self.sender.encoders.sweep(self.rooms.numbers)
        if self.ticks % _LEVELS_TICKS == 0:
            for name in self._watched:
                if (room := self.rooms.named(name)) is not None:
                    self._report(commands.Levels(name, self._levels(room.members)))
            self._activity.begin()

    def _levels(self, slots: list[int]) -> dict[str, float]:
        # Of a beep shorter than the time between two reports, the last frame may know nothing.
        peaks = self._activity.peaks
        return {self.legs.by_slot[slot].name: round(float(peaks[slot]), 1) for slot in slots}

    def close(self) -> None:
        """End all legs, with their reports, and what is recorded of them."""
        self._duties.finish()
        for name in tuple(self.legs.named):
            self.legs.close(commands.Close(name))
        self._recorders.close()
        self._players.close()
        self._listeners.close()
