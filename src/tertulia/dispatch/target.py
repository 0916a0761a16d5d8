"""The target guard: which addresses a webhook may reach.

A URL is read strictly and resolved here; the *address* is judged, in whatever spelling it came, and
the connection goes to that very address, so that no second resolution can answer differently.
Redirects are not followed: a 3xx is a failure.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import quote

from msgspec import Struct

from tertulia.dispatch.answer import Failure
from tertulia.protocols.networks import Address, Networks, read_address

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From host and port to numeric addresses; raises OSError when there are none."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?][^#]*)?(?:#.*)?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_PATH_SAFE = "/?:@!$&'()*+,;=-._~%[]"


class Target(Struct, frozen=True):
    """Where a URL leads: `host` for resolving and for TLS, the rest for the request line."""

    secure: bool
    host: str
    port: int
    authority: str
    """For the Host header: with the port when it is not the scheme's own."""
    path: str

    @property
    def origin(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port


@lru_cache(maxsize=4096)
def parse_target(url: str) -> Target | Failure:
    """Read an absolute http or https URL, without user information."""
    match = _URL.fullmatch(url)
    if match is None or any(character <= " " or character == "\x7f" for character in url):
        return Failure("the address is not an http or https URL")
    secure = match["scheme"].lower() == "https"
    bare = match["host"].lower()
    host = _plain_host(bare)
    if host is None:
        return Failure("the address has no valid host")
    default = 443 if secure else 80
    port = int(match["port"] or default)
    if not 0 < port < 65536:
        return Failure("the address has no valid port")
    name = f"[{host}]" if ":" in host else host
    path = quote(match["path"] or "/", safe=_PATH_SAFE)
    return Target(
        secure, host, port, name if port == default else f"{name}:{port}",
        path if path.startswith("/") else f"/{path}",
    )  # fmt: skip


def _plain_host(bare: str) -> str | None:
    """Host in ASCII and without brackets."""
    if bare.startswith("["):
        try:
            return str(IPv6Address(bare[1:-1]))
        except ValueError:
            return None
    try:
        host = bare.encode("ascii" if bare.isascii() else "idna").decode("ascii")
    except UnicodeError:
        return None
    return host if _HOST.fullmatch(host) else None


class TargetGuard:
    """Resolves hosts and lets only public addresses pass, and those of the allow-list."""

    def __init__(
        self, allowed_networks: Iterable[str] = (), resolve: Resolve | None = None
    ) -> None:
        self._allowed = Networks(allowed_networks)
        self._resolve = resolve or Resolver().resolve

    def permits(self, address: Address) -> bool:
        return self._allowed.permits(address)

    async def addresses(self, target: Target) -> list[str] | Failure:
        """The permitted addresses of a target, in the resolver's order; at least one."""
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            return Failure(f"cannot resolve {target.host}: {error}")
        permitted = [text for text in found if self.permits(read_address(text))]
        return permitted or Failure(f"{target.host} leads to an address that is not permitted")


class Resolver:
    """The system's resolver in threads of its own, one look-up at a time for a host.

    A loop's default executor has few threads: some dead name servers would stop every look-up.
    """

    def __init__(self, threads: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def resolve(self, host: str, port: int) -> list[str]:
        key = (host, port)
        found = self._under_way.get(key)
        if found is None:
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._pool, _look_up, host, port)
            self._under_way[key] = found
            found.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(found)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
