"""Session descriptions of a simulated phone (RFC 8866, 3264): one stream of G.711 over RTP/AVP.

Read within bounds; what a phone cannot do is refused. Telephone events (RFC 4733) go with it.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tertulia.protocols.sdp import PCMA, PCMU, TELEPHONE_EVENT, SdpRefused, Section, parse

TRANSPORT = "RTP/AVP"
PAYLOAD_TYPES = {PCMU: 0, PCMA: 8}
EVENT_TYPE = 101
OCTETS_MAX = 32 * 1024
_DIRECTIONS = {
    "sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive",
}  # fmt: skip
"""What is answered to what is offered."""
_NOWHERE = {"0.0.0.0", "::"}
"""Addresses of one who puts us on hold in the old way (RFC 3264 8.4)."""
_ADDRESS = re.compile(r"c=IN IP[46] ([0-9A-Fa-f.:]{2,45})(?:/\d+)*")
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9_.\-]{1,40})/(\d{1,6})(?:/1)?", re.ASCII)


class Agreed(Struct, frozen=True):
    """What goes over the line, as both ends have said."""

    address: tuple[str, int]
    """Where to send to."""
    codec: str
    """PCMU or PCMA: what is sent; with its payload type."""
    payload_type: int
    codecs: Mapping[int, str]
    """What may come, by payload type."""
    event_type: int | None
    """Payload type of telephone events."""
    direction: str
    """Ours."""
    muxed: bool
    """RTCP comes and goes by the port of RTP."""
    index: int = 0
    """Of the audio among the sections of the description."""
    kinds: tuple[str, ...] = ()
    """Kind, transport and formats of all sections."""

    @property
    def sends(self) -> bool:
        return self.direction in {"sendrecv", "sendonly"} and self.address[0] not in _NOWHERE


def read(body: bytes, codecs: Sequence[str], *, events: bool = True) -> Agreed:
    """What an offer, or an answer to ours, leads to; of the codecs the first that both know.
    Without `events` the phone knows no telephone events.

    Raises:
        SdpRefused: it cannot be read, or leads to nothing.
    """
    text = _text(body)
    description = parse(text)
    found = [
        (index, each)
        for index, each in enumerate(description.sections)
        if each.kind == "audio" and each.port and each.transport == TRANSPORT
    ]
    if not found:
        raise SdpRefused("no audio over RTP/AVP")
    index, section = found[0]
    known = _known(section)
    shared = {number: name for number, name in known.items() if name in codecs}
    if not shared:
        raise SdpRefused("no codec that a phone knows")
    payload_type = next(iter(shared))
    offered = (number for number, name in known.items() if name == TELEPHONE_EVENT)
    return Agreed(
        address=(_address(text, index), section.port),
        codec=shared[payload_type],
        payload_type=payload_type,
        codecs=shared,
        event_type=next(offered, None) if events else None,
        direction=_DIRECTIONS[_direction(section, description.session)],
        muxed=section.value("rtcp-mux") is not None,
        index=index,
        kinds=tuple(_head(each) for each in description.sections),
    )


def answer(agreed: Agreed, host: str, port: int, version: int) -> bytes:
    """To an offer that was read."""
    sections = []
    for index, head in enumerate(agreed.kinds):
        if index == agreed.index:
            sections += _audio(port, agreed.codecs, agreed.event_type, agreed.direction)
            sections += ["a=rtcp-mux"] if agreed.muxed else []
        else:
            sections.append(head)
    return _written(host, version, sections)


def offer(
    codecs: Sequence[str], host: str, port: int, version: int, *, direction: str = "sendrecv",
    events: bool = True,
) -> bytes:  # fmt: skip
    types = {PAYLOAD_TYPES[each]: each for each in codecs}
    return _written(host, version, _audio(port, types, EVENT_TYPE if events else None, direction))


def _text(body: bytes) -> str:
    if len(body) > OCTETS_MAX:
        raise SdpRefused("too long")
    try:
        return body.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise SdpRefused("malformed") from None


def _known(section: Section) -> dict[int, str]:
    """Codecs by payload type, in the order of the sender; static types need no rtpmap."""
    names = {0: PCMU, 8: PCMA}
    for match in filter(None, map(_RTPMAP.fullmatch, section.values("rtpmap"))):
        name, clock = match[2], int(match[3])
        for known in (PCMU, PCMA, TELEPHONE_EVENT):
            if name.lower() == known.lower() and clock == 8000:
                names[int(match[1])] = known
    formats = (int(each) for each in section.formats if re.fullmatch(r"\d{1,3}", each, re.ASCII))
    return {each: names[each] for each in formats if each in names and each < 128}


def _address(text: str, index: int) -> str:
    """Of this section, else of the session."""
    session, *sections = re.split(r"^m=", text, flags=re.MULTILINE)
    for part in (sections[index], session):
        for line in part.split("\n"):
            if match := _ADDRESS.fullmatch(line):
                try:
                    return str(ipaddress.ip_address(match[1]))
                except ValueError:
                    raise SdpRefused("malformed address") from None
    raise SdpRefused("no address")


def _direction(section: Section, session: Section) -> str:
    for part in (section, session):
        for name, _ in part.attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"


def _head(section: Section) -> str:
    """How a section that is not wanted is answered."""
    return f"m={section.kind} 0 {section.transport} {' '.join(section.formats)}"


def _audio(
    port: int, types: Mapping[int, str], event_type: int | None, direction: str
) -> list[str]:
    maps = [f"a=rtpmap:{number} {name}/8000" for number, name in types.items()]
    formats = [*types]
    if event_type is not None:
        formats.append(event_type)
        maps += [f"a=rtpmap:{event_type} {TELEPHONE_EVENT}/8000", f"a=fmtp:{event_type} 0-15"]
    head = f"m=audio {port} {TRANSPORT} {' '.join(map(str, formats))}"
    return [head, *maps, "a=ptime:20", f"a={direction}"]


def _written(host: str, version: int, sections: Sequence[str]) -> bytes:
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0", f"o=- 1 {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0",
        *sections,
    ]  # fmt: skip
    return "".join(f"{line}\r\n" for line in lines).encode()
