"""Keys of SRTP in session descriptions (RFC 4568), of the suites of RFC 4568 6.2 and RFC 7714 14.

A line that we cannot keep to is passed over, as the RFC asks: an unknown suite, a master key with
an identifier or one of several, and session parameters that would change the packets.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""Octets of key and salt, in the order of our offers. The first is the one that everybody has."""
_LINES_MAX = 16
_LINE = re.compile(
    r"(?P<tag>[1-9]\d{0,8}|0) (?P<suite>[A-Za-z0-9_]{1,64})"
    r" inline:(?P<key>[A-Za-z0-9+/]{1,128}={0,2})(?P<lifetime>\|(?:2\^)?\d{1,15})?"
    r"(?P<parameters>(?: [!-~]{1,128}){0,8})",
    re.ASCII | re.IGNORECASE,
)
_HARMLESS = ("WSH=", "-")
"""Beginnings of session parameters that may be ignored (RFC 4568 6.3.6, 6.3.7)."""


class Crypto(NamedTuple):
    """A line of `a=crypto`: a key of its sender's packets."""

    tag: int
    suite: str
    key: bytes
    """With its salt."""


def read(values: Iterable[str]) -> Iterator[Crypto]:
    """Those of the lines that can be kept to, in the order of preference."""
    for value, _ in zip(values, range(_LINES_MAX), strict=False):
        found = _LINE.fullmatch(value)
        suite = found["suite"].upper() if found else ""
        if found is None or suite not in SUITES:
            continue
        if not all(each.startswith(_HARMLESS) for each in found["parameters"].split()):
            continue
        try:
            key = b64decode(found["key"], validate=True)
        except Base64Error:
            continue
        if len(key) == SUITES[suite]:
            yield Crypto(int(found["tag"]), suite, key)


def write(crypto: Crypto) -> str:
    """The line, without its end."""
    return f"a=crypto:{crypto.tag} {crypto.suite} inline:{b64encode(crypto.key).decode()}"
