"""The SIP agent alone, on a socket: rings, answers every call and waits for its end.

`python -m bench.sip.agent PORT`: what signalling costs without anything behind it.
"""

import asyncio
import os
import sys
from typing import cast
from uuid import uuid4

import uvloop

from tertulia.protocols.sip.agent import Agent
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import BadMessage
from tertulia.protocols.sip.parser import parse
from tertulia.protocols.sip.signals import Invited, Resolve, Send
from tertulia.protocols.sip.verbs import Answer, Ring

HOST = "127.0.0.1"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Answering(asyncio.DatagramProtocol):
    _transport: asyncio.DatagramTransport

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._agent = Agent(os.urandom, lambda: str(uuid4()), lambda *_: None)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        try:
            message = parse(data)
        except BadMessage:
            return
        self._agent.receive(message, Flow("udp", (HOST, self._port), peer), self._loop.time())
        self._drain()

    def _drain(self) -> None:
        while outputs := self._agent.take():
            for output in outputs:
                if isinstance(output, Send):
                    self._transport.sendto(output.data, output.flow.peer)
                elif isinstance(output, Resolve):
                    flows = () if output.hint is None else (output.hint,)
                    self._agent.resolved(output.ticket, flows, self._loop.time())
                elif isinstance(output, Invited):
                    self._agent.tell(Ring(output.call), self._loop.time())
                    self._agent.tell(Answer(output.call, SDP), self._loop.time())
        self._arm()

    def _arm(self) -> None:
        due = self._agent.next_timer
        if due is None or (self._timer is not None and self._due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = due, self._loop.call_at(due, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self._agent.timeout(self._loop.time())
        self._drain()


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Answering(port), (HOST, port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
