"""The language of searches, and snippets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.errors import ValidationFailed
from tertulia.model.words import MARK, SNIPPET_MAX, UNMARK, Snippet, Term, snippet_of, terms_of


@pytest.mark.parametrize(("asked", "expected"), [
    ("tea", [Term(("tea",))]), ("  two  words ", [Term(("two",)), Term(("words",))]),
    ('"two words"', [Term(("two", "words"))]), ("te*", [Term(("te",), True)]),
    ('"two wo"*', [Term(("two", "wo"), True)]), ("t*", [Term(("t",))]),
    ("te**", [Term(("te",), True)]),
    ('"open end', [Term(("open", "end"))]),
    ('a"b c"d', [Term(("a",)), Term(("b", "c")), Term(("d",))]),
    ("well-known", [Term(("well", "known"))]), ("foo_bar", [Term(("foo", "bar"))]),
    ('tea "" !!! *', [Term(("tea",))]), ("café", [Term(("café",))]),
    ("o'clock*", [Term(("o", "clock"), True)]),
    ("* tea", [Term(("tea",))]), ("te*a", [Term(("te", "a"))]), ("ü", [Term(("ü",))]),
    ("\x00tea\x00", [Term(("tea",))]),
])  # fmt: skip
def test_terms(asked: str, expected: list[Term]) -> None:
    assert list(terms_of(asked)) == expected


@pytest.mark.parametrize("asked", ["", " ", '""', "*", "!!!", '"*"', "-- ;", "\U0001f600", "_"])
def test_without_a_word(asked: str) -> None:
    with pytest.raises(ValidationFailed, match="validation"):
        terms_of(asked)


@given(st.text(max_size=200))
def test_anything_is_terms_of_letters_or_nothing(asked: str) -> None:
    try:
        terms = terms_of(asked)
    except ValidationFailed:
        return
    assert terms and all(term.words for term in terms)
    assert not any('"' in word or " " in word or "*" in word for t in terms for word in t.words)


def test_marks_are_taken_out_of_snippets() -> None:
    assert snippet_of("plain") == Snippet("plain", [])
    marked = f"…a {MARK}tea{UNMARK} and {MARK}\U0001f600{UNMARK}"
    assert snippet_of(marked) == Snippet("…a tea and \U0001f600", [(3, 6), (11, 12)])
    long = snippet_of(f"{MARK}a{UNMARK}" + "x" * 2000 + f"{MARK}b{UNMARK}")
    assert (len(long.text), long.marks) == (SNIPPET_MAX, [(0, 1)])
