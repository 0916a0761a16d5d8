"""A leg: what of it is not in the arrays."""

from collections.abc import Iterator, Mapping

from tertulia.media.phone_path import PhonePath
from tertulia.media.webrtc import WebRtcLeg
from tertulia.protocols.telephone_event import EventPacket, EventReceiver


class Pressing:
    """Keys that are being sent to a leg."""

    def __init__(self, packets: Iterator[EventPacket | None], payload_type: int, at: int) -> None:
        self.packets = packets
        self.payload_type = payload_type
        self.at = at
        """RTP's timestamp of the first tick."""


class Leg:
    def __init__(self, name: str, slot: int) -> None:
        self.name = name
        self.slot = slot
        self.codec = ""
        self.dtmf: Mapping[int, int] = {}
        """Rates of telephone-event by payload type."""
        self.dtmf_type: int | None = None
        """Of those that we send."""
        self.cname = ""
        self.path: WebRtcLeg | None = None
        self.offered: WebRtcLeg | None = None
        """Sent to the client, who has not answered yet."""
        self.phone: PhonePath | None = None
        """Of a phone, in the place of those."""
        self.is_held = False
        """The peer may well send nothing."""
        self.up_since: float | None = None
        self.up_seconds = 0.0
        """Of paths that are over."""
        self.is_down = False
        self.keys: set[int] = set()
        """Of the addresses that are known to be the leg's."""
        self.receiver = EventReceiver()
        self.pressing: Pressing | None = None
        self.waiting = ""
        """Keys to be sent after those."""
        self.tone_frame = 0
        """Of the first of them, when they are sent as tones."""
        self.round_trip: float | None = None
        """Seconds; None while nobody has told."""
        self.last_report: tuple[int, float] | None = None
        """The middle of the NTP time of the peer's last report, and when that came."""
        self.sent_before = (0, 0)
        """Packets and octets before the stream that is sent now."""
        self.reported = (0, 0)
        """Packets expected and received when we last reported."""
        self.reported_sent = 0
        """Packets of our stream, at that time."""

    def resume(self, now: float) -> None:
        """Its media path is open from now on."""
        self.is_down, self.up_since = False, now

    def pause(self, now: float) -> None:
        """Its media path is not open any more."""
        if self.up_since is not None:
            self.up_seconds += now - self.up_since
            self.up_since = None
