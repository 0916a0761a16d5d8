"""The SMPP carrier against the contract of all carriers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.carriers.smsc import Smsc
from tests.contracts.message_carrier import FarMessage, MessageCarrierContract, Mood, Rig

from tertulia.carriers.smpp import SmppAccount, SmppCarrier
from tertulia.model.instant import Instant
from tertulia.model.sending import SendingStatus
from tertulia.protocols.gsm import segments_of
from tertulia.protocols.smpp.coding import text_of
from tertulia.protocols.smpp.names import State, Status
from tertulia.protocols.smpp.pdu import Address, Message
from tertulia.protocols.smpp.receipt import Receipt, write_receipt

_STATES = {
    SendingStatus.DELIVERED: State.DELIVERED,
    SendingStatus.UNDELIVERABLE: State.UNDELIVERABLE,
    SendingStatus.REJECTED: State.REJECTED,
}


class FarSmsc:
    def __init__(self, smsc: Smsc, carrier: SmppCarrier) -> None:
        self._smsc = smsc
        self._carrier = carrier
        self._seen = 0
        self._brought: set[str] = set()
        self._mood: Mood | None = None
        smsc.rule = self._rule

    def meets(self, mood: Mood) -> None:
        self._mood = mood

    def _rule(self, number: int, message: Message) -> int | None:
        mood, self._mood = self._mood, None
        self._smsc.is_early = mood is Mood.TELLS_FIRST
        self._smsc.receipts = State.DELIVERED if self._smsc.is_early else None
        if mood is Mood.VANISHES:
            self._smsc.cut()
            return None
        if mood in (Mood.DECLINES, Mood.CONGESTED):
            del self._smsc.got[number]
            return Status.RSUBMITFAIL if mood is Mood.DECLINES else Status.RTHROTTLED
        return Status.ROK

    async def taken(self) -> FarMessage:
        async with asyncio.timeout(5):
            while len(self._smsc.got) <= self._seen:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        self._seen += 1
        message = self._smsc.got[self._seen - 1]
        text = text_of(message.content, message.data_coding)
        return FarMessage(str(self._seen), message.source.value, message.destination.value, text)

    async def tells(self, message: FarMessage, status: SendingStatus | None) -> bool:
        assert status is not None
        receipt = Receipt(message.ref, _STATES[status])
        to, from_ = Address(1, 1, message.from_), Address(1, 1, message.to)
        return await self._delivers(write_receipt(receipt, from_, to, tagged=False))

    async def brings(self, message: FarMessage) -> bool:
        if message.ref in self._brought:  # what was answered comes again only when it was lost
            self._smsc.cut()
            await self._until("down")
        await self._until("up")
        segments = segments_of(message.text)
        coding = 8 if segments.is_unicode else 0
        places = Address(1, 1, message.from_), Address(1, 1, message.to)
        is_taken = await self._delivers(Message(*places, segments.parts[0], data_coding=coding))
        if is_taken:
            self._brought.add(message.ref)
        return is_taken

    async def goes(self) -> None:
        await self._until("up")
        await self._smsc.close()
        await self._until("down")

    async def _delivers(self, message: Message) -> bool:
        answer = await asyncio.wait_for(self._smsc.peer.deliver(message), 5)
        return answer.status == Status.ROK

    async def _until(self, state: str) -> None:
        async with asyncio.timeout(5):
            while self._carrier.health.state != state:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


class TestSmpp(MessageCarrierContract):
    tells_reads = False

    @asynccontextmanager
    async def _rig(self) -> AsyncIterator[Rig]:
        smsc = Smsc()
        await smsc.open()
        account = SmppAccount(name="sms", first_retry_seconds=0.01, longest_retry_seconds=0.01)
        carrier = SmppCarrier(
            account, now=lambda: Instant(0), where=lambda: ("127.0.0.1", smsc.port)
        )
        try:
            yield Rig(carrier, FarSmsc(smsc, carrier))
        finally:
            await carrier.close()
            await smsc.close()

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        return self._rig()
