"""The simulated carriers together: SMPP and HTTP on loopback, and the handsets behind them."""

import re
from collections.abc import Callable

from tertulia.model.instant import Instant
from tertulia.phones import gateway_api, graph_api, handset_api, viber_api
from tertulia.phones.gateway_api import GatewayApi
from tertulia.phones.graph_api import GraphApi
from tertulia.phones.handset_api import HandsetApi
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.smsc import Smsc
from tertulia.phones.texting import Texting
from tertulia.phones.viber_api import ViberApi
from tertulia.phones.webhooks import HOST, Webhooks
from tertulia.protocols.http1 import Limits, Request, Response
from tertulia.web.server import Server

BODY_MAX = 1 << 20
DRAIN_S = 1.0
_LOCAL = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?")


class Offices:
    """From `open` to `close`. `hub`: its port for HTTP, None while that is not known."""

    def __init__(
        self, book: Handsetbook, *, now: Callable[[], Instant], hub: Callable[[], int | None]
    ) -> None:
        self.texting = Texting(book, now=now)
        self._webhooks = Webhooks(hub)
        self._smsc = Smsc(self.texting)
        self._graph = GraphApi(self.texting, self._webhooks)
        self._viber = ViberApi(self.texting, self._webhooks)
        self._gateway = GatewayApi(self.texting, self._webhooks)
        self._handsets = HandsetApi(self.texting)
        self._server = Server(self.answer, Limits(body=BODY_MAX))
        self.texting.attach(self._smsc, "sms")
        self.texting.attach(self._graph, "whatsapp", "messenger")
        self.texting.attach(self._viber, "viber")
        self.texting.attach(self._gateway, *gateway_api.CHANNELS)
        self.http_port = 0

    @property
    def smpp_port(self) -> int:
        return self._smsc.port

    async def open(self) -> None:
        """Raises OSError."""
        await self._smsc.open()
        self.http_port = await self._server.listen(HOST, 0)
        self._webhooks.start()

    async def close(self) -> None:
        await self._server.drain(DRAIN_S)
        await self._smsc.close()
        self.texting.close()
        await self._webhooks.close()

    async def answer(self, request: Request, scheme: str) -> Response:
        """A request, of any of the carriers' and of the handsets."""
        if not _LOCAL.fullmatch(request.headers.get("host", HOST)):
            return Response(421, b"{}")  # a name that was made to lead here
        path = request.path
        if match := graph_api.PATH.fullmatch(path):
            return self._graph.answer(request, match[1])
        for start, answer in (
            (viber_api.PATH, self._viber.answer),
            (gateway_api.PATH, self._gateway.answer),
            (handset_api.PATH, self._handsets.answer),
        ):
            if path == start or path.startswith(start.rstrip("/") + "/"):
                return answer(request)
        return Response(404, b'{"detail":"there is nothing here"}')
