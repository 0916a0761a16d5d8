"""Offer and answer: what is agreed, what we say of it, and that others could read it."""

import pytest
from tests.protocols.descriptions import CLIENT, FINGERPRINT, VIDEO, with_line, without

from tertulia.protocols import offer_answer
from tertulia.protocols.offer_answer import CODECS, Candidate, Negotiated, Ourselves, agree
from tertulia.protocols.sdp import LEVEL, MID, Fingerprint, SdpRefused, audio, parse

OURSELVES = Ourselves(
    session=42,
    ufrag="abcdefgh",
    password="p" * 24,
    fingerprint=Fingerprint("sha-256", FINGERPRINT),
    candidates=[Candidate("198.51.100.7", 3478), Candidate("2001:db8::7", 3478)],
    ssrc=7,
    cname="us",
    stream="stream",
    track="track",
)


def agreed(text: str, codecs: tuple[str, ...] = CODECS) -> Negotiated:
    return agree(audio(parse(text)), OURSELVES, codecs=codecs)


def answer(text: str, setup: str = "passive") -> str:
    description = parse(text)
    peer = audio(description)
    return offer_answer.answer(description, peer, agree(peer, OURSELVES), OURSELVES, setup)


def readable(ours: str) -> str:
    """As a peer would have to say it for us to read it: no peer of ours is lite."""
    assert "a=ice-lite\r\n" in ours
    return ours.replace("a=ice-lite\r\n", "")


def test_what_is_agreed_with_a_client() -> None:
    assert agreed(CLIENT) == Negotiated(
        codec="opus",
        payload_type=111,
        clock=48000,
        dtmf={110: 48000, 112: 32000, 113: 16000, 126: 8000},
        dtmf_type=110,
        level_extension=1,
        mid_extension=4,
        mid="0",
        remote_ssrc=51219394,
        ssrc=7,
        cname="us",
        msid="stream track",
        sends=True,
        receives=True,
        fec=True,
    )


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        (("PCMA",), ("PCMA", 8, 8000, 126)),
        (("PCMA", "PCMU"), ("PCMU", 0, 8000, 126)),
        (CODECS, ("opus", 111, 48000, 110)),
    ],
)
def test_the_peers_first_of_those_allowed(
    codecs: tuple[str, ...], expected: tuple[str, int, int, int]
) -> None:
    found = agreed(CLIENT, codecs)
    assert (found.codec, found.payload_type, found.clock, found.dtmf_type) == expected


@pytest.mark.parametrize(
    "text",
    [
        CLIENT.replace("opus/48000/2", "opus/48000").replace(" 0 8 ", " "),
        without(CLIENT, "a=rtpmap").replace(" 0 8 ", " "),
        CLIENT.replace("111 63 103 9 102 0 8 106 13 110 112 113 126", "63 9 126"),
    ],
)
def test_no_common_codec(text: str) -> None:
    with pytest.raises(SdpRefused, match="no common codec"):
        agreed(text)


@pytest.mark.parametrize(
    ("theirs", "ours", "sends", "receives"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "recvonly", False, True),
        ("recvonly", "sendonly", True, False),
        ("inactive", "inactive", False, False),
    ],
)
def test_directions(theirs: str, ours: str, sends: bool, receives: bool) -> None:
    text = CLIENT.replace("a=sendrecv", f"a={theirs}")
    found = agreed(text)
    assert (found.sends, found.receives) == (sends, receives)
    assert f"\r\na={ours}\r\n" in answer(text)


def test_the_answer_to_a_client() -> None:
    text = answer(CLIENT)
    found = audio(parse(readable(text)))
    assert [(each.payload_type, each.name) for each in found.codecs] == [
        (111, "opus"),
        *((each, "telephone-event") for each in (110, 112, 113, 126)),
    ]
    assert found.codecs[0].parameters == {"minptime": "10", "useinbandfec": "1", "usedtx": "1"}
    assert (found.mid, found.bundled, found.setup) == ("0", True, "passive")
    assert found.extensions == {LEVEL: 1, MID: 4}
    assert (found.ufrag, found.password, found.ssrc) == ("abcdefgh", "p" * 24, 7)
    for line in (
        "a=msid:stream track",
        "a=ptime:20",
        "a=candidate:1 1 udp 2130706431 198.51.100.7 3478 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::7 3478 typ host",
        "a=end-of-candidates",
        "c=IN IP4 198.51.100.7",
    ):
        assert f"\r\n{line}\r\n" in text
    assert "red" not in text


def test_other_sections_are_refused_where_they_stand() -> None:
    audio_at = CLIENT.index("m=audio")
    text = CLIENT[:audio_at].replace("BUNDLE 0", "BUNDLE 1 0") + VIDEO + CLIENT[audio_at:]
    first, second = parse(readable(answer(text))).sections
    assert (first.kind, first.port, first.value("mid")) == ("video", 0, "1")
    assert (second.kind, second.port) == ("audio", 3478)
    assert "a=group:BUNDLE 0\r\n" in answer(text)


def test_a_second_audio_section_is_refused() -> None:
    again = CLIENT[CLIENT.index("m=audio") :].replace("a=mid:0", "a=mid:1")
    assert [each.port for each in parse(readable(answer(CLIENT + again))).sections] == [3478, 0]


def test_peers_without_mid_or_bundle() -> None:
    text = answer(without(without(CLIENT, "a=mid"), "a=group"))
    assert "a=mid" not in text
    assert "BUNDLE" not in text


def test_our_offer_is_one_that_we_would_take() -> None:
    text = offer_answer.offer(OURSELVES)
    found = agreed(readable(text))
    assert (found.codec, found.dtmf) == ("opus", {110: 48000, 126: 8000})
    assert audio(parse(readable(text))).setup == "actpass"
    assert "PCMU" not in offer_answer.offer(OURSELVES, codecs=["opus"])


def accepted(text: str) -> Negotiated:
    return agree(audio(parse(text)), OURSELVES, offered=True)


def test_answers_may_only_name_what_was_offered() -> None:
    ours = readable(offer_answer.offer(OURSELVES))
    assert accepted(ours).payload_type == 111
    renumbered = ours.replace("rtpmap:111", "rtpmap:109").replace("SAVPF 111", "SAVPF 109")
    assert accepted(renumbered).codec == "PCMU"
    moved = ours.replace("a=extmap:1", "a=extmap:9")
    assert accepted(moved).level_extension is None
    with pytest.raises(SdpRefused, match="no common codec"):
        accepted(with_line(renumbered, "m=", "m=audio 9 UDP/TLS/RTP/SAVPF 109"))
