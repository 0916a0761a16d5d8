"""The media paths of legs: from the first check of connectivity to the last packet."""

from collections.abc import Callable

import numpy as np

from tertulia.media.address_book import Address
from tertulia.media.arrivals import Arrivals
from tertulia.media.bank import CODECS, Bank
from tertulia.media.duties import Duties
from tertulia.media.leg import Leg
from tertulia.media.outside import Outside
from tertulia.media.port import Port
from tertulia.media.srtp import Srtp
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import Down, Up
from tertulia.protocols import stun

SILENT_SECONDS = 30.0
"""Without a packet, after which a leg that has sent some without consent is down."""
_OVER = {"lost": "timeout", "closed": "closed", "failed": "failed"}


class Paths:
    """`on_stream` is told when the audio of a leg begins anew, perhaps with another codec."""

    def __init__(
        self,
        port: Port,
        bank: Bank,
        outside: Outside,
        arrivals: Arrivals,
        on_stream: Callable[[Leg], None],
    ) -> None:
        self._port, self._bank, self._outside = port, bank, outside
        self._arrivals, self._on_stream = arrivals, on_stream
        self._duties = Duties(outside.clock)
        self._by_ufrag: dict[str, tuple[Leg, WebRtcLeg]] = {}
        self._due = np.full(bank.capacity, np.inf)
        """When the path of the leg in each slot wants to be looked after."""
        self._by_slot: dict[int, Leg] = {}

    # ── beginning and end ──

    def expect(self, leg: Leg, path: WebRtcLeg) -> None:
        """Checks for this path may come from now on."""
        self._by_ufrag[path.local_ufrag] = leg, path

    def drop(self, path: WebRtcLeg) -> None:
        """It has come to nothing."""
        self._by_ufrag.pop(path.local_ufrag, None)
        path.close()

    def take(self, leg: Leg, path: WebRtcLeg) -> None:
        """The leg goes over to this path, which is agreed upon."""
        self.end(leg)
        self.expect(leg, path)
        leg.path = path
        self._by_slot[leg.slot] = leg
        self._due[leg.slot] = self._outside.clock()
        self._follow(leg, path)

    def take_plain(self, leg: Leg, key: int, codec: str, payload_type: int) -> None:
        """The leg goes over to unprotected packets to and from this address."""
        self.end(leg)
        leg.codec = codec
        self._by_slot[leg.slot] = leg
        self._bank.plain[leg.slot] = True
        ssrc = int.from_bytes(self._outside.random(4))
        self.begin(leg, payload_type, ssrc)
        self._learn(leg, {key})
        self._bank.target[leg.slot] = key
        self._due[leg.slot] = self._outside.clock() + SILENT_SECONDS
        host, number = self._port.address(key)[:2]
        self.up(leg, f"{host}:{number}")

    def watch(self, leg: Leg) -> None:
        """Look after a phone: it may fall silent."""
        self._by_slot[leg.slot] = leg
        self._due[leg.slot] = self._outside.clock() + SILENT_SECONDS

    def end(self, leg: Leg) -> None:
        """Its media path is no more."""
        path, leg.path = leg.path, None
        if path is not None:
            remote = path.remote
            for data in path.close():
                if remote is not None:
                    self._port.send_one(data, remote)
            self._by_ufrag.pop(path.local_ufrag, None)
        self._by_slot.pop(leg.slot, None)
        self._learn(leg, set())
        self._due[leg.slot] = np.inf
        self._bank.stop(leg.slot)
        self._pause(leg)

    def _pause(self, leg: Leg) -> None:
        if leg.up_since is not None:
            leg.up_seconds += self._outside.clock() - leg.up_since
            leg.up_since = None
        self._bank.sends[leg.slot] = False

    # ── packets ──

    def on_stun(self, data: bytes, key: int, now: float) -> None:
        ufrag = stun.addressee(data)
        found = self._by_ufrag.get(ufrag or "")
        if found is None:
            self._arrivals.counts.strangers += 1
            return
        leg, path = found
        for reply, address in path.on_stun(data, self._port.address(key), now):
            self._port.send_one(reply, address)
        self._follow(leg, path)

    def on_dtls(self, slot: int, data: bytes, key: int) -> None:
        leg = self._by_slot.get(slot)
        if leg is None:
            return
        is_offered = leg.offered is not None and self._port.address(key) in leg.offered.paths
        path = leg.offered if is_offered or leg.path is None else leg.path
        if path is not None:
            self._duties.do(lambda: self._shake(leg, path, data))

    def _shake(self, leg: Leg, path: WebRtcLeg, data: bytes) -> None:
        self._send(path, path.on_dtls(data, self._outside.clock()))
        self._follow(leg, path)

    def _send(self, path: WebRtcLeg, datagrams: list[bytes]) -> None:
        if (remote := path.remote) is not None:
            for data in datagrams:
                self._port.send_one(data, remote)

    def tick(self, now: float) -> None:
        """Look after those who wait for it, and do what waits."""
        for slot in np.flatnonzero(self._due <= now).tolist():
            leg = self._by_slot.get(slot)
            if leg is None:
                self._due[slot] = np.inf
            elif leg.path is not None:
                self._send(leg.path, leg.path.on_timer(now))
                self._follow(leg, leg.path)
            else:
                self._check_silence(leg, now)
        self._duties.renew()

    def _check_silence(self, leg: Leg, now: float) -> None:
        """Of a leg without consent: it may well never send, but does not cease to."""
        traffic = self._bank.traffic
        alive = float(traffic.heard[leg.slot])
        if leg.phone is not None:
            alive = max(alive, leg.phone.alive)
        gone = bool(traffic.packets_in[leg.slot]) and now - alive >= SILENT_SECONDS
        if gone and not leg.is_held:
            self._down(leg, "timeout")
        elif leg.is_down and not gone:
            leg.is_down = False
            self.up(leg, "{}:{}".format(*self._port.address(int(self._bank.target[leg.slot]))[:2]))
        self._due[leg.slot] = now + SILENT_SECONDS / 10

    # ── what becomes of a path ──

    def _follow(self, leg: Leg, path: WebRtcLeg) -> None:
        """What a path has come to, into the arrays; nothing when it has been given up meanwhile."""
        if path is leg.path or path is leg.offered:
            self._by_slot[leg.slot] = leg
            self._learn(leg, self._keys(leg))
        if path is not leg.path:
            return
        if path.remote is not None:
            self._bank.target[leg.slot] = self._port.key(path.remote)
        timer = path.next_timer
        self._due[leg.slot] = np.inf if timer is None else timer
        if path.state in _OVER:
            self._down(leg, _OVER[path.state])
        elif path.keys is not None and path.remote is not None and leg.up_since is None:
            self._connect(leg, path)

    def _connect(self, leg: Leg, path: WebRtcLeg) -> None:
        assert path.keys is not None and path.remote is not None
        agreed = path.negotiated
        leg.codec, leg.cname = agreed.codec, agreed.cname
        leg.dtmf, leg.dtmf_type = agreed.dtmf, agreed.dtmf_type
        self._bank.srtp[leg.slot] = Srtp(path.keys)
        self._bank.level_id[leg.slot] = agreed.level_extension or 0
        self.begin(leg, agreed.payload_type, agreed.ssrc)
        self.up(leg, "{}:{}".format(*path.remote[:2]))
        self._bank.sends[leg.slot] = agreed.sends

    def begin(self, leg: Leg, payload_type: int, ssrc: int) -> None:
        """Another stream each way."""
        slot, bank = leg.slot, self._bank
        bank.carry(slot, CODECS[leg.codec.lower()], payload_type, ssrc)
        bank.sequence_out[slot] = int.from_bytes(self._outside.random(2)) >> 1
        bank.ticks_out[slot] = int.from_bytes(self._outside.random(4))
        leg.reported, leg.reported_sent, leg.last_report = (0, 0), 0, None
        leg.sent_before = int(bank.traffic.packets_out[slot]), int(bank.traffic.octets_out[slot])
        self._on_stream(leg)

    def renew(self, leg: Leg, remote: str) -> None:
        """Its media path is another."""
        self._pause(leg)
        self.up(leg, remote)

    def up(self, leg: Leg, remote: str) -> None:
        leg.is_down = False
        leg.up_since = self._outside.clock()
        self._bank.sends[leg.slot] = not self._bank.echoes[leg.slot]
        self._outside.report(Up(leg.name, leg.codec, remote))

    def _down(self, leg: Leg, reason: str) -> None:
        if not leg.is_down:
            leg.is_down = True
            self._pause(leg)
            self._bank.noise[leg.slot] = 0
            self._outside.report(Down(leg.name, reason))

    def _keys(self, leg: Leg) -> set[int]:
        """Of all addresses from which packets for a leg may come."""
        paths = [path for path in (leg.path, leg.offered) if path is not None]
        keys = {self._port.key(address) for path in paths for address in path.paths}
        return keys | {int(self._bank.target[leg.slot])} if self._bank.plain[leg.slot] else keys

    def _learn(self, leg: Leg, keys: set[int]) -> None:
        for key in leg.keys - keys:
            self._arrivals.forget(key, leg.slot)
        now = self._outside.clock()
        leg.keys = {key for key in keys if self._arrivals.learn(key, leg.slot, now)}

    def address(self, leg: Leg) -> Address | None:
        """Where to send to it what is no audio."""
        key = int(self._bank.target[leg.slot])
        return self._port.address(key) if key else None
