"""Health, metrics and the API descriptions: open to everybody."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct

from tertulia.model.errors import Rejected
from tertulia.protocols.http1 import Response
from tertulia.web import answers
from tertulia.web.asyncapi import asyncapi
from tertulia.web.openapi import openapi
from tertulia.web.routing import Call, Guard, Route, route


class Status(Struct, frozen=True):
    status: str


class NotReady(Rejected):
    """Not all parts are ready."""

    status = 503
    code = "system:error:not-ready"
    title = "Service unavailable."


class Health(Protocol):
    """What the process knows of its own parts."""

    def unready(self) -> list[str]:
        """Names of the parts that are not ready, and other reasons; empty when all is."""

    async def metrics(self) -> str:
        """Prometheus text."""


class SystemResource:
    def __init__(self, health: Health, routes: Callable[[], Iterable[Route]]) -> None:
        self._health = health
        self._routes = routes
        self._described: dict[str, Any] | None = None

    @route("GET", "/healthz", guard=Guard.OPEN, answers={200: Status})
    async def show_health(self, call: Call) -> Response:
        """Tell that the process is up"""
        return answers.json(200, Status("up"))

    @route("GET", "/readyz", guard=Guard.OPEN, answers={200: Status})
    async def show_readiness(self, call: Call) -> Response:
        """Tell whether all parts are ready"""
        if missing := self._health.unready():
            raise NotReady(f"Not ready: {', '.join(missing)}.")
        return answers.json(200, Status("ready"))

    @route("GET", "/metrics", guard=Guard.OPEN, answers={200: str})
    async def show_metrics(self, call: Call) -> Response:
        """Show the figures of this process, in the Prometheus text format"""
        return Response(
            status=200, body=(await self._health.metrics()).encode(),
            content_type="text/plain; version=0.0.4; charset=utf-8",
        )  # fmt: skip

    @route("GET", "/openapi.json", guard=Guard.OPEN, answers={200: dict[str, Any]})
    async def show_openapi(self, call: Call) -> Response:
        """Describe the REST surface"""
        if self._described is None:  # made once: it takes longer than a hundred other answers
            self._described = openapi(self._routes(), call.origin)
        return answers.json(200, {**self._described, "servers": [{"url": call.origin}]})

    @route("GET", "/asyncapi.json", guard=Guard.OPEN, answers={200: dict[str, Any]})
    async def show_asyncapi(self, call: Call) -> Response:
        """Describe webhooks and sessions"""
        return answers.json(200, asyncapi(call.origin))
