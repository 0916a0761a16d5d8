"""From octets to messages (RFC 3261 sections 7, 18.3 and 25): lenient where no two meanings are
possible, and whatever is refused is a BadMessage that says how to answer it.

Lines may end in a bare LF; white space may stand around colons and at line ends; lists may have
empty elements. Fields that a user agent acts on have to be readable, others are left alone.
"""

import re
from typing import Any

from msgspec import Struct

from tertulia.protocols.sip import fields
from tertulia.protocols.sip.grammar import IS_TOKEN, Malformed, number, split
from tertulia.protocols.sip.headers import KNOWN_KEYS, Entry, Headers, key_of
from tertulia.protocols.sip.message import BadMessage, Request, Response

REQUIRED: tuple[fields.Field[Any], ...] = (
    fields.VIA,
    fields.FROM,
    fields.TO,
    fields.CALL_ID,
    fields.CSEQ,
)
READABLE: dict[str, fields.Field[Any]] = {
    field.key: field
    for field in (
        *REQUIRED,
        fields.MAX_FORWARDS,
        fields.CONTENT_TYPE,
        fields.CONTACT,
        fields.ROUTE,
        fields.RECORD_ROUTE,
        fields.PATH,
        fields.REFER_TO,
        fields.REQUIRE,
        fields.PROXY_REQUIRE,
        fields.RACK,
        fields.RSEQ,
        fields.SESSION_EXPIRES,
        fields.MIN_SE,
        fields.REPLACES,
        fields.EVENT,
        fields.SUBSCRIPTION_STATE,
    )
}
"""A message in which one of these is there and makes no sense is refused."""
SINGLE = frozenset(field.key for field in (*READABLE.values(), fields.EXPIRES) if not field.listed)

_FOLD = re.compile(r"\n[ \t]+")
_VERSION = re.compile(r"SIP/([0-9]{1,5}\.[0-9]{1,5})", re.I)
_STATUS_LINE = re.compile(r"SIP/2\.0[ \t]++([1-6][0-9]{2})(?:[ \t]++(.*+))?", re.I)


class Limits(Struct, frozen=True):
    """What one message may weigh."""

    message: int = 64 * 1024
    """Octets, head and body."""
    headers: int = 200
    """Lines of the head."""
    line: int = 8 * 1024
    """Characters of one line, unfolded."""


LIMITS = Limits()


class Head(Struct):
    """A message whose body is still to come."""

    message: Request | Response
    problem: tuple[int, str] | None
    """Status and reason: why it is to be refused."""
    length: int | None = None
    """Octets of the body, as Content-Length says."""

    def refuse(self, status: int, reason: str) -> None:
        """The first problem found is the one that is told."""
        self.problem = self.problem or (status, reason)


def is_keep_alive(datagram: bytes) -> bool:
    """Nothing but line ends or NULs: sent to keep an address translation open."""
    return len(datagram) <= 64 and not datagram.strip(b"\r\n\x00 ")


def parse(datagram: bytes, limits: Limits = LIMITS) -> Request | Response:
    """The message of one datagram. What follows the body is dropped. Raises BadMessage only."""
    if len(datagram) > limits.message:
        raise BadMessage(513, "Message too large")
    start = 0
    while datagram[start : start + 2] == b"\r\n":
        start += 2
    cut = find_blank_line(datagram, start)
    head = read_head(datagram[start:] if cut is None else datagram[start : cut[0]], limits)
    body = b"" if cut is None else datagram[cut[1] :]
    if cut is None:
        head.refuse(400, "Incomplete message")
    if head.length is not None:
        if head.length > len(body):
            head.refuse(400, "Content-Length beyond the end of the message")
        body = body[: head.length]
    return finish(head, body)


def find_blank_line(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Where the head ends and the body begins: at the first blank line, whatever its line ends.

    None: it is not there (yet). To go on later, `start` at most 3 octets before the end of `data`.
    """
    at, size = data.find(b"\n\r\n", start), 3
    bare = data.find(b"\n\n", start, len(data) if at < 0 else at)
    if bare >= 0:
        at, size = bare, 2
    if at < 0:
        return None
    return at - 1 if data[max(at - 1, 0)] == 13 else at, at + size


def read_head(head: bytes, limits: Limits = LIMITS) -> Head:
    """Start line and fields. Raises BadMessage only when it is not SIP at all."""
    charset = "utf-8"
    try:
        text = head.decode()
    except UnicodeDecodeError:
        charset = "latin-1"
        text = head.decode(charset)
    text = text.replace("\r\n", "\n")
    bare = "\r" in text
    if bare:
        text = text.replace("\r", " ")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\n")
    read = _start(lines[0])
    read.message.charset = charset
    if bare:
        read.refuse(400, "Bare CR")
    _fields(read, lines, limits)
    return read


def finish(head: Head, body: bytes) -> Request | Response:
    """The message with its body. Raises BadMessage when there was a problem."""
    message = head.message
    message.body = body
    if head.problem is not None:
        status, reason = head.problem
        raise BadMessage(status, reason, _answerable(message))
    return message


def _start(line: str) -> Head:
    if line[:4].upper() == "SIP/":
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise BadMessage(400, "Bad status line")
        return Head(Response(int(found[1]), found[2] or ""), None)
    words = line.split()
    version = _VERSION.fullmatch(words[-1]) if len(words) >= 3 else None
    if version is None or len(words[0]) > 64 or IS_TOKEN.fullmatch(words[0]) is None:
        raise BadMessage(400, "Not SIP")
    request = Request(words[0], words[1])
    head = Head(request, None)
    if version[1] != "2.0":
        head.refuse(505, "Version not supported")
    elif len(words) > 3:
        head.refuse(400, "White space in the Request-URI")
    else:
        _check_uri(head, request)
    return head


def _check_uri(head: Head, request: Request) -> None:
    try:
        if request.uri.headers:
            head.refuse(400, "Header fields in the Request-URI")
    except Malformed as broken:
        head.refuse(400, f"Request-URI: {broken}")


def _fields(head: Head, lines: list[str], limits: Limits) -> None:
    while lines[-1] == "":
        lines.pop()
    if len(lines) > limits.headers:
        head.refuse(400, "Too many header fields")
        del lines[limits.headers :]
    entries: list[Entry] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = KNOWN_KEYS.get(name)
        if key is None:
            bare = name.rstrip(" \t")
            if not colon or IS_TOKEN.fullmatch(bare) is None:
                head.refuse(400, "Bad header line")
                continue
            key = key_of(bare)
        if len(line) > limits.line:
            head.refuse(400, "Header line too long")
            continue
        entries.append((key, value.strip(" \t"), line))
    head.message.take_head(Headers.received(entries))
    _measure(head)
    _check(head, entries)


def _measure(head: Head) -> None:
    lengths = head.message.headers.all("content-length")
    if len(lengths) > 1:
        head.refuse(400, "More than one Content-Length")
    elif lengths:
        try:
            head.length = number(lengths[0])
        except Malformed:
            head.refuse(400, "Bad Content-Length")


def _check(head: Head, entries: list[Entry]) -> None:
    headers = head.message.headers
    try:
        seen: set[str] = set()
        for key, _, _ in entries:
            if key in seen:
                if key in SINGLE:
                    raise Malformed(f"More than one {key}")
                continue
            seen.add(key)
            if key in READABLE:
                headers.read_all(READABLE[key])
        for field in REQUIRED:
            if not headers.read_all(field):
                raise Malformed(f"No {field.name}")
        message = head.message
        if isinstance(message, Request) and message.cseq.method != message.method:
            raise Malformed("CSeq of another method")
    except Malformed as broken:
        head.refuse(400, str(broken))


def _answerable(message: Request | Response) -> Request | None:
    if not isinstance(message, Request) or message.method == "ACK":
        return None
    vias = _readable_vias(message.headers)
    if not vias or not message.headers.get("CSeq"):
        return None
    message.headers.set("Via", ", ".join(map(str, vias)))
    return message


def _readable_vias(headers: Headers) -> list[fields.Via]:
    """From the top down to the first that cannot be read."""
    vias: list[fields.Via] = []
    try:
        for line in headers.all("Via"):
            for piece in split(line):
                vias.append(fields.parse_via(piece))
    except Malformed:
        pass
    return vias
