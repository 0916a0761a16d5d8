"""What the engine needs of the world."""

from collections.abc import Callable
from typing import NamedTuple

from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import AnyReport
from tertulia.model.instant import Instant


class Outside(NamedTuple):
    report: Callable[[AnyReport], None]
    make_path: Callable[[], WebRtcLeg]
    clock: Callable[[], float]
    """Seconds, never back."""
    wall: Callable[[], float]
    """Seconds since 1970."""
    random: Callable[[int], bytes]
    host: tuple[str, int]
    """What unprotected legs are told to send to."""

    def at(self) -> Instant:
        return Instant(round(self.wall() * 1000))
