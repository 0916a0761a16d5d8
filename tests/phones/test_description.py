"""What phones make of offers and answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.phones.description import answer, offer, read
from tertulia.protocols.sdp import SdpRefused

BOTH = ["PCMU", "PCMA"]
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


def described(*lines: str, session: str = "c=IN IP4 127.0.0.1\r\nt=0 0\r\n") -> bytes:
    return (HEAD + session + "".join(f"{line}\r\n" for line in lines)).encode()


def test_an_offer_of_many_codecs() -> None:
    body = described(
        "m=audio 4000 RTP/AVP 9 111 8 0 96 101",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:96 telephone-event/48000",
        "a=rtpmap:101 TELEPHONE-EVENT/8000",
        "a=rtcp-mux",
    )
    agreed = read(body, BOTH)
    assert (agreed.address, agreed.codec, agreed.payload_type) == (("127.0.0.1", 4000), "PCMA", 8)
    assert agreed.codecs == {8: "PCMA", 0: "PCMU"}
    assert agreed.event_type == 101
    assert agreed.muxed and agreed.sends
    assert read(body, ["PCMU"]).codec == "PCMU"


def test_the_answer_takes_up_each_section() -> None:
    body = described(
        "m=video 5000 RTP/AVP 99",
        "m=audio 4000 RTP/AVP 0 101",
        "c=IN IP4 127.0.0.2",
        "a=rtpmap:101 telephone-event/8000",
        "a=sendonly",
    )
    agreed = read(body, BOTH)
    assert agreed.address == ("127.0.0.2", 4000)
    text = answer(agreed, "127.0.0.1", 6000, 2).decode()
    assert "m=video 0 RTP/AVP 99\r\nm=audio 6000 RTP/AVP 0 101\r\n" in text
    assert "a=recvonly\r\n" in text and "rtcp-mux" not in text
    assert "a=rtpmap:101 telephone-event/8000\r\n" in text
    assert not agreed.sends


@pytest.mark.parametrize(
    ("theirs", "ours", "sends"),
    [
        ("sendrecv", "sendrecv", True), ("sendonly", "recvonly", False),
        ("recvonly", "sendonly", True), ("inactive", "inactive", False),
    ],
)  # fmt: skip
def test_directions_are_turned_around(theirs: str, ours: str, sends: bool) -> None:
    agreed = read(described("m=audio 4000 RTP/AVP 0", f"a={theirs}"), BOTH)
    assert (agreed.direction, agreed.sends) == (ours, sends)


def test_the_old_way_of_hold() -> None:
    session = "c=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    assert not read(described("m=audio 4000 RTP/AVP 0", session=session), BOTH).sends


def test_our_offer_can_be_read() -> None:
    agreed = read(offer(["PCMA"], "::1", 4000, 1, direction="sendonly"), BOTH)
    assert (agreed.address, agreed.codec) == (("::1", 4000), "PCMA")
    assert (agreed.event_type, agreed.direction) == (101, "recvonly")


def test_a_phone_without_telephone_events() -> None:
    both = "m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"
    assert read(described(*both), BOTH).event_type == 101
    agreed = read(described(*both), BOTH, events=False)
    assert agreed.event_type is None
    for written in (
        answer(agreed, "127.0.0.1", 6000, 1),
        offer(["PCMU"], "::1", 4000, 1, events=False),
    ):
        assert b"telephone-event" not in written and b" 101" not in written


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"v=0", b"v=0\r\n" * 20_000,
        described(),
        described("m=audio 0 RTP/AVP 0"),
        described("m=audio 4000 RTP/SAVP 0"),
        described("m=audio 4000 UDP/TLS/RTP/SAVPF 0"),
        described("m=audio 4000 RTP/AVP 9 111", "a=rtpmap:111 opus/48000/2"),
        described("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 opus/8000", session="t=0 0\r\n"),
        described("m=audio 4000 RTP/AVP 0", session="c=IN IP4 phones.example\r\n"),
        described("m=audio 4000 RTP/AVP 0", session="c=IN IP4 1.2.3.4.5\r\n"),
        described("m=audio 99999 RTP/AVP 0"),
    ],
)  # fmt: skip
def test_what_a_phone_cannot_do_is_refused(body: bytes) -> None:
    with pytest.raises(SdpRefused):
        read(body, BOTH)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([
    "m=audio 4000 RTP/AVP 0", "m=audio 1 RTP/AVP x 999", "c=IN IP4 127.0.0.1", "c=", "a=rtpmap:",
    "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 telephone-event/8000", "a=inactive", "s=", "m=", "t=0 0",
])))  # fmt: skip
def test_odd_descriptions_are_read_or_refused(lines: list[str]) -> None:
    try:
        agreed = read(described(*lines), BOTH)
    except SdpRefused:
        return
    assert answer(agreed, "127.0.0.1", 6000, 1)
