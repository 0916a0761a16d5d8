"""Messages with what was added to them. Our own surface, `/tertulia/v1`: an extension."""

import msgspec
from msgspec import Raw, Struct, field

from tertulia.model.instant import iso
from tertulia.ports import Listed
from tertulia.protocols.http1 import Response
from tertulia.services.messages import Messages, ThreadedMessage
from tertulia.web import shapes
from tertulia.web.paging import PageQuery, cut, page_answer, page_of
from tertulia.web.routing import Call, Edition, route

PATH = "/tertulia/v1/conversations/{conversation_id}/messages"


class EditedText(Struct, frozen=True):
    text: str
    at: str


class MessageResource(shapes.EventResource, frozen=True, omit_defaults=True):
    """A message as it was sent, and what was added to it."""

    edited: EditedText | None = None
    """Its newest words; absent when they are those of the body."""
    reactions: dict[str, list[str]] | None = None
    """Ids of members by what they reacted with."""
    reply_to: int | None = None
    """Number of the message that it answers."""
    deleted: str | None = None
    """When it was deleted."""


class MessageList(Struct, frozen=True):
    messages: list[MessageResource]


class MessagePage(Struct, frozen=True):
    page_size: int
    embedded: MessageList = field(name="_embedded")
    links: shapes.PageLinks = field(name="_links")


class _Additions(Struct, frozen=True, omit_defaults=True):
    edited: EditedText | None = None
    reactions: dict[str, list[str]] | None = None
    reply_to: int | None = None
    deleted: str | None = None


class _Shown(Listed, frozen=True):
    message: ThreadedMessage


class ThreadResource:
    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    @route("GET", PATH, query=PageQuery, answers={200: MessagePage})
    async def list_messages(self, call: Call) -> Response:
        """List the messages of a conversation, with their edits, reactions and replies"""
        query: PageQuery = call.query
        page = page_of(query, "messages", tuple[int])
        after, before, descending = 0, None, query.descending
        if page.before is not None:  # nearest to the cursor first; turned round below
            descending = not descending
        if key := page.after or page.before:
            after, before = (0, int(key[0])) if descending else (int(key[0]), None)
        found = await self._messages.list(
            call.conversation_id, call.actor,
            after=after, before=before, descending=descending, limit=page.limit,
        )  # fmt: skip
        if page.before is not None:
            found.reverse()
        piece = cut([_Shown((each.event.id or 0,), each) for each in found], page, "messages")
        base = f"{call.origin}/{Edition.V03.value}"
        shown = [_message(item.message, base) for item in piece.items]
        path = PATH.format(conversation_id=call.conversation_id)
        return page_answer(call, path, piece, {"messages": shown})


def _message(found: ThreadedMessage, base: str) -> Raw:
    """The event as REST gives it, with one more member for each addition."""
    event, thread = found.event, found.thread
    edited = thread.edited
    additions = _Additions(
        edited=EditedText(edited.text, iso(edited.at)) if edited else None,
        reactions={name: [*members] for name, members in thread.reactions.items()} or None,
        reply_to=thread.reply_to,
        deleted=iso(event.deleted_at) if event.deleted_at else None,
    )
    sent = shapes.event(event, base)
    added = msgspec.json.encode(additions)
    return Raw(sent if added == b"{}" else b"%b,%b" % (sent[:-1], added[1:]))
