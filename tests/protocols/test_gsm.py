import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.protocols import gsm
from tertulia.protocols.gsm import Concatenation, Encoding, UserData
from tertulia.protocols.gsm_joining import Joiner, Part

ALPHABET = gsm.decode(bytes(each for each in range(128) if each != gsm.ESCAPE)) + "\f^{}\\[~]|€"


def test_the_alphabet_is_the_published_one() -> None:
    assert gsm.encode("@£$¥èé\n\r_ !aAzZ") == bytes.fromhex("0001020304050a0d11202161417a5a")
    assert gsm.encode("Ç Ø Å Δ Φ Γ Λ Ω Π Ψ Σ Θ Ξ Æ ß É ¤ ¡ Ä Ö Ñ Ü § ¿ ä ö ñ ü à")[::2] == (
        bytes.fromhex(
            "090b0e101213141516171819 1a1c1e1f24405b5c5d5e5f607b7c7d7e7f".replace(" ", "")
        )
    )
    assert gsm.encode("{}[]\\~^|€\f") == b"".join(
        b"\x1b" + bytes((each,)) for each in b"\x28\x29\x3c\x3e\x2f\x3d\x14\x40\x65\x0a"
    )
    assert len(set(ALPHABET)) == 127 + 10


@given(st.text(ALPHABET, max_size=400))
def test_what_is_in_the_alphabet_comes_back(text: str) -> None:
    assert gsm.fits(text)
    assert gsm.decode(gsm.encode(text)) == text


@given(st.binary(max_size=200))
def test_any_octets_are_some_text(octets: bytes) -> None:
    assert gsm.fits(gsm.decode(octets))
    assert isinstance(gsm.decode_unicode(octets), str)


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"a\x1b", "a "), (b"\x1ba\x1b\x1be", "a €"), (b"\xc1", "A"), (b"\x1b\x1b", "  ")],
)
def test_escapes_that_mean_nothing(octets: bytes, text: str) -> None:
    assert gsm.decode(octets) == text


def test_what_the_alphabet_has_not() -> None:
    assert gsm.encode("a\u4e2d\U0001f600\x1b") == b"a???"
    assert gsm.encode_unicode("\ud800a") == "\ufffda".encode("utf-16-be")


@pytest.mark.parametrize(
    ("text", "encoding", "sizes"),
    [
        ("", "auto", [0]),
        ("a" * 160, "auto", [160]),
        ("a" * 161, "auto", [153, 8]),
        ("a" * 306, "auto", [153, 153]),
        ("a" * 307, "auto", [153, 153, 1]),
        ("€" * 80, "auto", [160]),
        ("€" * 81, "auto", [152, 10]),
        ("a" * 152 + "€" * 5, "auto", [152, 10]),
        ("я" * 70, "auto", [140]),
        ("я" * 71, "auto", [134, 8]),
        ("\U0001f600" * 36, "auto", [132, 12]),
        ("a" * 66 + "\U0001f600" * 3, "auto", [132, 12]),
        ("a" * 71, "unicode", [134, 8]),
        ("я" * 160, "text", [160]),
    ],
)
def test_parts(text: str, encoding: str, sizes: list[int]) -> None:
    assert [len(part) for part in gsm.segments_of(text, encoding).parts] == sizes


@settings(max_examples=100)
@given(st.text(max_size=800), st.sampled_from(Encoding), st.booleans())
def test_parts_are_the_text_and_each_is_text_alone(
    text: str, encoding: Encoding, wide: bool
) -> None:
    segments = gsm.segments_of(text, encoding, wide=wide)
    decode = gsm.decode_unicode if segments.is_unicode else gsm.decode
    together = decode(b"".join(segments.parts))
    assert "".join(map(decode, segments.parts)) == together
    assert together == (
        text if segments.is_unicode or gsm.fits(text) else gsm.decode(gsm.encode(text))
    )
    room = (7 if wide else 6) if len(segments.parts) > 1 else 0
    for part in segments.parts:
        octets = len(part) if segments.is_unicode else -(-len(part) * 7 // 8)
        assert octets + room <= 140


@pytest.mark.parametrize("wide", [False, True])
def test_headers_come_back(wide: bool) -> None:
    octets = gsm.header(Concatenation(0x1234, 3, 2), wide=wide) + b"rest"
    reference = 0x11234 if wide else 0x34
    assert gsm.user_data(octets) == UserData(Concatenation(reference, 3, 2), b"rest")


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x05\x00\x03", b"\x03\x00\x09\x01", b"\x01\x00", b"\xff" * 20],
)
def test_headers_that_are_torn(octets: bytes) -> None:
    assert gsm.user_data(octets) is None


@pytest.mark.parametrize("which", [(1, 2, 0), (1, 2, 3), (1, 0, 0)])
def test_parts_that_cannot_be(which: tuple[int, int, int]) -> None:
    assert gsm.user_data(gsm.header(Concatenation(*which)) + b"x") == UserData(None, b"x")


def test_other_elements_are_passed_over() -> None:
    octets = bytes((11, 5, 4, 0x0B, 0x84, 0, 0, 0, 3, 9, 2, 1)) + b"x"
    assert gsm.user_data(octets) == UserData(Concatenation(9, 2, 1), b"x")


@given(st.binary(max_size=60))
def test_no_octets_break_the_header(octets: bytes) -> None:
    gsm.user_data(octets)


def part(number: int, total: int = 2, *, data: bytes = b"x", reference: int = 1) -> Part:
    return Part("a", "b", Concatenation(reference, total, number), data, 0)


def test_parts_are_joined_in_order_and_once() -> None:
    joiner = Joiner()
    assert joiner.add(part(2, data=b"2"), 0.0) is None
    assert joiner.add(part(2, data=b"2"), 1.0) is None
    joined = joiner.add(part(1, data=b"1"), 2.0)
    assert joined is not None and [each.data for each in joined.parts] == [b"1", b"2"]
    assert joined.is_whole


def test_what_could_not_be_taken_is_joined_again() -> None:
    joiner = Joiner()
    joiner.add(part(1), 0.0)
    first = joiner.add(part(2), 0.0)
    assert joiner.add(part(2), 1.0) == first
    assert first is not None
    joiner.forget(first, 1.0)
    assert joiner.was_taken(part(2)) and not joiner.was_taken(part(2, data=b"other"))
    assert len(joiner) == 0
    assert joiner.overdue(400.0) == []
    assert not joiner.was_taken(part(2))


def test_what_does_not_become_whole_is_overdue() -> None:
    joiner = Joiner(patience=10.0)
    joiner.add(part(1, 3, data=b"1"), 0.0)
    joiner.add(part(3, 3, data=b"3"), 5.0)
    assert joiner.overdue(9.0) == []
    (left,) = joiner.overdue(10.0)
    assert [each.data for each in left.parts] == [b"1", b"3"] and not left.is_whole
    assert joiner.overdue(11.0) == [left]
    joiner.forget(left, 11.0)
    assert joiner.overdue(30.0) == [] and len(joiner) == 0


def test_there_is_so_much_room() -> None:
    joiner = Joiner(messages=3, of_one=2, octets=100)
    joiner.add(part(1, reference=1), 0.0)
    joiner.add(part(1, reference=2), 0.0)
    assert not joiner.has_room(part(1, reference=3))
    assert joiner.has_room(part(2, reference=2))
    assert not joiner.has_room(part(2, reference=2, data=b"x" * 100))
    assert joiner.has_room(part(1)._replace(sender="other"))
    joiner.add(part(1)._replace(sender="other"), 0.0)
    assert not joiner.has_room(part(1)._replace(sender="third"))
