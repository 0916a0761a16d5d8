"""What others write is shown and never obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.client.plain import JOINERS, TEXT_MAX, cut, plain, plain_lines, width

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("Hi Bob", "Hi Bob"),
        ("¡Buenas! 晩 ñ", "¡Buenas! 晩 ñ"),
        (FAMILY, FAMILY),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("\x9b31mred", "\ufffd31mred"),
        ("over\rwritten", "over\ufffdwritten"),
        ("a\tb\u00a0c", "a b c"),
        ("a\u202eevil\u2066\ufeff\u200bb", "aevilb"),
        ("line\u2028break\x00", "line\ufffdbreak\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_terminals_get_no_orders(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_text_is_cut() -> None:
    assert plain("x" * (TEXT_MAX + 1)) == "x" * TEXT_MAX + " […]"
    assert len(plain_lines("\n" * 9 * TEXT_MAX)) <= TEXT_MAX + 1


@pytest.mark.parametrize(
    "text, lines", [("", [""]), ("a\nb\r\nc", ["a", "b", "c"]), ("a\x1b\nb", ["a\ufffd", "b"])]
)
def test_lines(text: str, lines: list[str]) -> None:
    assert plain_lines(text) == lines


@given(st.text())
def test_nothing_but_what_can_be_printed_comes_out(text: str) -> None:
    shown = plain(text)
    assert all(character.isprintable() or character in JOINERS for character in shown)
    assert not any(unicodedata.bidirectional(each) in ("RLO", "LRO", "RLE") for each in shown)


@pytest.mark.parametrize(
    "text, columns", [("abc", 3), ("晩", 2), ("e\u0301", 1), ("\u2764\ufe0f", 1), ("👍", 2)]
)
def test_columns(text: str, columns: int) -> None:
    assert width(text) == columns


@given(st.text().map(plain), st.integers(0, 30))
def test_a_cut_text_fits(text: str, columns: int) -> None:
    shown = cut(text, columns)
    assert text.startswith(shown)
    assert width(shown) <= columns
