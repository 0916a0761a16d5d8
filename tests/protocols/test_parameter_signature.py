"""Signatures by parameters, as the published clients make them."""

import hashlib
import hmac

import pytest

from tertulia.protocols.parameter_signature import is_signed

GIVEN = {"to": "447700900000", "text": "a&b=c", "api_key": "k", "timestamp": "1"}
TEXT = b"&api_key=k&text=a_b_c&timestamp=1&to=447700900000"
SAID = (
    b"&account-ref=None&api_key=k&body=None&callback=None&client-ref=None&content-id=None"
    b"&entity-id=None&from=Shop&message-class=None&protocol-id=None&sig=None"
    b"&status-report-req=True&text=Hi&timestamp=1&to=1&trusted-number=None&ttl=None&type=None"
    b"&udh=None"
)
SECRET = "secret"


def signature(text: bytes, method: str) -> str:
    return hmac.new(SECRET.encode(), text, method).hexdigest()


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_a_signature_of_any_method(method: str) -> None:
    made = signature(TEXT, method)
    assert is_signed({**GIVEN, "sig": made}, SECRET)
    assert is_signed({**GIVEN, "sig": made.upper()}, SECRET)


def test_a_plain_hash() -> None:
    made = hashlib.md5(TEXT + SECRET.encode(), usedforsecurity=False).hexdigest()
    assert is_signed({**GIVEN, "sig": made}, SECRET)


def test_what_is_not_sent_may_be_signed_as_none() -> None:
    given = {"from": "Shop", "to": "1", "text": "Hi", "status-report-req": "True",
             "api_key": "k", "timestamp": "1"}  # fmt: skip
    assert is_signed({**given, "sig": signature(SAID, "md5")}, SECRET)


@pytest.mark.parametrize("changes, secret", [
    ({"text": "other"}, SECRET), ({"more": "x"}, SECRET), ({}, "other"), ({}, ""),
    ({"sig": ""}, SECRET), ({"sig": "ä"}, SECRET), ({"sig": "0" * 64}, SECRET),
])  # fmt: skip
def test_what_is_not_signed(changes: dict[str, str], secret: str) -> None:
    given = {**GIVEN, "sig": signature(TEXT, "sha256"), **changes}
    assert not is_signed(given, secret)


def test_nothing_is_signed_without_a_secret() -> None:
    made = hmac.new(b"", TEXT, "sha256").hexdigest()
    assert not is_signed({**GIVEN, "sig": made}, "")
