"""The inspector: a page at /inspect on which a person sees what happens, and its files.

The page is static and speaks the public API like any other client. What it may load and whom it
may talk to stands in its Content-Security-Policy: this server.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tertulia.model.errors import NotFound
from tertulia.protocols.http1 import Request, Response
from tertulia.web.routing import Call, Guard, Handler, Route

PATH = "/inspect"
Phonebook = Callable[[], dict[str, str]]
"""Who answers at the numbers of simulated phones."""
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAME_SITE = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of the page itself, and of an address typed by a person."""
_FORWARDED = re.compile(r"forwarded|via|x-forwarded-.*|x-real-ip")
"""Header fields that only proxies add."""
_AUTHORITY = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_POLICY = (
    "default-src 'self'; connect-src 'self'{sockets}; img-src 'self' data: blob:; "
    "media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class DevelopmentKeys(Struct, frozen=True):
    """The credentials of development mode: with them the page needs no login."""

    application_id: str
    api_key: str
    api_secret: str
    private_key: str
    """PEM."""
    number: str = ""
    """Of the application, to send from."""


class InspectorFile(Struct, frozen=True):
    content: bytes
    content_type: str
    etag: str


class SimulatedPhone(Struct, frozen=True):
    number: str
    about: str
    """Who answers there."""


class SimulatedPhones(Struct, frozen=True):
    """What the page offers to call."""

    phones: list[SimulatedPhone]


def inspector_routes(
    development: DevelopmentKeys | None, phonebook: Phonebook = dict
) -> Iterator[Route]:
    """One route a file, one for the phonebook, and one for the keys, when there are any to give."""
    for name, file in inspector_files().items():
        yield _route(PATH if name == INDEX else f"{PATH}/{name}", _serving(file))
    yield _route(f"{PATH}/phones.json", _listing(phonebook))
    if development is not None:
        yield _route(f"{PATH}/development.json", _telling(development))


@cache
def inspector_files() -> dict[str, InspectorFile]:
    """What is served, by name. Read once."""
    found = {}
    for source in sorted(files("tertulia.web").joinpath("inspector").iterdir(), key=str):
        content_type = _TYPES.get(f".{source.name.rpartition('.')[2]}")
        if content_type is not None:
            content = source.read_bytes()
            found[source.name] = InspectorFile(
                content, content_type, f'"{sha256(content).hexdigest()[:32]}"'
            )
    return found


def is_local(request: Request) -> bool:
    """Whether a program on this machine asks, on its own behalf.

    A page of another site does not: its name is not ours even if its address is (DNS rebinding),
    and browsers say where a request comes from. What a proxy passes on may come from anywhere; one
    that adds no field to tell so may name us as the host, and speaks HTTP/1.0 by default.
    """
    headers = request.headers
    host = headers.get("host", "")
    return (
        _is_loopback(request.peer)
        and _host_name(host) in _LOCAL_NAMES
        and headers.get("origin") in (None, f"http://{host}", f"https://{host}")
        and headers.get("sec-fetch-site", "none") in _SAME_SITE
        and request.version == "1.1"
        and not any(map(_FORWARDED.fullmatch, headers))
    )


def _route(path: str, handler: Handler) -> Route:
    return Route(
        method="GET", path=path, operation=path, group="inspector", summary="", guard=Guard.OPEN,
        edition=None, query=None, body=None, answers={}, handler=handler, is_described=False,
    )  # fmt: skip


def _serving(file: InspectorFile) -> Handler:
    async def serve(call: Call) -> Response:
        headers = (
            *_HEADERS,
            ("Cache-Control", "no-cache"),
            ("ETag", file.etag),
            ("Content-Security-Policy", _policy(call.request.headers.get("host", ""))),
        )
        if _has(call.request.headers.get("if-none-match", ""), file.etag):
            return Response(304, headers=headers)
        return Response(200, file.content, file.content_type, headers)

    return serve


def _telling(development: DevelopmentKeys) -> Handler:
    body = msgspec.json.encode(development)

    async def tell(call: Call) -> Response:
        if not is_local(call.request):
            raise NotFound()
        # without the headers that let a page of another origin read it
        return Response(200, body, headers=(*_HEADERS, ("Cache-Control", "no-store")))

    return tell


def _listing(phonebook: Phonebook) -> Handler:
    async def tell(_: Call) -> Response:
        found = [SimulatedPhone(number, about) for number, about in phonebook().items()]
        body = msgspec.json.encode(SimulatedPhones(found))
        return Response(200, body, headers=(*_HEADERS, ("Cache-Control", "no-store")))

    return tell


def _policy(host: str) -> str:
    """COMPAT: to some browsers 'self' does not mean this server's sockets."""
    sockets = f" ws://{host} wss://{host}" if _AUTHORITY.fullmatch(host) else ""
    return _POLICY.format(sockets=sockets)


def _has(if_none_match: str, etag: str) -> bool:
    given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return etag in given or "*" in given


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _host_name(host: str) -> str | None:
    """Without the port; None when it is no host at all."""
    if not _AUTHORITY.fullmatch(host):
        return None
    return urlsplit(f"//{host}").hostname
