"""The frame reader: messages or WebsocketError, and the same however the bytes are cut.

The first byte of an input says who sends and how it is cut.
"""

import atheris
from tests.fuzz.fuzzing import fuzz

with atheris.instrument_imports(include=["tertulia.protocols"]):
    from tertulia.protocols.socketio import Acknowledged, acknowledgements, read
    from tertulia.protocols.websocket import (
        BINARY,
        CLOSE,
        PING,
        FrameReader,
        Message,
        WebsocketError,
        close_payload,
        frame,
        masked_frame,
    )

MESSAGE_MAX = 1024
MASK = b"\x01\x80\xff\x5a"
SEEDS = (
    b"\x00" + frame("é".encode()) + frame(b"a" * 200) + frame(close_payload(1000), CLOSE),
    b"\x03\x01\x01a" + frame(b"", PING) + b"\x80\x01b",
    b"\x80" + masked_frame(b"437[]", MASK) * 3 + masked_frame(b"\xff" * 300, MASK, BINARY),
    b"\x05\x82\x7f" + bytes(7) + b"\x01",
)


def check(data: bytes) -> None:
    if not data:
        return
    masked, step, stream = data[0] >= 0x80, (data[0] & 0x7F) + 1, data[1:]
    parts = [stream[at : at + step] for at in range(0, len(stream), step)]
    found, code = outcome(parts, masked)
    whole, its_code = outcome([stream], masked)
    assert its_code == code
    assert code or whole == found
    assert sum(len(message.data) for message in found) <= len(stream)
    if masked:
        check_acknowledgements(stream)


def check_acknowledgements(stream: bytes) -> None:
    numbers, end = acknowledgements(stream)
    messages, code = outcome([stream[:end]], masked=True)
    assert code == 0
    assert [read(message.data) for message in messages] == [Acknowledged(n) for n in numbers]


def outcome(parts: list[bytes], masked: bool) -> tuple[list[Message], int]:
    """What was read, and the code it ended with; 0 when there was no error."""
    reader = FrameReader(MESSAGE_MAX, masked)
    messages: list[Message] = []
    for part in parts:
        try:
            messages += reader.feed(part)
        except WebsocketError as error:
            assert error.code in (1002, 1007, 1009)
            return messages, error.code
    return messages, 0


if __name__ == "__main__":
    fuzz(check, SEEDS)
