"""A hub put together: services, live sessions, and the surface in front of them."""

from tertulia.app.outside import Outside
from tertulia.app.services import Services
from tertulia.app.surface import Behind, surface
from tertulia.live.neighbours import Shared
from tertulia.live.room import Live, Surroundings
from tertulia.live.sessions import Visitor
from tertulia.protocols.http1 import Request, Response
from tertulia.settings import Settings
from tertulia.web.access import Access, Identity
from tertulia.web.api import Api, Restraint
from tertulia.web.forwarding import Forwarding
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.routing import Router


class Hub:
    """Answers requests through `api`, and sessions through `live`."""

    def __init__(self, outside: Outside, settings: Settings) -> None:
        self._clock = outside.clock
        self._access = Access(outside.store, settings.account, outside.monotonic)
        self.services = Services(outside, settings)
        self.live = self._live(outside, settings)
        self.services.announcements.add(self.live.announce)
        limits = settings.limits
        rates, repeats = Rates(limits.requests_per_second, limits.burst), Repeats[Response]()
        self.router = Router(
            surface(
                Behind(
                    services=self.services, sessions=self.live.desk, access=self._access,
                    authorise=self._authorise, outside=outside, settings=settings,
                    rates=rates, repeats=repeats, routes=lambda: self.router.routes,
                )
            )
        )  # fmt: skip
        self.forwarding = Forwarding(outside.homes, settings.cluster.secret)
        self.api = Api(
            router=self.router, access=self._access, clock=outside.clock,
            users=self.services.users, restraint=Restraint(rates, repeats, outside.monotonic),
            public_url=settings.http.public_url, homes=outside.homes, forwarding=self.forwarding,
        )  # fmt: skip

    def _live(self, outside: Outside, settings: Settings) -> Live:
        around = Surroundings(
            log=outside.store, directory=outside.store, ledger=outside.ledger,
            clock=outside.clock, ids=outside.ids, monotonic=outside.monotonic,
            conversations=self.services.conversations, users=self.services.users,
            identify=self._visitor, shared=self._shared(outside),
        )  # fmt: skip
        return Live(around, settings)

    def _shared(self, outside: Outside) -> Shared | None:
        if outside.shared is None or outside.bus is None:
            return None
        return Shared(outside.shared, outside.bus, outside.homes, self._access.forget)

    async def _visitor(self, token: str) -> Visitor:
        """Whom a session's token speaks for. The acl has to grant sessions."""
        identity = await self._access.identify_token(token, self._clock.now(), keep=False)
        identity.require("POST", "/v0.3/sessions")
        return Visitor(identity.application.id, identity.user_name, identity.expires_at)

    async def _authorise(self, request: Request) -> Identity:
        """Whom the token of a request speaks for, if it still does."""
        return await self._access.identify(request.headers.get("authorization"), self._clock.now())
