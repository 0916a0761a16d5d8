"""The answering side of ICE (RFC 8445, lite): replies to checks, learns where the peer is.

We advertise addresses, gather nothing and send no checks; so we are always controlled, and a peer
that wants to be controlled too is told to change its mind. Each checked path that the peer has
nominated is taken, the newest last: that is how a peer changes its address. Without checks for
a while, its consent to be sent to has run out (RFC 7675).
"""

from collections.abc import Sequence
from typing import Any

from tertulia.protocols.stun import (
    BINDING,
    Attribute,
    Kind,
    Message,
    address_value,
    error_value,
    read,
    types_value,
    verify,
    write,
)

Address = tuple[Any, ...]
"""Host and port first, as sockets have it."""

PATHS_MAX = 8
"""Addresses that a peer may have; the one that was heard of least recently goes."""


class IceLite:
    """One agent with one component. `remote` is where to send: the nominated address, or
    before there is one, the first that was checked."""

    def __init__(self, ufrag: str, password: str) -> None:
        self.ufrag = ufrag
        self.password = password
        self.remote_ufrag: str | None = None
        """Unknown until our offer is answered; until then anybody with our password may check."""
        self.remote: Address | None = None
        self.nominated = False
        self.heard: float | None = None
        """When the last good check came."""
        self.paths: dict[Address, float] = {}
        """Addresses that have checked, and when last."""
        self.refused = 0
        """Messages that were dropped, or answered with an error."""

    def on_stun(self, data: bytes, address: Address, now: float) -> list[bytes]:
        """The reply, to the address that this came from; none to what asks for none."""
        message = read(data)
        if message is None or message.method != BINDING or message.kind is not Kind.REQUEST:
            # a lite agent has asked nothing, and an indication only keeps a path warm
            self.refused += message is None
            return []
        try:
            mapped = address_value(address[0], address[1], message.transaction)
        except ValueError:
            return []
        if (error := self._error(data, message)) is not None:
            self.refused += 1
            return [error]
        self._take(message, address, now)
        attributes = [(Attribute.XOR_MAPPED_ADDRESS, mapped)]
        key = self.password.encode()
        return [write(Kind.SUCCESS, message.transaction, attributes, key=key)]

    def _error(self, data: bytes, message: Message) -> bytes | None:
        """What a check is refused with (RFC 8489 9.1.3, RFC 8445 7.3), if it is."""
        username = message.text(Attribute.USERNAME)
        if username is None or message.covered is None:
            return _refusal(message, 400, "Bad Request")
        ours, _, theirs = username.partition(":")
        known = ours == self.ufrag and self.remote_ufrag in {None, theirs}
        key = self.password.encode()
        if not known or not verify(data, message, key):
            return _refusal(message, 401, "Unauthenticated")
        if message.unknown:
            attributes = [(Attribute.UNKNOWN_ATTRIBUTES, types_value(message.unknown))]
            return _refusal(message, 420, "Unknown Attribute", attributes, key=key)
        if Attribute.ICE_CONTROLLED in message.attributes:
            return _refusal(message, 487, "Role Conflict", key=key)
        return None

    def _take(self, message: Message, address: Address, now: float) -> None:
        self.heard = now
        self.paths[address] = now
        nominated = Attribute.USE_CANDIDATE in message.attributes
        if nominated or self.remote is None:
            self.remote = address
            self.nominated = self.nominated or nominated
        if len(self.paths) > PATHS_MAX:
            others = (each for each in self.paths if each != self.remote)
            del self.paths[min(others, key=self.paths.__getitem__)]


def _refusal(
    message: Message,
    code: int,
    reason: str,
    attributes: Sequence[tuple[Attribute, bytes]] = (),
    *,
    key: bytes | None = None,
) -> bytes:
    said = [(Attribute.ERROR_CODE, error_value(code, reason)), *attributes]
    return write(Kind.ERROR, message.transaction, said, key=key)
