"""The carrier of SMS, simulated: an SMSC, that is a server of SMPP 3.4 on loopback.

Whoever is bound with its system_id and password submits messages, and is brought receipts and what
handsets send. What nobody is there for waits; what was not acknowledged is brought again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from itertools import count

from tertulia.carriers.simulated import SIMULATED
from tertulia.model.sending import Content
from tertulia.phones.assembly import Assembly, Part, part_of
from tertulia.phones.handset import Deliver, Fail, Refuse, Why
from tertulia.phones.screens import Message
from tertulia.phones.smsc_link import Link
from tertulia.phones.texting import News, NotWritten, Texting
from tertulia.protocols import gsm
from tertulia.protocols.gsm import Concatenation
from tertulia.protocols.smpp.names import RECEIPT, UDHI, Npi, State, Status, Ton
from tertulia.protocols.smpp.pdu import Address, Bind, Pdu
from tertulia.protocols.smpp.pdu import Message as Sms
from tertulia.protocols.smpp.receipt import Receipt, write_receipt

HOST = "127.0.0.1"
SYSTEM_ID, PASSWORD = SIMULATED, SIMULATED[:8]
"""SMPP has room for eight characters."""
LINKS_MAX = 50
WAITING_MAX = 50_000
"""Messages and receipts that wait to be brought; until there are fewer, none is taken."""
TICK_S = 1.0

_REFUSALS: Mapping[Why, Status] = {
    "unknown": Status.RINVDSTADR,
    "barred": Status.RSUBMITFAIL,
    "content": Status.RSUBMITFAIL,
    "unreachable": Status.RINVDSTADR,
    "expired": Status.RSUBMITFAIL,
}
_FAILURES: Mapping[Why, tuple[State, str]] = {
    "unknown": (State.UNDELIVERABLE, "001"),
    "barred": (State.REJECTED, "021"),
    "content": (State.REJECTED, "036"),
    "unreachable": (State.UNDELIVERABLE, "027"),
    "expired": (State.EXPIRED, "255"),
}
_RECEIPT_ON_FAILURE = 2
_UCS_2 = 8


class _Submitted(Message, frozen=True, kw_only=True):
    sms: Sms
    """Its last part."""
    at: float


class Smsc:
    """From `open` to `close`."""

    def __init__(self, texting: Texting) -> None:
        self._texting = texting
        self._assembly = Assembly()
        self._links: set[Link] = set()
        self._waiting: deque[Sms] = deque()
        self._references = count(1)
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._is_pumping = False
        self.port = 0

    @property
    def waiting(self) -> int:
        """Messages and receipts that nobody has acknowledged yet."""
        return len(self._waiting) + sum(link.unanswered for link in self._links)

    async def open(self, port: int = 0) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._link, HOST, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._ticking = loop.call_later(TICK_S, self._tick)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._ticking is not None:
            self._ticking.cancel()
        for link in tuple(self._links):
            link.part()
        self._links.clear()

    # --- towards handsets ---

    def bring(self, message: Message) -> None:
        source, destination = _address(message.from_), _address(message.to)
        segments = gsm.segments_of(message.text)
        total = len(segments.parts)
        if total > gsm.PARTS_MAX:
            raise NotWritten("the text is too long")
        if self.is_full:
            raise NotWritten("too many messages are waiting")
        reference = next(self._references) & 0xFF
        for number, data in enumerate(segments.parts, 1):
            which = Concatenation(reference, total, number)
            head = gsm.header(which) if total > 1 else b""
            coding = _UCS_2 if segments.is_unicode else 0
            self._waiting.append(Sms(source, destination, head + data, UDHI if head else 0, coding))
        self._pump_soon()

    def tell(self, message: Message, news: News) -> None:
        assert isinstance(message, _Submitted)
        wanted = message.sms.registered_delivery & 3
        state, error = State.DELIVERED, "000"
        if isinstance(news, Fail):
            state, error = _FAILURES[news.why]
        elif not isinstance(news, Deliver) or wanted == _RECEIPT_ON_FAILURE:
            return
        if not wanted:
            return
        sms = message.sms
        dates = _date(int(message.at)), _date(int(time.time()))
        for ref in message.refs:
            receipt = Receipt(ref, state, error, *dates, message.text[:20])
            self._waiting.append(write_receipt(receipt, sms.destination, sms.source))
        self._pump_soon()

    # --- towards whoever is bound ---

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= WAITING_MAX

    def admits(self, bind: Bind) -> Status:
        if bind.system_id != SYSTEM_ID:
            return Status.RINVSYSID
        return Status.ROK if bind.password == PASSWORD else Status.RINVPASWD

    def submit(self, sms: Sms, link: Link, pdu: Pdu) -> None:
        """Judge a message, answer, and only then let happen what is to happen to it."""
        part = part_of(sms)
        status = self._judged(sms, part)
        if status is not Status.ROK or part is None:
            link.answer(pdu, status, "")
            return
        ref = f"{self._texting.fresh():x}"
        link.answer(pdu, status, ref)
        source, destination = sms.source.value, sms.destination.value
        whole = self._assembly.add(source, destination, part, ref)
        if whole is not None:
            content = Content("text", {"text": whole.text})
            self._texting.begin(
                _Submitted(
                    ref, "sms", source, destination, content, whole.refs, sms=sms, at=time.time()
                )
            )

    def _judged(self, sms: Sms, part: Part | None) -> Status:
        if part is None or sms.esm_class & RECEIPT:
            return Status.RINVESMCLASS
        if not sms.destination.value:
            return Status.RINVDSTADR
        if self.is_full:
            return Status.RMSGQFUL
        verdict = self._texting.judge("sms", sms.destination.value, part.text)
        if isinstance(verdict, Refuse):
            return _REFUSALS[verdict.why]
        return Status.ROK if verdict is None else Status.RTHROTTLED

    def again(self, brought: list[Sms]) -> None:
        """These were not acknowledged: before all others."""
        self._waiting.extendleft(reversed(brought))
        self._pump_soon()

    def pump(self) -> None:
        """Bring what waits, as far as there is room."""
        self._is_pumping = False
        for link in self._links:
            while self._waiting and link.has_room:
                link.deliver(self._waiting.popleft())
            link.flush()

    def lost(self, link: Link) -> None:
        self._links.discard(link)

    def _pump_soon(self) -> None:
        """All that one turn of the loop has made goes out together."""
        if not self._is_pumping:
            self._is_pumping = True
            asyncio.get_running_loop().call_soon(self.pump)

    def _link(self) -> asyncio.Protocol:
        link = Link(self, is_one_too_many=len(self._links) >= LINKS_MAX)
        self._links.add(link)
        return link

    def _tick(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        for link in tuple(self._links):
            link.tick()
        self.pump()


def _address(value: str) -> Address:
    """Raises NotWritten: SMPP has no such address."""
    if value.removeprefix("+").isdecimal() and value.isascii() and len(value) <= 20:
        return Address(Ton.INTERNATIONAL, Npi.ISDN, value.removeprefix("+"))
    if value.isascii() and 0 < len(value) <= 11:
        return Address(Ton.ALPHANUMERIC, Npi.UNKNOWN, value)
    raise NotWritten(f"{value} is no number")


def _date(second: int) -> str:
    return _minute(second // 60)


@lru_cache(maxsize=16)
def _minute(minute: int) -> str:
    return time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))
