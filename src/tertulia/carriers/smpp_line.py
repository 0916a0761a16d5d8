"""One connection to an SMSC: a Client session of SMPP 3.4 on a socket (TCP or TLS).

Everything that a turn of the loop has to say is written at once.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from tertulia.carriers.accounts import SmppAccount
from tertulia.ports.messaging import OutOfReach
from tertulia.protocols.smpp.names import Command
from tertulia.protocols.smpp.pdu import Bind, Message, Named, Pdu
from tertulia.protocols.smpp.session import (
    Answered,
    Asked,
    Bound,
    Client,
    Over,
    Refused,
    Signal,
    Timing,
    Unanswered,
)

_BINDS = {
    "transceiver": Command.BIND_TRANSCEIVER, "transmitter": Command.BIND_TRANSMITTER,
    "receiver": Command.BIND_RECEIVER,
}  # fmt: skip
_NO_ID = Named()
_UNBIND_WITHIN = 2.0
"""Seconds."""


class Line(asyncio.Protocol):
    """`ended` is done, with the reason, when the connection is lost or given up."""

    def __init__(self, account: SmppAccount, take: Callable[["Line", Pdu], None]) -> None:
        """`take` is given what the SMSC delivers, to be answered."""
        self._account = account
        self._take = take
        self._loop = asyncio.get_running_loop()
        timing = Timing(account.answer_seconds, account.enquire_seconds, account.answer_seconds)
        self._session = Client(self._loop.time(), timing)
        self._transport: asyncio.WriteTransport | None = None
        self._submits: dict[int, asyncio.Future[Pdu]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_flushing = False
        self._reason = ""
        self.heard_at = self._loop.time()
        self.peer = ""
        """The SMSC's system_id."""
        self.bound: asyncio.Future[bool] = self._loop.create_future()
        """Done when it is bound, or will not be."""
        self.ended: asyncio.Future[str] = self._loop.create_future()

    @property
    def is_bound(self) -> bool:
        return bool(self._session.bound)

    def submit(self, message: Message) -> asyncio.Future[Pdu]:
        """Its answer; OutOfReach, in doubt, when there is none. Only when it `is_bound`.

        Raises:
            ValueError: a field does not hold what is in the message.
        """
        sequence = self._session.ask(Command.SUBMIT_SM, message, self._loop.time())
        self._flush_soon()
        answer: asyncio.Future[Pdu] = self._loop.create_future()
        self._submits[sequence] = answer
        return answer

    def answer(self, pdu: Pdu, status: int) -> bool:
        """To what was taken. False: there is nobody to hear it."""
        if self._session.is_over or self._transport is None:
            return False
        self._session.answer(pdu, status, None if status else _NO_ID)
        self._flush_soon()
        return True

    async def close(self) -> None:
        """Unbind, and wait a little for the SMSC to agree."""
        if self.is_bound:
            self._session.unbind(self._loop.time())
            self._flush_soon()
            await asyncio.wait([self.ended], timeout=_UNBIND_WITHIN)
        self.drop("closed")
        if not self.ended.done() and self._transport is not None:
            await asyncio.wait([self.ended], timeout=_UNBIND_WITHIN)

    def drop(self, reason: str) -> None:
        """Give the connection up."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        account = self._account
        bind = Bind(account.system_id, account.password, account.system_type)
        self._session.bind(bind, self._loop.time(), _BINDS[account.bind])
        self._flush()
        self._wake()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        self._hear(self._session.receive(data, self.heard_at))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        reason = self._reason or (str(exc) if exc else "the SMSC has closed the connection")
        for answer in self._submits.values():
            if not answer.done():
                answer.set_exception(OutOfReach(reason, in_doubt=True))
        self._submits.clear()
        self._session.is_over, self._session.bound = True, 0
        if not self.bound.done():
            self.bound.set_result(False)
        if not self.ended.done():
            self.ended.set_result(reason)

    def _hear(self, signals: list[Signal]) -> None:
        for signal in signals:
            if isinstance(signal, Answered):
                answer = self._submits.pop(signal.pdu.sequence, None)
                if answer is not None and not answer.done():
                    answer.set_result(signal.pdu)
            elif isinstance(signal, Asked):
                self._take(self, signal.pdu)
            else:
                self._changed(signal)
        self._flush_soon()

    def _changed(self, signal: Unanswered | Bound | Refused | Over) -> None:
        if isinstance(signal, Unanswered):
            answer = self._submits.pop(signal.sequence, None)
            if answer is not None and not answer.done():
                answer.set_exception(OutOfReach("no answer in time", in_doubt=True))
        elif isinstance(signal, Bound):
            self.peer = signal.peer
            self._wake()
            if not self.bound.done():
                self.bound.set_result(True)
        elif isinstance(signal, Over):
            self._reason = self._reason or signal.reason
            self._flush()
            if self._transport is not None:
                self._transport.close()

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        data = self._session.take()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _wake(self) -> None:
        now = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
        self._hear(self._session.tick(now))
        if not self._session.is_over:
            self._timer = self._loop.call_at(self._session.due(now), self._wake)
