"""The media path of a WebRTC leg without its packets: offer and answer, ICE, DTLS, keys.

It touches no socket: datagrams and instants come in, datagrams go out. A leg that gets a new
media path gets a new one of these.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence

from tertulia.media.dtls import Certificate, Dtls
from tertulia.media.ice import Address, IceLite
from tertulia.media.srtp import SrtpKeys
from tertulia.protocols import offer_answer
from tertulia.protocols.offer_answer import CODECS, Candidate, Negotiated, Ourselves
from tertulia.protocols.sdp import Audio, SdpRefused, audio, parse

CONSENT = 30.0
"""Seconds without a check until the peer is taken for gone (RFC 7675 5.1)."""
PATIENCE = 30.0
"""Seconds that a path may take from the first look at the clock after the descriptions have met
until there are keys."""
_EARLY_MAX = 4
"""Datagrams that are kept for the moment in which our offer is answered."""


class WebRtcLeg:
    """
    `state` goes from `new` (nothing agreed) over `checking` to `connected`, and ends as `failed`
    (no keys), `lost` (consent ran out) or `closed`. Instants are seconds of a clock that only
    rises. Nothing that a peer sends raises anything but SdpRefused, and that from `answer` and
    `accept` alone, after which the leg is as it was.
    """

    def __init__(
        self,
        certificate: Certificate,
        candidates: Sequence[Candidate],
        *,
        random: Callable[[int], bytes],
        codecs: Sequence[str] = CODECS,
        consent: float = CONSENT,
        patience: float = PATIENCE,
    ) -> None:
        """`random` makes so many octets that nobody can guess; `codecs` are those allowed."""
        self.keys: SrtpKeys | None = None
        self._certificate = certificate
        self._codecs = codecs
        self._consent = consent
        self._patience = patience
        self._ice = IceLite(_letters(random(6)), _letters(random(18)))
        self._ourselves = Ourselves(
            session=int.from_bytes(random(8)) >> 2,
            ufrag=self._ice.ufrag,
            password=self._ice.password,
            fingerprint=certificate.fingerprint,
            candidates=candidates,
            ssrc=int.from_bytes(random(4)) or 1,
            cname=random(12).hex(),
            stream=random(16).hex(),
            track=random(16).hex(),
        )
        self._negotiated: Negotiated | None = None
        self._dtls: Dtls | None = None
        self._early: list[bytes] = []
        self._begun = False
        self._give_up = 0.0
        self._retransmit: float | None = None
        self._ended: str | None = None

    @property
    def local_ufrag(self) -> str:
        """By which checks for this leg are known among others."""
        return self._ice.ufrag

    @property
    def negotiated(self) -> Negotiated:
        """
        Raises:
            RuntimeError: nothing is agreed yet.
        """
        if self._negotiated is None:
            raise RuntimeError("nothing is agreed yet")
        return self._negotiated

    @property
    def remote(self) -> Address | None:
        """Where to send: the nominated address, or the first that was checked."""
        return self._ice.remote

    @property
    def paths(self) -> frozenset[Address]:
        """Addresses from which checks have come, eight at most: packets may come from each."""
        return frozenset(self._ice.paths)

    @property
    def state(self) -> str:
        if self._ended is not None:
            return self._ended
        if self.keys is not None:
            return "connected"
        return "new" if self._negotiated is None else "checking"

    # ── descriptions ──

    def answer(self, offer: str) -> str:
        """
        Raises:
            SdpRefused: we cannot go along with the offer.
        """
        description = parse(offer)
        peer = audio(description)
        agreed = offer_answer.agree(peer, self._ourselves, codecs=self._codecs)
        setup = "active" if peer.setup == "passive" else "passive"
        said = offer_answer.answer(description, peer, agreed, self._ourselves, setup)
        self._settle(peer, agreed, client=setup == "active")
        return said

    def offer(self) -> str:
        return offer_answer.offer(self._ourselves, codecs=self._codecs)

    def accept(self, answer: str) -> None:
        """The peer's answer to `offer`; `next_timer` may then be due.

        Raises:
            SdpRefused: it is no answer to it.
        """
        description = parse(answer)
        peer = audio(description)
        if len(description.sections) != 1 or peer.setup == "actpass":
            raise SdpRefused("no answer to what was offered")
        agreed = offer_answer.agree(peer, self._ourselves, codecs=self._codecs, offered=True)
        self._settle(peer, agreed, client=peer.setup == "passive")

    def _settle(self, peer: Audio, agreed: Negotiated, *, client: bool) -> None:
        if self._negotiated is not None or self._ended is not None:
            raise SdpRefused("there is a description already")
        self._negotiated = agreed
        self._ice.remote_ufrag = peer.ufrag
        self._dtls = Dtls(self._certificate, peer.fingerprints, client=client)

    # ── datagrams and time ──

    def on_stun(self, data: bytes, address: Address, now: float) -> list[tuple[bytes, Address]]:
        """What to send, and where to: the reply to a check, and what it makes possible."""
        if self._ended is not None:
            return []
        replies = [(reply, address) for reply in self._ice.on_stun(data, address, now)]
        return replies + [(each, self.remote or address) for each in self._begin(now)]

    def on_dtls(self, data: bytes, now: float) -> list[bytes]:
        """What to send to `remote`."""
        if self._ended is not None or self.remote is None:
            return []
        if self._dtls is None:  # a peer may begin before its answer has come here
            self._early += [data] if len(self._early) < _EARLY_MAX else []
            return []
        return [*self._begin(now), *self._advance(self._dtls.receive(data), now)]

    def on_timer(self, now: float) -> list[bytes]:
        """What to send to `remote`; to be called when `next_timer` has come, early does no harm."""
        if self._ended is not None or self._dtls is None:
            return []
        said = self._begin(now)
        if self.keys is None and self._retransmit is not None and now >= self._retransmit:
            said += self._advance(self._dtls.on_timeout(), now)
        if self._ended is None and now >= self._deadline():
            self._ended = "failed" if self.keys is None else "lost"
        return said

    @property
    def next_timer(self) -> float | None:
        """When `on_timer` is due next: 0.0 is at once, None is never."""
        if self._ended is not None or self._dtls is None:
            return None
        deadline = self._deadline()
        if self.keys is None and self._retransmit is not None:
            return min(deadline, self._retransmit)
        return deadline

    def close(self) -> list[bytes]:
        """The end of the leg; what to send to `remote`."""
        said = []
        if self._dtls is not None and self._ended is None and self.remote is not None:
            said = self._dtls.close()
        self._ended = "closed"
        return said

    def _deadline(self) -> float:
        if self.keys is None or self._ice.heard is None:
            return self._give_up
        return self._ice.heard + self._consent

    def _begin(self, now: float) -> list[bytes]:
        """The handshake's first flight, or replies to that of a peer in a hurry: once, when there
        are both a description and an address. Patience begins with the description."""
        if self._dtls is not None and not self._give_up:
            self._give_up = now + self._patience
        if self._begun or self._dtls is None or self.remote is None:
            return []
        self._begun = True
        said = self._advance(self._dtls.start(), now)
        for each in self._early:
            said += self._advance(self._dtls.receive(each), now)
        self._early = []
        return said

    def _advance(self, said: list[bytes], now: float) -> list[bytes]:
        """Take note of what DTLS has become with what it says."""
        assert self._dtls is not None
        self.keys = self._dtls.keys
        if self._dtls.state in {"closed", "failed"}:
            self._ended = self._dtls.state
        seconds = self._dtls.timeout()
        self._retransmit = None if seconds is None else now + seconds
        return said


def _letters(octets: bytes) -> str:
    """Of the alphabet of ICE (RFC 8839 5.4), which is that of base64."""
    return b64encode(octets).decode()
