"""From the port into the jitter buffers: what is received is told apart by its first octet
(RFC 7983) and by its sender, unprotected and sorted in whole batches. What nobody waits for is
dropped and counted; no octets that come here may raise."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.media.bank import OPUS, STEPS, UNKNOWN, Bank, Codec
from tertulia.media.jitter import FRAME_MS, ROOM
from tertulia.media.lines import NO_LINE
from tertulia.media.opus import read_toc
from tertulia.media.port import ROWS, WIDTH, Port
from tertulia.media.recutting import Recutter
from tertulia.media.srtp import Srtp, unprotect_rows
from tertulia.protocols.rtp import RtpPacket, level, read

Numbers = NDArray[np.int64]
Octets = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Times = NDArray[np.float64]

_HEADER = 12
_MEDIA = 128
"""First octet from which a packet is RTP or RTCP, up to 191."""
_BATCHES = 16
"""Batches that one visit takes from the socket: a flood must not hold up the tick."""
_CHECKS = 64
"""Checks of connectivity from unknown addresses that one visit looks at, 5 µs each; whoever is
dropped in a flood of them asks again."""
_SHARE = 200
"""Packets of one address that a tick looks at, some more when they come at once: half a second of
the shortest packets of Opus. A leg that floods us must not cost the others their tick."""
_SELDOM_COST = 8
"""Packets that one of the other kinds counts for."""
_STRAYS = 64
"""Packets from unexpected addresses to phones that one visit looks at."""
_IN_USE = 2.0
"""Seconds after the last packet of a leg for which its address is nobody else's."""
_ONE_BYTE = 0xBEDE
"""Of a header extension whose elements have heads of one octet (RFC 8285 4.2)."""
G711_FRAME, OPUS_FRAME = STEPS[Codec.PCMU], STEPS[Codec.OPUS]
"""Octets of 20 ms, and ticks of them."""


def _opus_ticks() -> Numbers:
    """Length of a packet of Opus by its first octet; 0 where the second one has to be asked."""
    tocs = [read_toc(bytes((octet,))) for octet in range(256)]
    return np.array([0 if toc is None else toc.ticks for toc in tocs], np.int64)


class Seldom(Protocol):
    """What to do with packets that are few, and need more than arrays."""

    def on_stun(self, data: bytes, key: int, now: float) -> None: ...
    def on_dtls(self, slot: int, data: bytes, key: int) -> None: ...
    def on_rtcp(self, slot: int, data: bytes, key: int, came: float) -> None: ...
    def on_other(self, slot: int, packet: RtpPacket, now: float) -> None:
        """Audio of another payload type than the leg's codec."""

    def on_stray(self, slot: int, data: bytes, key: int, now: float) -> bool:
        """RTP to a phone's line that is not from where its packets are taken from; whether it is
        to be taken all the same."""


class Counts:
    """Packets that were dropped, by why."""

    def __init__(self) -> None:
        self.strangers = 0
        """From an address of no leg, or of no kind that is known."""
        self.refused = 0
        """Forged, replayed or malformed."""


class _Media(NamedTuple):
    """Packets of RTP, header and all, a row each."""

    slots: Numbers
    rows: Octets
    sizes: Numbers
    came: Times
    """Seconds."""
    ahead_ms: Times
    """Before the next tick."""

    def only(self, chosen: Flags) -> "_Media":
        return _Media(
            self.slots[chosen],
            self.rows[chosen],
            self.sizes[chosen],
            self.came[chosen],
            self.ahead_ms[chosen],
        )


class _Payloads(NamedTuple):
    """The same packets, and where their payloads begin; `sizes` are those of the payloads."""

    media: _Media
    slots: Numbers
    rows: Octets
    starts: Numbers
    sizes: Numbers

    def only(self, chosen: Flags) -> "_Payloads":
        if chosen.all():
            return self
        media = self.media.only(chosen)
        return _Payloads(media, media.slots, media.rows, self.starts[chosen], self.sizes[chosen])


class Arrivals:
    def __init__(self, port: Port, bank: Bank, seldom: Seldom, recutter: Recutter) -> None:
        self.counts = Counts()
        self._port, self._bank, self._seldom, self._recutter = port, bank, seldom, recutter
        self._work: Octets = np.zeros((ROWS, WIDTH), np.uint8)
        self._lengths = np.zeros(ROWS, np.int32)
        self._came: Times = np.zeros(ROWS)
        self._filled = 0
        self._owners: dict[int, int] = {}
        self._keys: Numbers = np.zeros(0, np.int64)
        self._slots: Numbers = np.zeros(0, np.int64)
        self._stale = False
        self._checks_left = _CHECKS
        self._strays_left = _STRAYS
        self._taken: Numbers = np.zeros(bank.capacity, np.int64)
        """Packets of each leg since the last tick."""
        self._opus_ticks = _opus_ticks()

    def learn(self, key: int, slot: int, now: float) -> bool:
        """From now on this address is that of a leg; False when it is another's, who still speaks
        from there: anybody can write the address of another on a check of his own."""
        owner = self._owners.get(key)
        if owner == slot:
            return True
        if owner is not None and now - float(self._bank.traffic.heard[owner]) < _IN_USE:
            return False
        self._owners[key] = slot
        self._stale = True
        return True

    def forget(self, key: int, slot: int) -> None:
        if self._owners.get(key) == slot:
            del self._owners[key]
            self._stale = True

    def cut(self, slot: int) -> None:
        """The line of a phone is no more: what has come by it and is not sorted yet, is nobody's.
        Somebody else may have the slot by then."""
        lines = self._port.lines[: self._filled]
        lines[(lines != NO_LINE) & (lines >> 1 == slot)] = NO_LINE

    def owner(self, key: int) -> int | None:
        return self._owners.get(key)

    @property
    def addresses(self) -> int:
        return len(self._owners)

    def receive(self, now: float, next_tick: float) -> int:
        """Take what is waiting. Returns packets.

        Audio is left in its rows until `sort`, so that a tick sorts all that has come for it at
        once: a visit to the socket costs 10 µs then, and sorting as much for a few packets as for
        hundreds, 250. What is to be replied to is sorted at once, and all with it.
        """
        received = 0
        self._checks_left, self._strays_left = _CHECKS, _STRAYS
        for _ in range(_BATCHES):
            count = self._port.receive(self._filled)
            if not count:
                break
            received += count
            fresh = slice(self._filled, self._filled + count)
            self._filled += count
            self._came[fresh] = now
            is_full = self._filled == ROWS
            if is_full or int(self._port.packets[fresh, 0].min()) < _MEDIA:
                self.sort(now, next_tick)
            if not is_full:
                break
        return received

    def renew(self) -> None:
        """A tick is over."""
        self._taken[:] = 0

    def sort(self, now: float, next_tick: float) -> None:
        """Sort what was taken."""
        count, self._filled = self._filled, 0
        if count:
            ahead_ms = np.maximum((next_tick - self._came[:count]) * 1000, 0.0)
            self._sort(count, now, ahead_ms)

    def _look_up(self, keys: Numbers) -> Numbers:
        """The slot of each sender, or UNKNOWN."""
        if self._stale:
            # Some hundred µs for thousands of legs; joins come one by one, packets do not.
            keys_known = np.fromiter(self._owners.keys(), np.int64, len(self._owners))
            slots = np.fromiter(self._owners.values(), np.int64, len(self._owners))
            order = np.argsort(keys_known)
            self._keys, self._slots = keys_known[order], slots[order]
            self._stale = False
        if not len(self._keys):
            return np.full(len(keys), UNKNOWN, np.int64)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._slots[places], UNKNOWN)

    def _sort(self, count: int, now: float, ahead_ms: Times) -> None:
        packets, sizes = self._port.packets[:count], self._port.sizes[:count]
        first, second = packets[:, 0], packets[:, 1]
        slots = self._look_up(self._port.sources[:count])
        lines = self._port.lines[:count]
        lined = lines != NO_LINE
        slots = np.where(lined, lines >> 1, slots)
        media = (first >= _MEDIA) & (first < 192) & (slots >= 0) & (sizes >= _HEADER)
        control = (second >= 192) & (second < 224)
        if lined.any():
            self._meet(np.flatnonzero(lined & media & ~control), slots, media, now)
        rows = np.flatnonzero(media & ~control)
        if len(rows) < count:
            self._few(np.flatnonzero(~media | control), slots, media, now)
        rows = self._shared(rows, slots[rows])
        if len(rows):
            self._hear(self._opened(rows, slots[rows], ahead_ms), now)

    def _meet(self, rows: Numbers, slots: Numbers, media: Flags, now: float) -> None:
        """Phones: what comes from elsewhere than where their packets are taken from is no media,
        unless it proves to be theirs."""
        port = self._port
        strange = rows[port.sources[rows] != self._bank.origin[slots[rows]]]
        for row in strange.tolist():
            slot, key = int(slots[row]), int(port.sources[row])
            taken = False
            if self._strays_left > 0 and key != self._bank.origin[slot]:
                self._strays_left -= 1
                data = port.packets[row, : port.sizes[row]].tobytes()
                taken = self._seldom.on_stray(slot, data, key, now)
            media[row] = taken or key == self._bank.origin[slot]

    def _shared(self, rows: Numbers, slots: Numbers) -> Numbers:
        """Without those of legs that have had their share."""
        np.add.at(self._taken, slots, 1)
        over = self._taken[slots] > _SHARE
        if over.any():
            self.counts.refused += int(np.count_nonzero(over))
            rows = rows[~over]
        return rows

    def _few(self, rows: Numbers, slots: Numbers, media: Flags, now: float) -> None:
        port, seldom = self._port, self._seldom
        listed = zip(rows.tolist(), slots[rows].tolist(), port.sizes[rows].tolist(), strict=True)
        for row, slot, size in listed:
            if not size or (port.lines[row] != NO_LINE and not media[row]):
                self.counts.strangers += 1
                continue
            if slot >= 0:
                self._taken[slot] += _SELDOM_COST
                if self._taken[slot] > _SHARE:
                    self.counts.refused += 1
                    continue
            first, key = int(port.packets[row, 0]), int(port.sources[row])
            if first < 4 and (slot >= 0 or self._checks_left > 0):
                self._checks_left -= slot < 0
                seldom.on_stun(port.packets[row, :size].tobytes(), key, now)
            elif slot >= 0 and 20 <= first < 64:
                seldom.on_dtls(slot, port.packets[row, :size].tobytes(), key)
            elif media[row]:
                came = float(self._came[row])
                seldom.on_rtcp(slot, port.packets[row, :size].tobytes(), key, came)
            else:
                self.counts.strangers += 1

    def _opened(self, rows: Numbers, slots: Numbers, ahead_ms: Times) -> _Media:
        """Without protection. Legs that are protected but have no keys yet lose their packets."""
        srtp = self._bank.srtp
        sessions: list[Srtp] = []
        places: list[int] = []
        for place, slot in enumerate(slots.tolist()):
            if (session := srtp[slot]) is not None:
                sessions.append(session)
                places.append(place)
        ours = np.array(places, np.int64)
        plain = np.flatnonzero(self._bank.plain[slots])
        order = np.concatenate((ours, plain))
        count, chosen = len(order), rows[order]
        sizes = self._port.sizes[chosen]
        width = int(sizes.max(initial=0))
        self._work[:count, :width] = self._port.packets[chosen, :width]
        self._lengths[:count] = sizes
        if sessions:
            unprotect_rows(sessions, self._work, self._lengths)
        lengths = self._lengths[:count].astype(np.int64)
        media = _Media(
            slots[order], self._work[:count], lengths, self._came[chosen], ahead_ms[chosen]
        )
        if (lost := int(np.count_nonzero(lengths < _HEADER))) or count < len(rows):
            self.counts.refused += lost + len(rows) - count
            return media.only(lengths >= _HEADER)
        return media

    def _hear(self, media: _Media, now: float) -> None:
        bank = self._bank
        ours = (media.rows[:, 1] & 127) == bank.type_in[media.slots]
        if not ours.all():
            for row in np.flatnonzero(~ours).tolist():
                self._hear_other(media, row, now)
            media = media.only(ours)
        payloads = self._payloads(media)
        if not len(payloads.slots):
            return
        heads = payloads.rows[:, :_HEADER].copy()
        numbers = heads.view(">u4").astype(np.int64)
        self._follow(payloads.slots, numbers[:, 2])
        sequences = heads[:, 2:4].copy().view(">u2").astype(np.int64).ravel()
        milliseconds = numbers[:, 1] * (FRAME_MS / bank.jitter.step[payloads.slots])
        sizes = payloads.sizes + payloads.starts
        bank.traffic.count(payloads.slots, sequences, milliseconds, sizes, payloads.media.came)
        self._keep(payloads, sequences, numbers[:, 1])

    def _follow(self, slots: Numbers, sources: Numbers) -> None:
        """A leg that sends from another SSRC begins a new stream."""
        other = self._bank.source[slots] != sources
        if not other.any():
            return
        changed = zip(slots[other].tolist(), sources[other].tolist(), strict=True)
        for slot, source in dict(changed).items():
            self._bank.source[slot] = source
            self._bank.jitter.reset(slot)
            self._bank.traffic.restart(slot)
            self._recutter.forget(slot)

    def _hear_other(self, media: _Media, row: int, now: float) -> None:
        packet = read(media.rows[row, : media.sizes[row]].tobytes())
        if packet is None:
            self.counts.refused += 1
        else:
            # Its timestamp tells nothing of jitter: all packets of a key have the same.
            slot, sequence = media.slots[row : row + 1], np.array([packet.sequence])
            size, came = media.sizes[row : row + 1], media.came[row : row + 1]
            self._bank.traffic.count(slot, sequence, np.full(1, np.nan), size, came)
            self._seldom.on_other(int(media.slots[row]), packet, now)

    def _payloads(self, media: _Media) -> _Payloads:
        """Where payloads begin and how long they are; notes the levels. Those of packets with
        padding, contributing sources or unusual extensions are read one by one."""
        bank, rows = self._bank, media.rows
        starts = np.full(len(rows), _HEADER)
        first = rows[:, 0]
        extended = (first & 0x10) != 0
        strange = (first & 0x2F) != 0
        wanted = bank.level_id[media.slots]
        if not extended.all():
            # Nobody stays silent for having said so once.
            bank.level[media.slots[~extended]] = 0
        if extended.any():
            words = rows[:, 12:16].copy().view(">u2").astype(np.int64)
            first_is_level = (words[:, 0] == _ONE_BYTE) & (rows[:, 16] == wanted << 4)
            strange |= extended & (wanted > 0) & ~first_is_level
            starts[extended] = 16 + 4 * words[extended, 1]
            told = extended & (wanted > 0) & first_is_level
            bank.level[media.slots[told]] = rows[told, 17] & 127
        ends = media.sizes.copy()
        for row in np.flatnonzero(strange).tolist():
            self._read_one(media, row, starts, ends)
        sizes = ends - starts
        sound = (sizes > 0) & (sizes <= ROOM)
        self.counts.refused += int(len(rows) - np.count_nonzero(sound))
        return _Payloads(media, media.slots, rows, starts, sizes).only(sound)

    def _read_one(self, media: _Media, row: int, starts: Numbers, ends: Numbers) -> None:
        """The payload is moved to where it can be found by a start and a size."""
        slot, size = int(media.slots[row]), int(media.sizes[row])
        packet = read(media.rows[row, :size].tobytes())
        starts[row] = _HEADER
        ends[row] = 0
        if packet is None or _HEADER + len(packet.payload) > WIDTH:
            return
        ends[row] = _HEADER + len(packet.payload)
        media.rows[row, _HEADER : ends[row]] = np.frombuffer(packet.payload, np.uint8)
        if (wanted := int(self._bank.level_id[slot])) and (told := level(packet, wanted)):
            self._bank.level[slot] = told.decibels

    def _keep(self, payloads: _Payloads, sequences: Numbers, ticks: Numbers) -> None:
        media, slots, rows, starts, sizes = payloads
        ahead_ms = media.ahead_ms
        codecs = self._bank.codec[slots]
        opus = codecs == OPUS
        whole = sizes == G711_FRAME
        if opus.any():
            whole[opus] = self._opus_whole(payloads.only(opus))
        whole &= ~self._recutter.cuts[slots]
        frames = self._bank.jitter.place(slots[whole], ticks[whole], ahead_ms[whole])
        fits = frames >= 0
        odd = np.flatnonzero(~whole).tolist()
        if not fits.all():
            odd += np.flatnonzero(whole)[~fits].tolist()
            whole[np.flatnonzero(whole)[~fits]] = False
            frames = frames[fits]
        if len(frames):
            self._bank.jitter.store(
                slots[whole], frames, sequences[whole], rows[whole], starts[whole], sizes[whole],
                ahead_ms=ahead_ms[whole],
            )  # fmt: skip
        for row in odd:
            payload = rows[row, starts[row] : starts[row] + sizes[row]].tobytes()
            self._recutter.push(int(slots[row]), payload, int(ticks[row]), float(ahead_ms[row]))

    def _opus_whole(self, payloads: _Payloads) -> Flags:
        """Whether packets are 20 ms of Opus."""
        rows, starts = payloads.rows, payloads.starts
        ticks = self._opus_ticks[rows[np.arange(len(rows)), starts]]
        for row in np.flatnonzero(ticks == 0).tolist():
            toc = read_toc(rows[row, starts[row] : starts[row] + payloads.sizes[row]].tobytes()[:2])
            ticks[row] = 0 if toc is None else toc.ticks
        whole: Flags = ticks == OPUS_FRAME
        return whole
