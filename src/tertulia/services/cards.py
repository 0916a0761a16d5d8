"""Senders' cards: the `_embedded` part of an event, encoded once per user and kept.

An event shows its sender as it was. Looking the user up for every message would cost a read a
message, so the encoded card stays in memory until the user changes.
"""

from collections import OrderedDict
from collections.abc import Collection

import msgspec
from msgspec import Struct

from tertulia.model.decision import Decision
from tertulia.model.event import Fact
from tertulia.model.ids import UserId
from tertulia.model.state import Conversation, User
from tertulia.ports import Directory

CARDS_MAX = 20_000


class Card(Struct, frozen=True, omit_defaults=True):
    """`from_user` of an event (wire-api 7)."""

    id: UserId
    name: str
    display_name: str | None = None
    image_url: str | None = None
    custom_data: dict[str, object] | None = None


def card_of(user: User) -> Card:
    custom_data = user.properties.custom_data if user.properties else None
    return Card(user.id, user.name, user.display_name, user.image_url, custom_data)


class Cards:
    """Encoded cards by user. Forgets the oldest when there are too many."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._encoded: OrderedDict[UserId, bytes] = OrderedDict()

    def missing(self, conversation: Conversation, decision: Decision) -> Collection[UserId]:
        """Users that the decision's facts come from and whose cards have to be loaded first."""
        users = {_sender(conversation, fact) for fact in decision.facts}
        return [user for user in users if user is not None and user not in self._encoded]

    async def load(self, users: Collection[UserId]) -> None:
        for user_id in users:
            user = await self._directory.user(user_id)
            if user is None:
                raise LookupError(f"member of an unknown user {user_id}")
            if user_id not in self._encoded:  # an update that came first knows better
                self.put(user)

    def clear(self) -> None:
        """Users may have been changed elsewhere."""
        self._encoded.clear()

    def put(self, user: User) -> None:
        """Remember a user as it is now."""
        self._encoded[user.id] = msgspec.json.encode(card_of(user))
        if len(self._encoded) > CARDS_MAX:
            self._encoded.popitem(last=False)

    def embedded(self, conversation: Conversation, fact: Fact) -> bytes | None:
        """JSON of `_embedded`; None for an event without a sender."""
        user_id = _sender(conversation, fact)
        if user_id is None or fact.sender is None:
            return None
        card = self._encoded[user_id]
        return b'{"from_user":%b,"from_member":{"id":"%b"}}' % (card, fact.sender.encode())


def _sender(conversation: Conversation, fact: Fact) -> UserId | None:
    """The user behind a fact: of the member that it brings into being, or of a member known."""
    if fact.sender is None:
        return None
    member = conversation.members.get(fact.sender)
    if member is not None:
        return member.user_id
    became = fact.became
    return getattr(became, "user_id", None)
