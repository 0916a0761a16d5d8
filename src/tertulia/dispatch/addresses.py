"""Who wants an event: the application's webhook, the conversation's own callback, a voice webhook.

Both are looked up for each attempt, so a changed address counts from the next one: applications
come with the dispatcher's poll, callbacks from the log itself.
"""

from collections.abc import Iterable

from msgspec import Struct

from tertulia.dispatch.mask import read_mask
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableDirectory, patiently
from tertulia.model import notices
from tertulia.model.event import Event
from tertulia.model.events.registry import Reach, find
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.state import Application, Callback, Profile, Webhook

RTC = "rtc"
CALLBACK = "callback"
TARGETS = (RTC, CALLBACK, *notices.TARGETS.values())

CALLBACKS_KEPT = 50_000
"""Conversations whose callback is remembered."""


class Address(Struct, frozen=True):
    """Where and how to send. Timeouts are milliseconds."""

    url: str
    method: str
    connect_timeout_ms: int
    total_timeout_ms: int


class Addresses:
    def __init__(self, directory: ReadableDirectory, settings: DispatchSettings) -> None:
        self._directory = directory
        self._settings = settings
        self._applications: dict[ApplicationId, Application] = {}
        self._callbacks: dict[ConversationId, Callback | None] = {}

    def put_applications(self, applications: Iterable[Application]) -> None:
        self._applications = {application.id: application for application in applications}

    def policy(self, application_id: ApplicationId) -> str:
        application = self._applications.get(application_id)
        return application.webhook_policy if application else "hold"

    def observe(self, event: Event) -> None:
        """Learn from the log what a conversation's callback has become."""
        if isinstance(event.became, Profile):
            self._remember(event.became.id, event.became.callback)
        elif event.type == "conversation:updated" and event.conversation_id is not None:
            self._callbacks.pop(event.conversation_id, None)

    async def wanted(self, event: Event, target: str) -> Address | None:
        """Where a target wants this event sent now; None when it does not."""
        row = find(event.type)
        if row is not None and Reach.WEBHOOK not in row.reaches:
            return None
        if event.type in notices.TARGETS:
            return self._notice(event) if target == notices.TARGETS[event.type] else None
        if target == RTC:
            return self._webhook(event.application_id)
        if target != CALLBACK or event.conversation_id is None:
            return None
        return self._callback(await self._callback_of(event.conversation_id), event.type)

    def _notice(self, event: Event) -> Address | None:
        """It names the webhook itself."""
        notice = notices.notice_of(event)
        return self._address(notice.webhook) if notice is not None else None

    def _webhook(self, application_id: ApplicationId) -> Address | None:
        application = self._applications.get(application_id)
        webhook = application.event_url if application else None
        return self._address(webhook) if webhook and webhook.address else None

    def _address(self, webhook: Webhook) -> Address:
        connect_ms = webhook.connect_timeout or self._settings.connect_timeout_ms
        total_ms = webhook.socket_timeout or self._settings.total_timeout_ms
        return Address(webhook.address, _method(webhook.http_method), connect_ms, total_ms)

    def _callback(self, callback: Callback | None, type_: str) -> Address | None:
        if callback is None or not callback.url or not read_mask(callback.event_mask).wants(type_):
            return None
        return self._address(Webhook(callback.url, callback.method))

    async def _callback_of(self, conversation_id: ConversationId) -> Callback | None:
        if conversation_id in self._callbacks:
            return self._callbacks[conversation_id]
        listed = await patiently(
            lambda: self._directory.profile(conversation_id), self._settings.pause_ms
        )
        callback = listed.profile.callback if listed else None
        if conversation_id in self._callbacks:  # the log has told meanwhile, and knows better
            return self._callbacks[conversation_id]
        return self._remember(conversation_id, callback)

    def _remember(
        self, conversation_id: ConversationId, callback: Callback | None
    ) -> Callback | None:
        self._callbacks.pop(conversation_id, None)
        if len(self._callbacks) >= CALLBACKS_KEPT:
            del self._callbacks[next(iter(self._callbacks))]
        self._callbacks[conversation_id] = callback
        return callback


def _method(name: str | None) -> str:
    return "GET" if (name or "").upper() == "GET" else "POST"
