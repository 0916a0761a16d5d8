"""Which addresses may be handed on: what a client would open must not run or read anything.

A browser drops tabs and line feeds inside an address and spaces before it, so those are dropped
here before the scheme is looked at.
"""

import re

from tertulia.model.validation import SOCKET_URI, WEB_URI

_WEB = re.compile(WEB_URI)
_SOCKET = re.compile(SOCKET_URI)
_DROPPED = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*:)?[/\\]{2}|(?:javascript|vbscript|data|file|blob|about|view-source):",
    re.IGNORECASE,
)
"""What a client may take for an address; other words before a colon are just words."""
_WEB_MEMBERS = frozenset({"url", "href", "src", "ncco_url"})


def is_web_address(text: str) -> bool:
    """Whether it is http or https, names a host, and carries no user information."""
    return _WEB.search(text) is not None


def has_unsafe_address(value: object, member: str = "") -> bool:
    """Whether decoded JSON holds an address that is neither of the web nor, as `uri`, of a socket.

    `member` is the name that the value stands under.
    """
    if isinstance(value, dict):
        return any(has_unsafe_address(inner, name.lower()) for name, inner in value.items())
    if isinstance(value, list):
        return any(has_unsafe_address(inner, member) for inner in value)
    if not isinstance(value, str) or is_web_address(value):
        return False
    if member in _WEB_MEMBERS:
        return value != ""
    is_socket = member == "uri" and _SOCKET.search(value) is not None
    return not is_socket and _ADDRESS.match(_DROPPED.sub("", value)) is not None
