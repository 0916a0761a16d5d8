"""Search over what was said. Our own surface, `/tertulia/v1`: an extension."""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from tertulia.model.ids import ConversationId, Position
from tertulia.model.words import Snippet, terms_of
from tertulia.protocols.http1 import Response
from tertulia.services.search import Asked, FoundMessage, Search
from tertulia.web import answers, shapes
from tertulia.web.paging import CURSOR_MAX, PAGE_SIZE_MAX, read_cursor, write_cursor
from tertulia.web.routing import Call, Edition, route

PATH = "/tertulia/v1/search"
_LIST = "search"

Q = Annotated[str, Meta(
    min_length=1, max_length=200,
    description='Words that all have to be there, "words side by side", or beginn*.',
)]  # fmt: skip
Where = Annotated[str, Meta(description="Only in this conversation.")]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX, description="At most so many.")]
Cursor = Annotated[str, Meta(max_length=CURSOR_MAX, description="Of the page before.")]


class SearchQuery(Struct, frozen=True):
    q: Q
    conversation_id: Where = ""
    page_size: PageSize = 10
    cursor: Cursor = ""


class SearchResult(Struct, frozen=True):
    """A message, as it was sent, and the piece of its newest words that was found."""

    conversation_id: str
    event: shapes.EventResource
    snippet: Snippet


class SearchPage(Struct, frozen=True):
    """Newest first. There may be fewer than asked for on a page that is not the last."""

    results: list[SearchResult]
    cursor: str | None
    """For the next page; null when there is none."""


class SearchResource:
    def __init__(self, search: Search) -> None:
        self._search = search

    @route("GET", PATH, query=SearchQuery, answers={200: SearchPage, 404: None, 501: None})
    async def search_messages(self, call: Call) -> Response:
        """Find messages by their words, in the conversations that one is in"""
        query: SearchQuery = call.query
        asked = Asked(
            terms_of(query.q),
            ConversationId(query.conversation_id) if query.conversation_id else None,
            _before(query.cursor), query.page_size,
        )  # fmt: skip
        results = await self._search.find(asked, call.actor)
        base = f"{call.origin}/{Edition.V03.value}"
        after = None if results.after is None else write_cursor(_LIST, (results.after,))
        shown = [_result(found, base) for found in results.found]
        return answers.json(200, {"results": shown, "cursor": after})


def _before(cursor: str) -> Position | None:
    if not cursor:
        return None
    (position, *_), _ = read_cursor(_LIST, cursor, tuple[int])
    return Position(int(position))


def _result(found: FoundMessage, base: str) -> dict[str, object]:
    return {
        "conversation_id": found.event.conversation_id,
        "event": Raw(shapes.event(found.event, base)),
        "snippet": found.snippet,
    }
