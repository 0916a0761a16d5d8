import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.sip.messages import INVITE, OK, request, response, with_field

from tertulia.protocols.sip.fields import CONTENT_TYPE, RECORD_ROUTE, SESSION_EXPIRES, SUPPORTED
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.message import BadMessage, Request, Response, respond
from tertulia.protocols.sip.parser import Limits, is_keep_alive, parse
from tertulia.protocols.sip.reasons import phrase

LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30)
NAME = st.from_regex(r"X-[A-Za-z0-9]{1,10}", fullmatch=True)


def refused(data: bytes, limits: Limits | None = None) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        parse(data, limits or Limits())
    return caught.value


def test_a_request_in_full() -> None:
    message = request(INVITE)
    assert (message.method, message.target) == (
        "INVITE",
        "sip:+34600111222@trunk.example.com;user=phone",
    )
    assert message.uri.number == "+34600111222"
    assert (message.via.host, message.via.port, message.via.branch) == (
        *("192.0.2.7", 5060),
        "z9hG4bK776asdhds",
    )
    assert (message.from_.display, message.from_.tag, message.to.tag) == (
        *("Alice", "1928301774"),
        "",
    )
    assert message.call_id == "a84b4c76e66710@192.0.2.7"
    assert (message.cseq.number, message.cseq.method) == (314159, "INVITE")
    assert [contact.uri.host for contact in message.contacts] == ["192.0.2.7"]
    assert message.headers.read_all(SUPPORTED) == ("timer", "100rel", "replaces")
    expires = message.headers.read(SESSION_EXPIRES)
    assert expires is not None and (expires.seconds, expires.refresher) == (1800, "uac")
    assert message.headers.get("x-account") == "42"
    assert str(message.headers.read(CONTENT_TYPE)) == "application/sdp"
    assert message.body.startswith(b"v=0\r\n")


def test_what_was_received_is_written_to_the_byte() -> None:
    odd = (
        b"OPTIONS sip:a@b SIP/2.0\r\nv :SIP/2.0/UDP  h \r\nF:sip:x@y;tag=1\r\nt  :  sip:a@b\r\n"
        b"i:1@2\r\nCSEQ:1   OPTIONS \r\nX-Latin: \xe9\xff\r\nX-Empty:\r\n\r\nbody"
    )
    for data in (INVITE, OK, odd):
        assert parse(data).encode() == data


def test_a_message_that_was_changed_has_the_right_length() -> None:
    message = request(INVITE)
    message.body = b"v=0\r\n"
    assert b"\r\nContent-Length: 5\r\n" in message.encode()
    message.headers.remove("content-length")
    message.headers.remove("content-type")
    message.body = b""
    assert message.encode().count(b"Content-Length: 0") == 1


def test_copies_change_alone() -> None:
    first = request(INVITE)
    second = first.copy()
    second.headers.set("Call-ID", "other")
    second.target = "sip:x@y"
    assert first.encode() == INVITE
    assert second.call_id == "other"
    third = response(OK).copy()
    third.headers.add("X-A", "b")
    assert "X-A" not in response(OK).headers
    assert b"X-A: b" in third.encode()


def test_line_ends_and_what_is_folded() -> None:
    bare = INVITE.replace(b"\r\n", b"\n")
    assert request(bare.replace(b"h: 136", b"h: 129")).call_id == request(INVITE).call_id
    folded = INVITE.replace(b"Alice", b"Alice\r\n\t B")
    assert request(folded).from_.display == "Alice B"
    assert request(b"\r\n\r\n" + INVITE).encode() == INVITE
    assert refused(INVITE.replace(b"softphone", b"soft\rphone")).status == 400


def test_what_follows_the_body_is_dropped() -> None:
    assert request(INVITE + b"more").encode() == INVITE


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia", 505),
        (b"CSeq: 314159 INVITE", b"CSeq: 314159 BYE", 400),
        (b"CSeq: 314159 INVITE", b"CSeq: INVITE", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 700", 400),
        (b"Contact: <", b"Contact: ", 400),
        (b"Contact:", b"Contact :", 0),
        (b"User-Agent:", b"User Agent:", 400),
        (b"User-Agent: ", b"User-Agent ", 400),
        (b"X-Account:", b":", 400),
        (b"Call-ID: ", b"X-ID: ", 400),
        (b"To: ", b"From: ", 400),
        (b"X-Account: 42", b"Max-Forwards: 70", 400),
        (b"Content-Length: 136", b"Content-Length: 137", 400),
        (b"Content-Length: 136", b"Content-Length: 1e2", 400),
        (b"Content-Length: 136", b"Content-Length: 136\r\nl: 136", 400),
        (b"X-Account: 42", b"Require: a b", 400),
        (b"X-Account: 42", b"Route: sip:a@b?c", 400),
        (b"X-Account: 42", b"X-Account: " + b"4" * 9000, 400),
        (b"X-Account: 42\r\n", b"X-Account: 42\r\n" * 300, 400),
        (b"INVITE sip", b"INVITE  sip", 0),
        (b"sip:+34", b"tel:+34", 400),
        (b"sip:+34600111222@", b"tel:+34600111222 ", 400),
        (b"INVITE sip:", b"INVITE sip:a@", 400),
    ],
)
def test_what_is_refused(old: bytes, new: bytes, status: int) -> None:
    data = INVITE.replace(old, new, 1)
    assert data != INVITE
    if not status:
        parse(data)
        return
    bad = refused(data)
    assert bad.status == status
    assert bad.request is not None
    assert respond(bad.request, bad.status, bad.reason).start_line.startswith(f"SIP/2.0 {status} ")


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\r\n\r\n", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000, b"SIP/2.0\r\n\r\n"),
        INVITE.replace(b"INVITE", b"ACK").replace(b"Max-Forwards: 70", b"Max-Forwards: x"),
        INVITE.replace(b"Via:", b"X-Via:"),
        INVITE.replace(b"SIP/2.0/UDP", b"nonsense"),
        INVITE.replace(b"CSeq:", b"X-CSeq:"),
        INVITE.replace(b"INVITE sip", b"INV(TE sip"),
        INVITE.replace(b"INVITE sip", b"I" * 80 + b" sip"),
        OK.replace(b"200", b"20"),
        OK.replace(b"200", b"700"),
        OK.replace(b"200", b"2000"),
        OK.replace(b"SIP/2.0 ", b"SIP/2.1 "),
        OK.replace(b"CSeq: 1", b"CSeq: x"),
    ],
)
def test_what_gets_no_answer(data: bytes) -> None:
    assert refused(data).request is None


def test_an_incomplete_message_is_refused() -> None:
    for cut in range(len(INVITE) - 1):
        assert refused(INVITE[:cut]).status == 400


def test_limits() -> None:
    assert refused(INVITE, Limits(message=100)).status == 513
    assert refused(INVITE, Limits(headers=10)).status == 400
    assert refused(INVITE, Limits(line=50)).status == 400


def test_of_several_vias_those_that_can_be_read_are_answered() -> None:
    first = INVITE.index(b"Max-Forwards")
    bad = refused(INVITE[:first] + b"Via: nonsense\r\n" + INVITE[first:])
    assert bad.request is not None
    bad.request.stamp("192.0.2.99", 5099)
    (via,) = respond(bad.request, 400).headers.all("Via")
    assert via == (
        "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds;rport=5099;received=192.0.2.99"
    )


def test_a_request_notes_where_it_came_from() -> None:
    message = request(with_field("Via: SIP/2.0/TCP proxy.test;branch=z9hG4bK0, SIP/2.0/UDP b.test"))
    message.stamp("192.0.2.99", 5099)
    assert message.headers.all("Via") == [
        "SIP/2.0/TCP proxy.test;branch=z9hG4bK0;received=192.0.2.99, SIP/2.0/UDP b.test, "
        "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds;rport"
    ]


def test_a_response_takes_over_what_it_has_to() -> None:
    asked = request(with_field("Record-Route: <sip:p1;lr>,<sip:p2;lr>"))
    asked.headers.add("Timestamp", "54")
    ringing = respond(asked, 180, tag="ours")
    assert ringing.to.tag == "ours"
    assert [route.uri.host for route in ringing.headers.read_all(RECORD_ROUTE)] == ["p1", "p2"]
    assert "Timestamp" not in ringing.headers
    trying = respond(asked, 100)
    assert (trying.to.tag, trying.headers.get("Timestamp")) == ("", "54")
    busy = respond(asked, 486, "Busy\r\nX: y", tag="ours")
    assert (busy.start_line, "Record-Route" in busy.headers) == ("SIP/2.0 486 Busy X: y", False)
    tagged = request(INVITE.replace(b"user=phone>\r\nC", b"user=phone>;tag=old\r\nC"))
    assert respond(tagged, 200, tag="new").to.tag == "old"
    assert response(respond(asked, 200, tag="x", body=b"v=0").encode()).body == b"v=0"


def test_a_response_keeps_the_octets_of_its_request() -> None:
    data = INVITE.replace(b'"Alice"', b'"\xc1l\xecce"')
    assert b'From: "\xc1l\xecce" <sip' in respond(request(data), 200, tag="x").encode()


def test_messages_that_are_made() -> None:
    made = Request("OPTIONS", "sip:b@example.com", Headers([("Via", "SIP/2.0/UDP a")]))
    for read in ("from_", "to", "call_id", "cseq"):
        with pytest.raises(Malformed):
            getattr(made, read)
    assert made.encode() == (
        b"OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 0\r\n\r\n"
    )
    assert Response(404).encode() == b"SIP/2.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert (phrase(299), phrase(499), phrase(699)) == ("OK", "Bad Request", "Global Failure")


def test_no_value_smuggles_in_a_line() -> None:
    headers = Headers([("X-A", "b\r\nX-C: d\r\n\r\nbody")])
    headers.set("X-E", "f\ng")
    assert headers.lines() == ["X-A: b X-C: d body", "X-E: f g"]


def test_headers_are_found_by_any_of_their_names() -> None:
    headers = Headers([("v", "1"), ("f", "<sip:a@b>"), ("VIA", "2"), ("X-One", "a")])
    assert headers.all("Via") == ["1", "2"]
    assert (headers.get("x-one"), headers.get("none")) == ("a", None)
    assert "FROM" in headers and "To" not in headers
    headers.prepend("Via", "0")
    headers.prepend("Route", "<sip:r>")
    assert headers.all("V") == ["0", "1", "2"]
    assert next(headers.items()) == ("Route", "<sip:r>")
    headers.set("via", "3")
    headers.set("To", "<sip:c@d>")
    headers.remove("x-one")
    assert [name for name, _ in headers.items()] == ["Route", "via", "f", "To"]
    assert (len(headers), headers.count("Via")) == (4, 1)


def test_what_is_read_follows_what_is_set() -> None:
    message = request(INVITE)
    assert message.cseq.number == 314159
    message.headers.set("CSeq", "7 INVITE")
    assert message.cseq.number == 7
    message.headers.add("Contact", "*")
    assert len(message.contacts) == 1


def test_keep_alives() -> None:
    assert is_keep_alive(b"\r\n\r\n") and is_keep_alive(b"\x00") and is_keep_alive(b"")
    assert not is_keep_alive(INVITE) and not is_keep_alive(b"\r\n" * 500)


@given(
    st.from_regex(r"[A-Z]{1,10}", fullmatch=True),
    st.lists(st.tuples(NAME, LINE), max_size=8),
    st.binary(max_size=200),
)
def test_what_is_written_is_read_back(
    method: str, fields: list[tuple[str, str]], body: bytes
) -> None:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", "<sip:a@b>;tag=1"),
            ("To", "<sip:c@d>"),
            ("Call-ID", "x"),
            ("CSeq", f"1 {method}"),
            *fields,
        ]
    )
    data = Request(method, "sip:c@d", headers, body).encode()
    read = request(data)
    assert (read.method, read.body) == (method, body)
    assert [(name, value) for name, value in read.headers.items()][5:-1] == [
        (name, value.strip(" \t")) for name, value in fields
    ]
    assert read.encode() == data
