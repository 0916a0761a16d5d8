"""What phones offer and answer, as they really do, and what we make of it."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols import phone_sdp
from tertulia.protocols.phone_sdp import CODECS, Agreed, Offered, Ourselves, Place, agree
from tertulia.protocols.sdes import SUITES, Crypto
from tertulia.protocols.sdp import Description, SdpRefused, parse

US = Ourselves(77, 1, Place("192.0.2.1", 40_000))
KEY = bytes(range(30))
INLINE = b64encode(KEY).decode()
SHORT = b64encode(KEY[:28]).decode()
HEAD = "v=0\r\no=phone 1 1 IN IP4 10.0.0.7\r\ns=call\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\n"


def description(*lines: str, head: str = HEAD) -> Description:
    return parse(head + "".join(f"{line}\r\n" for line in lines))


def agreed(*lines: str, head: str = HEAD) -> Agreed:
    return agree(description(*lines, head=head))


def answered(*lines: str, key: bytes | None = None) -> list[str]:
    offer = description(*lines)
    return phone_sdp.answer(offer, agree(offer), US, key).split("\r\n")


def test_static_types_need_no_map() -> None:
    found = agreed("m=audio 5004 RTP/AVP 18 8 0 13")
    assert (found.codec, found.type_in, found.type_out, found.clock) == ("PCMA", 8, 8, 8000)
    assert found.place == Place("10.0.0.7", 5004) and found.rtcp == Place("10.0.0.7", 5005)
    assert found.noise_type == 13 and found.dtmf == {} and found.dtmf_type is None
    assert found.sends and found.receives and not found.mux and found.crypto is None


def test_the_answer_names_one_codec_and_what_goes_with_it() -> None:
    lines = answered(
        "m=audio 5004 RTP/AVP 96 0 97 98 13", "a=rtpmap:96 opus/48000/2", "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:97 telephone-event/48000", "a=rtpmap:98 telephone-event/8000", "a=fmtp:97 0-15",
    )  # fmt: skip
    assert lines == [
        "v=0", "o=- 77 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
        "m=audio 40000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:97 telephone-event/48000", "a=fmtp:97 0-16", "a=ptime:20", "a=sendrecv", "",
    ]  # fmt: skip


def test_the_first_usable_audio_is_taken_and_the_others_are_refused() -> None:
    lines = answered(
        "m=video 5000 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 5002 RTP/AVP 18",
        "m=audio 5004 RTP/AVP 0", "m=image 5006 udptl t38", "m=audio 5008 RTP/AVP 0",
    )  # fmt: skip
    assert [line for line in lines if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 0 RTP/AVP 18",
        "m=audio 40000 RTP/AVP 0", "m=image 0 udptl t38", "m=audio 0 RTP/AVP 0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "no audio"),
        (("m=video 5000 RTP/AVP 31",), "no audio"),
        (("m=audio 0 RTP/AVP 0",), "no audio"),
        (("m=audio 5004 RTP/AVP 18 4",), "no common codec"),
        (("m=audio 5004 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), "no common codec"),
        (("m=audio 5004 UDP/TLS/RTP/SAVPF 0",), "audio is not over RTP"),
        (("m=audio 5004 RTP/SAVP 0",), "no key of SRTP that we can keep to"),
        (("m=audio 5004 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"),
         "the connection address cannot be reached"),
        (("m=audio 5004 RTP/AVP 0", "c=IN IP4 a b"), "malformed connection"),
        (("m=audio 70000 RTP/AVP 0",), "malformed"),
    ],
)  # fmt: skip
def test_what_fits_nowhere_is_refused(lines: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SdpRefused) as refused:
        agreed(*lines)
    assert refused.value.reason == reason


def test_an_address_is_needed_and_a_name_will_do() -> None:
    bare = "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\n"
    with pytest.raises(SdpRefused):
        agreed("m=audio 5004 RTP/AVP 0", head=bare)
    named = agreed("m=audio 5004 RTP/AVP 0", "c=IN IP4 phone.example", head=bare)
    assert named.place == Place("", 5004)
    six = agreed("m=audio 5004 RTP/AVP 0", "c=IN IP6 2001:db8::7", head=bare)
    assert six.place.host == "2001:db8::7"
    with pytest.raises(SdpRefused):
        agree(description("m=audio 5004 RTP/AVP 0"), reaches=lambda host: ":" in host)


@pytest.mark.parametrize(
    ("line", "sends", "receives", "ours"),
    [
        ("a=sendrecv", True, True, "a=sendrecv"),
        ("a=sendonly", False, True, "a=recvonly"),
        ("a=recvonly", True, False, "a=sendonly"),
        ("a=inactive", False, False, "a=inactive"),
        ("c=IN IP4 0.0.0.0", False, True, "a=recvonly"),
    ],
)
def test_hold(line: str, sends: bool, receives: bool, ours: str) -> None:
    found = agreed("m=audio 5004 RTP/AVP 0", line)
    assert (found.sends, found.receives) == (sends, receives)
    assert answered("m=audio 5004 RTP/AVP 0", line)[-2] == ours


@pytest.mark.parametrize(
    ("lines", "frame"),
    [
        ((), 20), (("a=ptime:30",), 30), (("a=ptime:10",), 10), (("a=ptime:5",), 10),
        (("a=ptime:25",), 20), (("a=ptime:60", "a=maxptime:40"), 40), (("a=ptime:999",), 120),
        (("a=ptime:x",), 20), (("a=maxptime:10",), 10), (("a=ptime:20.0",), 20),
    ],
)  # fmt: skip
def test_length_of_packets(lines: tuple[str, ...], frame: int) -> None:
    assert agreed("m=audio 5004 RTP/AVP 0", *lines).frame == frame


def test_opus_is_always_sent_in_frames() -> None:
    opus = ("m=audio 5004 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=ptime:60")
    assert agreed(*opus).frame == 20


def test_where_reports_go() -> None:
    muxed = agreed("m=audio 5004 RTP/AVP 0", "a=rtcp-mux")
    assert muxed.mux and muxed.rtcp == muxed.place
    told = agreed("m=audio 5004 RTP/AVP 0", "a=rtcp:6001 IN IP4 10.0.0.9")
    assert told.rtcp == Place("10.0.0.7", 6001)
    assert agreed("m=audio 5004 RTP/AVP 0", "a=rtcp:0").rtcp.port == 5005
    assert "a=rtcp-mux" in answered("m=audio 5004 RTP/AVP 0", "a=rtcp-mux")


@pytest.mark.parametrize(
    ("crypto", "found"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}", (1, "AES_CM_128_HMAC_SHA1_80")),
        (f"7 AES_CM_128_HMAC_SHA1_32 inline:{INLINE}|2^31", (7, "AES_CM_128_HMAC_SHA1_32")),
        (f"2 AEAD_AES_128_GCM inline:{SHORT} WSH=64", (2, "AEAD_AES_128_GCM")),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{SHORT}", None),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{INLINE}", None),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|2^31|1:4", None),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE};inline:{INLINE}", None),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE} UNENCRYPTED_SRTP", None),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:====", None),
        ("nonsense", None),
    ],
)
def test_keys_in_offers(crypto: str, found: tuple[int, str] | None) -> None:
    lines = ("m=audio 5004 RTP/SAVP 0", f"a=crypto:{crypto}")
    if found is None:
        with pytest.raises(SdpRefused):
            agreed(*lines)
        return
    peer = agreed(*lines).crypto
    assert peer is not None and peer[:2] == found and peer.key == KEY[: SUITES[found[1]]]
    said = answered(*lines, key=bytes(SUITES[found[1]]))
    ours = b64encode(bytes(SUITES[found[1]])).decode()
    assert f"a=crypto:{found[0]} {found[1]} inline:{ours}" in said
    assert "m=audio 40000 RTP/SAVP 0" in said


def test_keys_without_protection_are_passed_over() -> None:
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}"
    assert agreed("m=audio 5004 RTP/AVP 0", crypto).crypto is None
    first = agreed("m=audio 5004 RTP/AVP 0", "m=audio 5006 RTP/SAVP 0", crypto)
    assert first.index == 0


# ── offers ──


def test_our_offer() -> None:
    text = phone_sdp.offer(US, Offered(phone_sdp.to_offer()))
    assert "m=audio 40000 RTP/AVP 0 8 9 111 101 110 13\r\n" in text
    assert "a=rtpmap:9 G722/8000\r\n" in text and "a=rtcp-mux\r\n" in text
    few = phone_sdp.offer(US, Offered(phone_sdp.to_offer(["PCMA", "PCMU"])))
    assert "m=audio 40000 RTP/AVP 8 0 101 13\r\n" in few
    assert agree(parse(text)).codec == "PCMU"


def test_a_secure_offer_takes_no_plain_answer() -> None:
    keys = tuple(Crypto(tag, suite, KEY[:size]) for tag, (suite, size)
                 in enumerate(SUITES.items(), 1))  # fmt: skip
    offered = Offered(phone_sdp.to_offer(), keys)
    text = phone_sdp.offer(US, offered)
    assert text.count("a=crypto:") == 3 and "RTP/SAVP 0" in text
    line = f"a=crypto:{{}} AES_CM_128_HMAC_SHA1_32 inline:{INLINE}"
    answer = description("m=audio 5004 RTP/SAVP 0", line.format(3))
    assert agree(answer, offered=offered).crypto is not None
    for wrong in (("m=audio 5004 RTP/AVP 0",), ("m=audio 5004 RTP/SAVP 0", line.format(1))):
        with pytest.raises(SdpRefused):
            agree(description(*wrong), offered=offered)


def test_an_answer_may_have_other_numbers_and_several_codecs() -> None:
    offered = Offered(phone_sdp.to_offer())
    answer = description(
        "m=audio 5004 RTP/AVP 97 8 99", "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:99 telephone-event/8000",
    )  # fmt: skip
    found = agree(answer, offered=offered)
    assert (found.codec, found.type_in, found.type_out) == ("opus", 111, 97)
    assert found.dtmf == {99: 8000, 101: 8000} and found.dtmf_type == 99
    assert found.others[8].name == "PCMA"
    with pytest.raises(SdpRefused):
        agree(description("m=audio 5004 RTP/AVP 18"), offered=offered)
    with pytest.raises(SdpRefused):
        agree(description("m=audio 5004 RTP/AVP 0", "m=video 0 RTP/AVP 31"), offered=offered)


def test_numbers_that_are_agreed_upon_stay() -> None:
    found = agreed(
        "m=audio 5004 RTP/AVP 101 96", "a=rtpmap:101 opus/48000/2",
        "a=rtpmap:96 telephone-event/48000",
    )  # fmt: skip
    again = phone_sdp.to_offer(CODECS, found)
    assert again[0][:3] == (101, "opus", 48000)
    assert (96, "telephone-event", 48000) in {each[:3] for each in again}
    numbers = [each.payload_type for each in again]
    assert len(set(numbers)) == len(numbers)


def test_blanks_and_bare_line_feeds_are_common() -> None:
    text = HEAD + "m=audio  5004 RTP/AVP 0 101 \r\na=rtpmap:101 telephone-event/8000 \r\n\r\n"
    found = agree(parse(text.replace("\r\n", "\n")))
    assert found.codec == "PCMU" and found.dtmf == {101: 8000}


@given(
    st.lists(
        st.sampled_from(
            ["m=audio 5004 RTP/AVP 0 8 101", "m=audio 9 RTP/SAVP 0", "c=IN IP4 0.0.0.0",
             "a=rtpmap:101 telephone-event/8000", "a=ptime:-1", "a=crypto:", "a=rtcp:99999",
             "a=sendonly", "a=rtpmap:0 PCMU/0", "a=fmtp:0", "c=IN IP6 ::", "m=x 1 y z"]
        ) | st.text(max_size=40),
        max_size=12,
    )
)  # fmt: skip
def test_nothing_that_comes_raises_anything_else(lines: list[str]) -> None:
    try:
        offer = parse(HEAD + "\r\n".join(lines))
        found = agree(offer)
    except SdpRefused:
        return
    assert phone_sdp.answer(offer, found, US, None).startswith("v=0\r\n")
