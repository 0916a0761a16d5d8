"""What legs are sent: each distinct mix encoded once for each codec, put behind a header for each
leg, protected, and given to the port; all in matrices.

Opus is the cost. A room has one encoder for all who hear the whole of it, a leg one of its own for
as long as it hears something else and 3 s beyond, since a stream that goes from encoder to encoder
is only smooth when both are warm. An encoder that rested is warmed up with the frame before.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tertulia.media.bank import G722, OPUS, PCMA, PCMU, Bank
from tertulia.media.g711 import ALAW_SILENCE, ULAW_SILENCE, alaw_encode, ulaw_encode
from tertulia.media.g722 import G722Encoder
from tertulia.media.mixing import NOBODY, Mixes
from tertulia.media.opus import OpusEncoder
from tertulia.media.packing import Packer
from tertulia.media.port import WIDTH, Port
from tertulia.media.rooms import Layout
from tertulia.media.srtp import Srtp, protect_rows
from tertulia.media.voices import NARROW, WIDE
from tertulia.protocols import rtp

Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]
Numbers = NDArray[np.int64]

HEADER = 12
WARM_TICKS = 150
"""3 s that a leg keeps an encoder of its own."""
_SPARE = 64
"""Encoders of their own that may rest, for the next who need one."""


class Override(NamedTuple):
    """A packet in place of a leg's audio."""

    payload: bytes
    payload_type: int
    marker: bool
    timestamp: int


class _Encoder:
    def __init__(self) -> None:
        self.opus = OpusEncoder(16_000)
        self.tick = -2
        """When it was last used."""
        self.needed = 0
        """When its leg last heard what others do not."""
        self.loss = 0

    def expect(self, percent: int) -> None:
        if percent != self.loss:
            self.loss = percent
            self.opus.set_loss(percent)


class Encoders:
    """The encoders of Opus, and their packets of a frame."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._rooms: dict[int, _Encoder] = {}
        self._legs: dict[int, _Encoder] = {}
        self._spare: list[_Encoder] = []
        self._before: Samples = np.zeros((bank.capacity, WIDE), np.int16)
        """What legs heard in the frame before."""
        self._silence: bytes | None = None
        self._tick = 0
        self.encoded = 0
        """Frames, since the start."""
        self.loss = np.zeros(bank.capacity, np.int16)
        """Percent that the peers report as lost."""

    def forget(self, slot: int) -> None:
        self.loss[slot] = 0
        self._before[slot] = 0
        if (encoder := self._legs.pop(slot, None)) is not None:
            self._rest(encoder)

    def packets(
        self, layout: Layout, mixes: Mixes, hearers: Numbers
    ) -> tuple[list[bytes], Numbers]:
        """The packets of this tick, and which of them is for each of `hearers`, indices of legs of
        the layout that want Opus. The first is silence."""
        self._tick += 1
        packets = [self.silence]
        which = mixes.which[hearers]
        slots = layout.slots[hearers]
        wanted = np.unique(which[which >= 0]).tolist()
        place: Numbers = np.zeros(len(mixes.audio) + 1, np.int64)
        leaders = dict(zip(which[::-1].tolist(), slots[::-1].tolist(), strict=True))
        for mix in wanted:
            encoder = self._encoder(layout, mixes, mix, leaders[mix])
            place[mix] = len(packets)
            packets.append(self._encode(encoder, mixes.audio[mix], leaders[mix]))
        chosen: Numbers = place[which]
        self._keep_warm(mixes, which, slots, chosen, packets)
        self._before[slots] = 0
        self._before[slots[which >= 0]] = mixes.audio[which[which >= 0]]
        return packets, chosen

    @property
    def silence(self) -> bytes:
        """A packet of nothing, that a decoder goes into and out of as out of a pause in speech."""
        if self._silence is None:
            encoder, nothing = OpusEncoder(16_000), np.zeros(WIDE, np.int16)
            for _ in range(10):
                self._silence = encoder.encode(nothing)
        assert self._silence is not None
        return self._silence

    def _encoder(self, layout: Layout, mixes: Mixes, mix: int, slot: int) -> _Encoder:
        number = int(mixes.room[mix])
        room = None if number == NOBODY else layout.here[number]
        if room is None:
            encoder = self._own(slot)
            encoder.needed = self._tick
            return encoder
        found = self._rooms.get(room.number)
        if found is None:
            found = self._rooms[room.number] = self._fresh()
        if self._tick - found.tick > 1:
            found.expect(int(self.loss[room.members].max(initial=0)))
        return found

    def _own(self, slot: int) -> _Encoder:
        found = self._legs.get(slot)
        if found is None:
            found = self._legs[slot] = self._fresh()
        found.expect(int(self.loss[slot]))
        return found

    def _fresh(self) -> _Encoder:
        return self._spare.pop() if self._spare else _Encoder()

    def _rest(self, encoder: _Encoder) -> None:
        if len(self._spare) < _SPARE:
            encoder.opus.reset()
            encoder.tick = -2
            self._spare.append(encoder)

    def _encode(self, encoder: _Encoder, frame: Samples, slot: int) -> bytes:
        if encoder.tick != self._tick - 1:
            encoder.opus.encode(self._before[slot])
        encoder.tick = self._tick
        self.encoded += 1
        return encoder.opus.encode(frame)

    def _keep_warm(
        self, mixes: Mixes, which: Numbers, slots: Numbers, chosen: Numbers, packets: list[bytes]
    ) -> None:
        """Legs that had an encoder of their own keep it a while, though others hear the same."""
        if not self._legs:
            return
        places = {slot: place for place, slot in enumerate(slots.tolist()) if slot in self._legs}
        for slot, place in places.items():
            encoder, mix = self._legs[slot], int(which[place])
            if encoder.needed == self._tick or mix == NOBODY:
                continue
            if self._tick - encoder.needed > WARM_TICKS:
                self._rest(self._legs.pop(slot))
                continue
            chosen[place] = len(packets)
            packets.append(self._encode(encoder, mixes.audio[mix], slot))

    def sweep(self, rooms: set[int]) -> None:
        """Once a while: let go of the encoders of rooms that are no more."""
        for number in [number for number in self._rooms if number not in rooms]:
            self._rest(self._rooms.pop(number))


Narrow = Callable[[Samples, Numbers], Samples]
"""Frames at 16 kHz as frames at 8, each the next of the leg in that slot."""


class Sender:
    def __init__(self, port: Port, bank: Bank, narrow: Narrow, packer: Packer) -> None:
        self.encoders = Encoders(bank)
        self.overrides: dict[int, Override] = {}
        """By slot, for this tick."""
        self._packer = packer
        self._g722: dict[int, G722Encoder] = {}
        self._port, self._bank, self._narrow = port, bank, narrow
        self._rows: Octets = np.zeros((bank.capacity, WIDTH), np.uint8)
        self._lengths = np.zeros(bank.capacity, np.int32)

    def forget(self, slot: int) -> None:
        self.encoders.forget(slot)
        self._packer.forget(slot)
        self._g722.pop(slot, None)

    def send(self, layout: Layout, mixes: Mixes) -> None:
        """A packet to each leg of the layout that is up."""
        legs = np.flatnonzero(self._bank.sends[layout.slots])
        if not len(legs):
            return
        # Protected legs first: their rows and sessions have to go side by side.
        slots = layout.slots[legs]
        order = np.argsort(self._bank.plain[slots], kind="stable")
        legs, slots = legs[order], slots[order]
        rows, sizes = self._rows[: len(legs)], np.full(len(legs), NARROW)
        codecs = self._bank.codec[slots]
        for codec in (PCMU, PCMA):
            chosen = codecs == codec
            if chosen.any():
                rows[chosen, HEADER : HEADER + NARROW] = self._g711(
                    codec, mixes, legs[chosen], slots[chosen]
                )
        if (opus := codecs == OPUS).any():
            self._put_opus(layout, mixes, legs, opus, sizes)
        if (g722 := np.flatnonzero(codecs == G722)).size:
            self._put_g722(mixes, legs, slots, g722)
        if self._bank.packs[slots].any():
            whole = self._pack(slots, rows)
            slots, sizes = slots[whole], sizes[whole]
            self._rows[: len(slots)] = rows[whole]
            rows = self._rows[: len(slots)]
        self._put_headers(slots, rows)
        if self.overrides:
            self._override(slots, rows, sizes)
        self._hand_on(slots, rows, sizes)

    def _g711(self, codec: int, mixes: Mixes, legs: Numbers, slots: Numbers) -> Octets:
        encode, silence = (
            (ulaw_encode, ULAW_SILENCE) if codec == PCMU else (alaw_encode, ALAW_SILENCE)
        )
        which, audio = mixes.which[legs], mixes.audio
        if audio.shape[1] == WIDE:
            # The filter goes on with what each leg hears, so it is made for each.
            heard = np.concatenate((audio, np.zeros((1, WIDE), np.int16)))[which]
            return encode(self._narrow(heard, slots))
        encoded = np.full((len(audio) + 1, NARROW), silence, np.uint8)
        if len(audio):
            encoded[:-1] = encode(audio)
        # NOBODY, -1, is the last row: silence.
        return encoded.take(which, axis=0)

    def _put_opus(
        self,
        layout: Layout,
        mixes: Mixes,
        legs: Numbers,
        chosen: NDArray[np.bool_],
        sizes: Numbers,
    ) -> None:
        packets, places = self.encoders.packets(layout, mixes, legs[chosen])
        lengths = np.array([len(packet) for packet in packets])
        width = int(lengths.max())
        table = np.frombuffer(b"".join(packet.ljust(width, b"\0") for packet in packets), np.uint8)
        rows = np.flatnonzero(chosen)
        self._rows[rows, HEADER : HEADER + width] = table.reshape(-1, width)[places]
        sizes[rows] = lengths[places]

    def _put_g722(self, mixes: Mixes, legs: Numbers, slots: Numbers, chosen: Numbers) -> None:
        """Each has an encoder of its own: its state goes on from frame to frame."""
        silence = np.zeros(WIDE, np.int16)
        for row in chosen.tolist():
            slot, which = int(slots[row]), int(mixes.which[legs[row]])
            if slot not in self._g722:
                self._g722[slot] = G722Encoder()
            octets = self._g722[slot].encode(silence if which == NOBODY else mixes.audio[which])
            self._rows[row, HEADER : HEADER + NARROW] = np.frombuffer(octets, np.uint8)

    def _pack(self, slots: Numbers, rows: Octets) -> NDArray[np.bool_]:
        """Send the packets of those who wish other ones than of a frame; which are not done yet."""
        bank = self._bank
        rest = ~bank.packs[slots]
        for row in np.flatnonzero(~rest).tolist():
            slot = int(slots[row])
            if slot in self.overrides:
                self._packer.drop(slot)
                rest[row] = True
                continue
            frame = rows[row, HEADER : HEADER + NARROW].tobytes()
            for piece in self._packer.push(slot, frame):
                self._send_piece(slot, piece.payload, int(bank.ticks_out[slot]) - piece.behind)
            bank.ticks_out[slots[row : row + 1]] += np.uint32(bank.jitter.step[slot])
        return rest

    def _send_piece(self, slot: int, payload: bytes, timestamp: int) -> None:
        bank = self._bank
        packet = rtp.write(
            rtp.RtpPacket(
                int(bank.type_out[slot]), int(bank.sequence_out[slot]), timestamp & 0xFFFF_FFFF,
                int(bank.ssrc_out[slot]), payload,
            )
        )  # fmt: skip
        session, one = bank.srtp[slot], np.array([slot])
        bank.sequence_out[one] += np.uint16(1)
        bank.traffic.send(one, np.array([len(packet)]))
        sealed = packet if session is None else session.protect(packet)
        row = np.frombuffer(sealed.ljust(WIDTH, b"\0"), np.uint8)[np.newaxis]
        self._port.send(row, np.array([len(sealed)]), bank.target[one], bank.line[one])

    def _put_headers(self, slots: Numbers, rows: Octets) -> None:
        bank = self._bank
        rows[:, 0] = 0x80
        rows[:, 1] = bank.type_out[slots]
        rows[:, 2:4] = bank.sequence_out[slots].astype(">u2")[:, np.newaxis].view(np.uint8)
        numbers = np.empty((len(slots), 2), ">u4")
        numbers[:, 0], numbers[:, 1] = bank.ticks_out[slots], bank.ssrc_out[slots]
        rows[:, 4:12] = numbers.view(np.uint8)
        bank.sequence_out[slots] += np.uint16(1)
        bank.ticks_out[slots] += bank.jitter.step[slots].astype(np.uint32)

    def _override(self, slots: Numbers, rows: Octets, sizes: Numbers) -> None:
        for index, slot in enumerate(slots.tolist()):
            if (packet := self.overrides.get(slot)) is None:
                continue
            head = bytes((packet.payload_type | (0x80 if packet.marker else 0),))
            rows[index, 1] = head[0]
            rows[index, 4:8] = np.frombuffer(
                (packet.timestamp & 0xFFFF_FFFF).to_bytes(4, "big"), np.uint8
            )
            sizes[index] = len(packet.payload)
            rows[index, HEADER : HEADER + sizes[index]] = np.frombuffer(packet.payload, np.uint8)

    def _hand_on(self, slots: Numbers, rows: Octets, sizes: Numbers) -> None:
        count = len(slots)
        self._lengths[:count] = sizes + HEADER
        sessions: list[Srtp] = [
            session for slot in slots.tolist() if (session := self._bank.srtp[slot]) is not None
        ]
        if sessions:
            protect_rows(sessions, self._rows, self._lengths)
        lengths = self._lengths[:count].astype(np.int64)
        self._port.send(rows, lengths, self._bank.target[slots], self._bank.line[slots])
        self._bank.traffic.send(slots, sizes + HEADER)
