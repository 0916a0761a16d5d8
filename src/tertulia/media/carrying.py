"""A running engine on the loop of this thread, put together."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from tertulia.media.dtls import Certificate
from tertulia.media.engine import Engine
from tertulia.media.outside import Outside
from tertulia.media.port import UdpPort
from tertulia.media.ticker import Ticker
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import AnyReport
from tertulia.protocols.offer_answer import Candidate


def carry(
    report: Callable[[AnyReport], None],
    port: UdpPort,
    certificate: Certificate,
    candidates: Sequence[Candidate],
) -> Ticker:
    """An engine that ticks until it is closed; the port stays open. The first candidate is what
    unprotected legs are told to send to."""
    outside = Outside(
        report=report,
        make_path=lambda: WebRtcLeg(certificate, candidates, random=os.urandom),
        clock=time.monotonic,
        wall=time.time,
        random=os.urandom,
        host=(candidates[0].host, candidates[0].port),
    )
    ticker = Ticker(Engine(port, outside), port, asyncio.get_running_loop(), time.monotonic)
    ticker.start()
    return ticker
