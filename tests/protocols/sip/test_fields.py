from collections.abc import Callable

import pytest

from tertulia.protocols.sip import fields
from tertulia.protocols.sip.fields import NameAddr, Reason, Via
from tertulia.protocols.sip.grammar import Malformed, params, quote, split, unquote
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.uri import SipUri

ADDRESSES = (
    "<sip:a@b>",
    "Alice <sip:a@b>;tag=1",
    '"Alice \\"the\\" \\\\ one, <two>" <sip:a@b;lr>;tag=1;x="y;z"',
    "<tel:+34600>;q=0.5;expires=60",
    '"Zoë" <sip:a@b>',
)
VALUES: list[tuple[Callable[[str], object], tuple[str, ...]]] = [
    (fields.parse_address, ADDRESSES),
    (
        fields.parse_via,
        (
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
            "SIP/2.0/TLS [2001:db8::1];received=2001:db8::2;rport=5061;branch=z9hG4bK2",
        ),
    ),
    (fields.parse_cseq, ("1 INVITE", "4294967295 X-ODD")),
    (fields.parse_rack, ("1 2 INVITE",)),
    (fields.parse_session_expires, ("1800;refresher=uac", "90")),
    (fields.parse_replaces, ("a@b;to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2;early-only")),
    (fields.parse_reason, ('Q.850;cause=16;text="Normal \\"end\\""', "SIP", "SIP;cause=200")),
    (fields.parse_valued, ("application/sdp", "active;expires=60", '56a;encoding=hex;p="a b"')),
]


@pytest.mark.parametrize(
    ("parse", "text"), [(parse, text) for parse, texts in VALUES for text in texts]
)
def test_a_value_is_written_as_it_was_read(parse: Callable[[str], object], text: str) -> None:
    assert str(parse(text)) == text


BAD: list[tuple[Callable[[str], object], tuple[str, ...]]] = [
    (
        fields.parse_address,
        (
            *("", "<sip:a@b", "sip:a@b>", '"x <sip:a@b>', '"x" sip:a@b', "<sip:a@b> x", "x<>"),
            *("sip:a@b?x=y", "sip:a,b@c", 'a"b <sip:a@b>', "<sip:a@b>;=", "<sip:a@b>;a b"),
            *('<sip:a@b>;x="y', "<sip:a@b>;x=<y>", "<sip:a@b>" + ";x" * 300),
        ),
    ),
    (
        fields.parse_via,
        (
            *("", "SIP/2.0 a", "SIP/2.0/UDP", "SIP/2.0/UDP a:b", "SIP/2.0/UDP a:70000"),
            *("SIP/2.0/UDP a b", "SIP/2.0/UDP a:" + "1" * 5000, "SIP/2.0/UDP [:::];branch=1"),
            *("SIP/2.0/UDP 2001:db8::1", "/2.0/UDP a", "SIP/2.0/UDP a;branch=a b"),
        ),
    ),
    (fields.parse_cseq, ("", "1", "INVITE", "-1 INVITE", "4294967296 A", "1 A B", "1 Ä", "١ A")),
    (fields.parse_rack, ("", "1 INVITE", "1 2", "1 2 A B")),
    (fields.parse_session_expires, ("", "x", "1" * 5000)),
    (fields.parse_replaces, ("", "a", "a;to-tag=1", "a;from-tag=1", "a b;to-tag=1;from-tag=1")),
    (fields.parse_valued, ("", ";x")),
    (fields.parse_max_forwards, ("256", "-1", "")),
    (fields.parse_word, ("", "a b", "a" * 600)),
]


@pytest.mark.parametrize(("parse", "text"), [(parse, text) for parse, many in BAD for text in many])
def test_what_is_malformed(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


def test_parameters_of_an_address_without_brackets_are_those_of_the_field() -> None:
    bare = fields.parse_address("sip:a@b;tag=1")
    assert (bare.uri.params, bare.tag) == ({}, "1")
    bracketed = fields.parse_address("<sip:a@b;lr>; TAG = 1 ;; x")
    assert (bracketed.uri.params, bracketed.params) == ({"lr": None}, {"tag": "1", "x": None})


def test_an_address_that_is_made() -> None:
    made = NameAddr(SipUri.make("b", user="a"), "Anna\r\nX: y")
    assert str(made.with_tag("t")) == '"Anna X: y" <sip:a@b>;tag=t'
    assert fields.parse_address(str(made)).display == "Anna X: y"


@pytest.mark.parametrize(
    ("text", "q", "expires"),
    [
        ("<sip:a@b>", 1.0, None),
        ("<sip:a@b>;q=0.25;expires=60", 0.25, 60),
        ('<sip:a@b>;q=.;expires="7"', 1.0, 7),
        ("<sip:a@b>;q=9;expires=soon", 1.0, 3600),
        ("<sip:a@b>;q=;expires", 1.0, None),
    ],
)
def test_what_a_contact_prefers(text: str, q: float, expires: int | None) -> None:
    contact = fields.parse_address(text)
    assert (contact.q, contact.expires) == (q, expires)


@pytest.mark.parametrize(
    ("via", "host", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.1;branch=b", "192.0.2.1", "SIP/2.0/UDP 192.0.2.1;branch=b"),
        ("SIP/2.0/UDP a.test", "192.0.2.1", "SIP/2.0/UDP a.test;received=192.0.2.1"),
        (
            "SIP/2.0/UDP 192.0.2.1;rport;branch=b",
            "192.0.2.1",
            "SIP/2.0/UDP 192.0.2.1;rport=7;branch=b;received=192.0.2.1",
        ),
        ("SIP/2.0/UDP [::1]", "::1", "SIP/2.0/UDP [::1]"),
        ("SIP/2.0/UDP [::1];rport", "::2", "SIP/2.0/UDP [::1];rport=7;received=::2"),
    ],
)
def test_a_via_notes_where_the_request_came_from(via: str, host: str, stamped: str) -> None:
    noted = fields.parse_via(via).stamped(host, 7)
    assert str(noted) == stamped
    assert fields.parse_via(stamped).received == noted.received


def test_ports_in_a_via() -> None:
    assert fields.parse_via("SIP/2.0/UDP a;rport").wants_rport
    assert fields.parse_via("SIP/2.0/UDP a;rport").rport is None
    assert fields.parse_via("SIP/2.0/UDP a;rport=99999999").rport is None
    assert fields.parse_via("SIP / 2.0 / udp  a : 5 ; rport = 7") == Via(
        "UDP", "a", 5, {"rport": "7"}
    )


def test_fields_that_are_not_strict_are_not_there_when_nobody_can_read_them() -> None:
    headers = Headers(
        [
            ("Expires", "soon"),
            ("Retry-After", "120 (in a meeting);duration=60"),
            ("P-Asserted-Identity", "nonsense"),
            ("P-Asserted-Identity", '"A" <sip:a@b>, <tel:+34600>'),
            ("Diversion", "<sip:c@d>;reason=no-answer"),
            ("Reason", 'Q.850;cause=x, SIP;cause=486;text="Busy"'),
            ("Reason", "Q.850;cause=17"),
            ("Supported", "timer,, 100rel"),
            ("Privacy", "id;critical"),
            ("User-to-User", "56a390f3d2b7310023;encoding=hex"),
        ]
    )
    assert headers.read(fields.EXPIRES) is None
    assert headers.read(fields.RETRY_AFTER) == 120
    assert [each.uri.scheme for each in headers.read_all(fields.P_ASSERTED_IDENTITY)] == [
        *("sip", "tel")
    ]
    diversion = headers.read(fields.DIVERSION)
    assert diversion is not None and diversion.param("reason") == "no-answer"
    assert headers.read_all(fields.REASON) == (Reason("Q.850", 17),)
    assert headers.read_all(fields.SUPPORTED) == ("timer", "100rel")
    assert headers.read(fields.PRIVACY) == "id;critical"
    assert str(headers.read(fields.USER_TO_USER)) == "56a390f3d2b7310023;encoding=hex"


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    assert split('a, "b,\\",c" <x,y>;z ,, d') == ["a", '"b,\\",c" <x,y>;z', "d"]
    assert split("a;b", ";") == ["a", "b"]
    for broken in ('a,"b', "a,<b", '"a\\",b'):
        with pytest.raises(Malformed):
            split(broken)
    with pytest.raises(Malformed):
        split("a," * 1000)


def test_quoting() -> None:
    assert unquote(quote('a "b" \\ c')) == 'a "b" \\ c'
    assert unquote('"') == '"'
    assert params('A=1;a=2;b="x;y" ; c') == {"a": "1", "b": '"x;y"', "c": None}


@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\" * 8001,
        '"\\' * 4000,
        '<"' * 4000,
        ";x=" * 4000,
        ' ;a="b' * 1300,
        "a " * 4000,
        " " * 8000,
        "SIP/2.0/UDP " + "a-" * 4000 + "!",
        "%" * 8000,
        "sip:" + "a;" * 4000,
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    """A pattern that took quadratic time here would take minutes for all of it."""
    for _ in range(20):
        for parse, _texts in VALUES:
            try:
                parse(text)
            except Malformed:
                continue
