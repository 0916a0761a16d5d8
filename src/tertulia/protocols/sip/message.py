"""SIP messages (RFC 3261 section 7): requests and responses as objects; the way in is `parse`."""

from typing import NoReturn

from tertulia.protocols.sip.fields import (
    CALL_ID,
    CONTACT,
    CSEQ,
    FROM,
    TO,
    VIA,
    CSeq,
    NameAddr,
    Via,
)
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.reasons import phrase
from tertulia.protocols.sip.uri import SipUri, parse_uri


class BadMessage(Exception):
    """What was received is no SIP message, or one to be refused.

    `request` is there when enough could be read to answer, a Via and a CSeq: then
    `respond(bad.request, bad.status, bad.reason)`, which takes over what else there is. Otherwise
    be silent, as to an ACK and to a response.
    """

    def __init__(self, status: int, reason: str, request: "Request | None" = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.request = request


class Message:
    """What requests and responses share. Accessors raise Malformed for what `parse` did not let in,
    as for a field that is missing."""

    __slots__ = ("_sized", "body", "charset", "headers")

    def __init__(self, headers: Headers | None = None, body: bytes = b"") -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.charset = "utf-8"
        """What the octets of the head were read as: UTF-8, or Latin-1 where that fails."""
        self._sized = True

    def take_head(self, headers: Headers) -> None:
        """Header fields as received, which are sent on as they are: with their own length only."""
        self.headers = headers
        self._sized = "content-length" in headers

    @property
    def via(self) -> Via:
        """The topmost one."""
        return self.headers.read(VIA) or _missing("Via")

    @property
    def from_(self) -> NameAddr:
        return self.headers.read(FROM) or _missing("From")

    @property
    def to(self) -> NameAddr:
        return self.headers.read(TO) or _missing("To")

    @property
    def call_id(self) -> str:
        return self.headers.read(CALL_ID) or _missing("Call-ID")

    @property
    def cseq(self) -> CSeq:
        return self.headers.read(CSEQ) or _missing("CSeq")

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """Without a `*`."""
        return self.headers.read_all(CONTACT)

    @property
    def start_line(self) -> str:
        raise NotImplementedError

    def encode(self) -> bytes:
        """As octets. Content-Length is made right; a message as received comes out as it was."""
        size = self.headers.get("content-length")
        if size is None:
            if self._sized:
                self.headers.add("Content-Length", len(self.body))
        elif not size.isdecimal() or len(size) > 10 or int(size) != len(self.body):
            self.headers.set("Content-Length", len(self.body))
        head = "\r\n".join([self.start_line, *self.headers.lines(), "\r\n"])
        return head.encode(self.charset, "replace") + self.body


class Request(Message):
    """`target` is the Request-URI as written, `uri` the same parsed."""

    __slots__ = ("_uri", "method", "target", "version")

    def __init__(
        self,
        method: str,
        target: str | SipUri,
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.target = str(target)
        self.version = "2.0"

    @property
    def uri(self) -> SipUri:
        return parse_uri(self.target)

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.target} SIP/{self.version}"

    def stamp(self, host: str, port: int) -> None:
        """Note in the topmost Via where this came from (RFC 3261 section 18.2.1, RFC 3581)."""
        stamped = self.via.stamped(host, port)
        if stamped != self.via:
            vias = self.headers.read_all(VIA)
            self.headers.set("Via", ", ".join(map(str, (stamped, *vias[1:]))))

    def copy(self) -> "Request":
        """One that can be changed without changing this."""
        twin = Request(self.method, self.target, self.headers.copy(), self.body)
        twin.version, twin.charset, twin._sized = self.version, self.charset, self._sized
        return twin

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.target!r}, {self.headers!r}, {self.body!r})"


class Response(Message):
    """`reason` is the phrase as received; of one made here that of the status unless told."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = phrase(status) if reason is None else reason

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def copy(self) -> "Response":
        """One that can be changed without changing this."""
        twin = Response(self.status, self.reason, self.headers.copy(), self.body)
        twin.charset, twin._sized = self.charset, self._sized
        return twin

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.reason!r}, {self.headers!r}, {self.body!r})"


def respond(
    request: Request, status: int, reason: str | None = None, *, tag: str = "", body: bytes = b""
) -> Response:
    """A response with what it takes over from its request (RFC 3261 section 8.2.6): Via, From, To,
    Call-ID, CSeq, in a 100 Timestamp, and Record-Route where a dialog may come of it.

    `tag` is that of To, where the request's has none; a 100 needs none.
    """
    taken = request.headers
    headers = Headers()
    for value in taken.all("Via"):
        headers.add("Via", value)
    for value in taken.all("Record-Route") if 100 < status < 300 else ():
        headers.add("Record-Route", value)
    for name in ("From", "To", "Call-ID", "CSeq", "Timestamp")[: 5 if status == 100 else 4]:
        single = taken.get(name)
        if single is not None:
            headers.add(name, single)
    to = taken.get("To")
    if tag and to and not _tagged(request):
        headers.set("To", f"{to};tag={tag}")
    text = None if reason is None else " ".join(reason.split())
    response = Response(status, text, headers, body)
    response.charset = request.charset
    return response


def _tagged(request: Request) -> bool:
    try:
        return bool(request.to.tag)
    except Malformed:
        return False


def _missing(name: str) -> NoReturn:
    raise Malformed(f"no {name}")
