"""The packet reader: a packet or PacketError; what can be written again reads the same."""

import atheris
from tests.fuzz.fuzzing import fuzz

with atheris.instrument_imports(include=["tertulia.protocols"]):
    from tertulia.protocols.socketio import (
        Acknowledged,
        Emitted,
        PacketError,
        acknowledgement,
        acknowledgements,
        connected,
        emitted,
        open_packet,
        read,
    )
    from tertulia.protocols.websocket import masked_frame

SEEDS = (
    b"1", b"2", b"3probe", b"6", b"41/a,", b'40/a?b,{"token":"t"}', connected("s"),
    open_packet("s", ping_interval_ms=1, ping_timeout_ms=2, max_payload=3),
    emitted("message", b'{"body":{"text":"x"}}', 12), b'42/,3["a",[1,{}],null]',
    acknowledgement(1 << 53), b'437["a"]', b'44{"message":"no"}', b'451-["a",{"num":0}]',
)  # fmt: skip
MASK = b"\x01\x80\xff\x5a"


def check(text: bytes) -> None:
    try:
        packet = read(text)
    except PacketError:
        packet = None
    if isinstance(packet, Emitted):
        assert read(emitted(packet.name, packet.argument, packet.ack)) == packet
    if len(text) <= 125:
        numbers, _ = acknowledgements(masked_frame(text, MASK))
        assert not numbers or packet == Acknowledged(numbers[0])


if __name__ == "__main__":
    fuzz(check, SEEDS)
