"""Softphones' credentials: those that a user has among its channels."""

from collections.abc import Callable, Iterator
from typing import Any

from tertulia.model.ids import ApplicationId
from tertulia.model.state import User
from tertulia.ports import Directory
from tertulia.ports.phones import Subscriber

NAME_MAX = 200
ENTRIES_MAX = 20


class UserSubscribers:
    """ports.Subscribers over the directory. A user's `channels.sip` is a list of objects with
    `username` and `password`; without a username it is the user's name."""

    def __init__(self, directory: Directory, tenant: Callable[[str], ApplicationId | None]) -> None:
        """`tenant` says whose a domain is."""
        self._directory = directory
        self._tenant = tenant

    async def find(self, domain: str, name: str) -> Subscriber | None:
        application_id = self._tenant(domain)
        if application_id is None or not 0 < len(name) <= NAME_MAX or "\0" in name:
            return None
        user = await self._directory.user_named(application_id, name)
        passwords = {} if user is None else dict(_passwords(user))
        if user is None or not passwords:
            return None
        return Subscriber(user.id, user.application_id, user.name, passwords)


def _passwords(user: User) -> Iterator[tuple[str, str]]:
    channels: Any = (user.channels or {}).get("sip")
    entries = channels if isinstance(channels, list) else [channels]
    for entry in entries[:ENTRIES_MAX]:
        if isinstance(entry, dict):
            username, password = entry.get("username") or user.name, entry.get("password")
            if isinstance(username, str) and isinstance(password, str) and password:
                yield username, password
