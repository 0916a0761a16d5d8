"""A session of SMPP 3.4 on one connection, of either side (sections 2.2, 2.7 to 2.9, 4.2, 4.11).

What came goes in, what is to be written comes out, and it is told the time, in seconds that only go
forward. Signals say what the owner has to know.
"""

from typing import NamedTuple

from tertulia.protocols.smpp.framing import Frames
from tertulia.protocols.smpp.names import BINDS, RESPONSE, Command, Status, status_name
from tertulia.protocols.smpp.pdu import (
    PDU_MAX,
    Bind,
    Body,
    Malformed,
    Message,
    Named,
    Pdu,
    read,
    write,
)

_LAST_SEQUENCE = 0x7FFFFFFF
_UNANSWERED = frozenset({0x0000000B, 0x00000102})
"""outbind (4.1.7) and alert_notification (4.12): there is no answer to these."""
_MALFORMED_MAX = 100
"""In one session: a peer that sends more speaks something else."""
_NACK, _ENQUIRE, _UNBIND = int(Command.GENERIC_NACK), int(Command.ENQUIRE_LINK), int(Command.UNBIND)
_FOR_RECEIVERS = frozenset({int(Command.DELIVER_SM)})
_FOR_TRANSMITTERS = frozenset(
    map(int, (Command.SUBMIT_SM, Command.QUERY_SM, Command.CANCEL_SM, Command.REPLACE_SM))
)


class Timing(NamedTuple):
    """Seconds (7.2)."""

    answer: float = 10.0
    """Until what was asked counts as not answered (response_timer)."""
    enquire: float = 30.0
    """Of silence, after which it is asked whether somebody is there (enquire_link_timer)."""
    bind: float = 10.0
    """Until somebody who connected has to be bound (session_init_timer)."""


USUAL = Timing()


class Bound(NamedTuple):
    """The session is there for messages."""

    command: int
    """The bind: BIND_TRANSCEIVER …"""
    peer: str
    """Its system_id."""


class Refused(NamedTuple):
    """The bind was. The session is over."""

    status: int


class Asked(NamedTuple):
    """The peer wants something that the owner has to `answer`: of a server, binds too."""

    pdu: Pdu


class Answered(NamedTuple):
    """To a PDU that the owner had asked; its sequence number says to which."""

    pdu: Pdu


class Unanswered(NamedTuple):
    """In time. An answer that comes later is passed over."""

    sequence: int


class Over(NamedTuple):
    """The connection is to be closed when what there is to write is written. What was asked and
    not answered will not be."""

    reason: str


Signal = Bound | Refused | Asked | Answered | Unanswered | Over


class _Open(NamedTuple):
    command: int
    deadline: float


class Session:
    """What both sides have in common. Make a Client or a Server."""

    _asks: frozenset[int]
    """What the peer may ask once it is bound."""

    def __init__(self, now: float, timing: Timing = USUAL, largest: int = PDU_MAX) -> None:
        self._timing = timing
        self._frames = Frames(largest)
        self._out: list[bytes] = []
        self._open: dict[int, _Open] = {}
        self._sequence = 0
        self._heard_at = now
        self._began_at = now
        self._enquiry = 0
        self._malformed = 0
        self.bound = 0
        """The bind command that holds; 0 before and after."""
        self.is_over = False

    @property
    def unanswered(self) -> int:
        """How many were asked without an answer yet."""
        return len(self._open)

    def take(self) -> bytes:
        """What is to be written, once."""
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return data

    def ask(self, command: int, body: Body | None, now: float) -> int:
        """Ask the peer for something; the sequence number.

        Raises:
            ValueError: a field does not hold what is in the body.
        """
        sequence = self._next()
        self._out.append(write(Pdu(command, sequence, 0, body)))
        self._open[sequence] = _Open(command, now + self._timing.answer)
        return sequence

    def answer(self, pdu: Pdu, status: int = 0, body: Body | None = None) -> None:
        """To what the peer has asked."""
        if not self.is_over:
            self._out.append(write(Pdu(pdu.command | RESPONSE, pdu.sequence, status, body)))

    def unbind(self, now: float) -> None:
        """Part in peace: Over follows when the peer agrees, or does not answer."""
        self.ask(_UNBIND, None, now)

    def due(self, now: float) -> float:
        """When to `tick` at the latest, also if something is asked before that; ask again when it
        is bound."""
        first = next(iter(self._open.values()), None)
        deadline = first.deadline if first else now + self._timing.answer
        if not self.bound:
            return min(deadline, self._began_at + self._timing.bind)
        if self._enquiry:
            return deadline
        return min(deadline, max(now, self._heard_at + self._timing.enquire))

    def tick(self, now: float) -> list[Signal]:
        """The time has come to see what is late."""
        signals: list[Signal] = []
        late = [each for each, open_ in self._open.items() if open_.deadline <= now]
        for sequence in late:
            if self.is_over:
                break
            self._late(sequence, self._open.pop(sequence).command, signals)
        if self.is_over:
            return signals
        if not self.bound and now >= self._began_at + self._timing.bind:
            self._end("not bound in time", signals)
        elif self.bound and not self._enquiry and now >= self._heard_at + self._timing.enquire:
            self._enquiry = self.ask(_ENQUIRE, None, now)
        return signals

    def receive(self, data: bytes, now: float) -> list[Signal]:
        """What has come from the peer."""
        signals: list[Signal] = []
        if self.is_over:
            return signals
        self._heard_at = now
        for frame in self._frames.feed(data):
            pdu = read(frame)
            if isinstance(pdu, Malformed):
                self._cannot_read(pdu, signals)
            elif pdu.command & RESPONSE:
                self._answered(pdu, signals)
            else:
                self._asked(pdu, signals)
            if self.is_over:
                return signals
        if self._frames.is_broken:
            self._out.append(write(Pdu(_NACK, 0, Status.RINVCMDLEN)))
            self._end("a length that cannot be", signals)
        return signals

    def _next(self) -> int:
        self._sequence = self._sequence + 1 if self._sequence < _LAST_SEQUENCE else 1
        return self._sequence

    def _end(self, reason: str, signals: list[Signal]) -> None:
        self.is_over = True
        self.bound = 0
        self._open.clear()
        signals.append(Over(reason))

    def _late(self, sequence: int, command: int, signals: list[Signal]) -> None:
        if sequence == self._enquiry:
            self._end("no answer to enquire_link", signals)
        elif command == _UNBIND or command in BINDS:
            self._end("no answer to the bind or unbind", signals)
        else:
            signals.append(Unanswered(sequence))

    def _cannot_read(self, malformed: Malformed, signals: list[Signal]) -> None:
        self._malformed += 1
        if self._malformed > _MALFORMED_MAX:
            self._end("too many PDUs that are none", signals)
        elif not malformed.command & RESPONSE and malformed.command not in _UNANSWERED:
            self._out.append(write(malformed.answer))

    def _answered(self, pdu: Pdu, signals: list[Signal]) -> None:
        asked = self._open.get(pdu.sequence)
        if asked is None or pdu.command not in (asked.command | RESPONSE, _NACK):
            return
        del self._open[pdu.sequence]
        if asked.command == _ENQUIRE:
            self._enquiry = 0
        elif asked.command == _UNBIND:
            self._end("unbound", signals)
        elif asked.command in BINDS:
            self._bind_answered(asked.command, pdu, signals)
        else:
            signals.append(Answered(pdu))

    def _asked(self, pdu: Pdu, signals: list[Signal]) -> None:
        command = pdu.command
        if self.bound and command in self._asks:
            signals.append(Asked(pdu))
        elif command == _ENQUIRE:
            self.answer(pdu)
        elif command == _UNBIND:
            self.answer(pdu)
            self._end("the peer has unbound", signals)
        elif command in BINDS:
            self._bind_asked(pdu, signals)
        else:
            self.answer(pdu, Status.RINVBNDSTS)

    def _bind_asked(self, pdu: Pdu, signals: list[Signal]) -> None:
        self.answer(pdu, Status.RINVCMDID)

    def _bind_answered(self, command: int, pdu: Pdu, signals: list[Signal]) -> None:
        """Only a client has asked for a bind."""


class Client(Session):
    """An ESME: binds, sends submit_sm, is sent deliver_sm."""

    _asks = _FOR_RECEIVERS | {int(Command.DATA_SM)}

    def bind(self, bind: Bind, now: float, command: int = Command.BIND_TRANSCEIVER) -> None:
        """Ask for it: Bound, or Refused and Over follow. Raises ValueError as `ask` does."""
        self.ask(command, bind, now)

    def _bind_answered(self, command: int, pdu: Pdu, signals: list[Signal]) -> None:
        if pdu.status:
            signals.append(Refused(pdu.status))
            self._end(f"the bind was refused: {status_name(pdu.status)}", signals)
            return
        self.bound = command
        signals.append(Bound(command, pdu.body.id if isinstance(pdu.body, Named) else ""))


class Server(Session):
    """An SMSC: is asked for binds, sent submit_sm, and sends deliver_sm."""

    _asks = _FOR_TRANSMITTERS | {int(Command.DATA_SM)}

    def welcome(self, pdu: Pdu, system_id: str, tlvs: dict[int, bytes] | None = None) -> None:
        """Accept the bind that was asked for; `system_id` is our own."""
        self.answer(pdu, 0, Named(system_id, tlvs or {}))
        self.bound = pdu.command
        if pdu.command == Command.BIND_RECEIVER:
            self._asks = frozenset({int(Command.DATA_SM)})

    def turn_away(self, pdu: Pdu, status: int) -> list[Signal]:
        """Refuse it. The session is over."""
        signals: list[Signal] = []
        self.answer(pdu, status)
        self._end(f"refused: {status_name(status)}", signals)
        return signals

    def deliver(self, message: Message, now: float) -> int | None:
        """Send a deliver_sm; None to somebody who is bound to send only, or is not bound."""
        if self.bound not in (Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER):
            return None
        return self.ask(Command.DELIVER_SM, message, now)

    def _bind_asked(self, pdu: Pdu, signals: list[Signal]) -> None:
        if self.bound:
            self.answer(pdu, Status.RALYBND)
        else:
            signals.append(Asked(pdu))
