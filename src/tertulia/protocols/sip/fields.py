"""Typed header fields: what a user agent reads in them, and how they are written.

A `Field` names a header field and says how its value is read: `headers.read(CSEQ)`,
`headers.read_all(CONTACT)`. All values are immutable and `str(value)` writes them.
"""

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tertulia.protocols.sip.grammar import (
    HOST,
    TOKEN,
    Malformed,
    Params,
    after,
    number,
    plain_param,
    quote,
    quoted_at_start,
    token,
    unquote,
    written,
)
from tertulia.protocols.sip.uri import SipUri, bracketed, host_port, parse_uri

T = TypeVar("T")

BRANCH_COOKIE = "z9hG4bK"

_VIA = re.compile(
    rf"({TOKEN}++)[ \t]*+/[ \t]*+({TOKEN}++)[ \t]*+/[ \t]*+({TOKEN}++)[ \t]++"
    rf"({HOST})[ \t]*+(?::[ \t]*+([0-9]++)[ \t]*+)?(;.*)?",
    re.S,
)
_CSEQ = re.compile(rf"([0-9]{{1,20}})[ \t]++({TOKEN}++)")
_RACK = re.compile(rf"([0-9]{{1,20}})[ \t]++([0-9]{{1,20}})[ \t]++({TOKEN}++)")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3}")
_WORD = re.compile(r"[^ \t\x00-\x1f]{1,512}")
_PLAIN_NAME = re.compile(rf"{TOKEN}+(?: {TOKEN}+)*+")


class Via(Struct, frozen=True):
    """One hop (RFC 3261 section 20.42, RFC 3581)."""

    transport: str
    """In upper case: UDP, TCP, TLS, ..."""
    host: str
    port: int | None = None
    params: Params = {}
    version: str = "2.0"
    protocol: str = "SIP"

    @property
    def branch(self) -> str:
        return self.params.get("branch") or ""

    @property
    def received(self) -> str | None:
        """Where the request came from, when that is not what `host` says; without brackets."""
        value = self.params.get("received")
        return value.strip("[]") if value else None

    @property
    def wants_rport(self) -> bool:
        return "rport" in self.params

    @property
    def rport(self) -> int | None:
        """The port filled in by who received it; None: not there, or not filled in yet."""
        value = self.params.get("rport")
        return int(value) if value and value.isdecimal() and len(value) <= 5 else None

    def stamped(self, host: str, port: int) -> "Via":
        """As a server notes where it came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
        params = dict(self.params)
        if self.wants_rport:
            params["rport"] = str(port)
        if self.wants_rport or self.host.strip("[]").lower() != host.strip("[]").lower():
            params["received"] = host.strip("[]")
        return replace(self, params=params)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        where = f"{bracketed(self.host)}{port}{written(self.params)}"
        return f"{self.protocol}/{self.version}/{self.transport} {where}"


class NameAddr(Struct, frozen=True):
    """A name, an address and parameters: From, To, Contact, Route, Refer-To and their like."""

    uri: SipUri
    display: str = ""
    """Unquoted; empty when there is none."""
    params: Params = {}

    @property
    def tag(self) -> str:
        return self.params.get("tag") or ""

    @property
    def expires(self) -> int | None:
        """Seconds, of a Contact; None when not given. What is no number counts as 3600 (20.10)."""
        value = self.params.get("expires")
        if value is None:
            return None
        try:
            return number(unquote(value))
        except Malformed:
            return 3600

    @property
    def q(self) -> float:
        """Preference of a Contact, 0 to 1; 1 when not given or not readable."""
        value = self.params.get("q") or ""
        return float(value) if _QVALUE.fullmatch(value) else 1.0

    def param(self, name: str) -> str | None:
        """Unquoted; empty for a name without value; None when it is not there."""
        return plain_param(self.params, name)

    def with_tag(self, tag: str) -> "NameAddr":
        return replace(self, params={**self.params, "tag": tag})

    def __str__(self) -> str:
        display = self.display
        if display:
            display = display if _PLAIN_NAME.fullmatch(display) else quote(display)
            display += " "
        return f"{display}<{self.uri}>{written(self.params)}"


class CSeq(Struct, frozen=True):
    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(Struct, frozen=True):
    """What a PRACK acknowledges (RFC 3262 section 7.2)."""

    rseq: int
    cseq: int
    method: str

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class Valued(Struct, frozen=True):
    """A word with parameters: Content-Type, Event, Reason, Subscription-State, Retry-After, ..."""

    value: str
    params: Params = {}

    def param(self, name: str) -> str | None:
        """Unquoted; empty for a name without value; None when it is not there."""
        return plain_param(self.params, name)

    def __str__(self) -> str:
        return f"{self.value}{written(self.params)}"


class SessionExpires(Struct, frozen=True):
    """RFC 4028 section 4."""

    seconds: int
    refresher: str = ""
    """`uac`, `uas`, or empty: left open."""

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else f"{self.seconds}"


class Replaces(Struct, frozen=True):
    """The dialog that an INVITE takes the place of (RFC 3891 section 6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class Reason(Struct, frozen=True):
    """Why a call ended (RFC 3326): `Q.850` or `SIP` and its number."""

    protocol: str
    cause: int | None = None
    text: str = ""

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause}" + (f";text={quote(self.text)}" if self.text else "")


class Field(Generic[T]):
    """A header field: its name as written, and how one value of it is read."""

    __slots__ = ("key", "listed", "name", "parse", "strict")

    def __init__(
        self, name: str, parse: Callable[[str], T], *, listed: bool = False, strict: bool = True
    ) -> None:
        """`listed`: commas separate values. Not `strict`: a value nobody can read is not there."""
        self.name = name
        self.key = name.lower()
        self.parse = parse
        self.listed = listed
        self.strict = strict


def parse_via(text: str) -> Via:
    found = _VIA.fullmatch(text)
    if found is None:
        raise Malformed("bad Via")
    protocol, version, transport, host, port, params = found.groups()
    if host[0] == "[":
        host_port(host)
    return Via(
        transport.upper(),
        host,
        None if port is None else number(port, 65535),
        after(params or ""),
        version,
        protocol.upper(),
    )


def parse_address(text: str) -> NameAddr:
    """`"Name" <uri>;params`, `<uri>` or `uri;params`: in the last all parameters are the field's,
    and a URI with a comma, a question mark or a semicolon has to be in brackets (20.10)."""
    text = text.strip()
    display = ""
    if text[:1] == '"':
        begun = quoted_at_start(text)
        if begun is None:
            raise Malformed("unbalanced quotes")
        display, text = begun[0], begun[1].lstrip()
        if text[:1] != "<":
            raise Malformed("a name without address")
    name, bracket, rest = text.partition("<")
    if not bracket:
        uri, _, params = text.partition(";")
        if "?" in uri or "," in uri:
            raise Malformed("address needs angle brackets")
        return NameAddr(parse_uri(uri.strip()), "", after(f";{params}"))
    uri, bracket, rest = rest.partition(">")
    if not bracket or '"' in name:
        raise Malformed("unbalanced brackets")
    return NameAddr(parse_uri(uri.strip()), display or name.strip(), after(rest))


def parse_cseq(text: str) -> CSeq:
    found = _CSEQ.fullmatch(text)
    if found is None:
        raise Malformed("bad CSeq")
    return CSeq(number(found[1]), found[2])


def parse_rack(text: str) -> RAck:
    found = _RACK.fullmatch(text)
    if found is None:
        raise Malformed("bad RAck")
    return RAck(number(found[1]), number(found[2]), found[3])


def parse_word(text: str) -> str:
    if _WORD.fullmatch(text) is None:
        raise Malformed("bad value")
    return text


def parse_valued(text: str) -> Valued:
    value, _, params = text.partition(";")
    return Valued(parse_word(value.strip().replace(" ", "")), after(f";{params}"))


def parse_seconds(text: str) -> int:
    """Whole seconds; parameters and a comment behind them (Retry-After) are passed over."""
    return number(re.split(r"[;(]", text, maxsplit=1)[0].strip())


def parse_session_expires(text: str) -> SessionExpires:
    seconds, _, params = text.partition(";")
    refresher = (after(f";{params}").get("refresher") or "").lower()
    return SessionExpires(number(seconds.strip()), refresher if refresher in ("uac", "uas") else "")


def parse_replaces(text: str) -> Replaces:
    call_id, _, rest = text.partition(";")
    params = after(f";{rest}")
    to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
    if not to_tag or not from_tag:
        raise Malformed("Replaces without tags")
    return Replaces(parse_word(call_id.strip()), to_tag, from_tag, "early-only" in params)


def parse_reason(text: str) -> Reason:
    protocol, _, rest = text.partition(";")
    params = after(f";{rest}")
    cause = params.get("cause")
    return Reason(
        token(protocol.strip()),
        None if cause is None else number(unquote(cause)),
        unquote(params.get("text") or ""),
    )


def parse_max_forwards(text: str) -> int:
    return number(text, 255)


def parse_text(text: str) -> str:
    return text


VIA = Field("Via", parse_via, listed=True)
FROM = Field("From", parse_address)
TO = Field("To", parse_address)
CALL_ID = Field("Call-ID", parse_word)
CSEQ = Field("CSeq", parse_cseq)
MAX_FORWARDS = Field("Max-Forwards", parse_max_forwards)
CONTENT_TYPE = Field("Content-Type", parse_valued)
CONTACT = Field("Contact", parse_address, listed=True)
"""`*` is not read as an address: `headers.get("Contact") == "*"`."""
ROUTE = Field("Route", parse_address, listed=True)
RECORD_ROUTE = Field("Record-Route", parse_address, listed=True)
PATH = Field("Path", parse_address, listed=True)
REFER_TO = Field("Refer-To", parse_address)
P_ASSERTED_IDENTITY = Field("P-Asserted-Identity", parse_address, listed=True, strict=False)
DIVERSION = Field("Diversion", parse_address, listed=True, strict=False)
EXPIRES = Field("Expires", parse_seconds, strict=False)
MIN_EXPIRES = Field("Min-Expires", parse_seconds, strict=False)
RETRY_AFTER = Field("Retry-After", parse_seconds, strict=False)
SUPPORTED = Field("Supported", token, listed=True, strict=False)
REQUIRE = Field("Require", token, listed=True)
PROXY_REQUIRE = Field("Proxy-Require", token, listed=True)
ALLOW = Field("Allow", token, listed=True, strict=False)
ACCEPT = Field("Accept", parse_valued, listed=True, strict=False)
RACK = Field("RAck", parse_rack)
RSEQ = Field("RSeq", number)
SESSION_EXPIRES = Field("Session-Expires", parse_session_expires)
MIN_SE = Field("Min-SE", parse_seconds)
REPLACES = Field("Replaces", parse_replaces)
REASON = Field("Reason", parse_reason, listed=True, strict=False)
EVENT = Field("Event", parse_valued)
SUBSCRIPTION_STATE = Field("Subscription-State", parse_valued)
USER_TO_USER = Field("User-to-User", parse_valued, listed=True, strict=False)
PRIVACY = Field("Privacy", parse_text, strict=False)
"""Words separated by semicolons."""
