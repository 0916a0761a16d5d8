"""Application tokens: JSON Web Tokens signed with RS256 (RFC 7515, 7519; wire-api 6.2).

Nothing but RS256 is read, whatever the header asks for, so a token cannot choose how it is checked.
Instants are whole milliseconds; the wire's claims are seconds.
"""

import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from msgspec import Meta, Struct

PublicKey = RSAPublicKey
PrivateKey = RSAPrivateKey

TOKEN_MAX = 8 * 1024
"""Characters of a token."""
KEY_BITS_MIN = 2048
"""RFC 7518 3.3."""
LIFE = 15 * 60_000
"""Of a token that does not say when it expires."""
LIFE_MAX = 24 * 3_600_000
LEEWAY = 30_000
"""How far the signer's clock may be ahead of ours."""
SECONDS_MAX = 253_402_300_799
"""The last second of the year 9999."""

_PADDING = PKCS1v15()
_DIGEST = SHA256()
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)

T = TypeVar("T")
_Seconds = Annotated[int, Meta(ge=0, le=SECONDS_MAX)] | Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
_Text = Annotated[str, Meta(min_length=1, max_length=200)]


class TokenRefused(Exception):
    """The token is not one to trust. The message is for its sender and holds none of it."""


class TokenExpired(TokenRefused):
    """The token was good until it expired."""


class Claims(Struct, frozen=True):
    """What a verified token says."""

    application_id: str
    jti: str
    issued_at: int
    expires_at: int
    sub: str | None = None
    """Name of the user it speaks for."""
    acl: dict[str, Any] | None = None


class _Header(Struct, frozen=True):
    alg: str
    crit: msgspec.Raw | None = None


class _Application(Struct, frozen=True):
    application_id: _Text


class _Payload(Struct, frozen=True):
    application_id: _Text
    jti: _Text
    iat: _Seconds
    exp: _Seconds | str | None = None
    nbf: _Seconds | None = None
    sub: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    acl: dict[str, Any] | None = None


def load_public_key(pem: str | bytes) -> PublicKey:
    """Raises ValueError when it is not the PEM of an RSA key that is long enough for RS256."""
    try:
        key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except UnsupportedAlgorithm as error:
        raise ValueError("not an RSA public key") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError(f"not an RSA public key of {KEY_BITS_MIN} bits or more")
    return key


def load_private_key(pem: str | bytes) -> PrivateKey:
    """Raises ValueError when it is not the PEM of an unencrypted RSA key.

    The key's numbers are not checked against each other: it is our own, and that takes 100 ms.
    """
    raw = pem.encode() if isinstance(pem, str) else pem
    key = load_pem_private_key(raw, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA private key")
    return key


def mint(private_key: PrivateKey, claims: Mapping[str, object]) -> str:
    """A signed token that says `claims`, in the spelling of the wire."""
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    signed = ".".join(_base64url(msgspec.json.encode(part)) for part in parts)
    return f"{signed}.{_base64url(private_key.sign(signed.encode(), _PADDING, _DIGEST))}"


def peek_application_id(token: str) -> str:
    """Whose token it claims to be: unverified, only good for finding the key to verify it with."""
    return _decode(_split(token)[1], _Application, "payload").application_id


def verify(token: str, public_key: PublicKey, *, now: int) -> Claims:
    """Raises TokenRefused, or TokenExpired for a token that was good before."""
    header, payload, signature = _split(token)
    read = _decode(header, _Header, "header")
    if read.alg != "RS256" or read.crit is not None:
        raise TokenRefused("The token must be signed with RS256, without critical extensions.")
    try:
        public_key.verify(
            _octets(signature, "signature"), f"{header}.{payload}".encode(), _PADDING, _DIGEST
        )
    except InvalidSignature:
        raise TokenRefused("The token is not signed with the application's key.") from None
    return _judge(_decode(payload, _Payload, "payload"), now)


def _split(token: str) -> tuple[str, str, str]:
    if len(token) > TOKEN_MAX:
        raise TokenRefused(f"The token is longer than {TOKEN_MAX} characters.")
    parts = token.split(".", 3)
    if len(parts) != 3 or not token.isascii():
        raise TokenRefused("The token does not have three parts in base64url.")
    return parts[0], parts[1], parts[2]


def _judge(payload: _Payload, now: int) -> Claims:
    issued_at = int(payload.iat * 1000)
    expires_at = issued_at + LIFE if payload.exp is None else _expiry(payload.exp)
    if expires_at - issued_at > LIFE_MAX:
        raise TokenRefused("The token is valid for more than 24 hours.")
    if issued_at > now + LEEWAY:
        raise TokenRefused("The token is issued in the future.")
    if payload.nbf is not None and payload.nbf * 1000 > now + LEEWAY:
        raise TokenRefused("The token is not valid yet.")
    if expires_at <= now:
        raise TokenExpired("The token has expired.")
    return Claims(
        payload.application_id, payload.jti, issued_at, expires_at, payload.sub, payload.acl
    )


def _expiry(exp: int | float | str) -> int:
    """COMPAT: published samples make tokens whose `exp` is a string (wire-api 6.2)."""
    if not isinstance(exp, str):
        return int(exp * 1000)
    if _NUMBER.fullmatch(exp) is None:
        raise TokenRefused("The token's payload is not valid: exp is not a number.")
    return int(float(exp) * 1000)


def _decode(part: str, type_: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(_octets(part, name), type=type_)
    except msgspec.ValidationError as error:
        # Says which claim and what was expected of it, never its value.
        raise TokenRefused(f"The token's {name} is not valid: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise TokenRefused(f"The token's {name} is not JSON.") from None


def _octets(text: str, name: str) -> bytes:
    """Decode base64url in its one canonical spelling."""
    if _BASE64URL.fullmatch(text) is not None and len(text) % 4 != 1:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        octets = binascii.a2b_base64(padded)
        if _base64url(octets) == text:
            return octets
    raise TokenRefused(f"The token's {name} is not base64url.")


def _base64url(octets: bytes) -> str:
    text = binascii.b2a_base64(octets, newline=False).decode("ascii").rstrip("=")
    return text.replace("+", "-").replace("/", "_")
