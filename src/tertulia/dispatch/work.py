"""Whose webhooks are this dispatcher's to send, and for how long yet."""

import math
from collections.abc import Collection
from typing import Protocol

from tertulia.model.ids import ApplicationId


class WebhookWork(Protocol):
    """The applications whose webhooks are ours.

    - *One at a time*: an application is not ours from before the moment on at which it can be
      somebody else's; by a clock that goes on while the process is stopped.
    - *Fenced*: what is written about an application rests on the token of that time.
    - *Handed over*: what is leaving stays ours until it is given back.
    """

    async def renew(self, busy: Collection[ApplicationId]) -> float:
        """Keep what is ours and take what is to be; seconds until it is to be called again.
        What is leaving, and not among the `busy`, is given back. Raises Unavailable."""

    def token(self, application_id: ApplicationId) -> str | None:
        """None: it is not ours. Another one than before: it has been somebody else's meanwhile."""

    def is_leaving(self, application_id: ApplicationId) -> bool:
        """It is ours, and another's as soon as it is given back."""

    def may_send(self, application_id: ApplicationId) -> bool:
        """Nobody else can have it yet."""

    async def give_back(self, application_id: ApplicationId) -> None:
        """Nothing of it is under way any more. If nobody can be told, it is free after a while."""

    async def close(self) -> None: ...


class AllWork:
    """Of the only dispatcher that there is."""

    async def renew(self, busy: Collection[ApplicationId]) -> float:
        return math.inf

    def token(self, application_id: ApplicationId) -> str | None:
        return ""

    def is_leaving(self, application_id: ApplicationId) -> bool:
        return False

    def may_send(self, application_id: ApplicationId) -> bool:
        return True

    async def give_back(self, application_id: ApplicationId) -> None:
        """It stays ours."""

    async def close(self) -> None:
        """Nothing is open."""
