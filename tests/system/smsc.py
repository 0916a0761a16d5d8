"""An SMSC that takes everything and delivers it, in a process of its own.

`python -m tests.system.smsc PORT`. A line on stdin is a command, answered with a line of JSON, a
Tally: `tally`; `cut` ends every session in the middle of whatever it does, and lets nobody in for a
moment; `mute` keeps receipts back until `speak`. What it has taken it knows after a cut, and a
receipt that was not acknowledged it sends again. It ends with its stdin.
"""

import asyncio
import os
import random
import sys
import threading
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

RECEIPTS_AT_ONCE = 50
AWAY = 0.3
"""Seconds after a cut."""
SLOWEST = 0.02
"""Seconds until a message is answered, at most: so there is always one in doubt."""


class Tally(Struct, frozen=True):
    taken: list[tuple[str, str]]
    """Number and text, in their order."""
    unheard: int
    """Receipts that nobody has acknowledged."""
    refused: int
    """Receipts that were answered with an error, each time."""


class Smsc:
    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.unheard = self.refused = 0
        self.is_mute = False
        self.receipts: deque[Message] = deque()
        self.links: set[Link] = set()
        self.closed_until = 0.0

    def take(self, message: Message) -> str:
        self.taken.append((message.destination.value, message.short_message.decode("ascii")))
        ref = f"{os.getpid()}-{len(self.taken)}"
        receipt = Receipt(ref, State.DELIVERED)
        self.receipts.append(write_receipt(receipt, message.destination, message.source))
        self.unheard += 1
        return ref

    def obey(self, command: str) -> Tally:
        match command:
            case "cut":
                self.closed_until = time.monotonic() + AWAY
                for link in tuple(self.links):
                    link.abort()
            case "mute" | "speak":
                self.is_mute = command == "mute"
                for link in self.links:
                    link.deliver()
        return Tally(self.taken, self.unheard, self.refused)


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

    def connection_lost(self, exc: Exception | None) -> None:
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
                    self._heard(pdu)
                case Over():
                    self._transport.close()
                case _:
                    pass
        self.deliver()

    def deliver(self) -> None:
        waiting = self._smsc.receipts
        while waiting and len(self._open) < RECEIPTS_AT_ONCE and not self._smsc.is_mute:
            message = waiting.popleft()
            sequence = self._session.deliver(message, time.monotonic())
            if sequence is None:
                waiting.appendleft(message)
                break
            self._open[sequence] = message
        self._transport.write(self._session.take())

    def _asked(self, pdu: Pdu) -> None:
        if isinstance(pdu.body, Message):
            body = Named(self._smsc.take(pdu.body))
            pause = random.uniform(0, SLOWEST)
            asyncio.get_running_loop().call_later(pause, self._answer, pdu, body)
        elif pdu.command == Command.BIND_TRANSCEIVER:
            self._session.welcome(pdu, "smsc")

    def _answer(self, pdu: Pdu, body: Named) -> None:
        if self in self._smsc.links:
            self._session.answer(pdu, 0, body)
            self.deliver()

    def _heard(self, pdu: Pdu) -> None:
        message = self._open.pop(pdu.sequence, None)
        if message is None:
            return
        if pdu.status:
            self._smsc.refused += 1
            self._smsc.receipts.append(message)
        else:
            self._smsc.unheard -= 1


async def serve(port: int) -> None:
    smsc, loop = Smsc(), asyncio.get_running_loop()
    ended = asyncio.Event()

    def obey(command: str) -> None:
        print(msgspec.json.encode(smsc.obey(command)).decode(), flush=True)

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(obey, line.strip())
        loop.call_soon_threadsafe(ended.set)

    server = await loop.create_server(lambda: Link(smsc), "127.0.0.1", port)
    threading.Thread(target=listen, daemon=True).start()
    async with server:
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
