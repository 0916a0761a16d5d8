"""What an SMSC delivers (SMPP 3.4 section 4.6): receipts, and messages from handsets.

It is answered when the ears have kept it; what they could not keep is answered ESME_RX_T_APPN, and
comes again. The parts of a long message are answered as they come, and are in memory until all are
there: that is what a crash may lose. Who ends in peace hands over what is there.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from tertulia.carriers.accounts import SmppAccount
from tertulia.carriers.smpp_line import Line
from tertulia.carriers.smpp_parts import PartsOfAll
from tertulia.carriers.smpp_repeats import Hearing, Repeats
from tertulia.carriers.smpp_words import address_of, outcome_of
from tertulia.model.errors import Unavailable
from tertulia.model.instant import Instant
from tertulia.model.sending import Arrival, Content, MessageChannel
from tertulia.ports.messaging import CarrierEars
from tertulia.protocols import gsm
from tertulia.protocols.gsm_joining import Joined, Joiner, Part
from tertulia.protocols.smpp.coding import is_binary, text_of
from tertulia.protocols.smpp.names import INTERMEDIATE, UDHI, Status, Tag
from tertulia.protocols.smpp.pdu import Message, Pdu
from tertulia.protocols.smpp.receipt import is_receipt, read_receipt

WORKERS = 64
"""Deliveries that the ears have at once."""
QUEUE_MAX = 10_000
"""Deliveries that wait for that; what comes beyond has to come again."""
SWEEP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class _Delivery(NamedTuple):
    line: Line
    pdu: Pdu


class Inbound:
    def __init__(
        self, account: SmppAccount, now: Callable[[], Instant], parts: PartsOfAll | None = None
    ) -> None:
        self._account = account
        self._parts = parts
        if parts is not None:
            parts.join(account.name, self._of_any)
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue(QUEUE_MAX)
        self._joiner = Joiner()
        self._loop = asyncio.get_running_loop()
        self._repeats = Repeats(now, self._loop.time)
        self._tasks: list[asyncio.Task[None]] = []
        self._ears: CarrierEars | None = None
        self.heard_at = 0.0
        """Of the connection that what was left over came by."""
        self.unreadable = 0
        """Receipts that told nothing."""

    def start(self, ears: CarrierEars) -> None:
        self._ears = ears
        work = [self._work(ears) for _ in range(WORKERS)]
        self._tasks = [self._loop.create_task(each) for each in (*work, self._sweep(ears))]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ears is not None:
            await self._let_go(self._ears, math.inf)

    def take(self, line: Line, pdu: Pdu) -> None:
        try:
            self._queue.put_nowait(_Delivery(line, pdu))
        except asyncio.QueueFull:
            line.answer(pdu, Status.RX_T_APPN)

    async def _work(self, ears: CarrierEars) -> None:
        while True:
            line, pdu = await self._queue.get()
            status = Status.RX_T_APPN
            try:
                status = await self._status(ears, line, pdu)
            except Unavailable:
                pass
            except Exception:
                _log.exception("a delivery failed", extra={"action": "smpp_delivery_failed"})
            line.answer(pdu, status)

    async def _status(self, ears: CarrierEars, line: Line, pdu: Pdu) -> Status:
        """With which it is answered. Raises Unavailable."""
        message = pdu.body
        if not isinstance(message, Message):
            return Status.RSYSERR
        if is_receipt(message):
            return await self._heard(ears, message)
        part = part_of(message)
        if part is None:
            return await self._arrived(ears, line, message)
        if self._parts is not None:
            return await self._parts.take(self._account.name, part)
        return await self._taken(ears, line, part)

    async def _taken(self, ears: CarrierEars, line: Hearing, part: Part) -> Status:
        """A part of a long message. Raises Unavailable."""
        if self._joiner.was_taken(part):
            return Status.ROK
        if not self._joiner.has_room(part):
            return Status.RX_T_APPN
        joined = self._joiner.add(part, self._loop.time())
        if joined is not None:
            await self._take_joined(ears, line, joined)
        return Status.ROK

    async def _of_any(self, part: Part) -> Status:
        """One that has come to this node, or to another. Raises Unavailable."""
        if self._ears is None:
            raise Unavailable("there is nobody yet who hears")
        return await self._taken(self._ears, self, part)

    async def _heard(self, ears: CarrierEars, message: Message) -> Status:
        receipt = read_receipt(message)
        if receipt is None:
            self.unreadable += 1
            said = {"action": "smpp_receipt_unreadable", "carrier": self._account.name}
            _log.warning("a receipt says nothing of a message that there can be", extra=said)
            return Status.ROK
        is_intermediate = bool(message.esm_class & INTERMEDIATE)
        await ears.heard(outcome_of(receipt, self._account, is_intermediate=is_intermediate))
        return Status.ROK

    async def _arrived(self, ears: CarrierEars, line: Line, message: Message) -> Status:
        digest = _digest(
            message.source.value, message.destination.value, str(message.data_coding),
            message.content,
        )  # fmt: skip
        octets = message.content
        if message.esm_class & UDHI and (data := gsm.user_data(octets)) is not None:
            octets = data.data
        content = self._content([(octets, message.data_coding)])
        places = address_of(message.source), address_of(message.destination)
        await self._tell(ears, line, self._arrival(digest, *places, content, 1))
        return Status.ROK

    async def _tell(self, ears: CarrierEars, line: Hearing, arrival: Arrival) -> None:
        """`ref` is made of what it says; from which it gets its own."""
        digest = arrival.ref
        ref = self._repeats.ref(digest, line)
        try:
            await ears.arrived(replace(arrival, ref=ref))
        except BaseException:
            self._repeats.failed(digest, ref)
            raise

    async def _take_joined(self, ears: CarrierEars, line: Hearing, joined: Joined) -> None:
        """A part of it comes again when it could not be kept, and then it is whole again."""
        key = joined.key
        parts = [(part.data, part.coding) for part in joined.parts]
        digest = _digest(key.sender, key.recipient, str(key[2:]), *(data for data, _ in parts))
        content = self._content(parts)
        arrival = self._arrival(digest, key.sender, key.recipient, content, len(parts))
        await self._tell(ears, line, arrival)
        self._joiner.forget(joined, self._loop.time())

    async def _sweep(self, ears: CarrierEars) -> None:
        """Long messages of which the rest does not come: what is there is better than nothing."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self._let_go(ears, self._loop.time())

    async def _let_go(self, ears: CarrierEars, now: float) -> None:
        for joined in self._joiner.overdue(now):
            try:
                await self._take_joined(ears, self, joined)
            except Unavailable:
                return
            except Exception:
                _log.exception("a long message failed", extra={"action": "smpp_delivery_failed"})
                self._joiner.forget(joined, self._loop.time())

    def _content(self, parts: list[tuple[bytes, int]]) -> Content:
        if any(is_binary(coding) for _, coding in parts):
            octets = b"".join(data for data, _ in parts)
            return Content("unsupported", extras={"binary": octets.hex()})
        is_latin = self._account.alphabet == "latin-1"
        text, at = "", 0
        while at < len(parts):  # a character may be cut in two, so what is alike is read together
            coding, run = parts[at][1], b""
            while at < len(parts) and parts[at][1] == coding:
                run += parts[at][0]
                at += 1
            text += text_of(run, coding, is_latin=is_latin)
        return Content("text", {"text": text})

    def _arrival(
        self, ref: str, sender: str, recipient: str, content: Content, parts: int
    ) -> Arrival:
        return Arrival(
            self._account.name, ref, MessageChannel.SMS, sender, recipient, content,
            details={"num_messages": str(parts)},
        )  # fmt: skip


def part_of(message: Message) -> Part | None:
    """The part that it is of a long message, by its header (5.2.12) or its TLVs (5.3.2.22);
    None for a message that is whole."""
    octets, which = message.content, None
    if message.esm_class & UDHI and (data := gsm.user_data(octets)) is not None:
        which, octets = data.concatenation, data.data
    elif Tag.SAR_TOTAL_SEGMENTS in message.tlvs:
        which = _sar(message)
    if which is None or which.total < 2:
        return None
    places = address_of(message.source), address_of(message.destination)
    return Part(*places, which, octets, message.data_coding)


def _sar(message: Message) -> gsm.Concatenation | None:
    tags = Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM
    reference, total, number = (int.from_bytes(message.tlvs.get(each, b"")[:2]) for each in tags)
    is_sound = 1 <= number <= total <= gsm.PARTS_MAX
    return gsm.Concatenation(0x20000 | reference, total, number) if is_sound else None


def _digest(*words: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for each in words:
        octets = each.encode("utf-8", "replace") if isinstance(each, str) else each
        digest.update(len(octets).to_bytes(4) + octets)
    return digest.hexdigest()
