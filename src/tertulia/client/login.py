"""Where a server is and as whom to speak to it."""

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECT_S = 10.0
_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_BUFFER = 64 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoServer(ConnectionError):
    """Nothing could be sent: there is nobody at the address."""


class Login(NamedTuple):
    """`url` is of http, https, ws or wss; its path stands in front of every path."""

    url: str
    token: str


Logins = Callable[[], Login]
"""Asked before every connection and request: a server may move, a token has to be renewed."""


class Address(NamedTuple):
    host: str
    port: int
    is_secure: bool
    path: str

    @property
    def authority(self) -> str:
        """As a Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(url: str) -> Address:
    """Raises ValueError when it is no address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.hostname:
        raise ValueError(f"{url} is no address of a server: http://host:port is one")
    is_secure = _SECURE[parts.scheme]
    port = parts.port or (443 if is_secure else 80)
    return Address(parts.hostname, port, is_secure, parts.path.rstrip("/"))


async def dial(where: Address) -> Streams:
    """Connect, with TLS if the address says so. Raises NoServer."""
    context = ssl.create_default_context() if where.is_secure else None
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_connection(where.host, where.port, ssl=context, limit=_BUFFER)
    except OSError as error:  # a timeout is one
        reason = str(error) or f"no connection within {CONNECT_S:g} s"
        raise NoServer(f"{where.authority}: {reason}") from None
