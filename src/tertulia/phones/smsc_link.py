"""One connection to the simulated SMSC: its session, and what was brought on it."""

import asyncio
import time
from typing import Protocol, cast

from tertulia.protocols.smpp.names import BINDS, Command, Status
from tertulia.protocols.smpp.pdu import Bind, Named, Pdu
from tertulia.protocols.smpp.pdu import Message as Sms
from tertulia.protocols.smpp.session import Answered, Asked, Over, Server, Signal, Unanswered

NAME = "simulated-smsc"
WINDOW = 100
"""Messages that may be brought before the first is acknowledged."""
REST_S = 1.0
"""After an answer that asks for patience."""
_RECEIVERS = frozenset({Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER})
_UNABLE = {
    Command.QUERY_SM: Status.RQUERYFAIL,
    Command.CANCEL_SM: Status.RCANCELFAIL,
    Command.REPLACE_SM: Status.RREPLACEFAIL,
}
_LATER = frozenset({Status.RTHROTTLED, Status.RMSGQFUL, Status.RX_T_APPN, Status.RSYSERR})
"""Answers after which a message is brought again; others have refused it for good."""


class Centre(Protocol):
    """What an SMSC is to its connections."""

    def admits(self, bind: Bind) -> Status: ...
    def submit(self, sms: Sms, link: "Link", pdu: Pdu) -> None: ...
    def again(self, brought: list[Sms]) -> None: ...
    def pump(self) -> None: ...
    def lost(self, link: "Link") -> None: ...


class Link(asyncio.Protocol):
    def __init__(self, centre: Centre, *, is_one_too_many: bool) -> None:
        self._centre = centre
        self._is_one_too_many = is_one_too_many
        self._session = Server(time.monotonic())
        self._transport: asyncio.Transport | None = None
        self._brought: dict[int, Sms] = {}
        """By sequence number."""
        self._is_choked = False
        self._rests_until = 0.0

    @property
    def unanswered(self) -> int:
        return len(self._brought)

    @property
    def has_room(self) -> bool:
        """Whether something can be brought now."""
        return (
            self._session.bound in _RECEIVERS and not self._is_choked
            and len(self._brought) < WINDOW and time.monotonic() >= self._rests_until
        )  # fmt: skip

    def deliver(self, sms: Sms) -> None:
        sequence = self._session.deliver(sms, time.monotonic())
        assert sequence is not None, "only who receives has room"
        self._brought[sequence] = sms

    def answer(self, pdu: Pdu, status: int, ref: str) -> None:
        self._session.answer(pdu, status, Named(ref) if status == Status.ROK else None)

    def flush(self) -> None:
        if self._transport is not None and (data := self._session.take()):
            self._transport.write(data)

    def tick(self) -> None:
        self._hear(self._session.tick(time.monotonic()))

    def part(self) -> None:
        if self._transport is not None:
            self._session.unbind(time.monotonic())
            self.flush()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = cast(asyncio.Transport, transport)
        if self._is_one_too_many:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._hear(self._session.receive(data, time.monotonic()))

    def pause_writing(self) -> None:
        """Who does not read is not listened to."""
        self._is_choked = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_choked = False
        if self._transport is not None:
            self._transport.resume_reading()
        self._centre.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._centre.lost(self)
        brought, self._brought = list(self._brought.values()), {}
        self._centre.again(brought)

    def _hear(self, signals: list[Signal]) -> None:
        for signal in signals:
            if isinstance(signal, Asked):
                self._asked(signal.pdu)
            elif isinstance(signal, Answered):
                self._answered(signal.pdu)
            elif isinstance(signal, Unanswered):
                self._bring_again(self._brought.pop(signal.sequence, None))
        self.flush()
        if any(isinstance(signal, Over) for signal in signals):
            if self._transport is not None:
                self._transport.close()
        elif signals:
            self._centre.pump()

    def _asked(self, pdu: Pdu) -> None:
        if isinstance(pdu.body, Bind) and pdu.command in BINDS:
            status = self._centre.admits(pdu.body)
            if status is Status.ROK:
                self._session.welcome(pdu, NAME)
            else:
                self._hear(self._session.turn_away(pdu, status))
        elif isinstance(pdu.body, Sms):
            self._centre.submit(pdu.body, self, pdu)
        else:
            self._session.answer(pdu, _UNABLE.get(Command(pdu.command), Status.RINVCMDID))

    def _answered(self, pdu: Pdu) -> None:
        brought = self._brought.pop(pdu.sequence, None)
        if pdu.status in _LATER:
            self._rests_until = time.monotonic() + REST_S
            self._bring_again(brought)

    def _bring_again(self, sms: Sms | None) -> None:
        if sms is not None:
            self._centre.again([sms])
