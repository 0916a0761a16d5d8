from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.http1 import Limits, Request
from tertulia.protocols.http1_parser import Parser

LIMITS = Limits()
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"


def parse(*parts: bytes, limits: Limits = LIMITS) -> tuple[list[Request], int]:
    """The requests, and the status of the refusal after them; 0 when there was none."""
    parser = Parser(limits)
    requests = [request for part in parts for request in parser.feed(part)]
    return requests, parser.error.status if parser.error else 0


def only(data: bytes, limits: Limits = LIMITS) -> Request:
    requests, status = parse(data, limits=limits)
    assert status == 0
    (request,) = requests
    return request


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_a_request_in_full() -> None:
    parser = Parser(LIMITS, peer="192.0.2.1")
    (request,) = parser.feed(
        b"POST /v1/x%2Fy?page=1&z=a%20b HTTP/1.1\r\nHost: api.test:8080\r\n"
        b"Accept: a\r\nX-Empty:\r\nACCEPT:  b \t\r\nContent-Length: 2\r\n\r\n{}"
    )
    headers = {"host": "api.test:8080", "accept": "a, b", "x-empty": "", "content-length": "2"}
    assert request == Request(
        method="POST",
        target="/v1/x%2Fy?page=1&z=a%20b",
        path="/v1/x%2Fy",
        query="page=1&z=a%20b",
        headers=headers,
        body=b"{}",
        peer="192.0.2.1",
    )
    assert not parser.is_inside and not parser.is_over


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.1\r\nHost: h\r\n", True),
        (b"HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n", False),
        (b"HTTP/1.0\r\n", False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_who_goes_on(head: bytes, keep_alive: bool) -> None:
    requests, status = parse(b"GET / " + head + b"\r\n" + GET)
    assert status == 0
    assert requests[0].keep_alive is keep_alive
    assert len(requests) == 1 + keep_alive, "what follows the last request is not read"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n", b"abc\r\n"),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        (b"6\r\n0\r\n\r\na\r\n0\r\n\r\n", b"0\r\n\r\na"),
        (b'3;name=value;q="s"\r\nabc\r\n0\r\n\r\n', b"abc"),
        (b"00000A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"1\r\nx\r\n0\r\nX-Trailer: 1\r\nHost: evil\r\n\r\n", b"x"),
    ],
)
def test_chunked_bodies(body: bytes, expected: bytes) -> None:
    for parts in ([CHUNKED + body + GET], bytewise(CHUNKED + body + GET)):
        (first, second), status = parse(*parts)
        assert (first.body, first.headers["host"], status) == (expected, "h", 0)
        assert "x-trailer" not in first.headers
        assert second.path == "/a"


LENGTH_3 = b"Content-Length: 3\r\n"
TE = b"Transfer-Encoding: "
REFUSED = {
    # What two readers could end in different places.
    "CL.TE": (400, POST + LENGTH_3 + TE + b"chunked\r\n\r\n0\r\n\r\n"),
    "TE.CL": (400, POST + TE + b"chunked\r\n" + LENGTH_3 + b"\r\n0\r\n\r\n"),
    "TE.TE": (400, POST + TE + b"chunked\r\n" + TE + b"chunked\r\n\r\n0\r\n\r\n"),
    "TE.TE other": (400, POST + TE + b"chunked\r\n" + TE + b"identity\r\n\r\n0\r\n\r\n"),
    "TE other.TE": (501, POST + TE + b"identity\r\n" + TE + b"chunked\r\n\r\n0\r\n\r\n"),
    "TE x": (501, POST + TE + b"xchunked\r\n\r\n"),
    "TE gzip, chunked": (501, POST + TE + b"gzip, chunked\r\n\r\n"),
    "TE chunked, gzip": (400, POST + TE + b"chunked, gzip\r\n\r\n"),
    "TE identity": (501, POST + TE + b"identity\r\n\r\n"),
    "TE empty": (400, POST + TE + b"\r\n\r\n"),
    "TE vertical tab": (400, POST + TE + b"\x0bchunked\r\n\r\n"),
    "TE quoted": (501, POST + TE + b'"chunked"\r\n\r\n'),
    "TE space before colon": (400, POST + b"Transfer-Encoding : chunked\r\n\r\n"),
    "TE folded": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n"),
    "TE in 1.0": (400, b"POST / HTTP/1.0\r\n" + TE + b"chunked\r\n\r\n0\r\n\r\n"),
    "CL twice": (400, POST + LENGTH_3 + LENGTH_3 + b"\r\nabc"),
    "CL twice, unlike": (400, POST + LENGTH_3 + b"Content-Length: 4\r\n\r\nabc"),
    "CL list": (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "CL plus": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "CL minus": (400, POST + b"Content-Length: -3\r\n\r\nabc"),
    "CL space inside": (400, POST + b"Content-Length: 3 3\r\n\r\nabc"),
    "CL hex": (400, POST + b"Content-Length: 0x3\r\n\r\nabc"),
    "CL empty": (400, POST + b"Content-Length:\r\n\r\n"),
    "CL beyond 64 bits": (400, POST + b"Content-Length: 99999999999999999999\r\n\r\n"),
    "CL in a trailer": (400, CHUNKED + b"0\r\nContent-Length: 3\r\n\r\nabc"),
    "websocket with length": (400, POST + WEBSOCKET + LENGTH_3 + b"\r\nabc"),
    "websocket with chunks": (400, POST + WEBSOCKET + TE + b"chunked\r\n\r\n0\r\n\r\n"),
    # Chunks.
    "chunk size too big": (400, CHUNKED + b"FFFFFFFFFFFFFFFFF\r\n"),
    "chunk size negative": (400, CHUNKED + b"-1\r\n"),
    "chunk size prefixed": (400, CHUNKED + b"0x1\r\na\r\n"),
    "chunk size with space": (400, CHUNKED + b"1 \r\na\r\n"),
    "chunk size empty": (400, CHUNKED + b"\r\na\r\n"),
    "chunk size bare LF": (400, CHUNKED + b"1\na\r\n0\r\n\r\n"),
    "chunk longer than said": (400, CHUNKED + b"1\r\nab\r\n0\r\n\r\n"),
    "chunk without CRLF": (400, CHUNKED + b"1\r\na0\r\n\r\n"),
    "chunk extension with LF": (400, CHUNKED + b'1;a="b\nc"\r\na\r\n0\r\n\r\n'),
    # Lines and fields.
    "bare LF": (400, b"GET / HTTP/1.1\nHost: h\n\n"),
    "bare LF in a field": (400, b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n"),
    "bare CR in a field": (400, b"GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n"),
    "NUL in a value": (400, b"GET / HTTP/1.1\r\nHost: h\r\nA: b\0\r\n\r\n"),
    "NUL in a name": (400, b"GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n"),
    "folded": (400, b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"),
    "first field indented": (400, b"GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    "space before colon": (400, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
    "no colon": (400, b"GET / HTTP/1.1\r\nHost: h\r\nabc\r\n\r\n"),
    "empty name": (400, b"GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n"),
    "name not ASCII": (400, b"GET / HTTP/1.1\r\nHost: h\r\n\xe9: b\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"),
    "empty host": (400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "host with a path": (400, b"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"),
    "host with a user": (400, b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"),
    "host in brackets that is none": (400, b"GET / HTTP/1.1\r\nHost: [1:2]:80\r\n\r\n"),
    "host with too many colons": (400, b"GET / HTTP/1.1\r\nHost: [::::]\r\n\r\n"),
    "IPv4 in brackets": (400, b"GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n"),
    "host with a space": (400, b"GET / HTTP/1.1\r\nHost: h x\r\n\r\n"),
    "host in 1.0": (400, b"GET / HTTP/1.0\r\nHost: h/x\r\n\r\n"),
    "two authorizations": (
        400, b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nauthorization: b\r\n\r\n",
    ),
    # Targets, methods, versions.
    "target not ASCII": (400, b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target with NUL": (400, b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target with tab": (400, b"GET /\t HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target with space": (400, b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target with fragment": (400, b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target relative": (400, b"GET a HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target *": (400, b"GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target of another host": (400, b"GET http://evil/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    "target of another scheme": (400, b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    "proxy": (501, b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"),
    "unknown method": (400, b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n"),
    "method in lower case": (400, b"get / HTTP/1.1\r\nHost: h\r\n\r\n"),
    "not HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    "HTTP/2": (505, b"GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/3": (505, b"GET / HTTP/3.0\r\nHost: h\r\n\r\n"),
    "no version": (400, b"GET / HTTP/\r\nHost: h\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_nothing_after_is_read(name: str) -> None:
    status, data = REFUSED[name]
    for parts in ([GET + data + GET], [GET, *bytewise(data), GET]):
        requests, refused = parse(*parts)
        assert refused == status
        assert [request.path for request in requests] == ["/a"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"//double/../x;y", "//double/../x;y"),
        (b"http://h/a", "/a"),
        (b"HTTPS://H/a", "/a"),
        (b"http://h", "/"),
        (b"http://h?q", "/"),
    ],
)
def test_targets(target: bytes, path: str) -> None:
    assert only(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n").path == path


def test_asterisk_is_for_options() -> None:
    assert only(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path == "*"


@pytest.mark.parametrize("host", ["h", "api.example.org:443", "127.0.0.1:0", "[::1]:8080"])
def test_hosts(host: str) -> None:
    assert only(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).headers["host"] == host


def test_spaces_around_a_length_are_not_part_of_it() -> None:
    assert only(POST + b"Content-Length: \t3 \t\r\n\r\nabc").body == b"abc"


def test_empty_lines_between_requests_are_skipped() -> None:
    for parts in ([b"\r\n\r\n" + GET + b"\r\n" + GET], bytewise(b"\r\n" + GET + b"\r\n" + GET)):
        requests, status = parse(*parts)
        assert (len(requests), status) == (2, 0)


SMALL = Limits(target=20, header_bytes=60, header_count=3, body=10)


def field(size: int) -> bytes:
    """A field that takes `size` bytes with its line end."""
    return b"A: " + b"a" * (size - 5) + b"\r\n"


def get(target: bytes, fields: bytes = b"") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n"


SIZED = POST + b"Content-Length: "
TEN_CHUNKED = CHUNKED + b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"
WITHIN_AND_BEYOND = [
    (414, get(b"/" + b"a" * 19), get(b"/" + b"a" * 20)),
    (431, get(b"/", field(51)), get(b"/", field(52))),
    (431, get(b"/", b"A: 1\r\nB: 2\r\n"), get(b"/", b"A: 1\r\nB: 2\r\nC: 3\r\n")),
    (413, SIZED + b"10\r\n\r\n0123456789", SIZED + b"11\r\n\r\n"),
    (413, TEN_CHUNKED, CHUNKED + b"5\r\n01234\r\n6\r\n567890"),
]


@pytest.mark.parametrize(("status", "within", "beyond"), WITHIN_AND_BEYOND)
def test_limits_are_exact(status: int, within: bytes, beyond: bytes) -> None:
    for split in (lambda data: [data], bytewise):
        requests, refused = parse(*split(within), limits=SMALL)
        assert (len(requests), refused) == (1, 0)
        requests, refused = parse(*split(beyond), limits=SMALL)
        assert (requests, refused) == ([], status)


@pytest.mark.parametrize(
    ("status", "start", "endless"),
    [
        (414, b"GET /", b"a"),
        (431, b"GET / HTTP/1.1\r\nA: ", b"a"),
        (431, b"GET / HTTP/1.1\r\n", b"a"),
        (431, b"GET / HTTP/1.1\r\nA:", b" "),
        (431, b"", b"\r\n"),
        (413, CHUNKED + b"1;", b"a"),
        (413, CHUNKED, b"1\r\na\r\n"),
        (413, CHUNKED + b"0\r\nTrailer: ", b"a"),
    ],
)
def test_nothing_endless_is_waited_for(status: int, start: bytes, endless: bytes) -> None:
    parser = Parser(Limits(target=100, header_bytes=200, body=1000))
    parser.feed(start)
    sent = 0
    while parser.error is None:
        parser.feed(endless)
        sent += len(endless)
        assert sent < 10_000
    assert parser.error.status == status
    assert parser.is_over and not parser.held


def test_a_long_body_is_refused_before_it_comes() -> None:
    parser = Parser(LIMITS)
    parser.feed(POST + b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")
    assert parser.error is not None and parser.error.status == 413
    assert not parser.expecting


@pytest.mark.parametrize(
    "body", [b"Content-Length: 2\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_who_expects_to_be_told_to_continue(body: bytes) -> None:
    parser = Parser(LIMITS)
    assert parser.feed(POST + b"Expect: 100-Continue\r\n" + body) == []
    assert parser.expecting
    parser.feed(b"2")
    assert not parser.expecting, "it has not waited"


def test_who_does_not() -> None:
    parser = Parser(LIMITS)
    parser.feed(POST + b"Expect: 100-continue\r\n\r\n")
    assert not parser.expecting
    parser.feed(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert not parser.expecting


def test_a_websocket_ends_http() -> None:
    parser = Parser(LIMITS)
    (request,) = parser.feed(b"GET /ws HTTP/1.1\r\nHost: h\r\n" + WEBSOCKET + b"\r\n\x81\x00")
    assert request.upgrade and not request.keep_alive
    assert parser.is_over
    assert parser.feed(GET) == []
    assert parser.held == b"\x81\x00" + GET


def test_another_upgrade_is_passed_over() -> None:
    head = (
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\n"
    )
    for parts in ([head + b"abc" + GET], bytewise(head + b"abc" + GET)):
        (first, second), status = parse(*parts)
        assert (first.body, first.upgrade, first.keep_alive, status) == (b"abc", False, True, 0)
        assert second.path == "/a"


def test_no_more_than_there_is_room_for() -> None:
    parser = Parser(LIMITS)
    assert len(parser.feed(GET * 5 + GET[:7], room=2)) == 2
    assert parser.held == GET * 3 + GET[:7]
    assert parser.feed(GET[7:], room=0) == []
    assert len(parser.feed(b"", room=3)) == 3
    assert not parser.is_inside
    assert len(parser.feed(b"")) == 1
    assert not parser.held


def test_inside_a_request_or_between_two() -> None:
    parser = Parser(LIMITS)
    inside = []
    for part in bytewise(POST + b"Content-Length: 2\r\n\r\nab"):
        parser.feed(part)
        inside.append(parser.is_inside)
    assert inside == [True] * (len(inside) - 1) + [False]


STREAMS = [
    GET + POST + b"Content-Length: 5\r\n\r\nhello" + CHUNKED + b"3\r\na\r\n\r\n0\r\n\r\n" + GET,
    *(GET + data for _, data in REFUSED.values()),
]


@given(st.sampled_from(STREAMS), st.data())
def test_how_the_bytes_arrive_makes_no_difference(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.sets(st.integers(0, len(stream))))
    parts = [stream[at:end] for at, end in pairwise(sorted({0, len(stream), *cuts}))]
    assert parse(*parts) == parse(stream)


SCRAPS = [
    b"GET ", b"POST ", b"/", b"http://h/", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n",
    b"Host: h", b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"Connection: ", b"close",
    b"upgrade", b"Upgrade: h2c", b"Expect: 100-continue", b"0", b"1", b"3", b"a", b";", b":", b",",
    b" ", b"\n", b"\r", b"\0", GET, POST, CHUNKED,
]  # fmt: skip


@given(st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=3), max_size=30).map(b"".join))
def test_no_bytes_are_a_surprise(noise: bytes) -> None:
    assert parse(noise) == parse(*bytewise(noise))


def test_some_paths_take_a_larger_body() -> None:
    limits = Limits(body=10, larger={"/big": 1000})
    sized = b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    chunked = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    for path, most in ((b"/", 10), (b"/big", 1000), (b"/big/?a=b", 1000), (b"/big/x", 10)):
        body = most * b"x"
        for whole in (
            sized % (path, most) + body, chunked % path + b"%x\r\n%b\r\n0\r\n\r\n" % (most, body),
        ):  # fmt: skip
            assert parse(*bytewise(whole), limits=limits) == ([only(whole, limits)], 0)
        assert parse(sized % (path, most + 1), limits=limits) == ([], 413)
        over = chunked % path + b"%x\r\n%bx\r\n" % (most + 1, body)
        assert parse(over, limits=limits) == ([], 413)
    later = sized % (b"/big", 1000) + 1000 * b"x" + sized % (b"/", 11)
    assert parse(later, limits=limits)[1] == 413


def test_how_much_of_a_body_is_there() -> None:
    parser = Parser(LIMITS)
    parser.feed(POST + b"Content-Length: 100\r\n\r\n" + 60 * b"x")
    assert parser.received == 60
    parser.feed(40 * b"x")
    assert parser.received == 0
