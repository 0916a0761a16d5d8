"""What the writer remembers of the store from batch to batch, so that it need not ask.

It is right as long as every write goes through it; after a failed transaction it is thrown away.
"""

from collections.abc import Iterable
from itertools import islice

import msgspec
from msgspec import Struct

from tertulia.model.ids import ApplicationId, ConversationId

STREAMS_MAX = 20_000
"""Conversations remembered: about 5 MB."""

_HEADS = msgspec.json.Decoder(tuple[int, int, dict[ApplicationId, int]])
_STREAMS = msgspec.json.Decoder(list[tuple[ConversationId, int, int]])


CLOSED = -1


class Stream(Struct):
    number: int
    head: int
    """The newest event's number; CLOSED, which no append expects, once it is deleted."""


class Heads:
    def __init__(self, found: str) -> None:
        """`found` is what the statement `heads` answers."""
        self.position, self.conversations, self.applications = _HEADS.decode(found)
        self.streams: dict[ConversationId, Stream] = {}

    def unknown(self, wanted: Iterable[ConversationId]) -> list[ConversationId]:
        """Which of them have to be learned. Nothing is forgotten until the next call."""
        if len(self.streams) > STREAMS_MAX:
            for oldest in list(islice(self.streams, STREAMS_MAX // 2)):
                del self.streams[oldest]
        return [conversation for conversation in wanted if conversation not in self.streams]

    def learn(self, found: str) -> None:
        """What the statement `streams` answers: those of the conversations that exist."""
        for conversation, number, head in _STREAMS.decode(found):
            self.streams[conversation] = Stream(number, head)

    def add_application(self, application_id: ApplicationId) -> int:
        number = self.applications[application_id] = len(self.applications) + 1
        return number

    def add_conversation(self, conversation_id: ConversationId) -> Stream:
        self.conversations += 1
        stream = self.streams[conversation_id] = Stream(self.conversations, 0)
        return stream
