"""Connectivity checks as the controlling side of ICE sends them."""

import hashlib
import hmac

from tertulia.protocols.stun import Attribute, Kind, write

TRANSACTION = bytes(range(12))


def check(
    username: str | None,
    password: str | None,
    *,
    nominate: bool = False,
    role: Attribute = Attribute.ICE_CONTROLLING,
    kind: Kind = Kind.REQUEST,
    strange: bool = False,
) -> bytes:
    """A binding request; `strange` has an attribute that nobody knows and everybody must."""
    attributes = [(Attribute.PRIORITY, b"\x6e\0\1\xff"), (role, bytes(8))]
    if username is not None:
        attributes.append((Attribute.USERNAME, username.encode()))
    if nominate:
        attributes.append((Attribute.USE_CANDIDATE, b""))
    if not strange:
        key = None if password is None else password.encode()
        return write(kind, TRANSACTION, attributes, key=key)
    assert password is not None
    attributes.append((Attribute.UNKNOWN_ATTRIBUTES, b"?"))
    return _renamed(attributes, password)


def _renamed(attributes: list[tuple[Attribute, bytes]], password: str) -> bytes:
    """The last attribute under a type that does not exist, signed anew."""
    whole = write(Kind.REQUEST, TRANSACTION, attributes)[:-8]
    body = whole[20:-8] + b"\x7a\xbc" + whole[-6:]
    return signed(whole[:20] + body, password)


def signed(data: bytes, password: str) -> bytes:
    """What was written without them, with MESSAGE-INTEGRITY."""
    head = data[:2] + (len(data) - 20 + 24).to_bytes(2) + data[4:]
    return head + b"\0\x08\0\x14" + hmac.digest(password.encode(), head, hashlib.sha1)
