"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966): parsing, writing, comparing."""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import replace

from tertulia.protocols.sip.grammar import ELEMENTS, HOST, Malformed, Params, number, written

LENGTH = 4096
"""Characters of a URI."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+")
_HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,5}}))?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]|%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_TEL = re.compile(r"\+?[0-9A-Fa-f*#().\-]+")
_SEPARATORS = re.compile(r"[().\-]")
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_PARAM_SAFE = "-_.!~*'()[]/:&+$"
_RESERVED = frozenset(";/?:@&=+$,")
_MATCHED_IF_EITHER = ("transport", "user", "ttl", "method", "maddr")
"""Parameters that count also when one URI alone has them (section 19.1.4)."""


class SipUri(Struct, frozen=True):
    """A URI in its parts, each as written: with its escapes. `make` escapes, properties unescape.

    Of a tel URI the number is `user` and there is no host. Of any other scheme only `opaque`.
    """

    scheme: str
    """In lower case: `sip`, `sips`, `tel` or another."""
    host: str = ""
    """Name, IPv4 or `[IPv6]` in its brackets."""
    port: int | None = None
    userinfo: str | None = None
    """User, still escaped, without password; None: the URI has none."""
    password: str | None = None
    params: Params = {}
    headers: Mapping[str, str] = {}
    """As in `?Replaces=...&X-Key=...`, names as written, values escaped."""
    opaque: str = ""
    """What follows the colon, of a scheme other than sip, sips and tel."""

    @classmethod
    def make(
        cls,
        host: str,
        *,
        user: str | None = None,
        port: int | None = None,
        params: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "sip",
    ) -> "SipUri":
        """Of plain text, which is escaped here. An IPv6 address may come without brackets."""
        return cls(
            scheme,
            bracketed(host),
            port,
            None if user is None else quote(user, safe=_USER_SAFE),
            params={
                name.lower(): None if value is None else quote(value, safe=_PARAM_SAFE)
                for name, value in (params or {}).items()
            },
            headers={n: quote(v, safe="-_.!~*'()[]/:+$") for n, v in (headers or {}).items()},
        )

    @property
    def is_sip(self) -> bool:
        return self.scheme in ("sip", "sips")

    @property
    def user(self) -> str:
        """Unescaped; empty when there is none. May hold any character, NUL included."""
        return unquote(self.userinfo or "")

    @property
    def number(self) -> str:
        """The user without visual separators and without parameters of its own: a phone number."""
        return _SEPARATORS.sub("", self.user.partition(";")[0])

    @property
    def address(self) -> str:
        """The host without brackets, in lower case."""
        return self.host.strip("[]").lower()

    def param(self, name: str) -> str | None:
        """Unescaped; empty for a name without value; None when it is not there."""
        key = name.lower()
        return unquote(self.params[key] or "") if key in self.params else None

    def header(self, name: str) -> str | None:
        """A header field that the URI asks for, unescaped (as Replaces in a Refer-To)."""
        for key, value in self.headers.items():
            if key.lower() == name.lower():
                return unquote(value)
        return None

    def bare(self) -> "SipUri":
        """Without headers and without `method`: fit for a request line."""
        kept = {name: value for name, value in self.params.items() if name != "method"}
        return replace(self, params=kept, headers={})

    def matches(self, other: "SipUri") -> bool:
        """Whether both are the same address (RFC 3261 section 19.1.4; tel: RFC 3966 section 4)."""
        if self.scheme != other.scheme:
            return False
        if self.scheme == "tel":
            return _tel_key(self) == _tel_key(other)
        if not self.is_sip:
            return self.opaque == other.opaque
        return (
            _plain(self.userinfo) == _plain(other.userinfo)
            and _plain(self.password) == _plain(other.password)
            and self.host.lower() == other.host.lower()
            and self.port == other.port
            and _same_params(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )

    def __str__(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.userinfo or ''}{written(self.params)}"
        if not self.is_sip:
            return f"{self.scheme}:{self.opaque}"
        user = "" if self.userinfo is None else f"{self.userinfo}@"
        if self.password is not None:
            user = f"{self.userinfo or ''}:{self.password}@"
        port = "" if self.port is None else f":{self.port}"
        fields = "&".join(f"{name}={value}" for name, value in self.headers.items())
        query = f"?{fields}" if fields else ""
        return f"{self.scheme}:{user}{self.host}{port}{written(self.params)}{query}"


def bracketed(host: str) -> str:
    """A host as it stands in a URI or a Via: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and host[0] != "[" else host


def parse_uri(text: str) -> SipUri:
    """Any URI. Raises Malformed."""
    if len(text) > LENGTH:
        raise Malformed("URI too long")
    return _cached(text) if len(text) <= 256 else _parse(text)


def host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port` or `[v6]:port`. Raises Malformed."""
    found = _HOST_PORT.fullmatch(text)
    if found is None:
        raise Malformed("bad host")
    host = found[1]
    if host[0] == "[":
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            raise Malformed("bad IPv6 address") from None
    return host, None if found[2] is None else number(found[2], 65535)


def _parse(text: str) -> SipUri:
    scheme, colon, rest = text.partition(":")
    if not colon or _SCHEME.fullmatch(scheme) is None or _FORBIDDEN.search(rest):
        raise Malformed("bad URI")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest)
    if scheme == "tel":
        return _parse_tel(rest)
    return SipUri(scheme, opaque=rest)


_cached = lru_cache(2048)(_parse)


def _parse_sip(scheme: str, rest: str) -> SipUri:
    user: str | None
    user, at, tail = rest.rpartition("@")
    password = None
    if not at:
        user = None
    elif "@" in user:
        raise Malformed("bad user in URI")
    elif ":" in user:
        user, _, password = user.partition(":")
    tail, _, query = tail.partition("?")
    place, _, params = tail.partition(";")
    host, port = host_port(place)
    return SipUri(scheme, host, port, user, password, _params(params), _headers(query))


def _parse_tel(rest: str) -> SipUri:
    digits, _, params = rest.partition(";")
    if _TEL.fullmatch(digits) is None:
        raise Malformed("bad telephone number")
    return SipUri("tel", userinfo=digits, params=_params(params))


def _params(text: str) -> Params:
    if not text:
        return {}
    found: dict[str, str | None] = {}
    pieces = text.split(";")
    if len(pieces) > ELEMENTS:
        raise Malformed("too many URI parameters")
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if name:
            found.setdefault(name.lower(), value if equals else None)
        elif equals:
            raise Malformed("bad URI parameter")
    return found


def _headers(text: str) -> Mapping[str, str]:
    if not text:
        return {}
    pieces = [piece.partition("=") for piece in text.split("&", ELEMENTS)]
    if len(pieces) > ELEMENTS or not all(name and equals for name, equals, _ in pieces):
        raise Malformed("bad URI header")
    return {name: value for name, _, value in pieces}


def _plain(text: str | None) -> str | None:
    """The form in which two parts are compared: an escape counts as its character, unless that is
    reserved."""
    return text if text is None or "%" not in text else _ESCAPE.sub(_unescaped, text)


def _unescaped(hit: re.Match[str]) -> str:
    char = chr(int(hit[1], 16))
    return hit[0].upper() if char in _RESERVED or char > "\x7f" or char == "%" else char


def _same_params(ours: Params, theirs: Params) -> bool:
    if any((name in ours) != (name in theirs) for name in _MATCHED_IF_EITHER):
        return False
    return all(_folded(ours[name]) == _folded(theirs[name]) for name in ours if name in theirs)


def _folded(value: str | None) -> str:
    return (_plain(value) or "").lower()


def _header_set(headers: Mapping[str, str]) -> set[tuple[str, str | None]]:
    return {(name.lower(), _plain(value)) for name, value in headers.items()}


def _tel_key(uri: SipUri) -> tuple[str, dict[str, str]]:
    digits = _SEPARATORS.sub("", uri.userinfo or "").lower()
    return digits, {name: _folded(value) for name, value in uri.params.items()}
