"""Which service gets which ports: the one place that knows every room of the hub."""

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from tertulia.ports import Announcer, Clock, Directory, EventLog, Ids
from tertulia.protocols.http1 import Response
from tertulia.services.applications import Applications, KeySmith
from tertulia.services.cards import Cards
from tertulia.services.conversations import Conversations
from tertulia.services.events import Events
from tertulia.services.expiry import Expiry
from tertulia.services.members import Members
from tertulia.services.users import Users
from tertulia.settings import Settings
from tertulia.web.access import Access
from tertulia.web.api import Api
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.rest.applications import ApplicationsResource
from tertulia.web.rest.conversations import ConversationResource
from tertulia.web.rest.events import EventResource
from tertulia.web.rest.members import MemberResource
from tertulia.web.rest.system import Health, SystemResource
from tertulia.web.rest.users import UserResource
from tertulia.web.rest.webhooks import WebhookDesk, WebhookResource
from tertulia.web.routing import Route, Router, bound


class Store(EventLog, Directory, Protocol):
    """One adapter serves both ports: its rows change with its log."""


class Outside(Struct, frozen=True):
    """What a hub needs from the world: ports, and what the process knows of itself."""

    store: Store
    clock: Clock
    ids: Ids
    announcer: Announcer
    desk: WebhookDesk
    health: Health
    smith: KeySmith
    monotonic: Callable[[], float]


class Hub:
    """The services of one hub, ready to answer requests through `api`."""

    def __init__(self, outside: Outside, settings: Settings) -> None:
        clock, ids = outside.clock, outside.ids
        log = directory = outside.store
        cards = Cards(directory)
        self.directory = directory
        self.users = Users(directory=directory, cards=cards, clock=clock, ids=ids)
        self.conversations = Conversations(
            log=log,
            directory=directory,
            announcer=outside.announcer,
            cards=cards,
            clock=clock,
            ids=ids,
        )
        self.members = Members(
            conversations=self.conversations, users=self.users, directory=directory, ids=ids
        )
        self.events = Events(conversations=self.conversations, log=log, ids=ids)
        self.applications = Applications(
            directory=directory, clock=clock, ids=ids, smith=outside.smith
        )
        self.expiry = Expiry(
            directory=directory, log=log, conversations=self.conversations, clock=clock
        )
        self._access = Access(directory, settings.account, outside.monotonic)
        self._settings = settings
        self._desk = outside.desk
        self._health = outside.health
        self.router = Router(self._routes())
        limits = settings.limits
        self.api = Api(
            router=self.router, access=self._access, clock=clock, directory=directory,
            rates=Rates(limits.requests_per_second, limits.burst),
            repeats=Repeats[Response](), monotonic=outside.monotonic,
            public_url=settings.http.public_url,
        )  # fmt: skip

    def _routes(self) -> Iterator[Route]:
        for resource in (
            ConversationResource(self.conversations, self.users),
            MemberResource(self.members),
            EventResource(self.events, self._settings.wire.v1_events),
            UserResource(self.users, self.members),
            ApplicationsResource(self.applications, self._access),
            WebhookResource(self._desk, self.applications),
            SystemResource(self._health, lambda: self.router.routes),
        ):
            yield from bound(resource)
