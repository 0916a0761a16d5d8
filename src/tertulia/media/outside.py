"""What the engine needs of the world."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tertulia.media.sockets import Dial, nobody
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import AnyReport
from tertulia.model.instant import Instant
from tertulia.protocols import phone_sdp


class PhoneTerms(NamedTuple):
    """What descriptions for phones are made of."""

    codecs: Sequence[str] = phone_sdp.CODECS
    """In the order of our offers."""
    hosts: Sequence[str] = ("127.0.0.1",)
    """Our addresses."""
    are_set: bool = False
    """By the operator: then they are told whichever way a phone is reached."""


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
    phones: PhoneTerms = PhoneTerms()
    dial: Dial = nobody
    """The websocket servers of applications."""

    def at(self) -> Instant:
        return Instant(round(self.wall() * 1000))
