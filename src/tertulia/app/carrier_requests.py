"""Requests to carriers: over the dispatcher's client, with its guard and its kept connections."""

from tertulia import __version__
from tertulia.carriers.http import HttpAnswer, HttpCall
from tertulia.dispatch.answer import Call, Failure
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.connection import RESPONSE_MAX
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.target import TargetGuard
from tertulia.ports.messaging import OutOfReach

CONNECT_MS = 5_000
IDLE_MS = 4_000
"""Shorter than servers wait: a request on a connection that they close meanwhile is in doubt."""
CONNECTIONS = 256
"""To one carrier; how many are used, its window says."""


class CarrierRequests:
    """carriers.http.HttpOut."""

    def __init__(self, guard: TargetGuard) -> None:
        settings = DispatchSettings(
            signing_secret="", api_key="", connections_per_origin=CONNECTIONS, idle_ms=IDLE_MS
        )
        self._sender = HttpSender(
            settings, guard, kept=RESPONSE_MAX, keeps_headers=True, repeats=False
        )

    async def request(self, call: HttpCall) -> HttpAnswer:
        headers = {"User-Agent": f"tertulia/{__version__}", "Accept": "*/*", **call.headers}
        text = "".join(f"{name}: {_plain(value)}\r\n" for name, value in headers.items())
        answer = await self._sender.send(
            Call(
                call.url, call.method, text.encode("latin-1", "replace"), call.body,
                CONNECT_MS, int(call.seconds * 1000),
            )
        )  # fmt: skip
        if isinstance(answer, Failure):
            raise OutOfReach(answer.reason, in_doubt=answer.is_sent)
        return HttpAnswer(answer.status, answer.headers, answer.head)

    def close(self) -> None:
        self._sender.close()


def _plain(value: str) -> str:
    """Without what would end the line."""
    return "".join(each for each in value if each.isprintable())
