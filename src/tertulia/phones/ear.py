"""What one phone hears: whether somebody speaks, keys, what is recorded, how the network does.

Packets may be lost, late, or in another order: speech is told by when packets came, a recording is
laid out by their timestamps.
"""

from typing import NamedTuple

import numpy as np

from tertulia.media.g711 import Octets, Samples, alaw_decode, ulaw_decode
from tertulia.phones.description import Agreed
from tertulia.protocols.rtcp import Block, SenderReport, fraction_lost, middle
from tertulia.protocols.rtp import RtpPacket, read, sequence_distance, timestamp_distance
from tertulia.protocols.sdp import PCMA
from tertulia.protocols.telephone_event import EventReceiver

RATE = 8000
LOUD = -42.0
"""Decibels relative to full scale, from which on a packet may be speech."""
ONSET = 3
"""Loud packets of the last few that are the beginning of speech: a click is fewer."""
LATELY = 5
HANGOVER = 0.3
"""Seconds without a loud packet, after which somebody has stopped speaking."""
PAYLOAD_MAX = 2 * RATE // 10
"""Octets: 200 ms."""
_EVERY_OCTET = np.arange(256, dtype=np.uint8)
_POWERS = {
    "PCMU": ulaw_decode(_EVERY_OCTET).astype(np.float64) ** 2 / 32768.0**2,
    "PCMA": alaw_decode(_EVERY_OCTET).astype(np.float64) ** 2 / 32768.0**2,
}
_LOUD_POWER = 10 ** (LOUD / 10)


class Speaks(NamedTuple):
    on: bool
    since: float


class Key(NamedTuple):
    digit: str


class Audio(NamedTuple):
    """As it came, for who gives it back."""

    payload_type: int
    timestamp: int
    payload: bytes


Heard = Speaks | Key | Audio


class Ear:
    """Of one call. Times in seconds, monotonic."""

    def __init__(self) -> None:
        self.reception: Reception | None = None
        """Of the source that is heard."""
        self.dropped = 0
        """Datagrams that are no packets of this call."""
        self._agreed: Agreed | None = None
        self._keys = EventReceiver()
        self._lately: list[bool] = []
        self._loud_at = 0.0
        self._speaks = False
        self._tape: Tape | None = None

    def agree(self, agreed: Agreed) -> None:
        self._agreed = agreed

    def record(self, seconds: float) -> None:
        self._tape = Tape(seconds)

    def recorded(self) -> Samples | None:
        """What was said since `record`, to the last packet; at 8 kHz."""
        tape, self._tape = self._tape, None
        return None if tape is None else tape.samples()

    def receive(self, data: bytes, now: float) -> list[Heard]:
        """A datagram has come."""
        agreed, packet = self._agreed, read(data)
        if agreed is None or packet is None:
            self.dropped += 1
            return []
        if packet.payload_type == agreed.event_type:
            self._count(packet, now)
            pressed = self._keys.receive(packet.payload, RATE, packet.timestamp, packet.marker, now)
            return [Key(each.digit) for each in pressed]
        codec = agreed.codecs.get(packet.payload_type)
        if codec is None or not 0 < len(packet.payload) <= PAYLOAD_MAX:
            self.dropped += 1
            return []
        self._count(packet, now)
        return self._audio(packet, codec, now)

    def poll(self, now: float) -> list[Heard]:
        """What is known by now, though nothing has come."""
        heard: list[Heard] = []
        if not self._keys.is_idle:
            heard += [Key(each.digit) for each in self._keys.poll(now)]
        if self._speaks and now - self._loud_at >= HANGOVER:
            self._speaks = False
            self._lately.clear()
            heard.append(Speaks(False, self._loud_at))
        return heard

    def _count(self, packet: RtpPacket, now: float) -> None:
        if self.reception is None or self.reception.ssrc != packet.ssrc:
            self.reception = Reception(packet)
        self.reception.count(packet, now)

    def _audio(self, packet: RtpPacket, codec: str, now: float) -> list[Heard]:
        octets = np.frombuffer(packet.payload, np.uint8)
        if self._tape is not None:
            self._tape.lay(packet.timestamp, octets, codec)
        heard: list[Heard] = [Audio(packet.payload_type, packet.timestamp, packet.payload)]
        loud = bool(_POWERS[codec].take(octets).mean() >= _LOUD_POWER)
        self._lately = [*self._lately[-LATELY + 1 :], loud]
        if loud:
            self._loud_at = now
        if not self._speaks and sum(self._lately) >= ONSET:
            self._speaks = True
            heard.append(Speaks(True, now))
        return heard


class Tape:
    """Samples by their place in time, which the timestamps tell; what is lost is silence."""

    def __init__(self, seconds: float) -> None:
        self._samples = np.zeros(int(seconds * RATE), np.int16)
        self._first: int | None = None
        self._end = 0

    def lay(self, timestamp: int, octets: Octets, codec: str) -> None:
        if self._first is None:
            self._first = timestamp
        at = timestamp_distance(timestamp, self._first)
        if not 0 <= at <= len(self._samples) - len(octets):
            return  # before it began, or after its end
        decode = alaw_decode if codec == PCMA else ulaw_decode
        self._samples[at : at + len(octets)] = decode(octets)
        self._end = max(self._end, at + len(octets))

    def samples(self) -> Samples:
        return self._samples[: self._end]


class Reception:
    """Of one source, for the reports to it (RFC 3550 A.3, A.8)."""

    def __init__(self, first: RtpPacket) -> None:
        self.ssrc = first.ssrc
        self.received = 0
        self._first = self._highest = first.sequence
        self._jitter = 0.0
        self._transit: float | None = None
        self._told = (0, 0)
        """Expected and received, at the report before."""
        self._report: tuple[int, float] | None = None

    @property
    def expected(self) -> int:
        return self._highest - self._first + 1

    def count(self, packet: RtpPacket, now: float) -> None:
        self.received += 1
        ahead = sequence_distance(packet.sequence, self._highest & 0xFFFF)
        self._highest = max(self._highest, self._highest + ahead)
        transit = now * RATE - packet.timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < RATE:  # more is a new beginning
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def reported(self, report: SenderReport, now: float) -> None:
        if report.ssrc == self.ssrc:
            self._report = middle(report.sent.ntp), now

    def block(self, now: float) -> Block:
        """What there is to tell since the last one."""
        expected, received = self._told
        self._told = self.expected, self.received
        fraction = fraction_lost(self.expected - expected, self.received - received)
        last, at = self._report or (0, now)
        return Block(
            self.ssrc, fraction, self.expected - self.received, self._highest & 0xFFFF_FFFF,
            int(self._jitter), last, int((now - at) * 65536) & 0xFFFF_FFFF,
        )  # fmt: skip
