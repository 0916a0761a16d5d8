"""Names for the identifiers of the wire, so that a member's id cannot be passed for a user's."""

from typing import NewType

ApplicationId = NewType("ApplicationId", str)
ConversationId = NewType("ConversationId", str)
UserId = NewType("UserId", str)
MemberId = NewType("MemberId", str)
SessionId = NewType("SessionId", str)
MediaId = NewType("MediaId", str)
LegId = NewType("LegId", str)
MessageId = NewType("MessageId", str)
"""Of a message of a messaging channel: the `message_uuid` of the wire."""

EventId = NewType("EventId", int)
"""Number of an event inside its conversation: 1, 2, 3 … without a gap."""

Position = NewType("Position", int)
"""Place of an event in its application's total order: rising, not gap-free, otherwise opaque."""
