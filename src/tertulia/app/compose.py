"""Which service gets which ports: the one place that knows every room of the hub."""

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from tertulia.dispatch.envelope import envelope
from tertulia.live.room import Live, Surroundings
from tertulia.live.sessions import Visitor
from tertulia.ports import (
    Announcer,
    Clock,
    Directory,
    EventLog,
    Ids,
    MediaStore,
    SearchIndex,
    SessionLedger,
)
from tertulia.protocols.http1 import Request, Response
from tertulia.services.announcements import Announcements
from tertulia.services.applications import Applications, KeySmith
from tertulia.services.cards import Cards
from tertulia.services.conversations import Conversations
from tertulia.services.events import Events
from tertulia.services.expiry import Expiry
from tertulia.services.following import Following
from tertulia.services.media import MediaFiles
from tertulia.services.members import Members
from tertulia.services.messages import Messages
from tertulia.services.search import Indexer, Search
from tertulia.services.users import Users
from tertulia.settings import Settings
from tertulia.web.access import Access, Identity
from tertulia.web.api import Api
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.rest.applications import ApplicationsResource
from tertulia.web.rest.conversations import ConversationResource
from tertulia.web.rest.discovery import DiscoveryResource
from tertulia.web.rest.events import EventResource
from tertulia.web.rest.inspector import DevelopmentKeys, inspector_routes
from tertulia.web.rest.legacy_conversations import LegacyConversationResource
from tertulia.web.rest.legacy_events import LegacyEventResource
from tertulia.web.rest.legacy_members import LegacyMemberResource
from tertulia.web.rest.legacy_users import LegacyUserResource
from tertulia.web.rest.media import MediaResource
from tertulia.web.rest.members import MemberResource
from tertulia.web.rest.messages import ThreadResource
from tertulia.web.rest.search import SearchResource
from tertulia.web.rest.sessions import SessionResource
from tertulia.web.rest.stream import StreamResource
from tertulia.web.rest.system import Health, SystemResource
from tertulia.web.rest.users import UserResource
from tertulia.web.rest.webhooks import WebhookDesk, WebhookResource
from tertulia.web.routing import Route, Router, bound


class Store(EventLog, Directory, Protocol):
    """One adapter serves both ports: its rows change with its log."""


class Outside(Struct, frozen=True):
    """What a hub needs from the world: ports, and what the process knows of itself."""

    store: Store
    media: MediaStore
    search: SearchIndex
    clock: Clock
    ids: Ids
    announcer: Announcer
    ledger: SessionLedger
    desk: WebhookDesk
    health: Health
    smith: KeySmith
    monotonic: Callable[[], float]
    development: DevelopmentKeys | None = None
    """In development mode: what the inspector opens with."""


class Hub:
    """The services of one hub, ready to answer requests through `api`."""

    def __init__(self, outside: Outside, settings: Settings) -> None:
        clock, ids = outside.clock, outside.ids
        log = directory = outside.store
        cards = Cards(directory)
        self.directory = directory
        self._access = Access(directory, settings.account, outside.monotonic)
        self.announcements = Announcements(outside.announcer.announce)
        self.users = Users(directory=directory, cards=cards, clock=clock, ids=ids)
        self.conversations = Conversations(
            log=log, directory=directory, announcer=self.announcements, cards=cards, clock=clock,
            ids=ids,
        )  # fmt: skip
        self.members = Members(
            conversations=self.conversations, users=self.users, directory=directory, ids=ids
        )
        self.media = MediaFiles(
            store=outside.media, conversations=self.conversations, clock=clock, ids=ids,
            upload_limit=settings.media.upload_limit, quota=settings.media.quota,
        )  # fmt: skip
        self.events = Events(conversations=self.conversations, media=self.media, log=log, ids=ids)
        self.messages = Messages(conversations=self.conversations, log=log)
        self.search = Search(
            index=outside.search, log=log, directory=directory, conversations=self.conversations
        )
        self.indexer = Indexer(index=outside.search, log=log, monotonic=outside.monotonic)
        self.applications = Applications(
            directory=directory, clock=clock, ids=ids, smith=outside.smith
        )
        self.expiry = Expiry(
            directory=directory, log=log, conversations=self.conversations, clock=clock
        )
        self.live = Live(
            Surroundings(
                log=log, directory=directory, ledger=outside.ledger, clock=clock, ids=ids,
                monotonic=outside.monotonic, conversations=self.conversations, users=self.users,
                identify=self._visitor,
            ),
            settings,
        )  # fmt: skip
        self.announcements.add(self.live.delivery.announce)
        self.following = Following(
            log=log, conversations=self.conversations, per_application=settings.limits.streams
        )
        self.announcements.add(self.following.hand_on)
        self._clock = clock
        self._settings = settings
        self._desk = outside.desk
        self._health = outside.health
        self._development = outside.development
        self.router = Router(self._routes())
        limits = settings.limits
        self.api = Api(
            router=self.router, access=self._access, clock=clock, users=self.users,
            rates=Rates(limits.requests_per_second, limits.burst),
            repeats=Repeats[Response](), monotonic=outside.monotonic,
            public_url=settings.http.public_url,
        )  # fmt: skip

    async def _visitor(self, token: str) -> Visitor:
        """Whom a session's token speaks for. The acl has to grant sessions."""
        identity = await self._access.identify_token(token, self._clock.now(), keep=False)
        identity.require("POST", "/v0.3/sessions")
        return Visitor(identity.application.id, identity.user_name, identity.expires_at)

    async def _authorise(self, request: Request) -> Identity:
        """Whom the token of a request speaks for, if it still does."""
        return await self._access.identify(request.headers.get("authorization"), self._clock.now())

    def _routes(self) -> Iterator[Route]:
        for resource in (
            ConversationResource(self.conversations, self.users),
            MemberResource(self.members),
            EventResource(self.events, self._settings.wire.v1_events),
            UserResource(self.users, self.members, self.live.desk),
            SessionResource(
                self.live.desk, self.users, self._clock, self._settings.account.api_key
            ),
            MediaResource(self.media),
            ApplicationsResource(self.applications, self._access),
            ThreadResource(self.messages),
            SearchResource(self.search),
            WebhookResource(self._desk, self.applications),
            StreamResource(self.following, envelope, self._authorise),
            SystemResource(self._health, lambda: self.router.routes),
            LegacyConversationResource(
                self.conversations, self.users, self.members, self._settings.account.api_key
            ),
            LegacyMemberResource(self.members),
            LegacyEventResource(self.events, self.members),
            LegacyUserResource(self.users, self.members, self.live.desk),
            DiscoveryResource(self._settings.rtc.port),
        ):
            yield from bound(resource)
        if self._settings.inspector.enabled:
            yield from inspector_routes(self._development)
