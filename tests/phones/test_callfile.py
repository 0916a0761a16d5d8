"""Call files: what they say, and what is told of those that are wrong."""

from pathlib import Path

import pytest

from tertulia.phones.callee import Answer, Beep, Line, Press, Say, Wait
from tertulia.phones.callfile import VERBS, built_in, parse, read
from tertulia.phones.scriptfile import FILE_MAX, ScriptFileError

WHOLE = """
about = "Everything"

[line]
loss = 1.5
codecs = ["PCMA"]

[parts]
start = [
    { ring = 1 },
    { early = true },
    { tone = [440, 480], for = 2, level = -19 },
    { answer = true },
    { say = "Press a key.", language = "en-US", on = { 1 = "one", digit = "other" } },
    { wait = 8, until = "speech", else = "other", quiet = 1.2 },
    { beep = 1400 },
    { press = "12#p9", by = "tones", for = 0.2 },
    { record = 3 },
]
one = [{ play = "sounds/one.wav" }, { echo = 2 }, { hold = 1 }, { transfer = "15550101" }]
other = [{ pause = 0.5 }, { go = "last" }]
last = [{ hang_up = true }, { decline = 486, text = "Busy" }, { redirect = "15550102" }]
"""


def refusal(text: str) -> str:
    with pytest.raises(ScriptFileError) as caught:
        parse("1", text, source="1.toml")
    return str(caught.value)


def with_step(step: str) -> str:
    return f'about = "x"\n[parts]\nstart = [{{ pause = 1 }}, {step}]\nother = []'


def test_every_step_can_be_written() -> None:
    callee = parse("15551234", WHOLE, source="15551234.toml")
    steps = [step for part in callee.parts.values() for step in part]
    assert {type(step) for step in steps} == set(VERBS.values())
    assert callee.line == Line(loss=1.5, codecs=["PCMA"])
    start = callee.parts["start"]
    assert start[3] == Answer(answer=True)
    assert start[4] == Say(text="Press a key.", language="en-US", on={"1": "one", "digit": "other"})
    assert start[5] == Wait(seconds=8, until="speech", otherwise="other", quiet=1.2)
    assert start[6] == Beep(hertz=1400, seconds=0.4)
    assert start[7] == Press(digits="12#p9", by="tones", seconds=0.2)
    assert [type(each).__name__ for each in callee.sounds] == ["Tone", "Say", "Beep", "Play"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ('{ sya = "x" }', "one thing to do, not sya. There are ring, early, answer"),
        ("{ }", "one thing to do, not nothing"),
        ("{ ring = 1, answer = true }", "one thing to do, not ring and answer"),
        ('{ ring = "long" }', "Expected `float`, got `str` - at `$.ring`"),
        ("{ ring = 0 }", "Expected `float` > 0.0 - at `$.ring`"),
        ("{ ring = 4000 }", "Expected `float` <= 3600.0 - at `$.ring`"),
        ("{ ring = inf }", "Expected `float` <= 3600.0 - at `$.ring`"),
        ("{ ring = nan }", "at `$.ring`"),
        ("{ ring = 1, on = {} }", "Object contains unknown field `on`"),
        ("{ answer = false }", "at `$.answer`"),
        ("{ decline = 200 }", "Expected `int` >= 400 - at `$.decline`"),
        ('{ decline = 486, text = "a\\r\\nb" }', "at `$.text`"),
        ('{ say = "" }', "Expected `str` of length >= 1 - at `$.say`"),
        ('{ say = "x", on = { 10 = "other" } }', "at `key` in `$.on`"),
        ('{ say = "x", on = { 1 = "nowhere" } }', "there is no part nowhere"),
        ('{ wait = 1, else = "nowhere" }', "there is no part nowhere"),
        ('{ go = "nowhere" }', "there is no part nowhere"),
        ('{ wait = 1, until = "dawn" }', "Invalid enum value 'dawn' - at `$.until`"),
        ('{ play = "/etc/passwd" }', "does not lie beside the call file"),
        ('{ play = "../x.wav" }', "does not lie beside the call file"),
        ('{ press = "12E" }', "at `$.press`"),
        ("{ tone = [], for = 1 }", "Expected `array` of length >= 1 - at `$.tone`"),
        ("{ tone = [440] }", "Object missing required field `for`"),
        ("{ beep = 9000 }", "Expected `float` <= 3800.0 - at `$.beep`"),
        ("{ record = 301 }", "Expected `float` <= 300.0 - at `$.record`"),
        ('{ transfer = "robin" }', "at `$.transfer`"),
    ],
)
def test_a_wrong_step_is_told_with_its_place(step: str, told: str) -> None:
    text = refusal(with_step(step))
    assert text.startswith("1.toml, part start, step 2: ")
    assert told in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("about =", "1.toml: Invalid value"),
        ("[parts]\nstart = []", "1.toml: Object missing required field `about`"),
        ('about = "x"', "1.toml: Object missing required field `parts`"),
        ('about = "x"\n[parts]\nbegin = []', "1.toml: there is no part start"),
        ('about = "x"\nabuot = "y"\n[parts]\nstart = []', "unknown field `abuot`"),
        ('about = "x"\n[parts]\nstart = []\n"a b" = []', "at `key` in `$.parts`"),
        ('about = "x"\n[parts]\nstart = ["ring"]', "got `str` - at `$.parts[...][0]`"),
        ('about = "x"\n[line]\nloss = 101\n[parts]\nstart = []', "`float` <= 100.0 - at"),
        ('about = "x"\n[line]\ncodecs = ["opus"]\n[parts]\nstart = []', "'opus'"),
        (f'about = "x"\n[parts]\nstart = [{"{ pause = 1 }, " * 501}]', "500 steps"),
    ],
)
def test_a_wrong_file_is_told(text: str, told: str) -> None:
    assert told in refusal(text)


def test_a_file_is_read_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "15551234.toml"
    path.write_text(WHOLE)
    assert read(path).number == "15551234"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("robin.toml", b"", "the name of the file is no number"),
        ("1.toml", b"#" * (FILE_MAX + 1), "more than 65536 octets"),
        ("1.toml", b"\xff", "can't decode"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScriptFileError, match=told):
        read(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptFileError, match="No such file"):
        read(tmp_path / "1.toml")


def test_the_example_in_the_documentation_can_be_called() -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulated-phones.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    assert parse("1", example, source="docs").parts.keys() == {"start", "order", "wrong", "bye"}


def test_every_step_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulated-phones.md").read_text()
    assert [verb for verb in VERBS if f"| `{verb} = " not in text] == []


def test_the_built_in_callees_are_there() -> None:
    assert [*built_in()] == [str(number) for number in range(15550100, 15550109)]
    assert all(callee.about for callee in built_in().values())
