"""Session descriptions: what clients say is read, what is wrong is refused with its reason."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.descriptions import (
    CLIENT,
    FINGERPRINT,
    PASSWORD,
    UFRAG,
    VIDEO,
    with_line,
    without,
)

from tertulia.protocols.sdp import (
    LEVEL,
    LINE_MAX,
    LINES_MAX,
    MID,
    SECTIONS_MAX,
    TEXT_MAX,
    Codec,
    Fingerprint,
    SdpRefused,
    audio,
    parse,
)


def test_the_clients_offer() -> None:
    found = audio(parse(CLIENT))
    assert (found.index, found.mid, found.bundled) == (0, "0", True)
    assert (found.ufrag, found.password) == (UFRAG, PASSWORD)
    assert found.fingerprints == (Fingerprint("sha-256", FINGERPRINT),)
    assert (found.setup, found.direction, found.ssrc) == ("actpass", "sendrecv", 51219394)
    assert found.extensions == {LEVEL: 1, MID: 4}
    assert found.codecs == (
        Codec(111, "opus", 48000, {"minptime": "10", "useinbandfec": "1"}),
        Codec(0, "PCMU", 8000, {}),
        Codec(8, "PCMA", 8000, {}),
        Codec(110, "telephone-event", 48000, {}),
        Codec(112, "telephone-event", 32000, {}),
        Codec(113, "telephone-event", 16000, {}),
        Codec(126, "telephone-event", 8000, {}),
    )


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_ends_of_lines(ending: str) -> None:
    assert parse(CLIENT.replace("\n", ending)) == parse(CLIENT)
    assert parse(CLIENT.rstrip("\n")) == parse(CLIENT)


def test_static_payload_types_need_no_map() -> None:
    names = [each.name for each in audio(parse(without(CLIENT, "a=rtpmap"))).codecs]
    assert names == ["PCMU", "PCMA"]


def test_what_may_stand_above_all_sections() -> None:
    names = ("a=ice-", "a=fingerprint", "a=setup", "a=sendrecv")
    text = CLIENT
    for name in names:
        text = without(text, name)
    lines = [line for line in CLIENT.splitlines() if line.startswith(names)]
    above = text.replace("t=0 0\n", "t=0 0\n" + "".join(f"{line}\n" for line in lines))
    assert audio(parse(above)) == audio(parse(CLIENT))


def test_the_strongest_fingerprints_count() -> None:
    strong = ":".join(["AB"] * 64)
    more = f"a=fingerprint:sha-512 {strong.lower()}\na=fingerprint:sha-1 {FINGERPRINT[:59]}\n"
    assert audio(parse(CLIENT + more)).fingerprints == (Fingerprint("sha-512", strong),)


def test_the_first_audio_that_is_on() -> None:
    off = "m=audio 0 UDP/TLS/RTP/SAVPF 0\n"
    audio_at = CLIENT.index("m=audio")
    text = CLIENT[:audio_at] + off + VIDEO + CLIENT[audio_at:]
    assert audio(parse(text)).index == 2


def test_payload_types_that_cannot_be_told_from_rtcp() -> None:
    text = CLIENT.replace("SAVPF 111", "SAVPF 72 111").replace("rtpmap:111", "rtpmap:72")
    assert [each.payload_type for each in audio(parse(text)).codecs][:2] == [0, 8]


REFUSED = [
    ("", "malformed"),
    ("v=1\n", "malformed"),
    ("v=0\n", "no audio"),
    (VIDEO, "malformed"),
    (without(CLIENT, "m="), "no audio"),
    (CLIENT.replace("m=audio", "m=video"), "no audio"),
    (CLIENT.replace("57573", "0"), "no audio"),
    (CLIENT.replace("57573", "70000"), "malformed"),
    (CLIENT.replace("m=audio 57573", "m=audio x"), "malformed"),
    (CLIENT.replace("m=audio", "m=au\x00dio"), "malformed"),
    (CLIENT.replace("s=-", "s=-\n\n"), "malformed"),
    (CLIENT.replace("s=-", "s=-\rt=1"), "malformed"),
    (CLIENT.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "audio is not over DTLS"),
    (CLIENT + "a=" + "x" * LINE_MAX, "too long"),
    (CLIENT + "a=x\n" * LINES_MAX, "too long"),
    (CLIENT + ("a=" + "x" * 1000 + "\n") * (TEXT_MAX // 1000), "too long"),
    (CLIENT + VIDEO * SECTIONS_MAX, "too many sections"),
    (without(CLIENT, "a=rtcp-mux"), "no rtcp-mux"),
    (without(CLIENT, "a=ice-ufrag"), "no ICE credentials"),
    (without(CLIENT, "a=ice-pwd"), "no ICE credentials"),
    (with_line(CLIENT, "a=ice-pwd", "a=ice-pwd:short"), "malformed ICE credentials"),
    (with_line(CLIENT, "a=ice-ufrag", "a=ice-ufrag:a:bcd"), "malformed ICE credentials"),
    (without(CLIENT, "a=fingerprint"), "no fingerprint of SHA-256, SHA-384 or SHA-512"),
    (CLIENT.replace("sha-256", "sha-1"), "no fingerprint of SHA-256, SHA-384 or SHA-512"),
    (CLIENT.replace("sha-256", "sha-384"), "malformed fingerprint"),
    (CLIENT.replace(FINGERPRINT, FINGERPRINT[:-1]), "malformed fingerprint"),
    (CLIENT.replace("setup:actpass", "setup:holdconn"), "no DTLS role"),
    (CLIENT + "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host\n", "malformed candidate"),
    (CLIENT + "a=candidate:1 1 udp 1 $(reboot) 9 typ host\n", "malformed candidate"),
    (CLIENT + f"a=candidate:1 1 udp 1 {'x' * 300} 9 typ host\n", "malformed candidate"),
    (CLIENT + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n" * 64, "too many candidates"),
    (CLIENT + "a=mid:0\n", None),
    (with_line(CLIENT, "a=mid", "a=mid:\u0660 x"), "malformed mid"),
    (CLIENT + "a=candidate:1 1 tcp 1 a-b.local 9 typ host tcptype active\n", None),
    (CLIENT.replace("t=0 0", "t=0 0\na=ice-lite"), "both sides are ICE-lite"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refusals(text: str, reason: str | None) -> None:
    if reason is None:
        audio(parse(text))
        return
    with pytest.raises(SdpRefused) as refused:
        audio(parse(text))
    assert refused.value.reason == reason


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    for whole in (text, "v=0\n" + text, CLIENT + text):
        with contextlib.suppress(SdpRefused):
            audio(parse(whole))


@given(st.data())
def test_changed_offers(draw: st.DataObject) -> None:
    lines = CLIENT.splitlines()
    for _ in range(draw.draw(st.integers(1, 5))):
        at = draw.draw(st.integers(0, len(lines) - 1))
        start = draw.draw(st.integers(0, len(lines[at])))
        end = draw.draw(st.integers(start, len(lines[at])))
        put = draw.draw(st.text("0123456789:/ -;=am\u0663\u00b2\t", max_size=12))
        lines[at] = lines[at][:start] + put + lines[at][end:]
    with contextlib.suppress(SdpRefused):
        audio(parse("\n".join(lines)))
