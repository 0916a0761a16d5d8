"""The pipeline of a request: route, token, home, rate, decoding, handler; and errors to problems.

The order is the order of cost and of blame: what is not there is told before who may see it, and
nothing of the body is read for somebody who may not send it. The node where the application is at
home does what comes after the token, so that rates and repeats are counted in one place.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.errors import (
    InvalidToken,
    NotAcceptable,
    Rejected,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
    ValidationFailed,
)
from tertulia.model.validation import check_nesting, convert, decode_with
from tertulia.ports import Clock
from tertulia.ports.cluster import Homes
from tertulia.protocols.http1 import Request, Response
from tertulia.services.users import Users
from tertulia.web.access import Access, Identity
from tertulia.web.answers import CORS, PREFLIGHT
from tertulia.web.forwarding import Forwarding
from tertulia.web.problems import problem
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.routing import EVENT_STREAM, Call, Guard, Route, Router, Upload

QUERY_MAX = 50
"""Parameters of one request."""


class Restraint(Struct, frozen=True):
    """What keeps requests from being too many, and from having their effect twice."""

    rates: Rates
    repeats: Repeats[Response]
    monotonic: Callable[[], float]
    """Seconds."""


class Api:
    """Answers requests: give `answer` to a server."""

    def __init__(
        self, *, router: Router, access: Access, restraint: Restraint, users: Users, clock: Clock,
        public_url: str, homes: Homes, forwarding: Forwarding,
    ) -> None:  # fmt: skip
        self._router = router
        self._access = access
        self._rates = restraint.rates
        self._repeats = restraint.repeats
        self._users = users
        self._clock = clock
        self._monotonic = restraint.monotonic
        self._public_url = public_url.rstrip("/")
        self._homes = homes
        self._forwarding = forwarding
        self._decoders = {
            route.body: msgspec.json.Decoder(route.body)
            for route in router.routes
            if route.body is not None and not isinstance(route.body, Upload)
        }

    async def answer(self, request: Request, scheme: str) -> Response:
        if request.method == "OPTIONS":
            return PREFLIGHT
        try:
            return await self._forwarding.answer(request, scheme, self._answer)
        except (Rejected, Unavailable) as error:
            told = problem(error, uuid4().hex)
            return replace(told, headers=(*told.headers, *CORS))

    async def _answer(self, request: Request, scheme: str) -> Response:
        route, params = self._router.match(request.method, request.path)
        origin = self._public_url or f"{scheme}://{request.headers.get('host', 'localhost')}"
        call = Call(request, origin, params)
        call.edition = route.edition
        if route.edition is not None:
            call.base = f"{origin}/{route.edition.value}"
        elif route.path.startswith("/v2/"):
            call.base = f"{origin}/v2"
        if route.handler is None:
            raise LookupError(f"{route.operation} has no handler")
        has_token = route.guard is Guard.SIGNED and "authorization" in request.headers
        header = request.headers.get("authorization", "")
        as_account = route.guard is Guard.EITHER and header[:6].lower() == "basic "
        if as_account or route.guard is Guard.ACCOUNT:
            self._rates.spend(self._access.account(header), self._monotonic())
        elif route.guard in (Guard.APPLICATION, Guard.EITHER) or has_token:
            return await self._as_application(route, call, route.handler)
        self._decode(route, call)
        return await route.handler(call)

    async def _as_application(
        self, route: Route, call: Call, handler: Callable[[Call], Awaitable[Response]]
    ) -> Response:
        request = call.request
        now = self._clock.now()
        identity = await self._access.identify(request.headers.get("authorization"), now)
        identity.require(request.method, request.path)
        await self._homes.require(identity.application.id)
        self._rates.spend(identity.application.id, self._monotonic())
        call.identity = identity
        call.actor = await self._actor(identity)
        if request.method == "POST" and identity.user_name is None:
            key = self._repeats.key(identity, request)
            return await self._repeats.once(
                key, self._monotonic(), lambda: self._handled(route, call, handler)
            )
        return await self._handled(route, call, handler)

    async def _handled(
        self, route: Route, call: Call, handler: Callable[[Call], Awaitable[Response]]
    ) -> Response:
        self._decode(route, call)
        return await handler(call)

    async def _actor(self, identity: Identity) -> Actor:
        application_id = identity.application.id
        if identity.user_name is None:
            return Actor(application_id)
        user_id = await self._users.id_of(identity.user_name, application_id)
        if user_id is None:
            raise InvalidToken("The user of this token does not exist.")
        return Actor(application_id, user_id)

    def _decode(self, route: Route, call: Call) -> None:
        request = call.request
        # probes and scrapers take what there is, and content is what it is
        if route.guard is not Guard.OPEN and route.answers.get(200) is not bytes:
            _check_accept(request.headers.get("accept", ""), route)
        if request.query or route.query is not None:
            call.given = _parse_query(request.query)
            if route.query is not None:
                call.query = convert(call.given, route.query, strict=False)
        if route.body in self._decoders:
            call.body = self._body(route, request)

    def _body(self, route: Route, request: Request) -> object:
        raw = request.body
        if raw:
            content_type = request.headers.get("content-type", "application/json")
            if "json" not in content_type.lower():
                raise UnsupportedMediaType()
        try:
            check_nesting(raw)
            # COMPAT: the Python SDK creates with defaults by sending no body at all
            return decode_with(self._decoders[route.body], raw or b"{}")
        except ValidationFailed as failure:
            if Unprocessable.status not in route.refusals:
                raise
            raise Unprocessable(parameters=failure.parameters) from None


def _parse_query(text: str) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(text, keep_blank_values=True, max_num_fields=QUERY_MAX, errors="strict")
        )
    except ValueError:
        raise ValidationFailed.of("query", "must be a valid query string") from None


def _check_accept(accept: str, route: Route) -> None:
    if not accept or "*/*" in accept or "json" in accept or "application/*" in accept:
        return
    if not (route.streams and EVENT_STREAM in accept):
        raise NotAcceptable()
