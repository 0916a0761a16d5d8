"""Routes: what may be asked, of what type it is, and what is answered.

A handler is declared with `@route`; the pipeline (api.py) and the API description (openapi.py)
read the same declaration, so they cannot differ.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.errors import MethodNotAllowed, NotFound
from tertulia.model.ids import ConversationId
from tertulia.protocols.http1 import Request, Response
from tertulia.web.access import Identity


class Edition(StrEnum):
    """A generation of the compatible API: the first part of the path."""

    V1 = "v1"
    V03 = "v0.3"
    V02 = "v0.2"
    BETA2 = "beta2"
    V01 = "v0.1"
    BETA = "beta"


EDITIONS = (Edition.V1, Edition.V03)
SECOND = (Edition.BETA2, Edition.V02)
"""Two names of one older generation (wire-api 1.1)."""
FIRST = (Edition.BETA, Edition.V01)
OLDER = FIRST + SECOND


EVENT_STREAM = "text/event-stream"


class EventStream(Struct, frozen=True):
    """An answer as text/event-stream, or a page of it as JSON to who does not accept that."""

    page: Any


class Guard(StrEnum):
    """What a caller has to show."""

    APPLICATION = "bearer"
    """A token of an application, maybe of one of its users."""
    ACCOUNT = "basic"
    """The account's key and secret."""
    SIGNED = "signed"
    """A token of an application, or an address that the handler finds to be signed: it has to
    look, when no actor is set."""
    EITHER = "either"
    """A token of an application, or the account's key and secret: then there is no actor."""
    OPEN = "open"

    @property
    def schemes(self) -> tuple[str, ...]:
        """Names of the credentials in the API description, of which any will do; empty when none
        are needed."""
        token, account = Guard.APPLICATION.value, Guard.ACCOUNT.value
        names = {Guard.SIGNED: (token,), Guard.EITHER: (token, account), Guard.OPEN: ()}
        return names.get(self, (self.value,))


class Upload(Struct, frozen=True):
    """A body that the handler reads itself."""

    form: Any
    """Type of the fields when it is a form."""
    types: tuple[str, ...]
    """Content types that it comes as."""


class Call:
    """One request on its way through the pipeline; a handler finds everything decoded in it."""

    __slots__ = (
        "actor", "base", "body", "edition", "given", "identity", "origin", "params", "query",
        "request",
    )  # fmt: skip

    def __init__(self, request: Request, origin: str, params: dict[str, str]) -> None:
        self.request = request
        self.origin = origin
        """`https://host:port`, as the caller addressed us."""
        self.params = params
        self.base = origin
        """Start of the links: origin and edition."""
        self.edition: Edition | None = None
        self.given: Mapping[str, str] = {}
        """The query as it came."""
        self.query: Any = None
        self.body: Any = None
        self.actor: Actor = None  # type: ignore[assignment]  # set before a guarded handler runs
        self.identity: Identity = None  # type: ignore[assignment]  # as the actor

    @property
    def conversation_id(self) -> ConversationId:
        """Of the path."""
        return ConversationId(self.params["conversation_id"])


Handler = Callable[[Call], Awaitable[Response]]


class Route(Struct, frozen=True):
    method: str
    path: str
    """With its prefix; `{name}` stands for one segment."""
    operation: str
    """Its stable name in the API description; unlike any other's."""
    group: str
    """Heading: the module that declares it."""
    summary: str
    guard: Guard
    edition: Edition | None
    query: Any
    body: Any
    """Type of the JSON, an Upload, or None."""
    answers: dict[int, Any]
    """Status → type of the JSON, a tuple where it is one of several, `str` for plain text, `bytes`
    for content of any type, None without a body."""
    handler: Handler | None = None
    is_described: bool = True
    """False for what is there for a browser and no part of the API."""
    streams: bool = False
    """Answers as text/event-stream too, to who accepts that."""
    refusals: tuple[int, ...] = ()
    """Statuses of refusals beyond those that follow from the declaration."""

    @property
    def shape(self) -> tuple[str, ...]:
        """Segments, with `*` for each parameter."""
        return tuple("*" if part.startswith("{") else part for part in self.path.split("/"))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


H = TypeVar("H", bound=Callable[..., Awaitable[Response]])
_MARK = "__routes__"


def route(
    method: str,
    path: str,
    *,
    answers: dict[int, Any],
    query: Any = None,
    body: Any = None,
    editions: tuple[Edition, ...] = (),
    guard: Guard = Guard.APPLICATION,
    name: str = "",
) -> Callable[[H], H]:
    """Declare the decorated method as the handler of a path, in each of `editions`.

    `answers` may name refusals beyond those that follow from the rest, by status.
    `name` is for what is published under another name than the method's: its second route.
    """
    shapes = {status: shape for status, shape in answers.items() if status < 400}
    refusals = tuple(status for status in answers if status >= 400)
    if streams := isinstance(shapes.get(200), EventStream):
        shapes[200] = shapes[200].page

    def mark(handler: H) -> H:
        routes = handler.__dict__.setdefault(_MARK, [])
        operation = "".join(word.capitalize() for word in (name or handler.__name__).split("_"))
        for edition in editions or (None,):
            prefix = f"/{edition.value}" if edition else ""
            suffix = edition.name.capitalize() if edition else ""
            routes.append(
                Route(
                    method=method, path=prefix + path, edition=edition, guard=guard, query=query,
                    body=body, answers=shapes, operation=operation + suffix,
                    group=handler.__module__.rpartition(".")[2],
                    summary=(handler.__doc__ or "").partition("\n")[0],
                    streams=streams, refusals=refusals,
                )
            )  # fmt: skip
        return handler

    return mark


def declared(resource: type) -> Iterator[Route]:
    """The routes of a resource class, in order of declaration, without handlers."""
    for member in vars(resource).values():
        yield from getattr(member, _MARK, ())


def bound(resource: object) -> Iterator[Route]:
    """The routes of a resource, with its methods as handlers."""
    for name, member in vars(type(resource)).items():
        for found in getattr(member, _MARK, ()):
            yield msgspec.structs.replace(found, handler=getattr(resource, name))


class _Node:
    __slots__ = ("any", "children", "names", "routes")

    def __init__(self) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        """Of the parameters, by method: split once, not with every request."""
        self.children: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.routes: dict[str, Route] = {}


def _allowed(methods: Iterable[str]) -> tuple[str, ...]:
    """With those that are answered everywhere: OPTIONS, and HEAD where GET is."""
    implied = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    return tuple(sorted(implied.union(methods)))


class Router:
    """A tree of path segments. Literal segments win over parameters."""

    def __init__(self, routes: Iterator[Route]) -> None:
        self._root = _Node()
        self.routes: list[Route] = []
        """Those of the API."""
        for added in routes:
            self._add(added)

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Raises NotFound or MethodNotAllowed. HEAD is answered where GET is.

        COMPAT: a trailing slash is harmless (wire-api 1.1).
        """
        segments = path.split("/")
        if len(segments) > 2 and not segments[-1]:
            segments.pop()
        values: list[str] = []
        node = self._root
        for segment in segments:
            child = node.children.get(segment)
            if child is None:
                child = node.any
                if child is None or not segment:
                    raise NotFound()
                values.append(unquote(segment) if "%" in segment else segment)
            node = child
        if not node.routes:
            raise NotFound()
        found = node.routes.get("GET" if method == "HEAD" else method)
        if found is None:
            raise MethodNotAllowed(allowed=_allowed(node.routes))
        return found, dict(zip(node.names[found.method], values, strict=True))

    def _add(self, added: Route) -> None:
        node = self._root
        for segment in added.shape:
            if segment == "*":
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.children.setdefault(segment, _Node())
        if added.method in node.routes:
            raise ValueError(f"{added.method} {added.path} is declared twice")
        node.routes[added.method] = added
        node.names[added.method] = added.names
        if added.is_described:
            self.routes.append(added)
