from collections.abc import AsyncGenerator

import pytest

from tertulia.protocols.http1 import Response, Streamed, encode, encode_chunk, encode_start

DATE = b"Mon, 04 May 2026 09:15:22 GMT"


def test_a_response_says_its_length_type_and_date() -> None:
    assert encode(Response(201, b'{"id":1}'), keep_alive=True, date=DATE) == (
        b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
        b"Date: Mon, 04 May 2026 09:15:22 GMT\r\n\r\n"
        b'{"id":1}'
    )


def test_the_last_response_says_so() -> None:
    data = encode(Response(200), keep_alive=False, date=DATE)
    assert b"\r\nContent-Length: 0\r\n" in data
    assert b"\r\nConnection: close\r\n" in data


def test_own_headers_follow() -> None:
    response = Response(302, headers=(("Location", "/é"), ("Vary", "Origin")))
    data = encode(response, keep_alive=True, date=DATE)
    assert data.endswith(b"\r\nLocation: /\xe9\r\nVary: Origin\r\n\r\n")


def test_head_leaves_out_the_body_but_not_its_length() -> None:
    data = encode(Response(200, b"12345"), keep_alive=True, date=DATE, head=True)
    assert b"\r\nContent-Length: 5\r\n" in data
    assert data.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_no_length(status: int) -> None:
    data = encode(Response(status, b"never"), keep_alive=True, date=DATE)
    assert b"Content-" not in data
    assert data.endswith(b"\r\n\r\n")


def test_an_unknown_status_has_an_empty_phrase() -> None:
    assert encode(Response(299), keep_alive=True, date=DATE).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\0b", "\u20ac"])
def test_a_header_cannot_forge_another(value: str) -> None:
    with pytest.raises(ValueError):
        encode(Response(200, headers=(("Location", value),)), keep_alive=True, date=DATE)


async def _no_pieces() -> AsyncGenerator[bytes, None]:
    return
    yield


def test_a_streamed_answer_begins_with_all_but_its_length() -> None:
    answer = Streamed(200, content_type="text/x", headers=(("A", "b"),), pieces=_no_pieces())
    assert encode_start(answer, keep_alive=True, date=b"today", chunked=True) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nDate: today\r\n"
        b"Transfer-Encoding: chunked\r\nA: b\r\n\r\n"
    )
    assert encode_start(answer, keep_alive=False, date=b"today", chunked=False) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nDate: today\r\n"
        b"Connection: close\r\nA: b\r\n\r\n"
    )


def test_a_chunk_says_its_size() -> None:
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
