"""Offer and answer (RFC 3264) of one bundled audio section: what is agreed, and our descriptions.

One codec is agreed on, but telephone-event at every rate that a peer offers: browsers have their
own mind about which they send with. RED, and all sections but the one, are refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from tertulia.protocols.sdp import (
    LEVEL,
    MID,
    OPUS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Audio,
    Codec,
    Description,
    Fingerprint,
    SdpRefused,
    Section,
)

CODECS = (OPUS, PCMU, PCMA)
PTIME = 20
"""Milliseconds of a packet."""

_OUR_CODECS = (
    Codec(111, OPUS, 48000, {}),
    Codec(0, PCMU, 8000, {}),
    Codec(8, PCMA, 8000, {}),
    Codec(110, TELEPHONE_EVENT, 48000, {}),
    Codec(126, TELEPHONE_EVENT, 8000, {}),
)
_OUR_EXTENSIONS = {LEVEL: 1, MID: 2}
_OUR_MID = "0"
_OPUS_WISHES = "minptime=10;useinbandfec=1;usedtx=1"
"""Redundancy, and silence that costs nothing (RFC 7587 6.1): what a peer shall send us."""
_KEYS = "0-16"
"""Of telephone-event: the digits, `*`, `#`, A to D and flash (RFC 4733 3.2)."""
_HOST_PREFERENCE = 126
"""Of a candidate's type (RFC 8445 5.1.2.2)."""


class Candidate(NamedTuple):
    """Where we are reached. The first is the one that those who read no candidates take."""

    host: str
    """An address of IPv4 or IPv6."""
    port: int


class Ourselves(NamedTuple):
    """What our descriptions say of us beyond what is agreed."""

    session: int
    ufrag: str
    password: str
    fingerprint: Fingerprint
    candidates: Sequence[Candidate]
    ssrc: int
    cname: str
    stream: str
    track: str


class Negotiated(Struct, frozen=True):
    codec: str
    """`opus`, `PCMU`, `PCMA`."""
    payload_type: int
    """Of both directions."""
    clock: int
    """Of its timestamps: Opus has 48,000 however it is coded."""
    dtmf: Mapping[int, int]
    """Clocks of telephone-event by payload type, both directions; empty when there is none."""
    dtmf_type: int | None
    """The payload type of `dtmf` to send with: that of the codec's clock when there is one."""
    level_extension: int | None
    """Id of the audio level (RFC 6464) in header extensions of one byte."""
    mid_extension: int | None
    mid: str | None
    remote_ssrc: int | None
    ssrc: int
    cname: str
    msid: str
    """Stream and track, with a space between."""
    sends: bool
    """We may send."""
    receives: bool
    fec: bool
    """The peer makes use of Opus's own redundancy."""


def agree(
    audio: Audio, ourselves: Ourselves, *, codecs: Sequence[str] = CODECS, offered: bool = False
) -> Negotiated:
    """What an offer and our answer have in common, or with `offered` our offer and an answer.

    Raises:
        SdpRefused: no common codec, or one that an answer may not name.
    """
    common = [each for each in audio.codecs if not offered or _like_ours(each)]
    chosen = next((each for each in common if each.name in codecs), None)
    if chosen is None:
        raise SdpRefused("no common codec")
    keys = {each.payload_type: each.clock for each in common if each.name == TELEPHONE_EVENT}
    alike = (payload_type for payload_type, clock in keys.items() if clock == chosen.clock)
    extensions = audio.extensions
    if offered:
        ours = _OUR_EXTENSIONS.items()
        extensions = {uri: each for uri, each in extensions.items() if (uri, each) in ours}
    return Negotiated(
        codec=chosen.name,
        payload_type=chosen.payload_type,
        clock=chosen.clock,
        dtmf=keys,
        dtmf_type=next(alike, next(iter(keys), None)),
        level_extension=extensions.get(LEVEL),
        mid_extension=extensions.get(MID),
        mid=audio.mid,
        remote_ssrc=audio.ssrc,
        ssrc=ourselves.ssrc,
        cname=ourselves.cname,
        msid=f"{ourselves.stream} {ourselves.track}",
        sends=audio.direction in {"sendrecv", "recvonly"},
        receives=audio.direction in {"sendrecv", "sendonly"},
        fec=chosen.parameters.get("useinbandfec") == "1",
    )


def _like_ours(codec: Codec) -> bool:
    return any(codec[:3] == ours[:3] for ours in _OUR_CODECS)


def answer(
    description: Description, audio: Audio, agreed: Negotiated, ourselves: Ourselves, setup: str
) -> str:
    """The whole answer; `setup` is `active` or `passive`."""
    lines = _session(ourselves, agreed.mid if audio.bundled else None)
    for index, section in enumerate(description.sections):
        if index == audio.index:
            codecs = [Codec(agreed.payload_type, agreed.codec, agreed.clock, {})]
            codecs += (Codec(*each, {}) for each in _events(agreed.dtmf))
            extensions = {LEVEL: agreed.level_extension, MID: agreed.mid_extension}
            lines += _audio(
                section.transport,
                codecs,
                {uri: each for uri, each in extensions.items() if each is not None},
                ourselves,
            )
            lines += _placed(agreed.mid, setup, _direction(agreed))
        else:
            lines += _refused(section)
    return "".join(f"{line}\r\n" for line in lines)


def offer(ourselves: Ourselves, *, codecs: Sequence[str] = CODECS) -> str:
    """The whole offer."""
    named = [each for each in _OUR_CODECS if each.name in (*codecs, TELEPHONE_EVENT)]
    lines = [
        *_session(ourselves, _OUR_MID),
        *_audio("UDP/TLS/RTP/SAVPF", named, _OUR_EXTENSIONS, ourselves),
        *_placed(_OUR_MID, "actpass", "sendrecv"),
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _events(dtmf: Mapping[int, int]) -> Iterator[tuple[int, str, int]]:
    return ((payload_type, TELEPHONE_EVENT, clock) for payload_type, clock in dtmf.items())


def _direction(agreed: Negotiated) -> str:
    if agreed.sends:
        return "sendrecv" if agreed.receives else "sendonly"
    return "recvonly" if agreed.receives else "inactive"


def _session(ourselves: Ourselves, bundled: str | None) -> list[str]:
    lines = ["v=0", f"o=- {ourselves.session} 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if bundled is not None:
        lines.append(f"a=group:BUNDLE {bundled}")
    return [*lines, f"a=msid-semantic: WMS {ourselves.stream}", "a=ice-lite"]


def _audio(
    transport: str, codecs: Sequence[Codec], extensions: Mapping[str, int], ourselves: Ourselves
) -> Iterator[str]:
    types = " ".join(str(each.payload_type) for each in codecs)
    host, port = ourselves.candidates[0]
    yield f"m=audio {port} {transport} {types}"
    yield f"c=IN {'IP6' if ':' in host else 'IP4'} {host}"
    for each in codecs:
        yield from _codec(each)
    yield f"a=ptime:{PTIME}"
    for uri, number in extensions.items():
        yield f"a=extmap:{number} {uri}"
    yield "a=rtcp-mux"
    yield f"a=ice-ufrag:{ourselves.ufrag}"
    yield f"a=ice-pwd:{ourselves.password}"
    yield f"a=fingerprint:{' '.join(ourselves.fingerprint)}"
    yield f"a=msid:{ourselves.stream} {ourselves.track}"
    yield f"a=ssrc:{ourselves.ssrc} cname:{ourselves.cname}"
    yield f"a=ssrc:{ourselves.ssrc} msid:{ourselves.stream} {ourselves.track}"
    for index, (host, port) in enumerate(ourselves.candidates):
        priority = _HOST_PREFERENCE << 24 | (0xFFFF - index) << 8 | 0xFF
        yield f"a=candidate:{index + 1} 1 udp {priority} {host} {port} typ host"
    yield "a=end-of-candidates"


def _codec(codec: Codec) -> Iterator[str]:
    channels = "/2" if codec.name == OPUS else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock}{channels}"
    if codec.name == OPUS:
        yield f"a=fmtp:{codec.payload_type} {_OPUS_WISHES}"
    elif codec.name == TELEPHONE_EVENT:
        yield f"a=fmtp:{codec.payload_type} {_KEYS}"


def _placed(mid: str | None, setup: str, direction: str) -> Iterator[str]:
    if mid is not None:
        yield f"a=mid:{mid}"
    yield f"a=setup:{setup}"
    yield f"a={direction}"


def _refused(section: Section) -> Iterator[str]:
    """A section as it came, but with port 0 (RFC 3264 6)."""
    yield f"m={section.kind} 0 {section.transport} {section.formats[0]}"
    yield "c=IN IP4 0.0.0.0"
    if (mid := section.value("mid")) is not None:
        yield f"a=mid:{mid}"
    yield "a=inactive"
