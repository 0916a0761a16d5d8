"""The line editor: keys in, lines out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.client.editor import LINE_MAX, Key, LineEditor
from tertulia.client.plain import width

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"


@pytest.mark.parametrize(
    "typed, text, cursor",
    [
        ("hello", "hello", 5),
        ("hello\x7f\b", "hel", 3),
        (f"hllo{LEFT * 3}e", "hello", 2),
        (f"ab{LEFT * 9}X", "Xab", 1),
        (f"ab{RIGHT * 9}X", "abX", 3),
        ("ab\x01X", "Xab", 1),
        ("ab\x1b[HX\x1b[FY", "XabY", 4),
        ("ab\x1bOHX\x1bOFY", "XabY", 4),
        ("ab\x1b[1~X\x1b[4~Y", "XabY", 4),
        ("abc\x02\x02\x06X", "abXc", 3),
        ("abc\x01\x1b[3~", "bc", 0),
        ("abc\x01\x04", "bc", 0),
        (f"abcd{LEFT * 2}\x0b", "ab", 2),
        (f"abcd{LEFT * 2}\x15", "cd", 0),
        ("one two  \x17", "one ", 4),
        ("a\tb", "a b", 3),
        ("\x7f\x1b[3~\x17\x15\x0b", "", 0),
        ("a\x1b[38;5;1mb\x1b[?25lc\x1bxd", "abcd", 4),
        ("\x1b\x1b[Da", "a", 1),
        ("a\x00\x07\x1fb", "ab", 2),
        ("né晩👍", "né晩👍", 4),
    ],
)
def test_keys(typed: str, text: str, cursor: int) -> None:
    editor = LineEditor()
    assert editor.feed(typed) == []
    assert (editor.text, editor.cursor) == (text, cursor)


def test_lines_are_finished() -> None:
    editor = LineEditor()
    assert editor.feed("one\rtwo\n\nthr") == ["one", "two", ""]
    assert editor.text == "thr"


def test_control_d_ends_an_empty_line_only() -> None:
    editor = LineEditor()
    assert editor.feed("a\x04\x15\x04\x0c") == [Key.END_OF_INPUT, Key.REDRAW]


def test_a_pasted_text_is_not_sent_line_by_line() -> None:
    editor = LineEditor()
    assert editor.feed("\x1b[200~one\ntwo\r\x1b[201~\r") == ["one two "]


def test_history() -> None:
    editor = LineEditor()
    editor.feed("one\rtwo\rtwo\rdraft")
    seen = []
    for key in (UP, UP, UP, DOWN, DOWN, DOWN):
        editor.feed(key)
        seen.append(editor.text)
    assert seen == ["two", "one", "one", "two", "draft", "draft"]
    assert editor.feed(f"{UP}!\r") == ["two!"]


@given(st.lists(st.sampled_from([*"ab 晩\x7f\x01\x05\x0b\x15\x17\t\r\x1b", UP, DOWN, LEFT, RIGHT,
                                 "\x1b[3~", "\x1b[200~", "\x1b[201~", "\x1bOH", "[", "~"])),
       st.data())  # fmt: skip
def test_however_the_keys_arrive(keys: list[str], data: st.DataObject) -> None:
    typed = "".join(keys)
    whole, torn = LineEditor(), LineEditor()
    at = data.draw(st.integers(0, len(typed)))
    assert whole.feed(typed) == torn.feed(typed[:at]) + torn.feed(typed[at:])
    assert (whole.text, whole.cursor) == (torn.text, torn.cursor)
    assert 0 <= whole.cursor <= len(whole.text)


@given(st.text(max_size=60), st.integers(0, 60), st.integers(2, 40))
def test_what_is_visible_fits_and_holds_the_cursor(text: str, left: int, columns: int) -> None:
    editor = LineEditor()
    editor.feed(text.replace("\x1b", ""))
    editor.feed(LEFT * left)
    shown, cursor = editor.visible(columns)
    assert width(shown) < columns
    assert 0 <= cursor <= width(shown)


def test_a_line_has_an_end() -> None:
    editor = LineEditor()
    editor.feed("x" * (LINE_MAX + 10))
    assert len(editor.text) == LINE_MAX


def test_a_sequence_without_an_end_is_dropped() -> None:
    editor = LineEditor()
    for _ in range(100):
        editor.feed("\x1b[" + "0" * 50)
    assert editor.feed("ok\r")[-1] in ("ok", "k")
