"""An SMSC that takes everything and delivers it at once, in a process of its own.

`python -m bench.sms.smsc PORT CONTROL`. A line on the control port is a command: `tally` answers a
Tally, `cut` ends every session in the middle of whatever it does, and lets nobody in for a while;
what it has taken it knows afterwards, receipts that were not acknowledged it sends again.
"""

import asyncio
import sys
import time
from collections import deque
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from tertulia.protocols.smpp.names import Command, State
from tertulia.protocols.smpp.pdu import Message, Named, Pdu
from tertulia.protocols.smpp.receipt import Receipt, write_receipt
from tertulia.protocols.smpp.session import Answered, Asked, Over, Server

WINDOW = 200
"""Receipts that may be under way without an answer."""
AWAY = 3.0
"""Seconds after a cut."""


class Tally(Struct, frozen=True):
    taken: int
    repeated: int
    """Messages to a number that had one already."""
    acknowledged: int
    """Receipts."""


class Smsc:
    def __init__(self) -> None:
        self.numbers: set[str] = set()
        self.repeated = self.acknowledged = self.count = 0
        self.receipts: deque[Message] = deque()
        self.links: set[Link] = set()
        self.closed_until = 0.0

    def tally(self) -> Tally:
        return Tally(len(self.numbers), self.repeated, self.acknowledged)

    def take(self, message: Message) -> str:
        number = message.destination.value
        if number in self.numbers:
            self.repeated += 1
        self.numbers.add(number)
        self.count += 1
        ref = str(self.count)
        receipt = Receipt(ref, State.DELIVERED)
        self.receipts.append(write_receipt(receipt, message.destination, message.source))
        return ref

    def cut(self) -> None:
        self.closed_until = time.monotonic() + AWAY
        for link in tuple(self.links):
            link.abort()


class Link(asyncio.Protocol):
    _transport: asyncio.Transport

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._session = Server(time.monotonic())
        self._open: dict[int, Message] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if time.monotonic() < self._smsc.closed_until:
            self._transport.abort()
        else:
            self._smsc.links.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._smsc.links.discard(self)
        self._smsc.receipts.extendleft(self._open.values())
        self._open.clear()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        for signal in self._session.receive(data, time.monotonic()):
            match signal:
                case Asked(pdu):
                    self._asked(pdu)
                case Answered(pdu):
                    if self._open.pop(pdu.sequence, None) is not None and pdu.status == 0:
                        self._smsc.acknowledged += 1
                case Over():
                    self._transport.close()
                case _:
                    pass
        self._deliver()
        self._transport.write(self._session.take())

    def _asked(self, pdu: Pdu) -> None:
        if isinstance(pdu.body, Message):
            self._session.answer(pdu, 0, Named(self._smsc.take(pdu.body)))
        elif pdu.command == Command.BIND_TRANSCEIVER:
            self._session.welcome(pdu, "smsc")

    def _deliver(self) -> None:
        waiting = self._smsc.receipts
        while waiting and len(self._open) < WINDOW:
            message = waiting.popleft()
            sequence = self._session.deliver(message, time.monotonic())
            if sequence is None:
                waiting.appendleft(message)
                return
            self._open[sequence] = message


async def control(smsc: Smsc, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.readline() == b"cut\n":
        smsc.cut()
    writer.write(msgspec.json.encode(smsc.tally()) + b"\n")
    writer.close()


async def serve(port: int, control_port: int) -> None:
    smsc, loop = Smsc(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Link(smsc), "127.0.0.1", port)
    desk = await asyncio.start_server(
        lambda reader, writer: control(smsc, reader, writer), "127.0.0.1", control_port
    )
    async with server, desk:
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
