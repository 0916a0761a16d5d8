"""Readings in the order in which they are wanted."""

from tertulia.ports.speech import Reading
from tertulia.speech.readings import clipped, distinct, joined, trusted


def test_case_and_punctuation_make_no_other_reading() -> None:
    found = [
        Reading("Hello, you.", 0.9), Reading("hello you", 0.8), Reading("Yellow you", 0.5),
        Reading("...", 0.5), Reading("Jell-O", 0.1),
    ]  # fmt: skip
    assert distinct(found) == [found[0], found[2]]
    assert len(distinct([Reading(letter, 0.5) for letter in "abcdef"])) == 3


def test_a_hint_comes_first_but_not_with_words_left_out() -> None:
    plain = [Reading("please connect me to tertia lea", 0.6)]
    hinted = [
        Reading("Please connect me", 0.9), Reading("Please connect me to Teresa", 0.8),
        Reading("Please connect me to Tertulia.", 0.7),
    ]  # fmt: skip
    assert trusted(hinted, plain, ["Tertulia"]) == []
    plain = [Reading("please connect me to tertialea", 0.6)]
    assert trusted(hinted, plain, ["Tertulia"]) == [hinted[2], hinted[1]]


def test_parts_of_a_sentence_are_joined() -> None:
    parts = [
        Reading("This is", 1.0, 0, 500), Reading("one.", 0.5, 700, 900),
        Reading("This", 1.0, 900, 1200), Reading("another", 1.0, 4000, 4500),
    ]  # fmt: skip
    assert joined(parts) == [Reading("This is one.", 0.75, 0, 900), *parts[2:]]


def test_silence_is_no_part_of_a_sentence() -> None:
    spoken = [(100, 900), (1000, 1500), (4000, 5000)]
    assert clipped(Reading("a", 1.0, 0, 3500), spoken) == Reading("a", 1.0, 100, 1500)
    assert clipped(Reading("a", 1.0, 0, 4200), spoken) == Reading("a", 1.0, 100, 1500)
    assert clipped(Reading("a", 1.0, 2000, 3000), spoken) == Reading("a", 1.0, 2000, 3000)
