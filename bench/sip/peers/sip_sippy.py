"""A user agent on sippy that rings, answers every call and waits for its end: signalling alone.

`python sip_sippy.py PORT`. It writes no log, and sends by one thread: with more of them the
answer may overtake the ringing.
"""

import sys
from typing import Any

from sippy.CCEvents import CCEventConnect, CCEventRing, CCEventTry
from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.SipTransactionManager import SipTransactionManager
from sippy.UA import UA
from sippy.Udp_server import Udp_server_opts

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Silence:
    def write(self, *_: Any, **__: Any) -> None: ...


class Call:
    def __init__(self, config: dict[str, Any]) -> None:
        self.agent = UA(config, self.heard)

    def heard(self, event: Any, agent: Any) -> None:
        if isinstance(event, CCEventTry):
            agent.recvEvent(CCEventRing((180, "Ringing", None)))
            agent.recvEvent(CCEventConnect((200, "OK", MsgBody(SDP))))


class Answering:
    def __init__(self, port: int) -> None:
        self.config: dict[str, Any] = {
            "_sip_address": "127.0.0.1", "_sip_port": port, "_sip_logger": Silence(),
        }  # fmt: skip
        self.config["_sip_tm"] = SipTransactionManager(self.config, self.asked)

    def asked(self, request: Any, transaction: Any) -> Any:
        if request.getHFBody("to").getTag() is not None:
            return request.genResponse(481, "Call Leg/Transaction Does Not Exist"), None, None
        if request.getMethod() != "INVITE":
            return request.genResponse(501, "Not Implemented"), None, None
        return Call(self.config).agent.recvRequest(request, transaction)


if __name__ == "__main__":
    Udp_server_opts.nworkers = 1
    answering = Answering(int(sys.argv[1]))
    ED2.loop()
