"""Digest authentication (RFC 7616, RFC 2617, RFC 8760): challenges as they are read and written,
and the answer to one that we get. What checks the answers to ours is in gatekeeper.py."""

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from tertulia.protocols.sip.grammar import TOKEN, quote, unquote

SHA256 = "SHA-256"
MD5 = "MD5"
STRENGTH = (SHA256, MD5)
"""Strongest first; each also as `-sess`."""

_DIGEST = re.compile(r"digest[ \t]++", re.I)
_PAIR = re.compile(
    rf'[ \t]*+(?:({TOKEN}++)[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^ \t,"]*+)[ \t]*+)?(?:,|\Z)', re.S
)
_HEX = re.compile(r"[0-9A-Fa-f]{8}")
_PAIRS = 32


class Credentials(Struct, frozen=True):
    """Who we are to a server that asks."""

    username: str
    password: str


class Challenge(Struct, frozen=True):
    """A WWW-Authenticate or Proxy-Authenticate of the Digest scheme."""

    realm: str
    nonce: str
    algorithm: str = MD5
    """As written; `base` tells which hash."""
    qop: tuple[str, ...] = ()
    """`auth`, `auth-int`; empty: as before RFC 2617."""
    opaque: str | None = None
    stale: bool = False

    def __str__(self) -> str:
        pairs = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        pairs.append(f"algorithm={self.algorithm}")
        if self.qop:
            pairs.append(f'qop="{",".join(self.qop)}"')
        if self.opaque is not None:
            pairs.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            pairs.append("stale=true")
        return "Digest " + ", ".join(pairs)


class Authorization(Struct, frozen=True):
    """An Authorization or Proxy-Authorization of the Digest scheme."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = MD5
    qop: str = ""
    """Empty: as before RFC 2617, without cnonce and count."""
    cnonce: str = ""
    nc: str = ""
    """Eight hexadecimal digits."""
    opaque: str | None = None

    @property
    def count(self) -> int:
        """How often the nonce was used, as the client says; 0 without qop."""
        return int(self.nc, 16) if self.nc else 0

    def __str__(self) -> str:
        quoted = {"username": self.username, "realm": self.realm, "nonce": self.nonce}
        quoted |= {"uri": self.uri, "response": self.response}
        pairs = [f"{name}={quote(value)}" for name, value in quoted.items()]
        pairs.append(f"algorithm={self.algorithm}")
        if self.qop:
            pairs += [f"cnonce={quote(self.cnonce)}", f"qop={self.qop}", f"nc={self.nc}"]
        if self.opaque is not None:
            pairs.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ", ".join(pairs)


def parse_challenge(value: str) -> Challenge | None:
    """None: another scheme, or one nobody can answer."""
    pairs = _pairs(value)
    if pairs is None or "realm" not in pairs or "nonce" not in pairs:
        return None
    return Challenge(
        pairs["realm"],
        pairs["nonce"],
        pairs.get("algorithm", MD5),
        tuple(word for part in pairs.get("qop", "").split(",") if (word := part.strip().lower())),
        pairs.get("opaque"),
        pairs.get("stale", "").lower() == "true",
    )


def parse_authorization(value: str) -> Authorization | None:
    """None: another scheme, or one that lacks what it needs."""
    pairs = _pairs(value)
    needed = ("username", "realm", "nonce", "uri", "response")
    if pairs is None or not all(name in pairs for name in needed):
        return None
    qop, nc = pairs.get("qop", "").lower(), pairs.get("nc", "")
    if qop and (_HEX.fullmatch(nc) is None or "cnonce" not in pairs):
        return None
    return Authorization(
        pairs["username"],
        pairs["realm"],
        pairs["nonce"],
        pairs["uri"],
        pairs["response"],
        pairs.get("algorithm", MD5),
        qop,
        pairs["cnonce"] if qop else "",
        nc if qop else "",
        pairs.get("opaque"),
    )


def answer(
    challenges: Iterable[str],
    credentials: Credentials,
    *,
    method: str,
    uri: str,
    body: bytes = b"",
    cnonce: str = "",
    count: int = 1,
) -> str | None:
    """The Authorization (or Proxy-Authorization) for a request, to the strongest of the challenges
    (values of the header fields of one realm); None when there is none that we can answer.

    `count` is how often this nonce has been answered, this time included.
    """
    best = strongest(challenges)
    if best is None:
        return None
    qop = "auth" if "auth" in best.qop else "auth-int" if "auth-int" in best.qop else ""
    session = best.algorithm.lower().endswith("-sess")
    plain = Authorization(
        credentials.username,
        best.realm,
        best.nonce,
        uri,
        "",
        best.algorithm,
        qop,
        cnonce if qop or session else "",
        f"{count:08x}" if qop else "",
        best.opaque,
    )
    secret = secret_hash(best.algorithm, credentials.username, best.realm, credentials.password)
    return str(replace(plain, response=expected(plain, secret, method, body)))


def strongest(challenges: Iterable[str]) -> Challenge | None:
    """Of those that we can answer the one with the best hash; of equal ones the first."""
    known = [
        read
        for value in challenges
        if (read := parse_challenge(value)) is not None
        and base(read.algorithm) is not None
        and (not read.qop or "auth" in read.qop or "auth-int" in read.qop)
    ]
    return min(known, key=_rank) if known else None


def base(algorithm: str) -> str | None:
    """`MD5` or `SHA-256` of an algorithm as written; None: one that we do not know."""
    name = algorithm.upper().removesuffix("-SESS")
    return name if name in STRENGTH else None


def secret_hash(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password) as hexadecimal: what a server may keep instead of a password."""
    return _hash(algorithm, f"{username}:{realm}:{password}".encode())


def expected(sent: Authorization, secret: str, method: str, body: bytes = b"") -> str:
    """The response that somebody who knows `secret` gives. The algorithm has to be a known one."""
    algorithm = sent.algorithm
    if algorithm.lower().endswith("-sess"):
        secret = _hash(algorithm, f"{secret}:{sent.nonce}:{sent.cnonce}".encode())
    request = f"{method}:{sent.uri}"
    if sent.qop == "auth-int":
        request += f":{_hash(algorithm, body)}"
    asked = _hash(algorithm, request.encode())
    if not sent.qop:
        return _hash(algorithm, f"{secret}:{sent.nonce}:{asked}".encode())
    middle = f"{sent.nonce}:{sent.nc}:{sent.cnonce}:{sent.qop}"
    return _hash(algorithm, f"{secret}:{middle}:{asked}".encode())


def _hash(algorithm: str, data: bytes) -> str:
    if base(algorithm) == SHA256:
        return hashlib.sha256(data).hexdigest()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _rank(challenge: Challenge) -> int:
    return STRENGTH.index(base(challenge.algorithm) or MD5)


def _pairs(value: str) -> dict[str, str] | None:
    begun = _DIGEST.match(value)
    if begun is None:
        return None
    found: dict[str, str] = {}
    at, count = begun.end(), 0
    while at < len(value):
        hit = _PAIR.match(value, at)
        if hit is None or (count := count + 1) > _PAIRS:
            return None
        at = hit.end()
        if hit[1] is not None:
            found.setdefault(hit[1].lower(), unquote(hit[2]))
    return found
