"""Lines: calls as the application that decides about them knows them."""

from typing import Any, Protocol

from msgspec import Struct

from tertulia.model.calling import Ending
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.leg import Leg
from tertulia.model.membership import MemberDraft, UserReference
from tertulia.model.state import Channel, User, Webhook
from tertulia.services.legs import LiveLeg


class Line(Struct, eq=False):
    """A leg with what its application has said about it."""

    live: LiveLeg
    user: User
    """Whose member it is in conversations."""
    own: ConversationId
    """Where the call is when nothing else has been said."""
    event_url: Webhook | None = None
    custom_data: dict[str, Any] = {}
    """What a client has sent with its call."""
    is_asked: bool = False
    """Of its failure the application is asked, not told."""
    headers: dict[str, str] = {}
    """What a phone has: `X-` fields and `User-to-User`."""

    @property
    def leg(self) -> Leg:
        """As it is now."""
        return self.live.leg

    @property
    def application_id(self) -> ApplicationId:
        return self.live.leg.application_id

    @property
    def entry(self) -> MemberDraft:
        """By which its member joins a conversation."""
        leg = self.leg
        channel = Channel(
            type=leg.type, id=leg.id, from_=leg.from_, to=leg.to, knocking_id=leg.knocking_id
        )
        return MemberDraft(
            state="joined", user=UserReference(id=self.user.id), channel=channel,
            knocking_id=leg.knocking_id,
        )  # fmt: skip


class Gate(Protocol):
    """How a call that waits to be told where it goes is let in or sent away."""

    is_patient: bool
    """It waits for as long as the application thinks; otherwise it is let in before."""

    def is_waiting(self) -> bool: ...

    async def admit(self, room: ConversationId, *, answer: bool) -> bool:
        """Into a conversation, answered or as one that rings still; False when it has gone
        meanwhile. Raises TertuliaError."""

    async def refuse(self, ending: Ending) -> None: ...
