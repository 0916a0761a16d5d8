"""The request parser: requests and at most one refusal, the same however the bytes are cut.

The first byte of an input says how it is cut, and whether there is room for one request at a time.
"""

import atheris
from tests.fuzz.fuzzing import fuzz

with atheris.instrument_imports(include=["tertulia.protocols"]):
    from tertulia.protocols.http1 import HttpError, Limits, Request
    from tertulia.protocols.http1_parser import Parser
    from tertulia.protocols.websocket import accept

LIMITS = Limits(target=64, header_bytes=512, header_count=12, body=256)
STATUSES = frozenset((400, 405, 413, 414, 426, 431, 501, 505))
HOST = b" HTTP/1.1\r\nHost: h\r\n"
SEEDS = (
    b"\x00GET /v1/a?b=c" + HOST + b"Accept: a\r\naccept: b \r\n\r\nGET /" + HOST + b"\r\n",
    b"\x85POST /" + HOST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabcGET /",
    b"\x03POST /" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"\x10GET http://h/a" + HOST + b"Connection: close\r\n\r\n",
    b"\x00GET /v2/rtc/" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x00",
    b"\x00PUT / HTTP/1.0\r\nContent-Length: 1\r\n\r\na",
)


def check(data: bytes) -> None:
    if not data:
        return
    narrow, step, stream = data[0] >= 0x80, (data[0] & 0x7F) + 1, data[1:]
    parts = [stream[at : at + step] for at in range(0, len(stream), step)]
    found = outcome(parts, narrow)
    assert found == outcome([stream], narrow=False)
    for request in found[0]:
        assert len(request.body) <= LIMITS.body
        if request.upgrade:
            check_handshake(request)


def outcome(parts: list[bytes], narrow: bool) -> tuple[list[Request], int]:
    """The requests, and the status of the refusal after them; 0 when there was none."""
    parser = Parser(LIMITS)
    requests: list[Request] = []
    for part in parts:
        requests += parser.feed(part, 1) if narrow else parser.feed(part)
        while narrow and parser.held and not parser.is_over:
            requests += parser.feed(b"", 1)
    status = parser.error.status if parser.error else 0
    assert status == 0 or status in STATUSES
    return requests, status


def check_handshake(request: Request) -> None:
    try:
        assert accept(request).startswith(b"HTTP/1.1 101 ")
    except HttpError as refused:
        assert refused.status in STATUSES


if __name__ == "__main__":
    fuzz(check, SEEDS)
