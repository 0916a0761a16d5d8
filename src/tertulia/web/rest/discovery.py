"""Where this server is reached, and the figures that clients send about it.

COMPAT: for the connectivity report of nexmo-client and the reconnection metrics of both client
packages (wire-clients 1.5 and 3.2). There is one data centre: this server.
"""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from tertulia.model.errors import BodyTooLarge, NotFound
from tertulia.protocols.http1 import Response
from tertulia.web import answers
from tertulia.web.routing import Call, Edition, Guard, route

DATA_CENTER = "local"
REPORT_MAX = 64 * 1024
"""Octets of a report."""


class DataCenter(Struct, frozen=True):
    endpoint: str
    """Of REST."""
    https: str
    ws: str


class MediaServer(Struct, frozen=True):
    ip: str
    """Or host name."""
    port: int


class Metric(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    time: float | None = None
    """Milliseconds."""
    attempt: Annotated[int, Meta(ge=0)] | None = None


class MetricsReport(Struct, frozen=True):
    metrics: Annotated[list[Metric], Meta(max_length=100)]
    session_id: str | None = field(default=None, name="sessionId")


class MetricsDraft(Struct, frozen=True):
    """The body of a report: nexmo-client sends it bare, the client SDK inside `body`."""

    metrics: Annotated[list[Metric], Meta(max_length=100)] | None = None
    session_id: str | None = field(default=None, name="sessionId")
    body: MetricsReport | None = None

    def __post_init__(self) -> None:
        if self.metrics is None and self.body is None:
            raise ValueError("must contain at least one of [metrics, body]")


class Received(Struct, frozen=True):
    """An object without members."""


class DiscoveryResource:
    def __init__(self, media_port: int) -> None:
        self._media_port = media_port

    @route("GET", "/discovery/api", editions=(Edition.V03,), answers={200: dict[str, DataCenter]})
    async def discover_api(self, call: Call) -> Response:
        """Tell where REST and sessions are served"""
        socket = "ws" + call.origin.removeprefix("http")
        return answers.json(200, {DATA_CENTER: DataCenter(call.origin, call.origin, socket)})

    @route("GET", "/discovery/media/{dc}", editions=(Edition.V03,),
           answers={200: list[MediaServer]})  # fmt: skip
    async def discover_media(self, call: Call) -> Response:
        """Tell where media is served"""
        if call.params["dc"] != DATA_CENTER:
            raise NotFound()
        host = urlsplit(call.origin).hostname or "localhost"
        return answers.json(200, [MediaServer(host, self._media_port)])

    @route("POST", "/v2/rtc/metrics", guard=Guard.OPEN, body=MetricsDraft,
           answers={200: Received})  # fmt: skip
    async def report_metrics(self, call: Call) -> Response:
        """Take what a client measured"""
        if len(call.request.body) > REPORT_MAX:
            raise BodyTooLarge(f"A report has at most {REPORT_MAX} octets.")
        return answers.json(200, Received())
