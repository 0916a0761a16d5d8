"""What one phone sends: a packet of 20 ms at each tick, of a sound, of pressed keys, or of silence.

Or, while it echoes, what it has just received.
"""

from collections.abc import Iterator

from tertulia.media.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    Samples,
    alaw_encode,
    ulaw_encode,
)
from tertulia.phones.description import Agreed
from tertulia.protocols.rtp import HEADER
from tertulia.protocols.sdp import PCMA, PCMU
from tertulia.protocols.telephone_event import EventPacket

FRAME = 160
_SILENCE = {PCMU: bytes((ULAW_SILENCE,)) * FRAME, PCMA: bytes((ALAW_SILENCE,)) * FRAME}
_VERSION = 0x80
_MARKER = 0x80


class Mouth:
    """Of one call. `random` is ten octets: of SSRC, timestamp and sequence number."""

    def __init__(self, random: bytes) -> None:
        self.ssrc = int.from_bytes(random[:4], "big")
        self.timestamp = int.from_bytes(random[4:8], "big")
        """Of the next frame."""
        self.packets = self.octets = 0
        """Sent up to now; octets of payload."""
        self._sequence = int.from_bytes(random[8:10], "big")
        self._agreed: Agreed | None = None
        self._samples: Samples | None = None
        self._at = 0
        self._keys: Iterator[EventPacket | None] | None = None
        self._keys_begin = 0
        self._echoes = False
        self._shift: int | None = None
        """From the timestamps of what is echoed to ours."""
        self._marks = True
        """The next packet is the first after a gap."""

    def agree(self, agreed: Agreed) -> None:
        """From now on send this."""
        self._agreed = agreed

    def play(self, samples: Samples) -> None:
        """From its beginning, as soon as there is somebody to hear it."""
        self._samples, self._at = samples, 0

    def press(self, packets: Iterator[EventPacket | None]) -> None:
        """In place of sound."""
        self._keys, self._keys_begin = packets, self.timestamp

    def hush(self) -> None:
        self._samples, self._keys = None, None

    def echo(self, on: bool) -> None:
        self._echoes, self._shift, self._marks = on, None, True

    @property
    def is_busy(self) -> bool:
        """A sound, or keys, are not over."""
        return self._samples is not None or self._keys is not None

    def tick(self) -> bytes | None:
        """The packet of these 20 ms, if there is one."""
        if self._agreed is None or self._echoes:
            return None
        packet = self._key() if self._keys is not None else None
        if packet is None:
            packet = self._packet(self._agreed.payload_type, self.timestamp, self._frame())
        self.timestamp = (self.timestamp + FRAME) & 0xFFFF_FFFF
        return packet if self._agreed.sends else None

    def skip(self, frames: int) -> None:
        """Go on as if so many had been sent."""
        self.timestamp = (self.timestamp + frames * FRAME) & 0xFFFF_FFFF
        self._marks = True

    def echoed(self, payload_type: int, timestamp: int, payload: bytes) -> bytes | None:
        """The packet that gives back what came, at once."""
        if self._agreed is None or not self._echoes or not self._agreed.sends:
            return None
        if self._shift is None:
            self._shift = self.timestamp - timestamp
        ours = (timestamp + self._shift) & 0xFFFF_FFFF
        self.timestamp = (ours + len(payload)) & 0xFFFF_FFFF
        return self._packet(payload_type, ours, payload)

    def _frame(self) -> bytes:
        assert self._agreed is not None
        silence = _SILENCE[self._agreed.codec]
        if self._samples is None:
            return silence
        samples = self._samples[self._at : self._at + FRAME]
        self._at += FRAME
        if self._at >= len(self._samples):
            self._samples = None
        encode = alaw_encode if self._agreed.codec == PCMA else ulaw_encode
        frame = encode(samples).tobytes()
        return frame + silence[len(frame) :]

    def _key(self) -> bytes | None:
        """None: these 20 ms are audio."""
        assert self._keys is not None and self._agreed is not None
        try:
            event = next(self._keys)
        except StopIteration:
            self._keys = None
            return None
        if event is None or self._agreed.event_type is None:
            return None
        self._marks = event.marker
        timestamp = (self._keys_begin + event.timestamp) & 0xFFFF_FFFF
        return self._packet(self._agreed.event_type, timestamp, event.payload)

    def _packet(self, payload_type: int, timestamp: int, payload: bytes) -> bytes:
        second = payload_type | (_MARKER if self._marks else 0)
        self._marks = False
        head = HEADER.pack(_VERSION, second, self._sequence, timestamp, self.ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload
