"""Short messages by SMPP 3.4: a carrier that keeps a connection with an SMSC (sections 2.2, 4.1),
and hands over each part of a message by submit_sm (4.4).

What was handed over and not answered when a connection is lost is in doubt. Of a message of several
parts those that were taken are not handed over again.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tertulia.carriers.accounts import SmppAccount
from tertulia.carriers.smpp_inbound import Inbound
from tertulia.carriers.smpp_line import Line
from tertulia.carriers.smpp_parts import PartsOfAll
from tertulia.carriers.smpp_words import CONGESTED, id_of, messages_of, refusal
from tertulia.model.bucket import Bucket
from tertulia.model.ids import MessageId
from tertulia.model.instant import Instant
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Problem, Sending
from tertulia.ports.messaging import (
    CarrierEars,
    CarrierHealth,
    Congested,
    Declined,
    OutOfReach,
    Terms,
    Unsupported,
)
from tertulia.protocols.smpp.names import Status, status_name
from tertulia.protocols.smpp.pdu import Message, Named, Pdu

__all__ = ["SmppAccount", "SmppCarrier"]

Where = Callable[[], tuple[str, int] | None]
_BEGUN_MAX = 10_000
_PART_PATIENCE = 60.0
"""Seconds that the SMSC may ask for patience in the middle of a message."""
_REFERENCES = 0x10000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Begun:
    """A message that an SMSC has in part."""

    reference: int
    refs: list[str] = field(default_factory=list)


class SmppCarrier:
    """Make it on the loop. One connection at a time, made again when it is lost."""

    kind = "smpp"

    def __init__(
        self, account: SmppAccount, *, now: Callable[[], Instant], where: Where | None = None,
        chance: Callable[[], float] = random.random, parts: PartsOfAll | None = None,
    ) -> None:  # fmt: skip
        """`parts` brings together what comes to several nodes. `where` is asked for each
        connection; None: there is nobody to connect to just now. `chance` is from 0 to 1."""
        self._account = account
        self._where = where or (lambda: (account.host, account.port))
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._inbound = Inbound(account, now, parts)
        self._line: Line | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._health = CarrierHealth("starting")
        self._is_closed = False
        self._settled = asyncio.Event()
        """It is known whether the SMSC is there."""
        self._window = asyncio.Semaphore(account.window)
        burst = max(1.0, account.rate / 10)
        self._bucket = Bucket(account.rate, burst, self._loop.time()) if account.rate else None
        self._begun: dict[MessageId, _Begun] = {}
        self._reference = int(chance() * _REFERENCES)
        self.terms: Terms = account.terms(tells=account.receipts)

    @property
    def name(self) -> str:
        return self._account.name

    @property
    def health(self) -> CarrierHealth:
        return self._health

    async def start(self, ears: CarrierEars) -> None:
        self._inbound.start(ears)
        self._keeper = self._loop.create_task(self._keep())

    async def close(self) -> None:
        self._is_closed = True
        line, self._line = self._line, None
        if line is not None:
            await line.close()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._inbound.close()
        self._became("down", "closed")

    async def revoke(self, sending: Sending) -> None:
        raise Unsupported("A short message cannot be taken back.")

    async def mark_read(self, arrival: Arrival, *, typing: bool = False) -> None:
        raise Unsupported("Short messages know nothing of reading.")

    async def submit(self, sending: Sending) -> Sequence[str]:
        begun = self._begun.get(sending.id)
        if begun is None:
            self._reference = (self._reference + 1) % _REFERENCES
            begun = _Begun(self._reference)
        messages = messages_of(sending, self._account, begun.reference)
        try:
            for message in messages[len(begun.refs) :]:
                begun.refs.append(await self._hand_over(message, is_first=not begun.refs))
        except (Congested, OutOfReach) as failure:
            if begun.refs:
                failure.in_part = True
                self._remember(sending.id, begun)
            raise
        except Declined:
            self._begun.pop(sending.id, None)
            raise
        self._begun.pop(sending.id, None)
        return tuple(begun.refs)

    def _remember(self, message_id: MessageId, begun: _Begun) -> None:
        self._begun[message_id] = begun
        if len(self._begun) > _BEGUN_MAX:
            del self._begun[next(iter(self._begun))]

    async def _hand_over(self, message: Message, *, is_first: bool) -> str:
        """The SMSC's id of the part. Once it has a part it is given time for the others."""
        if is_first:
            return await self._ask(message)
        patience = self._loop.time() + _PART_PATIENCE
        while True:
            try:
                return await self._ask(message)
            except Congested as congested:
                pause = (congested.seconds or 1.0) * (0.5 + self._chance())
                if self._loop.time() + pause > patience:
                    raise
                await asyncio.sleep(pause)

    async def _ask(self, message: Message) -> str:
        await self._settled.wait()
        await self._pace()
        async with self._window:
            line = self._line
            if line is None or not line.is_bound:
                raise OutOfReach(self._health.detail or "not connected")
            try:
                answer = line.submit(message)
            except ValueError as error:
                raise Declined(Problem(Code.UNPROCESSABLE, str(error))) from error
            return self._ref(await answer, line)

    async def _pace(self) -> None:
        wait = self._bucket.take(self._loop.time()) if self._bucket else 0.0
        while wait and self._bucket is not None:
            await asyncio.sleep(wait)
            wait = self._bucket.take(self._loop.time())

    def _ref(self, answer: Pdu, line: Line) -> str:
        if answer.status == 0:
            name = answer.body.id if isinstance(answer.body, Named) else ""
            return id_of(name, self._account.submit_ids)
        if answer.status in CONGESTED:
            raise Congested(status_name(answer.status), CONGESTED[Status(answer.status)])
        if answer.status == Status.RINVBNDSTS:
            line.drop("the SMSC takes us for not bound")
            raise OutOfReach("not bound")
        raise Declined(refusal(answer.status))

    async def _keep(self) -> None:
        """Connect, and again when the connection is lost, ever more slowly while that fails."""
        account = self._account
        pause = account.first_retry_seconds
        while True:
            reason, was_bound = await self._connected()
            if self._is_closed:
                return
            self._became("down", reason)
            said = {"action": "smpp_down", "carrier": account.name, "reason": reason}
            _log.warning("an SMSC is out of reach", extra=said)
            pause = account.first_retry_seconds if was_bound else pause
            await asyncio.sleep(pause * (0.5 + self._chance() / 2))
            pause = min(pause * 2, account.longest_retry_seconds)

    async def _connected(self) -> tuple[str, bool]:
        """One connection, from its beginning to its end: why it ended, and if it was bound."""
        place = self._where()
        if place is None or not place[0]:
            return "there is no address to connect to", False
        try:
            async with asyncio.timeout(self._account.answer_seconds):
                line = await self._open(*place)
        except (OSError, TimeoutError, ValueError) as error:
            return f"no connection: {error or type(error).__name__}", False
        try:
            if await line.bound:
                self._line = line
                self._became("up", f"bound to {line.peer or 'the SMSC'}")
                said = {"action": "smpp_up", "carrier": self.name}
                _log.info("an SMSC is connected", extra=said)
            was_bound = line.is_bound
            return await line.ended, was_bound
        finally:
            self._line = None
            line.drop("closed")

    def _became(self, state: str, detail: str) -> None:
        self._health = CarrierHealth(state, detail)
        self._settled.set()

    async def _open(self, host: str, port: int) -> Line:
        context = None
        if self._account.tls:
            context = ssl.create_default_context(cafile=self._account.ca_file or None)
        _, line = await self._loop.create_connection(
            lambda: Line(self._account, self._inbound.take), host, port, ssl=context
        )
        return line
