"""The way to another node for what must not be lost: words arrive once and in order, or the way
ends for both, and what was shared over it with it.

The words are a stream, sent in numbered pieces; a piece is asked for until it is answered. Each
side has a token, made anew whenever it begins again: a piece for an older token is refused, one
from another token begins a new stream.
"""

import asyncio
import logging
from collections.abc import Callable
from secrets import token_hex
from struct import Struct as Layout

import msgspec
from msgspec import Struct

from tertulia.ports.cluster import Bus, Unanswered
from tertulia.services.errands import Errands

PATIENCE = 4.0
"""Seconds for which a piece is sent again, until the way is lost."""
ASK_SECONDS, RETRY_SECONDS = 1.0, 0.1
BACKLOG_MAX = 8 << 20
"""Octets that may wait to be sent; with more the way is lost."""
WORD_MAX = 1 << 20
"""Octets of a word."""
OVERHEAD = 256
"""Octets of a piece beside its data, at most."""
_LENGTH = Layout(">I")

_log = logging.getLogger(__name__)


class Piece(Struct, frozen=True, array_like=True):
    node: str
    """Whose it is."""
    token: str
    yours: str
    """The hearer's, as far as known."""
    number: int
    data: bytes


class Heard(Struct, frozen=True, array_like=True):
    token: str
    is_taken: bool


class Neighbour:
    """`hear` is called with every word of the other node, `lost` when what was shared is over."""

    def __init__(
        self, name: str, *, me: str, bus: Bus, errands: Errands,
        hear: Callable[[bytes], None], lost: Callable[[], None],
    ) -> None:  # fmt: skip
        self.name = name
        self._me = me
        self._bus = bus
        self._errands = errands
        self._hear = hear
        self._lost = lost
        self._token, self._theirs = token_hex(8), ""
        self._out, self._in = bytearray(), bytearray()
        self._number = self._expected = 0
        self._round = 0
        """Of beginning again: what an older round waits for concerns nobody."""
        self._is_sending = False
        self.is_silent = False
        """What it was asked last it has not answered."""

    @property
    def is_idle(self) -> bool:
        """Nothing is on its way there."""
        return not self._is_sending

    def tell(self, word: bytes) -> None:
        if len(self._out) + len(word) > BACKLOG_MAX or len(word) > WORD_MAX:
            self.lose()
            return
        self._out += _LENGTH.pack(len(word)) + word
        self.prove()

    def prove(self) -> None:
        """Find out whether it is there, and knows us still; and bring what waits."""
        if not self._is_sending:
            self._is_sending = True
            self._errands.run(self._send(self._round))

    def lose(self) -> None:
        """All that is shared with it is over."""
        _log.warning("the way to a node is lost", extra={"action": "way_lost", "node": self.name})
        self._token, self._theirs = token_hex(8), ""
        self._begin_again()

    def take(self, piece: Piece) -> Heard:
        if piece.yours not in ("", self._token):
            return Heard(self._token, is_taken=False)
        self._meet(piece.token)
        if piece.number > self._expected:
            return Heard(self._token, is_taken=False)
        if piece.number == self._expected:
            self._expected += 1
            self._in += piece.data
            self._read()
        return Heard(self._token, is_taken=True)

    def _meet(self, token: str) -> None:
        known, self._theirs = self._theirs, token
        if known not in ("", token):
            self._begin_again()

    def _begin_again(self) -> None:
        self._round += 1
        self._is_sending = False
        self._out, self._in = bytearray(), bytearray()
        self._number = self._expected = 0
        self._lost()

    async def _send(self, number: int) -> None:
        """What waits, piece by piece; at least one, if an empty one."""
        room = self._bus.word_max - OVERHEAD
        while True:
            data = bytes(self._out[:room])
            piece = Piece(self._me, self._token, self._theirs, self._number, data)
            heard = await self._delivered(msgspec.msgpack.encode(piece), number)
            if number == self._round and heard is not None:
                self._meet(heard.token)
            if number != self._round:
                return
            if heard is None or not heard.is_taken:
                self.lose()
                return
            del self._out[: len(data)]
            self._number += 1
            if not self._out:
                self._is_sending = False
                return

    async def _delivered(self, piece: bytes, number: int) -> Heard | None:
        clock = asyncio.get_running_loop().time
        end = clock() + PATIENCE
        while clock() < end and number == self._round:
            try:
                answer = await self._bus.ask(f"phones.{self.name}", piece, ASK_SECONDS)
                heard = msgspec.msgpack.decode(answer, type=Heard)
                self.is_silent = False
                return heard
            except (Unanswered, msgspec.MsgspecError):
                self.is_silent = True
                await asyncio.sleep(RETRY_SECONDS)
        return None

    def _read(self) -> None:
        while len(self._in) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._in)
            end = _LENGTH.size + length
            if length > WORD_MAX:
                self.lose()
            if len(self._in) < end:
                return
            word = bytes(self._in[_LENGTH.size : end])
            del self._in[:end]
            self._hear(word)
