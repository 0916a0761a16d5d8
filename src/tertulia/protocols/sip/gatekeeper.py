"""Digest on the server's side: challenges with nonces that need no memory, and their answers.

A nonce is the time and some octets, signed; of the nonces in use it is remembered which counts
were seen, so that what was overheard does not open the door again.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import Enum
from hashlib import sha256
from struct import Struct as Layout

from tertulia.protocols.sip.digest import (
    MD5,
    SHA256,
    Authorization,
    Challenge,
    base,
    expected,
    parse_authorization,
    secret_hash,
)

_STAMP = Layout(">Q8s")
_SIGNATURE = 16
_WINDOW = 64


class Verdict(Enum):
    """What credentials turned out to be."""

    VALID = "valid"
    MISSING = "missing"
    """None for this realm that could be read: challenge."""
    STALE = "stale"
    """Right, but with a nonce that is too old, used before or not ours: challenge with `stale`."""
    WRONG = "wrong"
    """Unknown user or wrong password: challenge again, and count it."""


class Checked:
    """A verdict and the user whom it is about."""

    __slots__ = ("username", "verdict")

    def __init__(self, verdict: Verdict, username: str = "") -> None:
        self.verdict = verdict
        self.username = username


class Gatekeeper:
    """Challenges and checks for one realm. `secret` signs nonces: some 32 random octets.

    `lifetime` is in seconds, `now` in seconds of any clock that only goes forward. Known and
    unknown users cost the same work.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        lifetime: float = 300.0,
        algorithms: tuple[str, ...] = (SHA256, MD5),
        remembered: int = 10_000,
    ) -> None:
        self.realm = realm
        self._secret = secret
        self._lifetime = lifetime
        self._algorithms = algorithms
        self._counts = _Counts(remembered)

    def challenges(self, salt: bytes, now: float, *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate (or Proxy-Authenticate), each a field of its own, the best
        first (RFC 8760 section 2.3). `salt`: 8 random octets."""
        nonce = self._nonce(salt, now)
        return [
            str(Challenge(self.realm, nonce, algorithm, ("auth",), stale=stale))
            for algorithm in self._algorithms
        ]

    def check(
        self,
        values: Iterable[str],
        method: str,
        password: Callable[[str], str | None],
        now: float,
        *,
        body: bytes = b"",
    ) -> Checked:
        """Judge the Authorization (or Proxy-Authorization) values of a request.

        `password` gives that of a user, None for an unknown one. Comparing `uri` with the request
        is left out: proxies rewrite the latter (RFC 3261 section 22.4).
        """
        sent = self._ours(values)
        if sent is None:
            return Checked(Verdict.MISSING)
        known = password(sent.username)
        secret = secret_hash(sent.algorithm, sent.username, self.realm, known or "")
        right = hmac.compare_digest(
            expected(sent, secret, method, body).encode(), sent.response.lower().encode()
        )
        age = self._age(sent.nonce, now)
        if not right or known is None:
            return Checked(Verdict.WRONG, sent.username)
        if age is None or age > self._lifetime or not self._fresh(sent):
            return Checked(Verdict.STALE, sent.username)
        return Checked(Verdict.VALID, sent.username)

    def _ours(self, values: Iterable[str]) -> Authorization | None:
        for value in values:
            sent = parse_authorization(value)
            if sent is not None and sent.realm == self.realm:
                name = base(sent.algorithm)
                if name in self._algorithms and sent.qop in ("", "auth", "auth-int"):
                    return sent
        return None

    def _fresh(self, sent: Authorization) -> bool:
        """Whether this use of the nonce is a new one. Without qop nothing counts the uses: then
        each nonce is good for one request."""
        return self._counts.is_new(sent.nonce, sent.count)

    def _nonce(self, salt: bytes, now: float) -> str:
        stamp = _STAMP.pack(max(int(now * 1000), 0), salt)
        return urlsafe_b64encode(stamp + self._sign(stamp)).decode().rstrip("=")

    def _age(self, nonce: str, now: float) -> float | None:
        """Seconds since the nonce was made; None: it is not one of ours."""
        try:
            raw = urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except (NoBase64, ValueError):
            return None
        if len(raw) != _STAMP.size + _SIGNATURE:
            return None
        stamp, signature = raw[: _STAMP.size], raw[_STAMP.size :]
        if not hmac.compare_digest(self._sign(stamp), signature):
            return None
        made: int = _STAMP.unpack(stamp)[0]
        return now - made / 1000

    def _sign(self, stamp: bytes) -> bytes:
        return hmac.digest(self._secret, stamp + self.realm.encode(), sha256)[:_SIGNATURE]


class _Counts:
    """Which counts of a nonce were seen: the highest, and those of the 63 below it as bits, for
    requests that overtake each other. The nonce whose last use is longest ago is forgotten first,
    and its counts start anew: so let `remembered` be more than a lifetime's requests."""

    def __init__(self, remembered: int) -> None:
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._remembered = remembered

    def is_new(self, nonce: str, count: int) -> bool:
        highest, bits = self._seen.get(nonce, (-1, 0))
        if count > highest:
            bits = (bits << (count - highest)) | 1 if count - highest < _WINDOW else 1
            highest = count
        else:
            bit = 1 << (highest - count)
            if highest - count >= _WINDOW or bits & bit:
                return False
            bits |= bit
        self._seen[nonce] = (highest, bits & (2**_WINDOW - 1))
        self._seen.move_to_end(nonce)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return True
