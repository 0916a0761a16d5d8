"""Session descriptions of phones: offer and answer (RFC 3264) of one stream of audio over RTP.

The first audio section that we can go along with is taken, all others are refused. One codec is
agreed on, beside it telephone-event and comfort noise. ICE and DTLS are not asked for here.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from tertulia.protocols import sdes
from tertulia.protocols.sdes import Crypto
from tertulia.protocols.sdp import (
    BROWSER_CODECS,
    COMFORT_NOISE,
    G722,
    OPUS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    Description,
    Known,
    SdpRefused,
    Section,
    codecs,
    direction,
)

CODECS = (PCMU, PCMA, G722, OPUS)
FRAME = 20
"""Milliseconds of a packet, unless the peer wishes others."""
LONGEST = 120
"""Milliseconds of the longest packet that we send."""
PLAIN, PROTECTED = frozenset({"RTP/AVP", "RTP/AVPF"}), frozenset({"RTP/SAVP", "RTP/SAVPF"})
_KNOWN: Mapping[str, Known] = {
    **BROWSER_CODECS,
    "g722": (G722, 8000, 1),  # sic (RFC 3551 4.5.2)
    "cn": (COMFORT_NOISE, 8000, 1),
}
_OURS = {
    PCMU: Codec(0, PCMU, 8000, {}),
    PCMA: Codec(8, PCMA, 8000, {}),
    G722: Codec(9, G722, 8000, {}),
    OPUS: Codec(111, OPUS, 48000, {}),
}
_BESIDES = (
    Codec(101, TELEPHONE_EVENT, 8000, {}),
    Codec(110, TELEPHONE_EVENT, 48000, {}),
    Codec(13, COMFORT_NOISE, 8000, {}),
)
_DYNAMIC = range(96, 128)
_HELD = frozenset({"0.0.0.0", "::"})
"""Of a peer that holds us in the old way (RFC 3264 8.4)."""
NOWHERE = _HELD | {""}
"""Hosts of places that cannot be sent to; the last stands for a name."""
_OPUS_WISHES = "useinbandfec=1"
_KEYS = "0-16"
_RTCP = re.compile(r"(\d{1,5})(?: IN IP[46] (\S{1,253}))?", re.ASCII)
_MILLISECONDS = re.compile(r"(\d{1,4})(?:\.\d*)?", re.ASCII)


class Place(NamedTuple):
    host: str
    """An address; of a peer empty when it gave a name: then its packets will tell."""
    port: int


class Ourselves(NamedTuple):
    """What our descriptions say of us."""

    session: int
    version: int
    """One more with each description."""
    place: Place
    """RTCP is one port above it, unless both share one."""


class Offered(NamedTuple):
    """What we have offered."""

    codecs: tuple[Codec, ...]
    keys: tuple[Crypto, ...] = ()
    """Empty for RTP without protection."""


class Agreed(Struct, frozen=True):
    """What an offer and its answer have in common."""

    index: int
    """Of the section."""
    transport: str
    codec: str
    """`PCMU`, `PCMA`, `G722`, `opus`."""
    clock: int
    type_in: int
    """Payload type of what comes; those of both directions are seldom different."""
    type_out: int
    others: Mapping[int, Codec]
    """What the peer may send as well, by payload type; as it is to be sent to the peer."""
    dtmf: Mapping[int, int]
    """Clocks of telephone-event by payload type, of what comes; empty when there is none."""
    dtmf_type: int | None
    """To send with."""
    noise_type: int | None
    """Of comfort noise that comes."""
    frame: int
    """Milliseconds of each packet that the peer wishes, a multiple of 10."""
    place: Place
    rtcp: Place
    mux: bool
    """RTCP comes and goes on the port of RTP."""
    sends: bool
    """We may send."""
    receives: bool
    crypto: Crypto | None
    """The peer's key; None is RTP without protection."""


def agree(
    description: Description,
    names: Sequence[str] = CODECS,
    *,
    offered: Offered | None = None,
    reaches: Callable[[str], bool] = lambda host: True,
) -> Agreed:
    """What an offer and we, or with `offered` our offer and an answer, have in common. `names` are
    the codecs that we may take; `reaches` tells whether an address can be sent to.

    Raises:
        SdpRefused: no section of audio is to be had.
    """
    if offered is not None and len(description.sections) != 1:
        raise SdpRefused("no answer to what was offered")
    reason = "no audio"
    for index, section in enumerate(description.sections):
        if section.kind != "audio" or not section.port:
            continue
        try:
            return _agree(description, index, names, offered, reaches)
        except SdpRefused as refused:
            reason = refused.reason
    raise SdpRefused(reason)


def _agree(
    description: Description,
    index: int,
    names: Sequence[str],
    offered: Offered | None,
    reaches: Callable[[str], bool],
) -> Agreed:
    section, session = description.sections[index], description.session
    crypto = _crypto(section, offered)
    told = tuple(codecs(section, _KNOWN))
    ours = told if offered is None else offered.codecs
    pairs = [(each, own) for each in told if (own := _like(each, ours)) is not None]
    speech = [pair for pair in pairs if pair[0].name in names]
    if not speech:
        raise SdpRefused("no common codec")
    chosen, own = speech[0]
    events = [pair for pair in pairs if pair[0].name == TELEPHONE_EVENT]
    alike = [pair for pair in events if pair[0].clock == chosen.clock]
    if offered is None:
        events = alike or events
    noise = (each[1].payload_type for each in pairs if each[0].name == COMFORT_NOISE)
    host = _host(section, session, reaches)
    way, held = direction(section, session), host in _HELD
    place = Place(host, section.port)
    return Agreed(
        index=index,
        transport=section.transport,
        codec=chosen.name,
        clock=chosen.clock,
        type_in=own.payload_type,
        type_out=chosen.payload_type,
        others={mine.payload_type: theirs for theirs, mine in speech[1:] if offered},
        dtmf={each.payload_type: each.clock for pair in events for each in pair},
        dtmf_type=next((pair[0].payload_type for pair in (*alike, *events)), None),
        noise_type=next(noise, None) if chosen.clock == 8000 else None,
        frame=_frame(section, chosen),
        place=place,
        rtcp=_rtcp(section, place),
        mux=section.value("rtcp-mux") is not None,
        sends=way in {"sendrecv", "recvonly"} and not held,
        receives=way in {"sendrecv", "sendonly"},
        crypto=crypto,
    )


def _like(codec: Codec, ours: Iterable[Codec]) -> Codec | None:
    return next((each for each in ours if each[1:3] == codec[1:3]), None)


def _crypto(section: Section, offered: Offered | None) -> Crypto | None:
    """Raises SdpRefused: not to be had as it is, or not what we have offered."""
    if section.transport in PLAIN:
        if offered is not None and offered.keys:
            raise SdpRefused("audio is not protected")
        return None
    if section.transport not in PROTECTED:
        raise SdpRefused("audio is not over RTP")
    for each in sdes.read(section.values("crypto")):
        if offered is None or each[:2] in {key[:2] for key in offered.keys}:
            return each
    raise SdpRefused("no key of SRTP that we can keep to")


def _host(section: Section, session: Section, reaches: Callable[[str], bool]) -> str:
    host = section.connection or session.connection
    if host is None:
        raise SdpRefused("no connection address")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_multicast or not (host in _HELD or reaches(host)):
        raise SdpRefused("the connection address cannot be reached")
    return host


def _rtcp(section: Section, place: Place) -> Place:
    """Where reports go (RFC 3605)."""
    found = _RTCP.fullmatch(section.value("rtcp") or "")
    if section.value("rtcp-mux") is not None:
        return place
    if found is None or not 0 < int(found[1]) <= 0xFFFF:
        return Place(place.host, min(place.port + 1, 0xFFFF))
    return Place(place.host, int(found[1]))


def _frame(section: Section, codec: Codec) -> int:
    """Packets of Opus are 20 ms for everybody."""
    if codec.name == OPUS:
        return FRAME
    wished = _milliseconds(section.value("ptime")) or FRAME
    most = _milliseconds(section.value("maxptime")) or LONGEST
    return max(10, min(wished, most, LONGEST) // 10 * 10)


def _milliseconds(value: str | None) -> int:
    found = _MILLISECONDS.fullmatch((value or "").strip())
    return int(found[1]) if found else 0


# ── what we say ──


def to_offer(names: Sequence[str] = CODECS, agreed: Agreed | None = None) -> tuple[Codec, ...]:
    """What we offer: these codecs in their order, but first the one that is in use; and what goes
    with them. Payload types that are agreed upon stay what they are (RFC 3264 8.3.2)."""
    wanted = [_OURS[name] for name in names if name in _OURS]
    kept: dict[tuple[str, int], int] = {}
    if agreed is not None:
        wanted.sort(key=lambda each: each.name != agreed.codec)
        kept = {(agreed.codec, agreed.clock): agreed.type_in}
        kept |= {(TELEPHONE_EVENT, clock): number for number, clock in agreed.dtmf.items()}
    clocks = {each.clock for each in wanted}
    besides = [each for each in _BESIDES if each.clock in clocks]
    taken = set(kept.values())
    offered = []
    for each in (*wanted, *besides):
        number = kept.get((each.name, each.clock))
        if number is None:
            number = each.payload_type
            if number in taken:
                number = next(free for free in _DYNAMIC if free not in taken)
        taken.add(number)
        offered.append(each._replace(payload_type=number))
    return tuple(offered)


def offer(ourselves: Ourselves, offered: Offered) -> str:
    """The whole offer."""
    transport = "RTP/SAVP" if offered.keys else "RTP/AVP"
    lines = [*_session(ourselves), *_audio(ourselves, transport, offered.codecs)]
    lines += [sdes.write(each) for each in offered.keys]
    return _text((*lines, "a=rtcp-mux", "a=sendrecv"))


def answer(
    description: Description, agreed: Agreed, ourselves: Ourselves, key: bytes | None
) -> str:
    """The whole answer; `key` is ours, of the suite that is agreed upon."""
    lines = [*_session(ourselves)]
    for index, section in enumerate(description.sections):
        if index == agreed.index:
            lines += _audio(ourselves, agreed.transport, _answered(agreed))
            if agreed.crypto is not None and key is not None:
                lines.append(sdes.write(agreed.crypto._replace(key=key)))
            lines += ["a=rtcp-mux"] if agreed.mux else []
            lines.append(f"a={_direction(agreed)}")
        else:
            lines.append(f"m={section.kind} 0 {section.transport} {' '.join(section.formats)}")
    return _text(lines)


def _answered(agreed: Agreed) -> Iterator[Codec]:
    yield Codec(agreed.type_in, agreed.codec, agreed.clock, {})
    for number, clock in agreed.dtmf.items():
        yield Codec(number, TELEPHONE_EVENT, clock, {})
    if agreed.noise_type is not None:
        yield Codec(agreed.noise_type, COMFORT_NOISE, 8000, {})


def _direction(agreed: Agreed) -> str:
    if agreed.sends:
        return "sendrecv" if agreed.receives else "sendonly"
    return "recvonly" if agreed.receives else "inactive"


def _session(ourselves: Ourselves) -> Iterator[str]:
    host = ourselves.place.host
    where = f"IN IP{6 if ':' in host else 4} {host}"
    yield from ("v=0", f"o=- {ourselves.session} {ourselves.version} {where}", "s=-")
    yield from (f"c={where}", "t=0 0")


def _audio(ourselves: Ourselves, transport: str, named: Iterable[Codec]) -> Iterator[str]:
    listed = tuple(named)
    types = " ".join(str(each.payload_type) for each in listed)
    yield f"m=audio {ourselves.place.port} {transport} {types}"
    for each in listed:
        channels = "/2" if each.name == OPUS else ""
        yield f"a=rtpmap:{each.payload_type} {each.name}/{each.clock}{channels}"
        if each.name == OPUS:
            yield f"a=fmtp:{each.payload_type} {_OPUS_WISHES}"
        elif each.name == TELEPHONE_EVENT:
            yield f"a=fmtp:{each.payload_type} {_KEYS}"
    yield f"a=ptime:{FRAME}"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
