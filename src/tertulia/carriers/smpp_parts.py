"""Parts of long messages on several nodes: an SMSC that has a connection with each brings them by
any, and those of one message have to come together.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from tertulia.model.errors import Unavailable
from tertulia.ports.cluster import Bus, Homes, Stop
from tertulia.protocols.gsm_joining import Part
from tertulia.protocols.smpp.names import Status
from tertulia.services.stewards import steward

SECONDS = 10.0
"""For another node to take a part."""

Take = Callable[[Part], Awaitable[Status]]
"""Put it to the others of its message. Raises Unavailable."""


class _Handed(NamedTuple):
    account: str
    part: Part


class PartsOfAll:
    """Of this node. `join` before `start`."""

    def __init__(self, bus: Bus, homes: Homes) -> None:
        self._bus = bus
        self._homes = homes
        self._accounts: dict[str, Take] = {}
        self._stop: Stop | None = None

    def join(self, account: str, take: Take) -> None:
        """Who takes an account's parts here."""
        self._accounts[account] = take

    async def start(self) -> None:
        self._stop = await self._bus.serve(_subject(self._homes.name), self._answer)

    async def close(self) -> None:
        if self._stop is not None:
            await self._stop()

    async def take(self, account: str, part: Part) -> Status:
        """By the node where its message is put together. Raises Unavailable."""
        which = part.which
        key = (account, part.sender, part.recipient, which.reference, which.total)
        node = steward(self._homes, repr(key))
        if node == self._homes.name:
            return await self._accounts[account](part)
        word = msgspec.msgpack.encode(_Handed(account, part))
        return Status(int(await self._bus.ask(_subject(node), word, SECONDS)))

    async def _answer(self, word: bytes) -> bytes:
        account, part = msgspec.msgpack.decode(word, type=_Handed)
        take = self._accounts.get(account)
        try:
            status = Status.RX_T_APPN if take is None else await take(part)
        except Unavailable:
            status = Status.RX_T_APPN
        return b"%d" % status


def _subject(node: str) -> str:
    return f"parts.{node}"
