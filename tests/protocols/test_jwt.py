"""Application tokens: what is believed, what is refused, and that nothing of a token is told."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.jwt import (
    LEEWAY,
    LIFE,
    TOKEN_MAX,
    Claims,
    TokenExpired,
    TokenRefused,
    load_private_key,
    load_public_key,
    mint,
    peek_application_id,
    verify,
)

KEY = rsa.generate_private_key(65_537, 2048)
OTHER_KEY = rsa.generate_private_key(65_537, 2048)
PUBLIC = KEY.public_key()
PUBLIC_PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
NOW = 1_777_885_200_000
SECOND = NOW // 1000
DAY = 86_400
RS256 = {"alg": "RS256", "typ": "JWT"}


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims, changed; `...` leaves one out."""
    told = {"application_id": "app-1", "iat": SECOND, "exp": SECOND + 60, "jti": "j-1", **changes}
    return {name: value for name, value in told.items() if value is not ...}


def token(**changes: Any) -> str:
    return mint(KEY, claims(**changes))


def unsigned(header: object, payload: object) -> str:
    parts = (part if isinstance(part, bytes) else msgspec.json.encode(part)
             for part in (header, payload))  # fmt: skip
    return ".".join(base64url(part) for part in parts)


def signed(header: object, payload: object, digest: HashAlgorithm | None = None) -> str:
    """Properly signed with the application's key, whatever it says."""
    text = unsigned(header, payload)
    return f"{text}.{base64url(KEY.sign(text.encode(), PKCS1v15(), digest or SHA256()))}"


def hs256(secret: bytes) -> str:
    text = unsigned({"alg": "HS256", "typ": "JWT"}, claims())
    return f"{text}.{base64url(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def test_a_token_says_who_and_until_when() -> None:
    acl: dict[str, Any] = {"paths": {"/*/users/**": {}}}
    said = verify(token(sub="alice", acl=acl), PUBLIC, now=NOW)
    assert said == Claims("app-1", "j-1", NOW, NOW + 60_000, "alice", acl)


@pytest.mark.parametrize(
    ("exp", "expires_at"),
    [
        (..., NOW + LIFE),
        (None, NOW + LIFE),
        (SECOND + DAY, NOW + DAY * 1000),
        (str(SECOND + 60), NOW + 60_000),
        (f"{SECOND + 60}.5", NOW + 60_500),
        (SECOND + 60.5, NOW + 60_500),
    ],
)
def test_expiry_in_its_accepted_spellings(exp: object, expires_at: int) -> None:
    assert verify(token(exp=exp), PUBLIC, now=NOW).expires_at == expires_at


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": SECOND + LEEWAY // 1000, "exp": SECOND + DAY},
        {"nbf": SECOND + LEEWAY // 1000},
        {"iat": SECOND + 0.25},
        {"sub": None, "acl": None},
        {"jti": "j" * 200},
        {"ttl": 5, "unknown": {"claims": "are ignored"}},
    ],
)
def test_good_tokens(changes: dict[str, Any]) -> None:
    assert verify(token(**changes), PUBLIC, now=NOW).application_id == "app-1"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"application_id": ...}, "application_id"),
        ({"application_id": 7}, "application_id"),
        ({"application_id": ""}, "application_id"),
        ({"iat": ...}, "iat"),
        ({"iat": "1777885200"}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": -1}, "iat"),
        ({"iat": 10**30}, "iat"),
        ({"iat": 1e300}, "iat"),
        ({"jti": ...}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "j" * 201}, "jti"),
        ({"jti": 5}, "jti"),
        ({"exp": "soon"}, "exp"),
        ({"exp": " 1777885260"}, "exp"),
        ({"exp": "1777885260_0"}, "exp"),
        ({"exp": "NaN"}, "exp"),
        ({"exp": "9" * 400}, "exp"),
        ({"exp": {}}, "exp"),
        ({"exp": SECOND + DAY + 1}, "24 hours"),
        ({"exp": str(SECOND + DAY + 1)}, "24 hours"),
        ({"iat": SECOND - 10, "exp": SECOND + DAY}, "24 hours"),
        ({"iat": SECOND + 31, "exp": SECOND + 90}, "in the future"),
        ({"nbf": SECOND + 31}, "not valid yet"),
        ({"nbf": "x"}, "nbf"),
        ({"sub": ""}, "sub"),
        ({"sub": 1}, "sub"),
        ({"acl": []}, "acl"),
    ],
)
def test_refused_claims(changes: dict[str, Any], detail: str) -> None:
    with pytest.raises(TokenRefused, match=detail) as refusal:
        verify(token(**changes), PUBLIC, now=NOW)
    assert not isinstance(refusal.value, TokenExpired)


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": SECOND - 60, "exp": SECOND},
        {"iat": SECOND - 60, "exp": str(SECOND - 1)},
        {"iat": SECOND - LIFE // 1000, "exp": ...},
        {"iat": 0, "exp": 1},
        {"exp": SECOND - 100},
    ],
)
def test_expired_tokens(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenExpired):
        verify(token(**changes), PUBLIC, now=NOW)


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("", id="empty"),
        pytest.param("..", id="three empty parts"),
        pytest.param(f"{HEAD}.{BODY}", id="two parts"),
        pytest.param(f"{GOOD}.{SIGNATURE}", id="four parts"),
        pytest.param(f"{HEAD}.{BODY}.", id="no signature"),
        pytest.param(unsigned({"alg": "none"}, claims()) + ".", id="none"),
        pytest.param(unsigned({"alg": "None"}, claims()) + "." + SIGNATURE, id="None, signed"),
        pytest.param(hs256(PUBLIC_PEM), id="HS256 with the public key"),
        pytest.param(hs256(PUBLIC_PEM.strip()), id="HS256 with the public key, stripped"),
        pytest.param(signed({"alg": "rs256"}, claims()), id="alg in lower case"),
        pytest.param(signed({"typ": "JWT"}, claims()), id="no alg"),
        pytest.param(signed({"alg": ["RS256"]}, claims()), id="alg in a list"),
        pytest.param(signed({"alg": "RS512"}, claims(), SHA512()), id="RS512"),
        pytest.param(signed(RS256, claims(), SHA512()), id="RS256 that is RS512"),
        pytest.param(signed({**RS256, "crit": ["b64"], "b64": False}, claims()), id="crit"),
        pytest.param(signed([], claims()), id="header is a list"),
        pytest.param(signed(b"{", claims()), id="header is not JSON"),
        pytest.param(signed(b"\xff", claims()), id="header is not UTF-8"),
        pytest.param(signed(RS256, []), id="payload is a list"),
        pytest.param(signed(RS256, b"{}x"), id="payload with more behind it"),
        pytest.param(signed(RS256, b"[" * 5000), id="payload without end"),
        pytest.param(mint(OTHER_KEY, claims()), id="another application's key"),
        pytest.param(f"{HEAD}.{unsigned(b'', claims(sub='eve'))[1:]}.{SIGNATURE}", id="tampered"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:-4]}", id="short signature"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}==", id="padded"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}\n", id="line break"),
        pytest.param(f" {GOOD}", id="space"),
        pytest.param(f"{HEAD}.{BODY}.é{SIGNATURE[1:]}", id="not ASCII"),
        pytest.param(f"{HEAD}.{BODY}.\ud800{SIGNATURE[1:]}", id="not even Unicode"),
        pytest.param(token(sub="s" * 900, note="n" * TOKEN_MAX), id="huge"),
    ],
)
def test_refused_tokens(bad: str) -> None:
    with pytest.raises(TokenRefused) as refusal:
        verify(bad, PUBLIC, now=NOW)
    assert not isinstance(refusal.value, TokenExpired)
    assert SIGNATURE[:40] not in str(refusal.value)


def test_a_signature_has_one_spelling() -> None:
    # The last of 342 characters carries four unused bits: a lax reader takes 16 spellings.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = []
    for last in alphabet:
        try:
            verify(GOOD[:-1] + last, PUBLIC, now=NOW)
        except TokenRefused:
            continue
        accepted.append(last)
    assert accepted == [GOOD[-1]]


def test_refusals_tell_no_values() -> None:
    with pytest.raises(TokenRefused) as refusal:
        verify(token(jti=["secret"], sub="secret", exp="secret"), PUBLIC, now=NOW)
    assert "secret" not in str(refusal.value)


def test_peeking_believes_without_verifying() -> None:
    assert peek_application_id(unsigned({"alg": "none"}, claims()) + ".") == "app-1"


@given(st.text() | st.builds(".".join, st.lists(st.text(), min_size=3, max_size=3)))
def test_any_text_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(TokenRefused):
        peek_application_id(text)
    with pytest.raises(TokenRefused):
        verify(text, PUBLIC, now=NOW)


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_one_changed_character_is_refused(at: int, character: str) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    if changed != GOOD:
        with pytest.raises(TokenRefused):
            verify(changed, PUBLIC, now=NOW)


def test_keys_are_rsa_of_2048_bits_and_more() -> None:
    small = rsa.generate_private_key(65_537, 1024)
    curve = ec.generate_private_key(ec.SECP256R1())
    for key in (small, curve):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(ValueError, match="RSA"):
            load_public_key(pem)
    for text in ("", "no PEM", PUBLIC_PEM.decode()[:80]):
        with pytest.raises(ValueError):
            load_public_key(text)
        with pytest.raises(ValueError):
            load_private_key(text)
    with pytest.raises(ValueError, match="RSA"):
        load_private_key(
            curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        )


def test_keys_from_pem() -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = mint(load_private_key(pem.decode()), claims())
    assert verify(made, load_public_key(PUBLIC_PEM.decode()), now=NOW).jti == "j-1"
