"""Every REST resource of a hub, with the services that it speaks for."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from tertulia.app.outside import Outside
from tertulia.app.services import Services
from tertulia.dispatch.envelope import envelope
from tertulia.protocols.http1 import Response
from tertulia.settings import Settings
from tertulia.web.access import Access
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.rest.applications import ApplicationsResource
from tertulia.web.rest.audio import AudioResource
from tertulia.web.rest.calls import CallResources
from tertulia.web.rest.carriers import CarrierResource
from tertulia.web.rest.conversations import ConversationResource
from tertulia.web.rest.discovery import DiscoveryResource
from tertulia.web.rest.events import EventResource
from tertulia.web.rest.handsets import HandsetResource
from tertulia.web.rest.inspector import inspector_routes
from tertulia.web.rest.knocking import KnockingResource
from tertulia.web.rest.legacy_conversations import LegacyConversationResource
from tertulia.web.rest.legacy_events import LegacyEventResource
from tertulia.web.rest.legacy_members import LegacyMemberResource
from tertulia.web.rest.legacy_users import LegacyUserResource
from tertulia.web.rest.legs import LegResources
from tertulia.web.rest.levels import LevelsResource
from tertulia.web.rest.media import MediaResource
from tertulia.web.rest.members import MemberResource
from tertulia.web.rest.message_api import SendingResource
from tertulia.web.rest.message_carriers import MessageCarrierResource
from tertulia.web.rest.message_status import MessageStatusResource
from tertulia.web.rest.messages import ThreadResource
from tertulia.web.rest.rtc import RtcResources
from tertulia.web.rest.search import SearchResource
from tertulia.web.rest.sessions import SessionDesk, SessionResource
from tertulia.web.rest.sms import SmsResource
from tertulia.web.rest.stream import Authorise, StreamResource
from tertulia.web.rest.system import SystemResource
from tertulia.web.rest.users import UserResource
from tertulia.web.rest.webhooks import WebhookResource
from tertulia.web.routing import Route, bound


class Behind(Struct, frozen=True):
    """What stands behind the resources."""

    services: Services
    sessions: SessionDesk
    access: Access
    authorise: Authorise
    outside: Outside
    settings: Settings
    rates: Rates
    repeats: Repeats[Response]
    routes: Callable[[], Iterable[Route]]
    """All of the server, for its description."""


def surface(behind: Behind) -> Iterator[Route]:
    """The routes of all resources."""
    for resource in (*_resources(behind), *_legacy_resources(behind)):
        yield from bound(resource)
    if behind.settings.inspector.enabled:
        yield from inspector_routes(behind.outside.development, behind.outside.phonebook)


def _resources(behind: Behind) -> Iterator[object]:
    services, sessions, outside = behind.services, behind.sessions, behind.outside
    settings = behind.settings
    yield ConversationResource(services.conversations, services.users, services.audio_control.state)
    yield MemberResource(services.members)
    yield EventResource(services.events, settings.wire.v1_events)
    yield UserResource(services.users, services.members, sessions)
    yield SessionResource(sessions, services.users, outside.clock, settings.account.api_key)
    yield LegResources(services.leg_control, services.audio_control, services.conversations)
    yield CallResources(services.call_control)
    yield RtcResources(services.signalling, services.members)
    yield AudioResource(services.audio_control)
    yield KnockingResource(services.knocking, services.users)
    yield MediaResource(services.media)
    yield CarrierResource(outside.doors)
    yield ApplicationsResource(services.applications, behind.access, sessions, outside.homes)
    yield ThreadResource(services.messages)
    yield SendingResource(services.message_control, outside.homes)
    yield MessageStatusResource(services.message_control)
    yield SmsResource(
        services.message_control, behind.access, outside.clock, outside.monotonic,
        settings.account.signature_secret, behind.rates, behind.repeats, outside.homes,
    )  # fmt: skip
    yield SearchResource(services.search)
    yield WebhookResource(outside.desk, services.applications)
    yield MessageCarrierResource(services.couriers.report)
    yield HandsetResource(outside.handsets)
    yield StreamResource(services.following, envelope, behind.authorise)
    yield LevelsResource(services.metering, behind.authorise)
    yield SystemResource(outside.health, behind.routes)


def _legacy_resources(behind: Behind) -> Iterator[object]:
    services, settings = behind.services, behind.settings
    yield LegacyConversationResource(
        services.conversations, services.users, services.members, settings.account.api_key
    )
    yield LegacyMemberResource(services.members)
    yield LegacyEventResource(services.events, services.members)
    yield LegacyUserResource(services.users, services.members, behind.sessions)
    yield DiscoveryResource(settings.rtc.port)
