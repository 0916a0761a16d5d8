import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.uri import SipUri, bracketed, host_port, parse_uri

HOSTS = ("example.com", "192.0.2.1", "[2001:db8::1]", "h-1.x_y.test")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)

WRITTEN = (
    "sip:example.com",
    "sip:alice@example.com",
    "sips:alice:secret@192.0.2.1:5061;transport=tls;lr",
    "sip:+34600111222;ext=5@[2001:db8::1]:5060;user=phone?Replaces=a%40b%3Bto-tag%3D1&X=",
    "sip:@example.com",
    "tel:+34-600-111-222;phone-context=example.com",
    "isbn:2983792873",
    "sip:*67#123@example.com",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_a_uri_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_uri(text)) == text


def test_the_parts_of_a_uri() -> None:
    uri = parse_uri("SIPS:al%69ce:pw@[2001:DB8::1]:5061;Transport=TCP;lr?Replaces=a%40b&X-A=1")
    assert (uri.scheme, uri.user, uri.userinfo, uri.password) == ("sips", "alice", "al%69ce", "pw")
    assert (uri.host, uri.address, uri.port) == ("[2001:DB8::1]", "2001:db8::1", 5061)
    assert (uri.param("transport"), uri.param("LR"), uri.param("ttl")) == ("TCP", "", None)
    assert (uri.header("replaces"), uri.header("none")) == ("a@b", None)
    bare = parse_uri("sip:a@b;method=INVITE;x=1?Subject=hi").bare()
    assert str(bare) == "sip:a@b;x=1"


@pytest.mark.parametrize(
    "text",
    [
        *("", "sip", "sip:", "sip:@", ":x", "1sip:a@b", "sip:a@b@c", "sip:a b@c", "sip:a@b c"),
        *("sip:a@b:", "sip:a@b:x", "sip:a@b:65536", "sip:a@b:123456", "sip:a@[::1", "sip:a@[:::]"),
        *(
            "sip:%zz@b",
            "sip:a%@b",
            "sip:<a>@b",
            'sip:"a"@b',
            "sip:a@b;=1",
            "sip:a@b?x",
            "sip:a@b?=x",
        ),
        *("sip:a@b\x00", "sip:a@b\n", "tel:", "tel:call", "sip:a@" + "b" * 5000, "<sip:a@b>"),
        *("sip:a@b?=x", "sip:a@b" + ";p" * 300),
    ],
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(Malformed):
        parse_uri(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+34-600-111", "tel:+34600111"),
    ],
)
def test_uris_that_are_the_same(one: str, other: str) -> None:
    """The examples of RFC 3261 section 19.1.4."""
    assert parse_uri(one).matches(parse_uri(other))
    assert parse_uri(other).matches(parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:a%3Bb@x", "sip:a;b@x"),
        ("sip:a@x", "sip:a:p@x"),
        ("tel:+34600", "tel:+34601"),
        ("isbn:1", "isbn:2"),
    ],
)
def test_uris_that_are_not(one: str, other: str) -> None:
    assert not parse_uri(one).matches(parse_uri(other))


@given(
    st.sampled_from(HOSTS),
    st.none() | TEXT,
    st.none() | st.integers(0, 65535),
    st.dictionaries(NAME, st.none() | TEXT, max_size=3),
    st.dictionaries(NAME, TEXT, max_size=2),
)
def test_what_is_made_is_read_back(
    host: str,
    user: str | None,
    port: int | None,
    params: dict[str, str | None],
    headers: dict[str, str],
) -> None:
    made = SipUri.make(host, user=user, port=port, params=params, headers=headers)
    read = parse_uri(str(made))
    assert read == made
    assert read.matches(made)
    assert read.user == (user or "")
    assert {name: read.param(name) for name in params} == {n: v or "" for n, v in params.items()}
    assert {name: read.header(name) for name in headers} == headers


@given(st.text(max_size=40))
def test_any_text_is_a_uri_or_malformed(text: str) -> None:
    for candidate in (text, f"sip:{text}", f"sip:a@{text}", f"tel:{text}"):
        try:
            uri = parse_uri(candidate)
        except Malformed:
            continue
        assert parse_uri(str(uri)) == uri
        assert uri.matches(uri)


def test_numbers_and_hosts() -> None:
    assert parse_uri("sip:+34(600).111-222;ext=1@example.com").number == "+34600111222"
    assert parse_uri("tel:+34-600").number == "+34600"
    assert (bracketed("::1"), bracketed("[::1]"), bracketed("a.b")) == ("[::1]", "[::1]", "a.b")
    assert host_port("[::1]:5060") == ("[::1]", 5060)
