"""Responses that are sent again until the other end says that it has them: a 2xx of INVITE until
its ACK (RFC 3261 13.3.1.4), provisional ones until their PRACK (RFC 3262 3)."""

from collections import deque
from collections.abc import Callable

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.fields import RAck
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Response
from tertulia.protocols.sip.transaction import GIVE_UP, T1, T2

QUEUED = 8
"""Reliable responses that may wait for the one before."""


class Repeated:
    def __init__(
        self,
        core: Core,
        transaction: ServerTransaction,
        response: Response,
        gone: Callable[[], None],
        longest: float = T2,
    ) -> None:
        """`gone` is called when nothing was heard for 64 T1."""
        self.response = response
        self._core = core
        self._transaction = transaction
        self._gone = gone
        self._longest = longest
        self._interval = T1
        core.start(self, "gone", GIVE_UP)
        core.start(self, "again", T1)
        transaction.respond(response)

    def stop(self) -> None:
        self._core.stop(self, "gone", "again")

    def fire(self, name: str) -> None:
        if name == "gone":
            self.stop()
            self._gone()
            return
        self._interval = min(2 * self._interval, self._longest)
        self._core.start(self, "again", self._interval)
        self._transaction.respond(self.response)


class ReliableProvisionals:
    """Of one INVITE: one after the other."""

    def __init__(
        self, core: Core, transaction: ServerTransaction, gone: Callable[[], None]
    ) -> None:
        self._core = core
        self._transaction = transaction
        self._gone = gone
        self._rseq = int.from_bytes(bytes.fromhex(core.token(3)), "big") + 1
        self._waiting: deque[Response] = deque(maxlen=QUEUED)
        self._current: Repeated | None = None

    @property
    def is_waiting(self) -> bool:
        """For a PRACK."""
        return self._current is not None

    def send(self, response: Response) -> None:
        response.headers.add("Require", "100rel")
        if self._current is None:
            self._begin(response)
        else:
            self._waiting.append(response)

    def acknowledge(self, rack: RAck) -> bool:
        """Whether a PRACK means the one that waits."""
        request = self._transaction.request
        expected = RAck(self._rseq - 1, request.cseq.number, request.method)
        if self._current is None or rack != expected:
            return False
        self._current.stop()
        self._current = None
        if self._waiting:
            self._begin(self._waiting.popleft())
        return True

    def stop(self) -> None:
        self._waiting.clear()
        if self._current is not None:
            self._current.stop()
            self._current = None

    def _begin(self, response: Response) -> None:
        response.headers.add("RSeq", self._rseq)
        self._rseq += 1
        self._current = Repeated(self._core, self._transaction, response, self._lost, GIVE_UP)

    def _lost(self) -> None:
        self.stop()
        self._gone()
