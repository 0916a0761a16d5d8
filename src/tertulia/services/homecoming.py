"""Homecoming: what an application left behind, in an earlier life of this server or on another
node, is taken up: calls that broke off are ended, messages that wait are carried.
"""

from collections.abc import Callable, Collection
from typing import Protocol

from tertulia.model.ids import ApplicationId
from tertulia.ports import Directory, EventLog
from tertulia.services.calls import Calls
from tertulia.services.conductor import Conductor
from tertulia.services.conversations import Conversations
from tertulia.services.couriers import Couriers
from tertulia.services.recipients import Recipients
from tertulia.services.strangers import Strangers
from tertulia.services.users import Users


class Store(EventLog, Directory, Protocol):
    """The log, and what it has led to."""


class Homecoming:
    def __init__(
        self, *, store: Store, conversations: Conversations, users: Users, calls: Calls,
        conductor: Conductor, couriers: Couriers, recipients: Recipients, strangers: Strangers,
    ) -> None:  # fmt: skip
        self._store = store
        self._conversations = conversations
        self._users = users
        self._calls = calls
        self._conductor = conductor
        self._couriers = couriers
        self._recipients = recipients
        self._strangers = strangers
        self.on_arrived: Callable[[], None] = lambda: None
        """Called when something has come home."""

    async def everything(self) -> None:
        """All applications come home: there is no other node."""
        applications = await self._store.applications()
        await self.arrived([application.id for application in applications])

    async def arrived(self, of: Collection[ApplicationId]) -> None:
        """Before anything is asked of them here; what takes long goes on behind it. Raises
        Unavailable."""
        self._users.clear()
        self._conversations.forget(of)
        until = await self._store.head()
        for application_id in of:
            self._conductor.begin(application_id, until)
            self._recipients.recover_later(application_id, until)
        await self._calls.bury(of)
        await self._strangers.recover(of)
        self._couriers.look_again()
        self.on_arrived()

    def departed(self, application_id: ApplicationId) -> None:
        """Another node has it."""
        self._users.clear()
        self._conversations.forget((application_id,))
        self._recipients.forget(application_id)

    def is_idle(self, application_id: ApplicationId) -> bool:
        """Nothing of it is under way here."""
        return not self._calls.has_any(application_id) and not self._couriers.holds(application_id)
