import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.sip.digest import (
    Authorization,
    Challenge,
    Credentials,
    answer,
    expected,
    parse_authorization,
    parse_challenge,
    secret_hash,
    strongest,
)

MUFASA = Credentials("Mufasa", "Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str) -> None:
    """Section 3.9.1."""
    challenge = Challenge("http-auth@example.org", NONCE, algorithm, ("auth", "auth-int"), OPAQUE)
    given = answer([str(challenge)], MUFASA, method="GET", uri="/dir/index.html", cnonce=CNONCE)
    assert given is not None
    read = parse_authorization(given)
    assert read == Authorization(
        *("Mufasa", "http-auth@example.org", NONCE, "/dir/index.html", response),
        *(algorithm, "auth", CNONCE, "00000001", OPAQUE),
    )


def test_the_example_of_rfc_2617() -> None:
    """Section 3.5."""
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    given = answer(
        [challenge],
        Credentials("Mufasa", "Circle Of Life"),
        method="GET",
        uri="/dir/index.html",
        cnonce="0a4f113b",
    )
    assert given is not None and 'response="6629fae49393a05397450978507c4ef1"' in given


def test_without_qop_as_in_rfc_2069() -> None:
    given = answer(
        ['Digest realm="r", nonce="n"'], Credentials("u", "p"), method="REGISTER", uri="sip:r"
    )
    first = hashlib.md5(b"u:r:p").hexdigest()
    second = hashlib.md5(b"REGISTER:sip:r").hexdigest()
    response = hashlib.md5(f"{first}:n:{second}".encode()).hexdigest()
    assert given == (
        f'Digest username="u", realm="r", nonce="n", uri="sip:r", response="{response}", '
        "algorithm=MD5"
    )


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess"])
def test_sessions(algorithm: str) -> None:
    name = {"M": "md5", "S": "sha256"}[algorithm[0]]

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode()).hexdigest()

    challenge = str(Challenge("r", "n", algorithm, ("auth",)))
    given = answer([challenge], Credentials("u", "p"), method="A", uri="b", cnonce="c", count=10)
    secret = hashed(f"{hashed('u:r:p')}:n:c")
    assert given is not None
    assert hashed(f"{secret}:n:0000000a:c:auth:{hashed('A:b')}") in given


def test_a_body_is_protected_when_the_server_offers_nothing_else() -> None:
    challenge = str(Challenge("r", "n", "SHA-256", ("auth-int",)))
    read = parse_authorization(
        answer([challenge], Credentials("u", "p"), method="A", uri="b", body=b"x", cnonce="c") or ""
    )
    assert read is not None and read.qop == "auth-int"
    secret = secret_hash("SHA-256", "u", "r", "p")
    assert expected(read, secret, "A", b"x") == read.response
    assert expected(read, secret, "A", b"y") != read.response


def test_the_strongest_challenge_is_answered() -> None:
    values = [
        "Basic realm=x",
        'Digest realm="r", nonce="1", algorithm=MD5',
        'Digest realm="r", nonce="2", algorithm=SHA-512-256, qop="auth"',
        'digest realm="r",nonce="3",algorithm="sha-256",qop="auth"',
        'Digest realm="r", nonce="4", algorithm=SHA-256, qop="auth"',
        'Digest realm="r", nonce="5", algorithm=SHA-256, qop="token"',
        "Digest realm=",
    ]
    best = strongest(values)
    assert best is not None and best.nonce == "3"
    assert strongest(values[:1] + values[2:3]) is None
    assert answer(values[:1], MUFASA, method="A", uri="b") is None


@pytest.mark.parametrize(
    "value",
    [
        *("", "Digest", "Digest ", 'Digest realm="r"', 'Digest realm="r", nonce="n', "Basic abc"),
        *('Digest realm="r" nonce="n"', "Digest " + 'a="b",' * 100, 'Digest "r"', "Digest =,=,"),
        *('Digest realm="' + "\\" * 8001, "Digest " + '="' * 4000, "NoOneKnows opaque-data=here"),
    ],
)
def test_what_is_no_challenge(value: str) -> None:
    assert parse_challenge(value) is None
    assert parse_authorization(value) is None


@pytest.mark.parametrize("nc", ["", "1", "0000000g", "-0000001", "000000001"])
def test_credentials_with_a_bad_count_are_none(nc: str) -> None:
    value = 'Digest username="u", realm="r", nonce="n", uri="x", response="y", qop=auth, cnonce="c"'
    assert parse_authorization(f"{value}, nc=00000001") is not None
    assert parse_authorization(f"{value}, nc={nc}") is None
    assert parse_authorization(value) is None
    assert parse_authorization(value.replace('cnonce="c"', "nc=00000001")) is None


@given(TEXT, TEXT, TEXT, st.booleans())
def test_challenges_are_read_as_written(realm: str, nonce: str, opaque: str, stale: bool) -> None:
    challenge = Challenge(realm, nonce, "SHA-256", ("auth", "auth-int"), opaque, stale)
    assert parse_challenge(str(challenge)) == challenge


@given(TEXT, TEXT, TEXT)
def test_credentials_are_read_as_written(username: str, realm: str, nonce: str) -> None:
    sent = Authorization(username, realm, nonce, "sip:a", "abc", "MD5", "auth", "c", "0000000f", "")
    assert parse_authorization(str(sent)) == sent
    assert sent.count == 15
