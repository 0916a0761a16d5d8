"""An SMSC over loopback, made of our own server session, that does as a test wants."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from tertulia.protocols.smpp.names import BINDS, Command, State, Status
from tertulia.protocols.smpp.pdu import Message, Named, Pdu
from tertulia.protocols.smpp.receipt import Receipt, write_receipt
from tertulia.protocols.smpp.session import Answered, Asked, Server, Signal

Rule = Callable[[int, Message], int | None]
"""The status that the nth message (from 0) is answered with; None: none at all."""


class Peer(asyncio.Protocol):
    """One connection of an ESME."""

    def __init__(self, smsc: "Smsc") -> None:
        self._smsc = smsc
        self._loop = asyncio.get_running_loop()
        self.session = Server(self._loop.time())
        self.transport: asyncio.WriteTransport | None = None
        self._answers: dict[int, asyncio.Future[Pdu]] = {}
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self._smsc.peers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.lost.set()
        if self in self._smsc.peers:
            self._smsc.peers.remove(self)
        for each in self._answers.values():
            each.cancel()

    def data_received(self, data: bytes) -> None:
        for signal in self.session.receive(data, self._loop.time()):
            self._hear(signal)
        self.flush()
        if self.session.is_over and self.transport is not None:
            self.transport.close()

    def _hear(self, signal: Signal) -> None:
        if isinstance(signal, Answered):
            answer = self._answers.pop(signal.pdu.sequence, None)
            if answer is not None and not answer.done():
                answer.set_result(signal.pdu)
        elif isinstance(signal, Asked) and signal.pdu.command in BINDS:
            if self._smsc.refuses:
                self.session.turn_away(signal.pdu, self._smsc.refuses)
            else:
                self.session.welcome(signal.pdu, "tests")
                self._smsc.bound.set()
        elif isinstance(signal, Asked):
            self._smsc.submitted(self, signal.pdu)

    def deliver(self, message: Message) -> "asyncio.Future[Pdu]":
        sequence = self.session.deliver(message, self._loop.time())
        assert sequence is not None
        answer: asyncio.Future[Pdu] = self._loop.create_future()
        self._answers[sequence] = answer
        self.flush()
        return answer

    def flush(self) -> None:
        data = self.session.take()
        if data and self.transport is not None:
            self.transport.write(data)


class Smsc:
    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.got: list[Message] = []
        """All that was submitted, whatever the answer was."""
        self.taken: dict[str, Message] = {}
        self.rule: Rule = lambda number, message: Status.ROK
        self.refuses = 0
        self.receipts: State | None = None
        """With which everything taken is reported at once."""
        self.is_early = False
        """Receipts come before the answer."""
        self.bound = asyncio.Event()
        self.spelled: Callable[[int], str] = str
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, context: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Peer(self), "127.0.0.1", self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        self.bound.clear()
        await asyncio.gather(*(peer.lost.wait() for peer in self.peers))

    def cut(self) -> None:
        """Lose every connection."""
        for peer in list(self.peers):
            if peer.transport is not None:
                peer.transport.abort()

    @property
    def peer(self) -> Peer:
        return self.peers[-1]

    def submitted(self, peer: Peer, pdu: Pdu) -> None:
        message = pdu.body
        assert isinstance(message, Message)
        number = len(self.got)
        self.got.append(message)
        status = self.rule(number, message)
        if status is None:
            return
        if status or pdu.command != Command.SUBMIT_SM:
            peer.session.answer(pdu, status)
            return
        name = self.spelled(number + 1)
        self.taken[name] = message
        if self.is_early:
            self._report(peer, name, message)
        peer.session.answer(pdu, 0, Named(name))
        if not self.is_early:
            self._report(peer, name, message)

    def _report(self, peer: Peer, name: str, message: Message) -> None:
        if self.receipts is not None:
            receipt = Receipt(name, self.receipts, submitted="2601010000", done="2601010001")
            told = write_receipt(receipt, message.destination, message.source, tagged=False)
            peer.deliver(told)
