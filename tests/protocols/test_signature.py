"""Webhook signatures: what a published verifier looks at, and what must not pass."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.signature import Claims, sign, signing_key, verify

BODY = b'{"type":"message"}'
KEY = signing_key("a secret shared with the receiver")


def token(body: bytes = BODY) -> str:
    return sign(KEY, body, iat=1_777_886_122, jti="J-1", api_key="abcd1234", application_id="APP")


def part(text: str) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def test_header_and_claims_as_receivers_read_them() -> None:
    header, claims, _ = token().split(".")
    assert part(header) == {"alg": "HS256", "typ": "JWT"}
    assert part(claims) == {
        "iat": 1_777_886_122,
        "jti": "J-1",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(BODY).hexdigest(),
        "api_key": "abcd1234",
        "application_id": "APP",
    }


def test_the_mac_is_plain_hmac_over_the_first_two_parts() -> None:
    signed, _, signature = token().rpartition(".")
    mac = hmac.new(b"a secret shared with the receiver", signed.encode(), "sha256").digest()
    assert signature == base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


@given(st.binary(max_size=300), st.text(max_size=40))
def test_round_trip(body: bytes, jti: str) -> None:
    made = sign(KEY, body, iat=1, jti=jti, api_key="k", application_id="a")
    digest = hashlib.sha256(body).hexdigest()
    assert verify(KEY, made, body) == Claims(1, jti, "Vonage", digest, "k", "a")


def test_another_body_or_key_does_not_verify() -> None:
    assert verify(KEY, token(), b"{}") is None
    assert verify(signing_key("another"), token(), BODY) is None


@pytest.mark.parametrize("broken", ["", "a.b", "a.b.c", "....", "é.é.é", token()[:-2] + "!!"])
def test_what_is_no_token_does_not_verify(broken: str) -> None:
    assert verify(KEY, broken, BODY) is None


def test_another_algorithm_does_not_verify() -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
    signed = header + b"." + token().split(".")[1].encode()
    mac = KEY.copy()
    mac.update(signed)
    forged = signed + b"." + base64.urlsafe_b64encode(mac.digest()).rstrip(b"=")
    assert verify(KEY, forged.decode(), BODY) is None
