"""What was said and agreed about the media of a phone leg, and who may be its other end.

A leg has one of these for all its life: with every new description the same ports are told.
"""

from collections.abc import Callable, Sequence

from tertulia.media.lines import Line
from tertulia.media.srtp import SrtpKeys
from tertulia.protocols import phone_sdp
from tertulia.protocols.phone_sdp import Agreed, Offered, Ourselves, Place
from tertulia.protocols.sdes import SUITES, Crypto
from tertulia.protocols.sdp import Description

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": "AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": "AES128_CM_SHA1_32",
    "AEAD_AES_128_GCM": "AEAD_AES_128_GCM",
}
"""Of SDES, as DTLS calls them."""
_CLAIMS_MAX = 8
"""Strange sources whose packets are counted at a time."""


class PhonePath:
    def __init__(self, line: Line, random: Callable[[int], bytes]) -> None:
        self.line = line
        self.agreed: Agreed | None = None
        self.offered: Offered | None = None
        """What was offered last; it may be answered several times."""
        self.signalled = 0
        """Key of the address that the peer has told; 0 is none. As the next."""
        self.control = 0
        """Where RTCP is sent to."""
        self.since = 0.0
        """When packets from the address that they are taken from were first expected."""
        self.alive = 0.0
        """When the peer last showed itself by other things than audio."""
        self.paused: float | None = None
        """Since when nothing is sent."""
        self.switched = 0.0
        """When the peer last went over to another codec by itself."""
        self.claims = Claims()
        self._random = random
        self._session = int.from_bytes(random(8)) >> 2
        self._version = 0
        self._keys: dict[str, bytes] = {}
        """Ours, by suite: each stays the same while the leg lasts, since a stream that began anew
        under the key of an old one could be read."""

    def answer(self, description: Description, agreed: Agreed, host: str) -> str:
        """The answer to an offer; `host` is our address."""
        key = None if agreed.crypto is None else self._key(agreed.crypto.suite)
        self.offered = None
        return phone_sdp.answer(description, agreed, self._ourselves(host), key)

    def offer(self, codecs: Sequence[str], host: str, *, secure: bool) -> str:
        """Another offer; what is agreed upon stays until it is answered."""
        crypto = None if self.agreed is None else self.agreed.crypto
        suites = sorted(SUITES, key=lambda each: crypto is None or each != crypto.suite)
        keys = [Crypto(tag, suite, self._key(suite)) for tag, suite in enumerate(suites, 1)]
        listed = phone_sdp.to_offer(codecs, self.agreed)
        self.offered = Offered(listed, tuple(keys) if secure or crypto is not None else ())
        return phone_sdp.offer(self._ourselves(host), self.offered)

    def keys(self, agreed: Agreed) -> SrtpKeys | None:
        """None without protection."""
        crypto = agreed.crypto
        if crypto is None:
            return None
        return SrtpKeys(PROFILES[crypto.suite], self._key(crypto.suite), crypto.key)

    def _key(self, suite: str) -> bytes:
        if suite not in self._keys:
            self._keys[suite] = self._random(SUITES[suite])
        return self._keys[suite]

    def _ourselves(self, host: str) -> Ourselves:
        self._version += 1
        return Ourselves(self._session, self._version, Place(host, self.line.number))


class Claims:
    """Sources that are not expected, and the packets that each has sent one after the other."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], tuple[int, int]] = {}
        """By address and SSRC: the sequence number to come, and how many have."""

    def count(self, key: int, ssrc: int, sequence: int) -> int:
        """How many have come in a row with this one (RFC 3550 A.1)."""
        expected, count = self._counts.pop((key, ssrc), (sequence, 0))
        count = count + 1 if sequence == expected else 1
        if len(self._counts) >= _CLAIMS_MAX:
            del self._counts[next(iter(self._counts))]
        self._counts[key, ssrc] = (sequence + 1) & 0xFFFF, count
        return count

    def clear(self) -> None:
        self._counts.clear()
