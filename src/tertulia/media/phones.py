"""Legs that are phones: RTP to and from a line of their own, agreed upon by offer and answer.

Packets are taken from where the peer really sends, which is learned from the first of them, and
sent there too (symmetric RTP); until then to where its description says. Nobody else gets in: who
is not expected has to prove himself, and cannot while the stream goes on.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from tertulia.media import reporting
from tertulia.media.address_book import Address
from tertulia.media.bank import CODECS, Bank, BankFull
from tertulia.media.leg import Leg
from tertulia.media.outside import Outside
from tertulia.media.packing import Packer
from tertulia.media.paths import Paths
from tertulia.media.phone_path import PhonePath
from tertulia.media.port import Port
from tertulia.media.srtp import Srtp
from tertulia.model import commands
from tertulia.model.commands import FULL
from tertulia.protocols import phone_sdp, rtp
from tertulia.protocols.phone_sdp import FRAME, NOWHERE, Agreed
from tertulia.protocols.rtp import RtpPacket
from tertulia.protocols.sdp import SdpRefused, parse

BRIEF, LONG = 0.5, 5.0
"""Seconds of silence after which the same host goes on from another port at once, and another host
may go on."""
_ONE, _FEW, _MANY = 1, 2, 3
"""Packets in a row by which a source proves itself."""
_SWITCH_SECONDS = 1.0
"""Between two changes of codec that a peer makes by itself."""
_STRANGE = "it is a leg of another kind"

_log = logging.getLogger(__name__)


class Seats(Protocol):
    """The legs by their names."""

    @property
    def named(self) -> Mapping[str, Leg]: ...
    @property
    def by_slot(self) -> Mapping[int, Leg]: ...
    def seat(self, name: str) -> Leg:
        """The leg, a new one if need be. Raises BankFull."""

    def on_stream(self, leg: Leg) -> None:
        """Its audio begins anew."""

    def unseat(self, leg: Leg) -> None:
        """It has come to nothing before it was answered for."""


class Phones:
    def __init__(
        self, port: Port, bank: Bank, outside: Outside, paths: Paths, seats: Seats, packer: Packer
    ) -> None:
        self._port, self._bank, self._outside = port, bank, outside
        self._paths, self._seats, self._packer = paths, seats, packer
        self._report = outside.report

    # ── commands ──

    def answer(self, command: commands.Answer) -> None:
        try:
            description = parse(command.sdp)
            codecs = self._outside.phones.codecs
            agreed = phone_sdp.agree(description, codecs, reaches=self._reaches)
            sixth = ":" in agreed.place.host
            leg, phone = self._known(command.leg) or self._make(command.leg, sixth=sixth)
            if agreed.place.host not in NOWHERE and phone.line.is_sixth != sixth:
                raise SdpRefused("its addresses are of another version of IP")
        except SdpRefused as refused:
            self._refuse(command.leg, refused.reason)
            return
        sdp = phone.answer(description, agreed, self._host(phone, agreed.place.host))
        self._report(commands.Answered(leg.name, sdp))
        self._take(leg, phone, agreed)

    def offer(self, command: commands.Offer) -> None:
        sixth = all(":" in host for host in self._outside.phones.hosts)
        try:
            leg, phone = self._known(command.leg) or self._make(command.leg, sixth=sixth)
        except SdpRefused as refused:
            self._refuse(command.leg, refused.reason)
            return
        remote = phone.agreed.place.host if phone.agreed is not None else ""
        host = self._host(phone, remote)
        sdp = phone.offer(self._outside.phones.codecs, host, secure=command.secure)
        self._report(commands.Offered(leg.name, sdp))

    def accept(self, leg: Leg, phone: PhonePath, sdp: str) -> None:
        if phone.offered is None:
            self._refuse(leg.name, "nothing was offered")
            return
        try:
            agreed = phone_sdp.agree(
                parse(sdp), self._outside.phones.codecs, offered=phone.offered,
                reaches=lambda host: self._reaches(host) and (":" in host) == phone.line.is_sixth,
            )  # fmt: skip
        except SdpRefused as refused:
            self._refuse(leg.name, refused.reason)
            return
        self._report(commands.Accepted(leg.name))
        self._take(leg, phone, agreed)

    def end(self, leg: Leg) -> None:
        """It is closed: say goodbye, and give its ports back."""
        phone, leg.phone = leg.phone, None
        if phone is None:
            return
        if phone.agreed is not None:
            now, wall = self._outside.clock(), self._outside.wall()
            self._send_control(leg, phone, reporting.goodbye(leg, self._bank, now, wall))
        self._port.close_line(phone.line)

    def _refuse(self, name: str, reason: str) -> None:
        self._report(commands.Refused(name, reason))

    def _known(self, name: str) -> tuple[Leg, PhonePath] | None:
        """None when there is no such leg. Raises SdpRefused: it is of another kind."""
        leg = self._seats.named.get(name)
        if leg is None:
            return None
        if leg.phone is None:
            raise SdpRefused(_STRANGE)
        return leg, leg.phone

    def _make(self, name: str, *, sixth: bool) -> tuple[Leg, PhonePath]:
        """A leg with a line. Raises SdpRefused: there is no room or port for it."""
        try:
            leg = self._seats.seat(name)
        except BankFull:
            raise SdpRefused(FULL) from None
        try:
            line = self._port.open_line(leg.slot, sixth=sixth)
        except OSError as error:
            self._seats.unseat(leg)
            _log.warning("no ports for a phone: %s", error, extra={"action": "phone_ports_failed"})
            raise SdpRefused(FULL) from None
        leg.phone = PhonePath(line, self._outside.random)
        self._bank.line[leg.slot] = line.file
        return leg, leg.phone

    def _reaches(self, host: str) -> bool:
        return self._port.local_host(host) is not None

    def _host(self, phone: PhonePath, remote: str) -> str:
        """Our address, as the peer reaches it."""
        told = self._outside.phones
        own = [host for host in told.hosts if (":" in host) == phone.line.is_sixth]
        if remote and not told.are_set and (found := self._port.local_host(remote)) is not None:
            return found
        return own[0] if own else "::1" if phone.line.is_sixth else "127.0.0.1"

    # ── what becomes of descriptions ──

    def _take(self, leg: Leg, phone: PhonePath, agreed: Agreed) -> None:
        """The leg goes over to what is agreed upon, as far as it is new."""
        before, phone.agreed = phone.agreed, agreed
        slot, now = leg.slot, self._outside.clock()
        leg.dtmf, leg.dtmf_type = agreed.dtmf, agreed.dtmf_type
        moved = self._aim(slot, phone, agreed, now)
        recoded = self._code(leg, agreed, before)
        self._seal(slot, phone, agreed, before)
        if before is None or agreed.frame != before.frame or recoded:
            self._packer.set(slot, agreed.frame)
            self._bank.packs[slot] = agreed.frame != FRAME
        if agreed.mux:
            self._port.give_up_control(phone.line)
        phone.alive, leg.is_held = now, not (agreed.sends and agreed.receives)
        self._paths.watch(leg)
        if moved or recoded or leg.is_down or leg.up_since is None:
            self._paths.renew(leg, f"{agreed.place.host}:{agreed.place.port}")
        self._turn(slot, phone, now, sends=agreed.sends)

    def _aim(self, slot: int, phone: PhonePath, agreed: Agreed, now: float) -> bool:
        """Whether the peer is to be found elsewhere from now on."""
        place = agreed.place
        if place.host in NOWHERE and phone.since:
            return False  # on hold, or by a name: it is where it was
        key = 0 if place.host in NOWHERE else self._port.key(place)
        if key == phone.signalled and phone.since:
            return False
        phone.signalled, phone.since = key, now
        phone.control = self._port.key(agreed.rtcp) if key else 0
        phone.claims.clear()
        self._bank.origin[slot] = self._bank.target[slot] = key
        return True

    def _code(self, leg: Leg, agreed: Agreed, before: Agreed | None) -> bool:
        """Whether audio begins anew."""
        slot = leg.slot
        same = before is not None and (agreed.codec, agreed.type_in) == (
            before.codec, before.type_in,
        )  # fmt: skip
        leg.codec = agreed.codec
        if before is None or before.clock != agreed.clock:
            self._paths.begin(leg, agreed.type_in, int.from_bytes(self._outside.random(4)))
        elif not same:
            # The stream goes on by its numbers: with the same clock it is still one.
            codec = CODECS[agreed.codec.lower()]
            self._bank.carry(slot, codec, agreed.type_in, int(self._bank.ssrc_out[slot]))
            leg.reported = (0, 0)
            self._seats.on_stream(leg)
        self._bank.type_out[slot] = agreed.type_out
        return not same

    def _seal(self, slot: int, phone: PhonePath, agreed: Agreed, before: Agreed | None) -> None:
        """Keys that are as they were go on with their packets, others begin with another SSRC: two
        streams that were alike under the same key could be read."""
        keys, old = phone.keys(agreed), None if before is None else phone.keys(before)
        session = self._bank.srtp[slot]
        self._bank.plain[slot] = keys is None
        if keys is None:
            self._bank.srtp[slot] = None
        elif session is None or old is None or keys.profile != old.profile:
            self._bank.srtp[slot] = Srtp(keys)
            if before is not None:
                self._bank.ssrc_out[slot] = int.from_bytes(self._outside.random(4))
        elif keys.remote != old.remote:
            self._bank.srtp[slot] = session.with_remote(keys)

    def _turn(self, slot: int, phone: PhonePath, now: float, *, sends: bool) -> None:
        """Send from now on, or pause; the timestamps go on with the time."""
        if sends and phone.paused is not None:
            rate = int(self._bank.jitter.step[slot]) * 50
            passed = int((now - phone.paused) * rate) & 0xFFFF_FFFF
            ticks = (int(self._bank.ticks_out[slot]) + passed) & 0xFFFF_FFFF
            self._bank.ticks_out[slot] = ticks
        phone.paused = None if sends else phone.paused if phone.paused is not None else now
        self._bank.sends[slot] = sends

    def on_other(self, leg: Leg, phone: PhonePath, packet: RtpPacket) -> bool:
        """A packet of another payload type than the codec's, or that of keys; whether there is any
        use for it."""
        if phone.agreed is None or not packet.payload:
            return False
        if packet.payload_type != phone.agreed.noise_type:
            return self._switch(leg, phone, phone.agreed, packet.payload_type)
        self._bank.jitter.pass_over(leg.slot, packet.sequence)
        # The level; the spectrum behind it is left to those who like it (RFC 3389 3).
        self._bank.noise[leg.slot] = max(packet.payload[0] & 127, 1)
        return True

    def _switch(self, leg: Leg, phone: PhonePath, agreed: Agreed, payload_type: int) -> bool:
        """The peer sends another of the codecs that it has accepted: both ways go over to it."""
        now = self._outside.clock()
        if payload_type not in agreed.others or now - phone.switched < _SWITCH_SECONDS:
            return False
        phone.switched = now
        chosen = agreed.others[payload_type]
        others = {number: each for number, each in agreed.others.items() if number != payload_type}
        others[agreed.type_in] = chosen._replace(
            payload_type=agreed.type_out, name=agreed.codec, clock=agreed.clock
        )
        self._take(
            leg, phone,
            replace(
                agreed, codec=chosen.name, clock=chosen.clock, type_in=payload_type,
                type_out=chosen.payload_type, others=others,
            ),
        )  # fmt: skip
        return True

    # ── who sends ──

    def on_stray(self, slot: int, data: bytes, key: int, now: float) -> bool:
        """RTP that is not from where it is expected; whether it is to be taken all the same."""
        seat = self._seats.by_slot.get(slot)  # none for what comes after the end of its leg
        phone = seat.phone if seat is not None else None
        packet = rtp.read(data)
        if phone is None or phone.agreed is None or packet is None:
            return False
        session = self._bank.srtp[slot]
        if session is not None:
            # Whoever has the key is the peer. This packet cannot be opened twice, and is lost.
            if session.unprotect(data) is not None:
                self._move(slot, phone, key, now)
            return False
        agreed = phone.agreed
        types = {agreed.type_in, agreed.noise_type, *agreed.dtmf, *agreed.others}
        needed = self._proof(slot, phone, key, now)
        if packet.payload_type not in types or not needed:
            return False
        if phone.claims.count(key, packet.ssrc, packet.sequence) < needed:
            return False
        self._move(slot, phone, key, now)
        return True

    def _proof(self, slot: int, phone: PhonePath, key: int, now: float) -> int:
        """How many packets in a row a source has to send; 0: no number would do."""
        heard = float(self._bank.traffic.heard[slot])
        near = self._is_near(slot, phone, key)
        if heard < phone.since or not self._bank.origin[slot]:
            return _ONE if near else _FEW  # nothing has come from where it was expected
        quiet = now - heard
        if near and quiet > BRIEF:
            return _ONE
        if near or key == phone.signalled:
            return _FEW
        return _MANY if quiet > LONG else 0

    def _is_near(self, slot: int, phone: PhonePath, key: int) -> bool:
        """Whether an address is of the peer's host, as far as we know it."""
        known = (int(self._bank.origin[slot]), phone.signalled)
        host = self._port.address(key)[0]
        return any(self._port.address(each)[0] == host for each in known if each)

    def _move(self, slot: int, phone: PhonePath, key: int, now: float) -> None:
        self._bank.origin[slot] = self._bank.target[slot] = key
        phone.since = now
        phone.claims.clear()

    # ── reports ──

    def hear_control(self, leg: Leg, phone: PhonePath, data: bytes, key: int) -> bytes | None:
        """RTCP as it is without protection; None when it is not the peer's."""
        session = self._bank.srtp[leg.slot]
        if session is not None:
            plain = session.unprotect_rtcp(data)
        else:
            plain = data if self._is_near(leg.slot, phone, key) else None
        if plain is not None:
            phone.control = key
            phone.alive = self._outside.clock()
        return plain

    def report(self, leg: Leg, phone: PhonePath, now: float) -> None:
        """Tell the peer what was sent and heard."""
        if phone.agreed is not None and leg.up_since is not None:
            wall = self._outside.wall()
            self._send_control(leg, phone, reporting.report(leg, self._bank, now, wall))

    def _send_control(self, leg: Leg, phone: PhonePath, data: bytes) -> None:
        mux = phone.agreed is not None and phone.agreed.mux
        key = int(self._bank.target[leg.slot]) if mux else phone.control
        if not key:
            return
        session = self._bank.srtp[leg.slot]
        sealed = data if session is None else session.protect_rtcp(data)
        address: Address = self._port.address(key)
        phone.line.send_control(sealed, address, mux=mux)
