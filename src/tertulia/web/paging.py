"""Pages and cursors of lists (wire-api 1.4, 1.5).

A cursor is opaque to callers: a list's name, a direction and the key of the item it continues
after. Keys are never re-used and items do not move, so a cursor stays good while others write.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from tertulia.model.errors import InvalidCursor, ValidationFailed
from tertulia.model.state import MemberState
from tertulia.ports import Listed, Page
from tertulia.protocols.http1 import Response
from tertulia.web import answers
from tertulia.web.routing import Call

PAGE_SIZE_MAX = 100
CURSOR_MAX = 1024

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What stores can look up: a cursor may be made up."""
Key = tuple[str | Number, ...]
Item = TypeVar("Item", bound=Listed)


class SizedQuery(Struct, frozen=True):
    """How much of a list, and from which end."""

    page_size: Annotated[
        int, Meta(ge=1, le=PAGE_SIZE_MAX, description="How many items a page shows.")
    ] = 10
    order: Annotated[
        str,
        Meta(
            description="Oldest or newest first, in any case.",
            extra_json_schema={"enum": ["asc", "desc", "ASC", "DESC"]},
        ),
    ] = "asc"

    def __post_init__(self) -> None:
        if self.order.lower() not in ("asc", "desc"):
            raise ValueError("`order` must be one of [asc, desc]")

    @property
    def descending(self) -> bool:
        return self.order.lower() == "desc"


class PageQuery(SizedQuery, frozen=True):
    """What every list with cursors takes."""

    cursor: Annotated[
        str, Meta(max_length=CURSOR_MAX, description="From the links of another page.")
    ] = ""


class MemberStateQuery(PageQuery, frozen=True):
    """Of lists that show members, or conversations by a membership."""

    state: Annotated[
        str,
        Meta(
            description="Only those in which the membership is so, in any case.",
            extra_json_schema={"enum": ["", *MemberState]},
        ),
    ] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.state and self.state.upper() not in MemberState.__members__:
            raise ValueError("`state` must be one of [invited, joined, left]")

    @property
    def member_state(self) -> MemberState | None:
        return MemberState(self.state.upper()) if self.state else None


def unpaged(call: Call) -> None:
    """Let a list that was asked for without a size be as long as a page can be."""
    if "page_size" not in call.given:
        call.query = replace(call.query, page_size=PAGE_SIZE_MAX)


class _Cursor(Struct, frozen=True, array_like=True):
    list: str
    backward: bool
    key: Key


_DECODER = msgspec.json.Decoder(_Cursor)


def write_cursor(name: str, key: Key, *, backward: bool = False) -> str:
    raw = msgspec.json.encode(_Cursor(name, backward, key))
    return base64.urlsafe_b64encode(raw).decode()


def read_cursor(name: str, text: str, shape: type) -> tuple[Key, bool]:
    """Key and direction; `shape` is the tuple type of this list's keys."""
    try:
        cursor = _DECODER.decode(base64.b64decode(text, altchars=b"-_", validate=True))
        key: Key = msgspec.convert(cursor.key, shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidCursor() from None
    if cursor.list != name:
        raise InvalidCursor()
    return key, cursor.backward


def page_of(query: PageQuery, name: str, shape: type) -> Page:
    """The slice to ask a directory for: one item more than is shown tells whether more exist."""
    after = before = None
    if query.cursor:
        key, backward = read_cursor(name, query.cursor, shape)
        after, before = (None, key) if backward else (key, None)
    return Page(limit=query.page_size + 1, descending=query.descending, after=after, before=before)


class Slice(Struct, Generic[Item], frozen=True):
    """The items to show, and the cursors to either side."""

    items: list[Item]
    next: str | None
    prev: str | None


def cut(items: Sequence[Item], page: Page, name: str) -> Slice[Item]:
    """Drop the extra item, and make cursors from the ends."""
    shown = list(items)
    more = len(shown) == page.limit
    if more:
        shown = shown[1:] if page.before is not None else shown[:-1]
    ahead = more if page.before is None else True
    behind = page.after is not None if page.before is None else more
    return Slice(
        items=shown,
        next=write_cursor(name, shown[-1].key) if shown and ahead else None,
        prev=write_cursor(name, shown[0].key, backward=True) if shown and behind else None,
    )


def page_answer(call: Call, path: str, piece: Slice[Any], embedded: object) -> Response:
    """200 with a page of the list at `path`, which begins after the edition."""
    return answers.json(200, {
        "page_size": call.query.page_size, "_embedded": embedded,
        "_links": links(f"{call.base}{path}", call.given, call.query, piece),
    })  # fmt: skip


def links(
    url: str, given: Mapping[str, str], query: PageQuery, piece: Slice[Any]
) -> dict[str, Any]:
    """`_links` of a page. Absolute, and `cursor` last.

    COMPAT: the Node SDK reads href as a URL; nexmo-client reads the whole of it as a query string
    and misses a cursor that comes first (wire-clients 2.4).
    """
    kept = [(name, value) for name, value in given.items() if name not in _PAGING]
    kept += [("order", query.order), ("page_size", str(query.page_size))]

    def link(cursor: str | None) -> dict[str, str]:
        pairs = [*kept, ("cursor", cursor)] if cursor else kept
        return {"href": f"{url}?{urlencode(pairs)}"}

    found = {"first": link(None), "self": link(query.cursor or None)}
    if piece.next:
        found["next"] = link(piece.next)
    if piece.prev:
        found["prev"] = link(piece.prev)
    return found


_PAGING = frozenset({"order", "page_size", "cursor"})


def required_number(name: str, text: str) -> int:
    """A path or query part that has to be a positive whole number."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ValidationFailed.of(name, "must be a number")
    return int(text)
