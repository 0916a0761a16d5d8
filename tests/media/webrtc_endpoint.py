"""A WebRtcLeg on a real UDP socket, for peers that want one."""

import asyncio
import time
from typing import Any, cast

from tertulia.media.srtp import Srtp
from tertulia.media.webrtc import WebRtcLeg


class Endpoint(asyncio.DatagramProtocol):
    """Hands datagrams to a leg and back; keeps what SRTP it hears, in the clear."""

    def __init__(self) -> None:
        self.leg: WebRtcLeg | None = None
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.connected = asyncio.Event()
        self.lose = 0
        """Datagrams of ours that are to get lost, beginning with the next one of DTLS."""
        self.srtp: Srtp | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        assert self._transport is not None
        number: int = self._transport.get_extra_info("sockname")[1]
        return number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # before 3.12 the loop's own class is none of asyncio.DatagramTransport
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        assert self.leg is not None
        now = time.monotonic()
        if data[0] < 4:
            for reply, address in self.leg.on_stun(data, addr, now):
                self._put(reply, address)
        elif data[0] < 64:
            self.send(self.leg.on_dtls(data, now))
        elif self.srtp is not None and not 192 <= data[1] < 224:
            packet = self.srtp.unprotect(data)
            assert packet is not None
            self.heard.put_nowait(packet)
        self.look()

    def look(self) -> None:
        """Take note of the leg's state, and set its timer."""
        assert self.leg is not None
        if self.leg.keys is not None and self.srtp is None:
            self.srtp = Srtp(self.leg.keys)
            self.connected.set()
        if self.leg.state in {"closed", "failed", "lost"}:
            self.ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if (due := self.leg.next_timer) is not None:
            delay = max(0.0, due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._time)

    def _time(self) -> None:
        assert self.leg is not None
        self.send(self.leg.on_timer(time.monotonic()))
        self.look()

    def send(self, datagrams: list[bytes]) -> None:
        for each in datagrams:
            assert self.leg is not None
            assert self.leg.remote is not None
            self._put(each, self.leg.remote)

    def _put(self, data: bytes, address: tuple[Any, ...]) -> None:
        assert self._transport is not None
        if self.lose and 19 < data[0] < 64:
            self.lose -= 1
        else:
            self._transport.sendto(data, address)

    def close(self) -> None:
        assert self._transport is not None
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()


async def endpoint(host: str = "127.0.0.1") -> Endpoint:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(Endpoint, local_addr=(host, 0))
    return protocol
