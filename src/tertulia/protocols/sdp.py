"""Session descriptions (RFC 8866), and how WebRTC clients use them (RFC 8829): read within bounds.

`parse` knows the grammar; `audio` what a WebRTC peer says of its one audio section that counts
here. Everything that may be said back to a peer has been held against a pattern by then.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

TEXT_MAX = 32 * 1024
"""Characters of a description."""
LINE_MAX = 2048
LINES_MAX = 1000
SECTIONS_MAX = 16
CANDIDATES_MAX = 64

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""Header extension of RFC 6464."""
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
OPUS, PCMU, PCMA, G722 = "opus", "PCMU", "PCMA", "G722"
TELEPHONE_EVENT, COMFORT_NOISE = "telephone-event", "CN"
DIGESTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Octets of the fingerprints that are believed, weakest first."""
TRANSPORTS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})

_LINE = re.compile(r"[a-z]=[^\x00-\x08\x0a-\x1f\x7f]*")
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
_SECTION = re.compile(
    r"(?P<kind>[a-z]{1,16}) (?P<port>\d{1,5})(?:/\d{1,5})?"
    r" (?P<transport>[A-Za-z0-9/.\-]{1,40}) (?P<formats>[!-~]{1,64}(?: [!-~]{1,64}){0,127})",
    re.ASCII,
)
_CONNECTION = re.compile(r"c=IN IP[46] ([0-9A-Za-z.:_\-]{1,253})(?:/\d+)*", re.ASCII)
_ICE = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD_MIN = 22
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9_.\-]{1,40})/(\d{1,6})(?:/(\d{1,2}))?", re.ASCII)
_FMTP = re.compile(r"(\d{1,3}) (.*)", re.ASCII)
_EXTMAP = re.compile(r"(\d{1,4})(?:/sendrecv)? (\S{1,255})(?: .*)?", re.ASCII)
_SSRC = re.compile(r"(\d{1,10}) cname:([!-~]{1,255})", re.ASCII)
_CANDIDATE = re.compile(
    r"[A-Za-z0-9+/]{1,32} \d{1,3} [A-Za-z]{1,16} \d{1,10} [0-9A-Za-z.:%_\-]{1,253} (\d{1,5})"
    r" typ [a-z]{1,16}(?: [!-~]+)*",
    re.ASCII,
)
_HEX = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2})*")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_STATIC = {0: "pcmu", 8: "pcma", 9: "g722", 13: "cn"}
"""Payload types that need no rtpmap (RFC 3551)."""
Known = tuple[str, int, int]
"""Name, clock and channels of a codec."""
BROWSER_CODECS: Mapping[str, Known] = {
    "opus": (OPUS, 48000, 2),
    "pcmu": (PCMU, 8000, 1),
    "pcma": (PCMA, 8000, 1),
}
_RTCP_TYPES = range(64, 96)
"""Where RTP could not be told from RTCP on one port (RFC 5761 4)."""


class SdpRefused(Exception):
    """The description is not one to go along with. The reason is for its sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fingerprint(NamedTuple):
    """Of a certificate (RFC 8122): `sha-256`, and octets in upper-case hex with colons."""

    algorithm: str
    value: str


class Codec(NamedTuple):
    payload_type: int
    name: str
    """`opus`, `PCMU`, `PCMA`, `G722`, `CN` or `telephone-event`."""
    clock: int
    parameters: Mapping[str, str]
    """Of fmtp."""


class Section(Struct, frozen=True):
    """From an `m=` line to the next."""

    kind: str
    port: int
    transport: str
    formats: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    connection: str | None = None
    """The host of `c=`; a well-formed name or address."""

    def values(self, name: str) -> Iterator[str]:
        return (value for each, value in self.attributes if each == name)

    def value(self, name: str) -> str | None:
        return next(self.values(name), None)


class Description(Struct, frozen=True):
    session: Section
    """The lines before the first `m=`; its kind is empty."""
    sections: tuple[Section, ...]

    def bundle(self) -> tuple[str, ...]:
        """Mids of the BUNDLE group (RFC 8843)."""
        for value in self.session.values("group"):
            semantics, *mids = value.split()
            if semantics == "BUNDLE":
                return tuple(mids)
        return ()


class Audio(Struct, frozen=True):
    """What a peer says of its audio."""

    index: int
    """Of its section."""
    mid: str | None
    bundled: bool
    ufrag: str
    password: str
    fingerprints: tuple[Fingerprint, ...]
    """All of one algorithm, the strongest."""
    setup: str
    """`active`, `passive`, `actpass`."""
    direction: str
    codecs: tuple[Codec, ...]
    """Those that we know, in the peer's order."""
    extensions: Mapping[str, int]
    """Header extensions that we know, by URI."""
    ssrc: int | None


def parse(text: str) -> Description:
    """
    Raises:
        SdpRefused: too long, or no description.
    """
    if len(text) > TEXT_MAX:
        raise SdpRefused("too long")
    # Phones end lines with blanks, and descriptions with empty lines.
    lines = [line.rstrip(" \t\r") for line in text.rstrip().split("\n")]
    if len(lines) > LINES_MAX or any(len(line) > LINE_MAX for line in lines):
        raise SdpRefused("too long")
    if lines[0] != "v=0" or not all(map(_LINE.fullmatch, lines)):
        raise SdpRefused("malformed")
    starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > SECTIONS_MAX:
        raise SdpRefused("too many sections")
    first, *ends = [*starts, len(lines)]
    before = lines[:first]
    session = Section("", 0, "", (), _attributes(before), _connection(before))
    sections = (_section(lines[at:end]) for at, end in zip(starts, ends, strict=True))
    return Description(session, tuple(sections))


def _section(lines: list[str]) -> Section:
    head = _SECTION.fullmatch(" ".join(lines[0].split()), 2)
    if head is None or int(head["port"]) > 0xFFFF:
        raise SdpRefused("malformed")
    formats = tuple(head["formats"].split(" "))
    return Section(
        head["kind"], int(head["port"]), head["transport"], formats, _attributes(lines[1:]),
        _connection(lines),
    )  # fmt: skip


def _connection(lines: list[str]) -> str | None:
    """The first: others are of layers."""
    line = next((line for line in lines if line.startswith("c=")), None)
    if line is None:
        return None
    found = _CONNECTION.fullmatch(line)
    if found is None:
        raise SdpRefused("malformed connection")
    return found[1]


def _attributes(lines: list[str]) -> tuple[tuple[str, str], ...]:
    parts = (line[2:].partition(":") for line in lines if line.startswith("a="))
    return tuple((name, value) for name, _, value in parts)


def audio(description: Description) -> Audio:
    """The first audio section that is not switched off.

    Raises:
        SdpRefused: there is none, or it cannot be carried over ICE and DTLS on one port.
    """
    for index, section in enumerate(description.sections):
        offered = section.port != 0 or section.value("bundle-only") is not None
        if section.kind == "audio" and offered:
            return _audio(description, section, index)
    raise SdpRefused("no audio")


def _audio(description: Description, section: Section, index: int) -> Audio:
    if section.transport not in TRANSPORTS:
        raise SdpRefused("audio is not over DTLS")
    if section.value("rtcp-mux") is None:
        raise SdpRefused("no rtcp-mux")
    _check_candidates(section)
    session = description.session
    if session.value("ice-lite") is not None:
        raise SdpRefused("both sides are ICE-lite")
    mid = section.value("mid")
    if mid is not None and not _TOKEN.fullmatch(mid):
        raise SdpRefused("malformed mid")
    ufrag, password = _credentials(section, session)
    return Audio(
        index=index,
        mid=mid,
        bundled=mid in description.bundle(),
        ufrag=ufrag,
        password=password,
        fingerprints=_fingerprints(section, session),
        setup=_setup(section, session),
        direction=direction(section, session),
        codecs=tuple(codecs(section, BROWSER_CODECS)),
        extensions=_extensions(section),
        ssrc=_ssrc(section),
    )


def _check_candidates(section: Section) -> None:
    """They are not used, a lite agent sends no checks; but nonsense has no business here."""
    candidates = list(section.values("candidate"))
    if len(candidates) > CANDIDATES_MAX:
        raise SdpRefused("too many candidates")
    for candidate in candidates:
        found = _CANDIDATE.fullmatch(candidate)
        if found is None or int(found[1]) > 0xFFFF:
            raise SdpRefused("malformed candidate")


def _credentials(section: Section, session: Section) -> tuple[str, str]:
    ufrag = section.value("ice-ufrag") or session.value("ice-ufrag") or ""
    password = section.value("ice-pwd") or session.value("ice-pwd") or ""
    if not ufrag or not password:
        raise SdpRefused("no ICE credentials")
    if not _ICE.fullmatch(ufrag) or not _ICE.fullmatch(password) or len(password) < _PASSWORD_MIN:
        raise SdpRefused("malformed ICE credentials")
    return ufrag, password


def _fingerprints(section: Section, session: Section) -> tuple[Fingerprint, ...]:
    lines = [*section.values("fingerprint")] or [*session.values("fingerprint")]
    found: dict[str, list[Fingerprint]] = {}
    for line in lines:
        algorithm, _, value = line.partition(" ")
        octets = DIGESTS.get(algorithm := algorithm.lower())
        if octets is None:
            continue
        if not _HEX.fullmatch(value := value.strip().upper()) or len(value) != 3 * octets - 1:
            raise SdpRefused("malformed fingerprint")
        found.setdefault(algorithm, []).append(Fingerprint(algorithm, value))
    if not found:
        raise SdpRefused("no fingerprint of SHA-256, SHA-384 or SHA-512")
    return tuple(next(found[each] for each in reversed(DIGESTS) if each in found))


def _setup(section: Section, session: Section) -> str:
    setup = section.value("setup") or session.value("setup") or "active"
    if setup not in {"active", "passive", "actpass"}:
        raise SdpRefused("no DTLS role")
    return setup


def direction(section: Section, session: Section) -> str:
    """`sendrecv`, `sendonly`, `recvonly`, `inactive`, as its sender sees it."""
    for part in (section, session):
        for name, _ in part.attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"


def codecs(section: Section, known: Mapping[str, Known]) -> Iterator[Codec]:
    """Those of a section that are known, and telephone-event, in its order. `known` is by name in
    small letters."""
    maps = _by_payload_type(section, "rtpmap", _RTPMAP)
    parameters = _by_payload_type(section, "fmtp", _FMTP)
    for each in dict.fromkeys(section.formats):
        if not re.fullmatch(r"\d{1,3}", each, re.ASCII):
            continue
        payload_type = int(each)
        if payload_type > 127 or payload_type in _RTCP_TYPES:
            continue
        named = _named(maps.get(payload_type), payload_type, known)
        if named is not None:
            line = parameters.get(payload_type)
            yield Codec(payload_type, *named, _parameters(line[2] if line else ""))


def _by_payload_type(
    section: Section, name: str, pattern: re.Pattern[str]
) -> dict[int, re.Match[str]]:
    matches = filter(None, map(pattern.fullmatch, section.values(name)))
    return {int(each[1]): each for each in matches}


def _named(
    rtpmap: re.Match[str] | None, payload_type: int, known: Mapping[str, Known]
) -> tuple[str, int] | None:
    """Name and clock of a codec that we know."""
    if rtpmap is None:
        static = known.get(_STATIC.get(payload_type, ""))
        return static[:2] if static is not None else None
    name, clock, channels = rtpmap[2].lower(), int(rtpmap[3]), int(rtpmap[4] or 1)
    if name == TELEPHONE_EVENT and 8000 <= clock <= 48000:
        return TELEPHONE_EVENT, clock
    found = known.get(name)
    return found[:2] if found is not None and found[1:] == (clock, channels) else None


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _extensions(section: Section) -> dict[str, int]:
    """Ids up to 14: of the one-byte header, which everybody reads (RFC 8285 4.2)."""
    found: dict[str, int] = {}
    for each in filter(None, map(_EXTMAP.fullmatch, section.values("extmap"))):
        if each[2] in {LEVEL, MID} and 1 <= int(each[1]) <= 14:
            found.setdefault(each[2], int(each[1]))
    return found


def _ssrc(section: Section) -> int | None:
    named = filter(None, map(_SSRC.fullmatch, section.values("ssrc")))
    return next((int(each[1]) for each in named if int(each[1]) <= 0xFFFFFFFF), None)
