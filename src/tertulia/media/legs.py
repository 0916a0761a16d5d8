"""The legs of a worker by their names, and the commands about them."""

from typing import Protocol

from tertulia.media import opus, reporting
from tertulia.media.arrivals import Arrivals
from tertulia.media.bank import CODECS, Bank, BankFull, Codec
from tertulia.media.leg import Leg
from tertulia.media.outside import Outside
from tertulia.media.packing import Packer
from tertulia.media.paths import Paths
from tertulia.media.phones import Phones
from tertulia.media.port import Port
from tertulia.media.recutting import Recutter
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model import commands
from tertulia.model.commands import FULL, RTP
from tertulia.protocols.rtp import RtpPacket
from tertulia.protocols.sdp import SdpRefused


class Events(Protocol):
    """What the engine does when something becomes of a leg."""

    def on_new(self, leg: Leg) -> None: ...
    def on_stream(self, leg: Leg) -> None:
        """Its audio begins anew, perhaps with another codec."""

    def on_gone(self, leg: Leg) -> None:
        """It is no more; its slot will be another's."""

    def on_event(self, leg: Leg, packet: RtpPacket, rate: int, now: float) -> None:
        """A packet of telephone-event."""

    def on_loss(self, leg: Leg, percent: int) -> None:
        """The peer tells how much of what we send is lost."""


class Legs:
    def __init__(
        self, port: Port, bank: Bank, outside: Outside, events: Events, packer: Packer
    ) -> None:
        self._port, self._bank, self._outside, self._events = port, bank, outside, events
        self._report = outside.report
        self._recutter = Recutter(bank)
        self.arrivals = Arrivals(port, bank, self, self._recutter)
        self.paths = Paths(port, bank, outside, self.arrivals, self.on_stream)
        self.named: dict[str, Leg] = {}
        self.by_slot: dict[int, Leg] = {}
        self.phones = Phones(port, bank, outside, self.paths, self, packer)

    def __len__(self) -> int:
        return len(self.named)

    # ── commands ──

    def answer(self, command: commands.Answer) -> None:
        if command.kind == RTP:
            self.phones.answer(command)
            return
        path = self._outside.make_path()
        try:
            sdp = path.answer(command.sdp)
            leg = self._browser(command.leg)
        except SdpRefused as refused:
            self._refuse(command.leg, refused.reason)
        except BankFull:
            self._refuse(command.leg, FULL)
        else:
            self.paths.take(leg, path)
            self._report(commands.Answered(leg.name, sdp))

    def offer(self, command: commands.Offer) -> None:
        if command.kind == RTP:
            self.phones.offer(command)
            return
        try:
            leg = self._browser(command.leg)
        except SdpRefused as refused:
            self._refuse(command.leg, refused.reason)
            return
        except BankFull:
            self._refuse(command.leg, FULL)
            return
        self._drop_offered(leg)
        leg.offered = self._outside.make_path()
        self.paths.expect(leg, leg.offered)
        self._report(commands.Offered(leg.name, leg.offered.offer()))

    def accept(self, command: commands.Accept) -> None:
        leg = self.named.get(command.leg)
        if leg is not None and leg.phone is not None:
            self.phones.accept(leg, leg.phone, command.sdp)
            return
        if leg is None or leg.offered is None:
            self._refuse(command.leg, "nothing was offered")
            return
        path: WebRtcLeg = leg.offered
        try:
            path.accept(command.sdp)
        except SdpRefused as refused:
            self._refuse(command.leg, refused.reason)
            return
        leg.offered = None
        self._report(commands.Accepted(leg.name))
        self.paths.take(leg, path)

    def open_plain(self, command: commands.Plain) -> None:
        codec = CODECS.get(command.codec.lower())
        try:
            if codec is None or not 0 <= command.payload_type < 128:
                raise ValueError("there is no such codec")
            if codec is Codec.OPUS and opus.source is None:
                raise ValueError("there is no library for Opus")
            key = self._port.key((command.host, command.port))
            owner = self.arrivals.owner(key)
            if owner is not None and self.by_slot[owner].name != command.leg:
                raise ValueError("another leg has this address")
            leg = self.seat(command.leg)
        except (OSError, OverflowError, ValueError) as error:
            self._refuse(command.leg, str(error))
        except BankFull:
            self._refuse(command.leg, FULL)
        else:
            self._report(commands.Opened(leg.name, *self._outside.host))
            rate = 48_000 if codec is Codec.OPUS else 8_000
            leg.dtmf = {} if command.dtmf_type is None else {command.dtmf_type: rate}
            leg.dtmf_type = command.dtmf_type
            self.paths.take_plain(leg, key, command.codec, command.payload_type)

    def open_echo(self, command: commands.Echo) -> None:
        try:
            leg = self.seat(command.leg)
        except BankFull:
            self._refuse(command.leg, FULL)
            return
        self._bank.echoes[leg.slot] = True
        self._events.on_stream(leg)
        self.paths.up(leg, "")

    def close(self, command: commands.Close) -> None:
        leg = self.named.get(command.leg)
        if leg is None:
            self._report(commands.Closed(command.leg, None))
            return
        self._drop_offered(leg)
        account = reporting.account(leg, self._bank, self._outside.clock())
        self.unseat(leg)
        self._report(commands.Closed(leg.name, account))

    def _refuse(self, name: str, reason: str) -> None:
        self._report(commands.Refused(name, reason))

    def _browser(self, name: str) -> Leg:
        """
        Raises:
            SdpRefused: it is a phone. BankFull.
        """
        leg = self.seat(name)
        if leg.phone is not None:
            raise SdpRefused("it is a leg of another kind")
        return leg

    def seat(self, name: str) -> Leg:
        """The leg, a new one if need be. Raises BankFull."""
        leg = self.named.get(name)
        if leg is None:
            leg = Leg(name, self._bank.take())
            self.named[name] = self.by_slot[leg.slot] = leg
            self._events.on_new(leg)
        return leg

    def unseat(self, leg: Leg) -> None:
        """It is no more."""
        del self.named[leg.name], self.by_slot[leg.slot]
        self.phones.end(leg)
        self.arrivals.cut(leg.slot)
        self.paths.end(leg)
        self._recutter.forget(leg.slot)
        self._events.on_gone(leg)
        self._bank.release(leg.slot)

    def _drop_offered(self, leg: Leg) -> None:
        if leg.offered is not None:
            self.paths.drop(leg.offered)
            leg.offered = None

    def on_stream(self, leg: Leg) -> None:
        """Its audio begins anew."""
        self._recutter.forget(leg.slot)
        self._events.on_stream(leg)

    # ── packets that are few ──

    def on_stun(self, data: bytes, key: int, now: float) -> None:
        self.paths.on_stun(data, key, now)

    def on_dtls(self, slot: int, data: bytes, key: int) -> None:
        self.paths.on_dtls(slot, data, key)

    def on_stray(self, slot: int, data: bytes, key: int, now: float) -> bool:
        return self.phones.on_stray(slot, data, key, now)

    def on_rtcp(self, slot: int, data: bytes, key: int, came: float) -> None:
        leg, session = self.by_slot[slot], self._bank.srtp[slot]
        plain = data if self._bank.plain[slot] else None
        if leg.phone is not None:
            plain = self.phones.hear_control(leg, leg.phone, data, key)
        elif session is not None:
            plain = session.unprotect_rtcp(data)
        if plain is None:
            self.arrivals.counts.refused += 1
            return
        wall = self._outside.wall() - (self._outside.clock() - came)
        lost = reporting.hear(leg, self._bank, plain, came, wall)
        if lost is not None:
            self._events.on_loss(leg, lost)

    def on_other(self, slot: int, packet: RtpPacket, now: float) -> None:
        leg = self.by_slot[slot]
        rate = leg.dtmf.get(packet.payload_type)
        if rate is not None:
            self._bank.jitter.pass_over(slot, packet.sequence)
            self._events.on_event(leg, packet, rate, now)
        elif leg.phone is None or not self.phones.on_other(leg, leg.phone, packet):
            self.arrivals.counts.refused += 1

    def send_reports(self, legs: list[Leg], now: float) -> None:
        """RTCP; legs that were opened as plain ones expect none here."""
        for leg in legs:
            if leg.phone is not None:
                self.phones.report(leg, leg.phone, now)
                continue
            session = self._bank.srtp[leg.slot]
            address = self.paths.address(leg)
            if session is not None and address is not None and leg.up_since is not None:
                data = reporting.report(leg, self._bank, now, self._outside.wall())
                self._port.send_one(session.protect_rtcp(data), address)
