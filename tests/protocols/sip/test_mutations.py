"""Messages damaged at random: some are still messages, all others a BadMessage, none anything else.

2,000; with TERTULIA_FULL=1 in the environment 1,000,000, in flat memory. With the figures:
`TERTULIA_FULL=1 pytest -s tests/protocols/sip/test_mutations.py`.
"""

import os
import random
import resource
from collections import Counter

from tests.protocols.sip.messages import INVITE, OK, TORTURE

from tertulia.protocols.sip.fields import VIA
from tertulia.protocols.sip.message import BadMessage, Request, Response, respond
from tertulia.protocols.sip.parser import READABLE, parse
from tertulia.protocols.sip.stream import Stream

COUNT = 1_000_000 if os.environ.get("TERTULIA_FULL") else 2_000
SEEDS = (INVITE, OK, *(path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))))
BITS = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b";", b",", b'"', b"\\", b"<", b">", b"@"),
    *(b"%", b"%00", b"%zz", b"[", b"]", b"=", b"*", b"?", b"\xff", "é".encode(), b"\r\n "),
    *(b"SIP/2.0", b"sip:", b"sips:a@b", b"tel:1", b";tag=x", b"z9hG4bK", b"\r\n\r\n", b"\x85"),
    *(b"99999999999999999999", b"-1", b"0", b"Content-Length: 5\r\n", b"l:9\r\n", b"ACK", b"((("),
    *(b"Via: SIP/2.0/UDP a\r\n", b"a" * 300, b",,," * 100, b'"<' * 100, b";;" * 200, b"\\" * 301),
)
MEMORY = 32 * 1024
"""KiB that the process may grow by in the second half."""


def damaged(dice: random.Random) -> bytes:
    data = bytearray(dice.choice(SEEDS))
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        at = dice.randrange(len(data) + 1)
        end = min(at + dice.choice((1, 1, 2, 8, 60)), len(data))
        match dice.randrange(6):
            case 0:
                data[at:end] = dice.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = dice.choice(BITS)
            case 3:
                data[at:end] = dice.choice(BITS)
            case 4:
                data[at:at] = data[at:end] * dice.choice((1, 2, 40))
            case _:
                other = dice.choice(SEEDS)
                start = dice.randrange(len(other))
                data[at:] = other[start:]
    return bytes(data)


def examine(data: bytes) -> str:
    """What became of it. Nothing here may raise."""
    try:
        message = parse(data)
    except BadMessage as bad:
        if bad.request is None:
            return "dropped"
        bad.request.stamp("192.0.2.1", 5060)
        respond(bad.request, bad.status, bad.reason, tag="ours").encode()
        return "refused"
    written = message.encode()
    assert parse(written).encode() == written
    read(message)
    return "accepted"


def read(message: Request | Response) -> None:
    for field in READABLE.values():
        for value in message.headers.read_all(field):
            str(value)
    for contact in message.contacts:
        assert contact.uri.matches(contact.uri)
        assert 0.0 <= contact.q <= 1.0 and (contact.expires or 0) >= 0
    if isinstance(message, Request):
        message.stamp("192.0.2.1", 5060)
        answer = respond(message, 200, tag="ours")
        again = parse(answer.encode())
        assert again.to.tag and again.cseq == message.cseq
        assert vias(again) == vias(message)


def vias(message: Request | Response) -> list[bytes]:
    """In octets: what is Latin-1 as a whole may be UTF-8 in part."""
    return [str(via).encode(message.charset) for via in message.headers.read_all(VIA)]


def examine_stream(data: bytes, dice: random.Random) -> None:
    """The same comes out however it is cut."""
    whole, cut = Stream(), Stream()
    at = dice.randrange(len(data) + 1)
    pieces = [*cut.feed(data[:at]), *cut.feed(data[at:])]
    expected = [type(item) for item in whole.feed(data) if isinstance(item, Request | Response)]
    assert [type(item) for item in pieces if isinstance(item, Request | Response)] == expected
    assert whole.broken == cut.broken


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_damaged_messages() -> None:
    dice = random.Random(4475)
    outcomes: Counter[str] = Counter()
    halfway = 0
    for number in range(COUNT):
        if number == COUNT // 2:
            halfway = memory()
        data = damaged(dice)
        outcomes[examine(data)] += 1
        if number % 4 == 0:
            examine_stream(data, dice)
    print(dict(outcomes), f"{memory() - halfway} KiB more in the second half")
    assert outcomes.total() == COUNT
    assert min(outcomes[each] for each in ("accepted", "refused", "dropped")) > COUNT // 50
    assert memory() - halfway < MEMORY
