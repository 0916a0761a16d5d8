"""The replay check: folding the log from empty equals what the directory and the history show."""

from collections import defaultdict

from tertulia.app.outside import Store
from tertulia.model.event import RECEIPTS, Event, State
from tertulia.model.events.registry import find
from tertulia.model.events.values import EventReference
from tertulia.model.fold import fold
from tertulia.model.ids import ConversationId, EventId, LegId, MessageId, Position
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending
from tertulia.model.state import Conversation, Profile
from tertulia.ports import EventLog, EventQuery

PAGE = 500


class Replayed:
    """What the log alone says: conversations, legs, reports on messages, deletions."""

    def __init__(self) -> None:
        self.conversations: dict[ConversationId, Conversation] = {}
        self.legs: dict[LegId, Leg] = {}
        self.sendings: dict[MessageId, Sending] = {}
        self.inbounds: dict[MessageId, Inbound] = {}
        self.states: dict[tuple[ConversationId, EventId], State] = defaultdict(dict)
        self.deleted: set[tuple[ConversationId, EventId]] = set()
        self.events = 0

    def take(self, event: Event) -> None:
        self.events += 1
        if isinstance(event.became, Leg):
            self.legs[event.became.id] = event.became
        elif isinstance(event.became, Sending):
            self.sendings[event.became.id] = event.became
        elif isinstance(event.became, Inbound):
            self.inbounds[event.became.id] = event.became
        if event.conversation_id is None:
            if isinstance(event.became, Profile):
                known = self.conversations.get(event.became.id)
                self.conversations[event.became.id] = fold(known, event)
            return
        known = self.conversations[event.conversation_id]
        if event.id != known.sequence + 1:
            raise AssertionError(f"{event.conversation_id}: {event.id} after {known.sequence}")
        self.conversations[event.conversation_id] = fold(known, event)
        self._touch(event.conversation_id, event)

    def _touch(self, conversation_id: ConversationId, event: Event) -> None:
        event_type = find(event.type)
        if event_type is None or event.deleted_at is not None:
            return
        if event.type not in RECEIPTS and event.type != "event:delete":
            return
        body = event_type.decoder.decode(event.body)
        assert isinstance(body, EventReference)
        key = (conversation_id, body.target)
        if event.type == "event:delete":
            self.deleted.add(key)
        elif event.sender is not None:
            reports = self.states[key].setdefault(RECEIPTS[event.type], {})
            reports.setdefault(event.sender, event.timestamp)


async def replay(log: EventLog) -> Replayed:
    """Fold the whole log, and check on the way that numbers have no gaps."""
    replayed = Replayed()
    after = Position(0)
    while page := await log.follow(after, limit=PAGE):
        for event in page:
            assert event.position > after
            after = event.position
            replayed.take(event)
    return replayed


async def check_replay(store: Store) -> Replayed:
    """Raises AssertionError with the conversation that differs."""
    replayed = await replay(store)
    for conversation_id, folded in replayed.conversations.items():
        assert await store.conversation(conversation_id) == folded, conversation_id
        await _check_history(store, replayed, folded)
    for leg_id, leg in replayed.legs.items():
        assert await store.leg(leg_id) == leg, leg_id
    for message_id, sending in replayed.sendings.items():
        assert await store.sending(message_id) == sending, message_id
    for message_id, inbound in replayed.inbounds.items():
        assert await store.inbound(message_id) == inbound, message_id
    return replayed


async def _check_history(log: EventLog, replayed: Replayed, folded: Conversation) -> None:
    number = 0
    while page := await log.events(folded.id, EventQuery(after=number, limit=100)):
        for event in page:
            assert event.id == number + 1, (folded.id, event.id)
            number = event.id
            key = (folded.id, EventId(number))
            assert (event.state or {}) == replayed.states.get(key, {}), key
            assert (event.deleted_at is not None) == (key in replayed.deleted), key
    assert number == folded.sequence, folded.id
