"""Messages that several tests begin with."""

from pathlib import Path

from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.parser import parse

TORTURE = Path(__file__).parents[2] / "vectors" / "rfc4475"
"""The messages of RFC 4475, to the byte (its appendix A)."""

INVITE = (
    b"INVITE sip:+34600111222@trunk.example.com;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Alice" <sip:alice@example.com>;tag=1928301774\r\n'
    b"To: <sip:+34600111222@trunk.example.com;user=phone>\r\n"
    b"Call-ID: a84b4c76e66710@192.0.2.7\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@192.0.2.7:5060;transport=udp>\r\n"
    b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REFER, NOTIFY, UPDATE, PRACK\r\n"
    b"Supported: timer, 100rel, replaces\r\n"
    b"Session-Expires: 1800;refresher=uac\r\n"
    b"User-Agent: softphone/1.2\r\n"
    b"X-Account: 42\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 136\r\n"
    b"\r\n"
    b"v=0\r\no=- 3724394400 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def torture(name: str) -> bytes:
    return (TORTURE / f"{name}.dat").read_bytes()


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def response(data: bytes) -> Response:
    message = parse(data)
    assert isinstance(message, Response)
    return message


def with_field(line: str, data: bytes = INVITE) -> bytes:
    """A message with one more line in its head."""
    start, rest = data.split(b"\r\n", 1)
    return b"\r\n".join((start, line.encode(), rest))
