import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.bus.chunks import OPEN_MAX, OPEN_SECONDS, TEXT_MAX, WORD_MAX, Cutter, Joiner
from tertulia.bus.switchboard import SUBJECT_MAX, Parcel

words = st.binary(max_size=300) | st.text(max_size=200).map(str.encode)


@given(st.lists(st.tuples(words, st.integers(1, 80)), max_size=5), st.sampled_from(["", "inbox.1"]))
def test_what_is_cut_is_joined_again(cases: list[tuple[bytes, int]], reply: str) -> None:
    cutter, joiner = Cutter("a"), Joiner()
    parcels = [Parcel("log", word * times, reply) for word, times in cases]
    texts = [text for parcel in parcels for text in cutter.texts(parcel)]
    assert len(set(texts)) == len(texts)
    assert all(len(text.encode()) < 8_000 and "\0" not in text for text in texts)
    assert [each for text in texts if (each := joiner.take(text, 0.0))] == parcels


def test_the_largest_word_under_the_longest_names() -> None:
    largest = Parcel("s" * SUBJECT_MAX, b"\xff" * WORD_MAX, "r" * SUBJECT_MAX)
    texts = list(Cutter("a" * 12).texts(largest))
    assert max(map(len, texts)) <= TEXT_MAX
    joiner = Joiner()
    assert [each for text in texts if (each := joiner.take(text, 0.0))] == [largest]


@given(st.integers(0, 9), st.booleans())
def test_a_word_of_which_a_part_is_missing_or_comes_twice_is_dropped(at: int, twice: bool) -> None:
    cutter, joiner = Cutter("a"), Joiner()
    texts = list(cutter.texts(Parcel("log", b"x" * 10 * (TEXT_MAX - 200))))
    assert len(texts) == 10
    texts[at : at + 1] = [texts[at]] * 2 if twice else []
    found = [each for text in texts if (each := joiner.take(text, 0.0))]
    whole = [each for text in cutter.texts(Parcel("log", b"y")) if (each := joiner.take(text, 0.0))]
    assert [each.word for each in whole] == [b"y"]
    assert not found or (twice and at in (0, 9))
    assert all(each.word == b"x" * 10 * (TEXT_MAX - 200) for each in found)


def test_words_of_several_senders_are_joined_side_by_side() -> None:
    joiner = Joiner()
    one, other = (list(Cutter(name).texts(Parcel("log", name.encode() * 20_000))) for name in "ab")
    mixed = [text for pair in zip(one, other, strict=True) for text in pair]
    found = [each for text in mixed if (each := joiner.take(text, 0.0))]
    assert [each.word[:1] for each in found] == [b"a", b"b"]


def test_what_stays_incomplete_goes() -> None:
    joiner = Joiner()
    texts = list(Cutter("a").texts(Parcel("log", b"x" * 20_000)))
    assert joiner.take(texts[0], 0.0) is None
    assert joiner.take(texts[1], OPEN_SECONDS + 1) is None
    assert joiner.take(texts[2], OPEN_SECONDS + 1) is None
    for number in range(10 * OPEN_MAX):
        joiner.take(f"a|b|{number}|0|2|log||x", 0.0)
    assert len(joiner._open) == OPEN_MAX


@given(st.text() | st.lists(st.sampled_from("ab|0123456789.é"), max_size=40).map("".join))
def test_what_others_say_on_our_channels_breaks_nothing(text: str) -> None:
    Joiner().take(text, 0.0)


@pytest.mark.parametrize(
    "text", ["a|b|1|0|1|log||é", "b|b|1|0|1|log||=!", "x|b|1|0|1|log||y", "a|b|1|0|99999|log||y",
             "a|b|1|-1|2|log||y", "a|b|1|1|2|log||y", "a|b|1|²|2|log||y", "a|b|1|0|0|log||y"],
)  # fmt: skip
def test_what_we_would_not_cut_is_no_word(text: str) -> None:
    assert Joiner().take(text, 0.0) is None
