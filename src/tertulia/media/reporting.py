"""RTCP of legs, every five seconds, and the account of a leg when it ends."""

import numpy as np

from tertulia.media.bank import UNKNOWN, Bank
from tertulia.media.leg import Leg
from tertulia.model import quality
from tertulia.model.commands import Account
from tertulia.protocols import rtcp

PERIOD_TICKS = 250
"""Five seconds (RFC 3550 6.2), for each leg at another tick of them."""
_HEADER = 12
"""Octets of RTP's, which a report leaves out (RFC 3550 6.4.1)."""
_DELAY_MS = 30.0
"""One way, of jitter buffer and frame, beside half of the round trip."""


def report(leg: Leg, bank: Bank, now: float, wall: float) -> bytes:
    """A compound packet of RTCP that tells what we sent and heard. Seconds, monotonic and of the
    wall clock."""
    return rtcp.write(_report(leg, bank, now, wall))


def goodbye(leg: Leg, bank: Bank, now: float, wall: float) -> bytes:
    """The last report, and that it is the last (RFC 3550 6.6)."""
    leaving = rtcp.Goodbye((int(bank.ssrc_out[leg.slot]),))
    return rtcp.write((*_report(leg, bank, now, wall), leaving))


def _report(leg: Leg, bank: Bank, now: float, wall: float) -> tuple[rtcp.Item, ...]:
    slot, traffic = leg.slot, bank.traffic
    blocks = (_block(leg, bank, now),) if bank.source[slot] != UNKNOWN else ()
    ssrc = int(bank.ssrc_out[slot])
    packets_before, octets_before = leg.sent_before
    packets = int(traffic.packets_out[slot]) - packets_before
    octets = int(traffic.octets_out[slot]) - octets_before - packets * _HEADER
    name = rtcp.Description(ssrc, leg.cname or leg.name)
    reported, leg.reported_sent = leg.reported_sent, packets
    if packets == reported:
        return rtcp.ReceiverReport(ssrc, blocks), name
    sent = rtcp.Sent(
        rtcp.ntp(wall), int(bank.ticks_out[slot]), packets & 0xFFFF_FFFF, octets & 0xFFFF_FFFF
    )
    return rtcp.SenderReport(ssrc, sent, blocks), name


def _block(leg: Leg, bank: Bank, now: float) -> rtcp.Block:
    slot, traffic = leg.slot, bank.traffic
    lost = traffic.lost(slot)
    received = int(traffic.stream[slot])
    expected = received + lost
    before, received_before = leg.reported
    leg.reported = (expected, received)
    interval = expected - before
    missing = interval - (received - received_before)
    fraction = min(255, missing * 256 // interval) if interval > 0 and missing > 0 else 0
    last, came = leg.last_report or (0, now)
    jitter = traffic.jitter[slot] * bank.jitter.step[slot] / 20
    return rtcp.Block(
        int(bank.source[slot]), fraction, lost, int(traffic.highest[slot]) & 0xFFFF_FFFF,
        int(jitter), last, int((now - came) * 65536) & 0xFFFF_FFFF if last else 0,
    )  # fmt: skip


def hear(leg: Leg, bank: Bank, data: bytes, now: float, wall: float) -> int | None:
    """Take in what a peer reports. Returns the percent of our packets that it has lost lately, if
    it says so."""
    ours = int(bank.ssrc_out[leg.slot])
    lost = None
    for item in rtcp.read(data) or ():
        if isinstance(item, rtcp.SenderReport):
            leg.last_report = (rtcp.middle(item.sent.ntp), now)
        if isinstance(item, rtcp.SenderReport | rtcp.ReceiverReport):
            for block in item.blocks:
                if block.ssrc == ours:
                    lost = block.fraction * 100 // 256
                    round_trip = rtcp.round_trip(block, wall)
                    leg.round_trip = leg.round_trip if round_trip is None else round_trip
    return lost


def account(leg: Leg, bank: Bank, now: float) -> Account:
    slot, traffic = leg.slot, bank.traffic
    seconds = leg.up_seconds + (now - leg.up_since if leg.up_since is not None else 0.0)
    received = int(traffic.packets_in[slot])
    lost = int(traffic.lost_before[slot]) + max(0, traffic.lost(slot))
    late = min(int(bank.jitter.late[slot]), received)
    gaps, bursts = int(traffic.gaps[slot]), int(traffic.bursts[slot])
    round_trip = (leg.round_trip or 0.0) * 1000
    loss_percent = (lost + late) * 100 / (received + lost) if received else 0.0
    burst_ratio = quality.burst_ratio(gaps, int(traffic.runs[slot]), received)
    rated = quality.rating(
        leg.codec, loss_percent, burst_ratio=burst_ratio, delay_ms=round_trip / 2 + _DELAY_MS
    )
    traffic.sample(np.array([slot]))
    return Account(
        milliseconds=round(seconds * 1000),
        bytes_in=int(traffic.octets_in[slot]),
        bytes_out=int(traffic.octets_out[slot]),
        packets_in=received,
        packets_lost=lost,
        jitter_min=round(float(traffic.jitter_min[slot]), 2),
        jitter_max=round(float(traffic.jitter_max[slot]), 2),
        jitter_loss=round(late * 100 / received, 2) if received else 0.0,
        burst=round(bursts * 100 / gaps, 2) if gaps else 0.0,
        flaws=int(traffic.flaws[slot]),
        round_trip=round(round_trip, 2),
        mos=round(quality.opinion(rated), 2),
    )
