"""What a conversation tells of a message that went to a member by a messaging channel."""

import json

import pytest

from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.sending import (
    Content,
    MessageChannel,
    MessagePlace,
    Order,
    Sending,
    SendingStatus,
)
from tertulia.model.sending_facts import decide_status
from tertulia.model.state import Conversation, ConversationState, Profile

APPLICATION = ApplicationId("app")
ROOM = ConversationId("CON-1")


@pytest.mark.parametrize("channel", MessageChannel)
def test_every_channel_has_statuses(channel: MessageChannel) -> None:
    place = MessagePlace(ROOM, EventId(7), MemberId("MEM-1"))
    sending = Sending(
        MessageId("m-1"), APPLICATION, Order(channel, "there", "here", Content("text")),
        Instant(1), Instant(2), status=SendingStatus.DELIVERED, place=place,
    )  # fmt: skip
    profile = Profile(ROOM, APPLICATION, "standup", ConversationState.ACTIVE, Instant(0))
    decision = decide_status(
        Conversation(profile, {}, EventId(7)), Instant(3), sending, None, "delivered"
    )
    (fact,) = decision.facts
    assert fact.type == "member:message:status"
    assert json.loads(fact.body)["channel_type"] == channel
    assert fact.became == sending
