"""The readers of media packets: something or None, and what is read is written the same.

The second octet tells RTP from RTCP, as it does on a port that both come to.
"""

import atheris
from tests.fuzz.fuzzing import fuzz

with atheris.instrument_imports(include=["tertulia.protocols"]):
    from tertulia.protocols import rtcp, rtp
    from tertulia.protocols.telephone_event import DIGITS, EventReceiver, events

BLOCK = rtcp.Block(1, 2, 3, 4, 5, 6, 7)
SEEDS = (
    rtp.write(rtp.RtpPacket(111, 1, 2, 3, b"abc", True, (4, 5), ((1, b"a"), (2, b"bcd")))),
    rtp.write(rtp.RtpPacket(101, 1, 2, 3, b"\1\x8a\3\x20", extensions=((200, b""),))),
    rtcp.write([
        rtcp.SenderReport(1, rtcp.Sent(2, 3, 4, 5), (BLOCK,)),
        rtcp.Description(1, "name"),
        rtcp.Goodbye((1,), "over"),
    ]),
    rtcp.write([rtcp.ReceiverReport(1, (BLOCK, BLOCK))]) + b"\x81\xcd\0\3" + bytes(12),
    b"".join(packet.payload for packet in events("1#", 8000) if packet is not None),
)  # fmt: skip


def check(data: bytes) -> None:
    if rtp.is_rtcp(data):
        check_rtcp(data)
    else:
        check_rtp(data)
    check_keys(data)


def check_rtp(data: bytes) -> None:
    packet = rtp.read(data)
    if packet is None:
        return
    assert len(packet.payload) <= len(data) - rtp.HEADER.size
    rtp.level(packet, 1)
    assert rtp.read(rtp.write(packet)) == packet


def check_rtcp(data: bytes) -> None:
    items = rtcp.read(data)
    if items is None or any(isinstance(item, rtcp.Skipped) for item in items):
        return
    names = [item for item in items if isinstance(item, rtcp.Description)]
    if items and all(len(name.cname.encode()) <= rtcp.NAME_MAX for name in names):
        written = rtcp.write(items)
        assert len(written) > rtcp.PACKET_MAX or rtcp.read(written) is not None


def check_keys(data: bytes) -> None:
    receiver = EventReceiver()
    for at in range(0, len(data) - 6, 6):
        head, payload = data[at], data[at + 2 : at + 6]
        told = receiver.receive(payload, 8000, data[at + 1] * 400, head > 127, at * head / 9000)
        assert all(one.digit in DIGITS and one.milliseconds >= 0 for one in told)


if __name__ == "__main__":
    fuzz(check, SEEDS)
