"""Handsets without I/O: their files, who has an address, and what becomes of a message, by time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.phones.course import OPEN_S, Course, Gate, judged, steps, worded
from tertulia.phones.handset import (
    Act,
    Deliver,
    Fail,
    Pause,
    Read,
    Refuse,
    Reply,
    Send,
    Throttle,
    Verdict,
)
from tertulia.phones.handsetbook import LOOK_S, Handsetbook
from tertulia.phones.handsetfile import built_in, parse, read
from tertulia.phones.scriptfile import ScriptFileError

DELIVER, READ = Deliver(True), Read(True)
HANDSETS = built_in()


def course(number: str, text: str = "Hello") -> list[tuple[float, Act]]:
    """What is done, each with its time after the message was taken."""
    going = Course.of(steps(HANDSETS[number], "sms", text), 100.0)
    done: list[tuple[float, Act]] = []
    while not going.is_over:
        now = going.due
        acts, going = going.advance(now)
        done += [(now - 100.0, act) for act in acts]
    return done


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("other", [(0.0, DELIVER)]),
        ("15550110", [(0.0, DELIVER), (1.0, READ)]),
        ("15550111", [(10.0, DELIVER)]),
        ("15550113", [(2.0, Fail("unreachable"))]),
        ("15550114", [(0.0, DELIVER), (0.5, READ), (0.5, Reply("{text}"))]),
        ("15550115", []),
        ("15550117", [(0.0, DELIVER)]),
    ],
)
def test_what_the_built_in_handsets_do(number: str, expected: list[tuple[float, Act]]) -> None:
    assert course(number) == expected


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Stop that", "STOP"),
        ("To leave, say UNSUBSCRIBE.", "STOP"),
        ("Say HELP for help, or STOP", "STOP"),
        ("help", "HELP"),
        ("Please confirm.", "Yes"),
        ("Nonstop helpful", "Who is this?"),
        ("", "Who is this?"),
    ],
)
def test_replies_by_keyword(text: str, reply: str) -> None:
    assert course("15550116", text)[-1] == (1.0, Reply(reply))


def test_the_carrier_refuses() -> None:
    do = steps(HANDSETS["15550112"], "sms", "Hello")
    assert judged(do, Gate(), 0.0) == (Refuse("unknown"), Gate())
    others = HANDSETS.keys() - {"15550112", "15550117"}
    assert all(judged(HANDSETS[each].rules[0].do, Gate(), 0.0)[0] is None for each in others)


def test_the_carrier_has_too_much_to_do_and_then_has_not() -> None:
    do = steps(HANDSETS["15550117"], "sms", "Hello")
    gate, verdicts = Gate(), list[Verdict]()
    for now in (0.0, 0.1, 0.2, 0.3, 5.0, 0.3 + OPEN_S, 11.0, 12.0, 13.0):
        verdict, gate = judged(do, gate, now)
        verdicts.append(verdict)
    busy = Throttle(3)
    assert verdicts == [busy, busy, busy, None, None, busy, busy, busy, None]


def test_who_is_throttled_may_be_refused_after_it() -> None:
    do = (Throttle(1), Refuse("barred"))
    first, gate = judged(do, Gate(), 0.0)
    assert (first, judged(do, gate, 1.0)[0]) == (Throttle(1), Refuse("barred"))


RULES = """
about = "A shop"
[[message]]
says = ["order", "c++"]
channels = ["whatsapp"]
do = [{ deliver = true }, { send = "https://x.test/a.jpg", caption = "Here" }]
[[message]]
channels = ["sms", "mms"]
do = [{ pause = 1 }, { pause = 0.5 }, { fail = "expired" }]
"""


@pytest.mark.parametrize(
    ("channel", "text", "first"),
    [
        ("whatsapp", "My ORDER, please", DELIVER),
        ("whatsapp", "I like C++.", DELIVER),
        ("whatsapp", "reorder", None),
        ("sms", "order", Pause(1)),
        ("viber", "order", None),
    ],
)
def test_the_first_rule_that_fits_counts(channel: str, text: str, first: object) -> None:
    do = steps(parse("1", RULES, source="x"), channel, text)
    assert (do[0] if do else None) == first


def test_a_file_as_an_answer() -> None:
    do = steps(parse("1", RULES, source="x"), "whatsapp", "order")
    assert do[1] == Send("https://x.test/a.jpg", "image", "Here")


def test_pauses_add_up() -> None:
    do = steps(parse("1", RULES, source="x"), "sms", "")
    assert Course.of(do, 10.0).due == 11.5
    assert Course.of(do, 10.0).advance(11.4)[0] == []


@given(
    st.lists(st.sampled_from([Pause(0.5), Pause(2), DELIVER, READ, Reply("x")]), max_size=12),
    st.lists(st.floats(0, 3), max_size=20),
)
def test_when_it_is_looked_at_makes_no_difference(
    do: list[Act | Pause], looks: list[float]
) -> None:
    at_once, _ = Course.of(tuple(do), 0.0).advance(100.0)
    going, now = Course.of(tuple(do), 0.0), 0.0
    bit_by_bit: list[Act] = []
    for look in (*looks, 100.0):
        now += look
        acts, going = going.advance(now)
        bit_by_bit += acts
    assert bit_by_bit == at_once == [step for step in do if not isinstance(step, Pause)]
    assert going.is_over


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{text}", "a {from} b"),
        ("{from} wrote {text} to {to}; {other}", "1 wrote a {from} b to 2; {other}"),
        ("no", "no"),
    ],
)
def test_what_is_filled_in_is_not_filled_in_again(template: str, said: str) -> None:
    assert worded(template, text="a {from} b", sender="1", recipient="2") == said


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("do = [{ jump = true }]", "message 1, step 1: one thing to do, not jump. There are"),
        ("do = [{}]", "one thing to do, not nothing"),
        ("do = [{ deliver = true, read = true }]", "not deliver and read"),
        ("do = [{ deliver = false }]", "message 1, step 1"),
        ("do = [{ pause = -1 }]", "message 1, step 1"),
        ("do = [{ pause = 1, loud = true }]", "loud"),
        ("do = [{ refuse = 'mood' }]", "message 1, step 1"),
        ("do = [{ pause = 1 }, { throttle = 1 }]", "step 2: throttle comes first"),
        ("do = [{ pause = 1 }, { refuse = 'barred' }]", "step 2: refuse comes first"),
        ("do = [{ refuse = 'barred' }, { pause = 1 }]", "step 1: nothing happens to what"),
        ("do = [{ deliver = true }, { fail = 'unknown' }]", "step 2: a message is delivered or"),
        ("do = [{ read = true }]", "step 1: nobody has the message"),
        ("do = [{ fail = 'unknown' }, { reply = 'x' }]", "step 2: nobody has the message"),
        ("do = [{ deliver = true }, { send = 'file:///x' }]", "message 1, step 2"),
        ("do = []\nchannels = ['pigeon']", "pigeon"),
        ("do = []\nsays = ['']", "says"),
        ("do = []\nmore = 1", "more"),
        ("", "do"),
        ("do = [", "Invalid"),
    ],
)
def test_a_slip_is_told_with_its_place(rules: str, complaint: str) -> None:
    with pytest.raises(ScriptFileError) as caught:
        parse("1", f'about = "x"\n[[message]]\n{rules}', source="1.toml")
    assert str(caught.value).startswith("1.toml")
    assert complaint in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "1.toml").write_bytes(b"#" * 70_000)
    (tmp_path / "2.toml").write_bytes(b"\xff")
    for name in ("1.toml", "2.toml", "3.toml", "somebody.toml"):
        with pytest.raises(ScriptFileError):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("15550112", "15550112"),
        ("+15550112", "15550112"),
        ("4915550112", "15550112"),
        ("user-15550112", "15550112"),
        ("15550112@mail.test", "15550112"),
        ("ACME", "other"),
        ("15550100", "other"),
        ("447700900123", "other"),
        ("1555011", "other"),
        ("15550112x", "other"),
        ("", "other"),
        ("1" * 10_000, "other"),
    ],
)
def test_the_last_digits_decide(address: str, number: str) -> None:
    assert Handsetbook().find(address, 0.0).number == number


def test_files_of_ones_own_are_read_again_when_they_change(tmp_path: Path) -> None:
    rules = 'about = "{}"\n[[message]]\ndo = []\n'
    book = Handsetbook(tmp_path)
    assert book.find("15550112", 0.0).about.startswith("A number")
    (tmp_path / "15550112.toml").write_text(rules.format("Mine"))
    (tmp_path / "0112.toml").write_text(rules.format("Shorter"))
    (tmp_path / "other.toml").write_text(rules.format("Anybody"))
    (tmp_path / "notes.toml").write_text("none")
    (tmp_path / "5.toml").write_text("none")
    assert book.find("15550112", LOOK_S / 2).about.startswith("A number")
    assert book.find("15550112", LOOK_S).about == "Mine"
    assert book.find("2220112", LOOK_S).about == "Shorter"
    assert book.find("5", LOOK_S).about == "Anybody"
    assert "15550112" in book.everybody and "other" not in book.everybody
    (tmp_path / "15550112.toml").unlink()
    assert book.find("15550112", 2 * LOOK_S).about.startswith("A number")
