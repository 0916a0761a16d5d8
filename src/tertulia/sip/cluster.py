"""ClusterCarrier: ports.Carrier of a node among others. Signalling stays where the phone is, the
call is where the application is at home, and between them goes what is told of it.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from tertulia.model.errors import Unavailable
from tertulia.model.state import Endpoint
from tertulia.model.telephone import AnySignal, Called, Dial
from tertulia.ports.cluster import Bus, Homes, Stop
from tertulia.ports.phones import Carrier
from tertulia.services.errands import Errands
from tertulia.sip.abroad import HERE, Abroad
from tertulia.sip.hosted import Hosted
from tertulia.sip.neighbour import Neighbour, Piece
from tertulia.sip.registrar import Owner
from tertulia.sip.sharing import SharedRegistrar
from tertulia.sip.words import AnyWord, Astray, Dialled, Left, Ordered, Told, Verb, carry_out

WATCH_SECONDS = 1.0
"""Between two looks at who is alive, and who is at home where."""
FAREWELL = 1.0
"""Seconds for other nodes to hear that this one ends."""

_decoder = msgspec.msgpack.Decoder(AnyWord)
_log = logging.getLogger(__name__)


class ClusterCarrier:
    """`local` has the sockets of this node, `softphones` what is registered in the cluster. Make it
    on the loop, `start` it before `local`, `close` it before `local` is closed."""

    def __init__(
        self, local: Carrier, *, bus: Bus, homes: Homes, softphones: SharedRegistrar | None = None
    ) -> None:
        self._local = local
        self._bus = bus
        self._homes = homes
        self._softphones = softphones
        self._errands = Errands()
        self._neighbours: dict[str, Neighbour] = {}
        self._hosted = Hosted(local, homes, self._errands, tell=self._tell, emit=self._emit)
        self._abroad = Abroad(local, tell=self._tell, emit=self._emit)
        self._finding: set[str] = set()
        """Calls to softphones that are being looked for."""
        self._listener: Callable[[AnySignal], None] = lambda _: None
        self._stop: Stop | None = None
        self._is_checking = False
        local.on_signal(self._heard)
        if softphones is not None:
            softphones.on_left = self._left

    async def start(self) -> None:
        self._stop = await self._bus.serve(f"phones.{self._homes.name}", self._answer)
        self._errands.run(self._watch())

    async def close(self) -> None:
        """End what is shared with other nodes, and let them hear of it."""
        self._listener = lambda _: None
        self._hosted.close()
        self._abroad.close()
        end = asyncio.get_running_loop().time() + FAREWELL
        while not all(each.is_idle for each in self._neighbours.values()):
            if asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.01)
        if self._stop is not None:
            await self._stop()
        await self._errands.close()

    # ── what is told of calls ──

    def dial(self, call: Dial) -> None:
        owner = self._softphones.owner(call) if self._softphones is not None else None
        if owner is None:
            self._local.dial(call)
        else:
            self._finding.add(call.leg)
            self._errands.run(self._dial_softphones(call, owner))

    def ring(self, leg: str) -> None:
        self._order("ring", leg)

    def progress(self, leg: str, sdp: str) -> None:
        self._order("progress", leg, sdp)

    def answer(self, leg: str, sdp: str) -> None:
        self._order("answer", leg, sdp)

    def refuse(self, leg: str, code: int, text: str = "") -> None:
        self._order("refuse", leg, text, code)

    def offer(self, leg: str, sdp: str) -> None:
        self._order("offer", leg, sdp)

    def hang_up(self, leg: str) -> None:
        self._finding.discard(leg)
        self._order("hang_up", leg)

    def referred(self, leg: str, code: int) -> None:
        self._order("referred", leg, code=code)

    def on_signal(self, listener: Callable[[AnySignal], None]) -> None:
        self._listener = listener

    def _order(self, verb: Verb, leg: str, text: str = "", code: int = 0) -> None:
        word = Ordered(verb, leg, text, code)
        if self._abroad.has(leg):
            self._abroad.order(word)
        elif not self._hosted.has(leg):
            carry_out(self._local, word)

    async def _dial_softphones(self, call: Dial, owner: Owner) -> None:
        places = await self._places(owner)
        if call.leg not in self._finding:
            return  # hung up meanwhile
        self._finding.discard(call.leg)
        if places <= {HERE}:
            self._local.dial(call)
        else:
            named = Endpoint(type="vbc", extension=owner.name)
            self._abroad.dial(replace(call, to=named), places)

    async def _places(self, owner: Owner) -> set[str]:
        """Where a user's softphones are to be reached now."""
        assert self._softphones is not None
        try:
            nodes = await self._softphones.nodes(owner)
        except Unavailable as error:
            told = {"action": "softphones_unknown", "error": str(error)}
            _log.warning("softphones of other nodes are not found", extra=told)
            return {HERE}
        here = {HERE} if self._homes.name in nodes else set()
        return here | (nodes & self._alive())

    # ── what is heard of them ──

    def _heard(self, signal: AnySignal) -> None:
        """From this node's own sockets."""
        if self._hosted.has(signal.leg):
            self._hosted.heard(signal)
        elif self._abroad.has(signal.leg):
            self._abroad.heard(HERE, signal)
        elif isinstance(signal, Called) and not self._homes.has(signal.application_id):
            self._hosted.called(signal)
        else:
            self._emit(signal)

    def _emit(self, signal: AnySignal) -> None:
        self._listener(signal)

    # ── other nodes ──

    def _alive(self) -> set[str]:
        return {node.name for node in self._homes.nodes()}

    def _neighbour(self, name: str) -> Neighbour:
        found = self._neighbours.get(name)
        if found is None:
            found = self._neighbours[name] = Neighbour(
                name, me=self._homes.name, bus=self._bus, errands=self._errands,
                hear=lambda word: self._told(name, word), lost=lambda: self._lost(name),
            )  # fmt: skip
        return found

    def _tell(self, node: str, word: AnyWord) -> None:
        self._neighbour(node).tell(msgspec.msgpack.encode(word))

    async def _answer(self, word: bytes) -> bytes:
        piece = msgspec.msgpack.decode(word, type=Piece)
        return msgspec.msgpack.encode(self._neighbour(piece.node).take(piece))

    def _told(self, node: str, encoded: bytes) -> None:
        word = _decoder.decode(encoded)
        if isinstance(word, Ordered):
            self._hosted.ordered(node, word)
        elif isinstance(word, Dialled):
            self._hosted.dialled(node, word)
        elif isinstance(word, Astray):
            self._hosted.astray(node, word.leg)
        elif isinstance(word, Left):
            self._forget(Owner(word.application_id, word.name))
        else:
            self._told_of_call(node, word)

    def _told_of_call(self, node: str, word: Told) -> None:
        signal = word.signal
        if isinstance(signal, Called) and not self._homes.has(signal.application_id):
            self._tell(node, Astray(signal.leg))
        else:
            self._abroad.heard(node, signal)

    def _left(self, node: str, owner: Owner) -> None:
        self._tell(node, Left(*owner))

    def _forget(self, owner: Owner) -> None:
        if self._softphones is not None:
            self._errands.run(self._softphones.left(owner))

    def _lost(self, node: str) -> None:
        self._hosted.lost(node)
        self._abroad.lost(node)

    async def _watch(self) -> None:
        """Find out who is gone: calls that are shared with a dead node end within seconds."""
        self._errands.after(WATCH_SECONDS, self._watch)
        alive = self._alive()
        for name in self._hosted.nodes | self._abroad.nodes:
            other = self._neighbour(name)
            if other.is_silent and name not in alive:
                other.lose()
            else:
                other.prove()
        if not self._is_checking:
            self._is_checking = True
            try:
                await self._hosted.check()
            finally:
                self._is_checking = False
