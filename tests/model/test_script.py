"""Call scripts: what is one, and how a call goes through it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.script import (
    ACTIONS_MAX,
    SCRIPT_MAX,
    Action,
    Input,
    Keys,
    Meeting,
    Record,
    Script,
    ScriptRefused,
    Speech,
    Stream,
    Talk,
    parse,
)
from tertulia.model.script_run import (
    PACE,
    UNDER_SOUND,
    Barred,
    Complain,
    Elapsed,
    End,
    Happening,
    Heard,
    HungUp,
    Hush,
    Listen,
    Order,
    Pressed,
    Reading,
    RecordOver,
    Run,
    SoundOver,
    Spoke,
    Submit,
    Told,
    Unlisten,
    Wait,
)


def script(*actions: Any) -> Script:
    return parse(msgspec.json.encode(actions))


URL = "https://app.test/x"

READ: list[tuple[dict[str, Any], Action]] = [
    ({"action": "talk", "text": "Hi"}, Talk("Hi")),
    ({"action": "talk", "text": "Hi", "voiceName": "Amy", "unheard": [1]}, Talk("Hi")),
    (
        {"action": "talk", "text": "Hi", "bargeIn": "true", "loop": "0", "level": "-0.5"},
        Talk("Hi", barge_in=True, loop=0, level=-0.5),
    ),
    ({"action": "stream", "streamUrl": [URL], "level": 1}, Stream([URL], level=1)),
    ({"action": "record", "endOnSilence": 3}, Record(end_on_silence=3)),
    (
        {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 1, "submitOnHash": True}},
        Input(["dtmf"], dtmf=Keys(max_digits=1, submit_on_hash=True)),
    ),
    (
        {"action": "input", "type": ["speech"], "speech": {"uuid": ["a"], "endOnSilence": 0.4}},
        Input(["speech"], speech=Speech(uuid=["a"], end_on_silence=0.4)),
    ),
    (
        {"action": "conversation", "name": "n", "startOnEnter": False, "musicOnHoldUrl": [URL]},
        Meeting("n", start_on_enter=False, music_on_hold_url=[URL]),
    ),
]


@pytest.mark.parametrize(("given_", "action"), READ)
def test_an_action_is_read(given_: dict[str, Any], action: Action) -> None:
    assert script(given_) == (action,)


REFUSED: list[tuple[Any, str]] = [
    ({}, "the script is not an array of actions"),
    ([1], "action 1 has no name"),
    ([{"action": 5}], "action 1 has no name"),
    ([{"action": "connect"}], "action 1: 'connect' is not an action that is known here"),
    ([{"action": "talk"}], 'action 1 (talk): "text" is required'),
    ([{"action": "talk", "text": ""}], 'action 1 (talk): "text" length must be at least 1'),
    ([{"action": "talk", "text": "x" * 1501}], 'action 1 (talk): "text" length must be less'),
    ([{"action": "talk", "text": "x", "level": 2}], 'action 1 (talk): "level" must be less'),
    ([{"action": "talk", "text": "x"}, {"action": "input", "type": []}],
     'action 2 (input): "type" must contain'),
    ([{"action": "stream", "streamUrl": ["file:///etc"]}],
     'action 1 (stream): "streamUrl[0]" must be a valid uri'),
    ([{"action": "record", "timeOut": 2}], 'action 1 (record): "timeOut" must be larger'),
    ([{"action": "record", "endOnSilence": 11}], 'action 1 (record): "endOnSilence" must be less'),
    ([{"action": "record", "channels": 33}], 'action 1 (record): "channels" must be less'),
    ([{"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 21}}],
     'action 1 (input): "dtmf.maxDigits" must be less'),
    ([{"action": "input", "type": ["speech"], "speech": {"startTimeout": 61}}],
     'action 1 (input): "speech.startTimeout" must be less'),
    ([{"action": "input", "type": ["dtmf"], "mode": "asynchronous"}],
     'action 1 (input): "mode" must be'),
    ([{"action": "conversation"}], 'action 1 (conversation): "name" is required'),
    ([{"action": "talk", "text": "x"}] * (ACTIONS_MAX + 1), "the script has more than"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "reason"), REFUSED)
def test_what_is_no_script_is_refused(given_: Any, reason: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        parse(msgspec.json.encode(given_))
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b'[{"action"', b"[" * 2000, b"\xff", b" " * (SCRIPT_MAX + 1) + b"[]"]
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ScriptRefused):
        parse(raw)


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["action", "text", "type", "dtmf", "name"]), inner, max_size=3
    ),
).map(msgspec.json.encode))  # fmt: skip
@settings(max_examples=100)
def test_nothing_else_comes_of_reading(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw), tuple)
    except ScriptRefused as refused:
        assert str(refused)


# ── the way through ──

TALK = Talk("Hello")
BARGE = Talk("Press one", barge_in=True)
KEYS = Input(["dtmf"])
SPEECH = Input(["speech"])
EITHER = Input(["dtmf", "speech"])
ROOM = Meeting("standup")
NEXT = Talk("Next")
YES = Heard((Reading("yes", 0.9),), "end_on_silence_timeout")

WALKS: dict[str, tuple[Script, list[tuple[Happening | None, list[Order]]]]] = {
    "nothing": ((), [(None, [End()])]),
    "one after the other": ((TALK, NEXT), [
        (None, [TALK]), (Pressed("1"), []), (Spoke(), []), (SoundOver(), [NEXT]),
        (SoundOver(), [End()]), (SoundOver(), []),
    ]),
    "an error is told and passed over": ((TALK, NEXT), [
        (None, [TALK]), (SoundOver("no voice"), [Complain("no voice"), NEXT]),
    ]),
    "a sound is interrupted": ((BARGE, NEXT), [
        (None, [BARGE]), (Pressed("1"), [Hush(), NEXT]),
    ]),
    "a conversation holds the call": ((ROOM, NEXT), [
        (None, [ROOM]), (Pressed("1"), []), (SoundOver(), []), (HungUp(), []),
    ]),
    "a conversation that cannot be entered": ((ROOM, NEXT), [
        (None, [ROOM]), (Barred("gone"), [Complain("gone"), End("gone")]),
    ]),
    "a recording in the background": ((Record(), TALK), [(None, [Record(), TALK])]),
    "a recording that ends": ((Record(time_out=9), TALK), [
        (None, [Record(time_out=9)]), (Pressed("1"), []), (RecordOver(), [TALK]),
    ]),
    "keys up to their number": ((Input(["dtmf"], dtmf=Keys(max_digits=2)), NEXT), [
        (None, [Wait(1, 3.0)]), (Pressed("1"), [Wait(2, 3.0)]), (Elapsed(1), []),
        (Pressed("2"), [Submit(Input(["dtmf"], dtmf=Keys(max_digits=2)), "12", False, None)]),
        (Pressed("3"), []), (Told(), [NEXT]),
    ]),
    "keys up to the hash": ((Input(["dtmf"], dtmf=Keys(submit_on_hash=True)),), [
        (None, [Wait(1, 3.0)]), (Pressed("p"), []), (Pressed("*"), [Wait(2, 3.0)]),
        (Pressed("#"), [Submit(Input(["dtmf"], dtmf=Keys(submit_on_hash=True)), "*", False, None)]),
        (Told(), [End()]),
    ]),
    "keys that do not come": ((KEYS, NEXT), [
        (None, [Wait(1, 3.0)]), (Elapsed(1), [Submit(KEYS, "", True, None)]), (Elapsed(1), []),
        (Told((TALK,)), [TALK]), (SoundOver(), [End()]),
    ]),
    "no time at all is some": ((Input(["dtmf"], dtmf=Keys(time_out=0)),), [
        (None, [Wait(1, PACE)]),
    ]),
    "keys under a sound": ((BARGE, KEYS), [
        (None, [BARGE]), (Spoke(), []), (Pressed("1"), [Hush(), Wait(1, 3.0)]),
        (SoundOver(), []), (Elapsed(1), [Submit(KEYS, "1", True, None)]),
    ]),
    "keys behind a sound": ((BARGE, KEYS), [
        (None, [BARGE]), (SoundOver("lost"), [Complain("lost"), Wait(1, 3.0)]),
        (Elapsed(1), [Submit(KEYS, "", True, None)]),
    ]),
    "speech": ((SPEECH, NEXT), [
        (None, [Listen(SPEECH.speech, 10.0)]), (Spoke(), []), (Pressed("1"), []),
        (YES, [Submit(SPEECH, "", False, YES)]), (Told(), [NEXT]),
    ]),
    "speech under a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]),
        (Spoke(), [Hush(), Wait(1, 70.0)]), (YES, [Submit(SPEECH, "", False, YES)]),
    ]),
    "speech that does not come behind a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [Wait(1, 10.0)]),
        (Elapsed(1), [Unlisten()]),
        (Heard((), "stopped"), [Submit(SPEECH, "", False, Heard((), "start_timeout"))]),
    ]),
    "speech that comes behind a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [Wait(1, 10.0)]),
        (Spoke(), [Wait(2, 70.0)]), (Elapsed(1), []), (YES, [Submit(SPEECH, "", False, YES)]),
    ]),
    "keys win over speech": ((EITHER,), [
        (None, [Listen(EITHER.speech, 10.0)]), (Pressed("7"), [Unlisten(), Wait(1, 3.0)]),
        (YES, []), (Elapsed(1), [Submit(EITHER, "7", True, Heard())]),
    ]),
    "speech comes before keys": ((BARGE, EITHER), [
        (None, [BARGE, Listen(EITHER.speech, UNDER_SOUND)]),
        (YES, [Hush(), Submit(EITHER, "", True, YES)]),
    ]),
    "an answer that is no script": ((KEYS, NEXT), [
        (None, [Wait(1, 3.0)]), (Elapsed(1), [Submit(KEYS, "", True, None)]),
        (Told(error="bad"), [Complain("bad"), End("bad")]), (Told(), []),
    ]),
    "hung up while the application thinks": ((KEYS, NEXT), [
        (None, [Wait(1, 3.0)]), (Elapsed(1), [Submit(KEYS, "", True, None)]), (HungUp(), []),
        (Told((TALK,)), []),
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("actions", "steps"), WALKS.values(), ids=WALKS)
def test_the_way_through(
    actions: Script, steps: list[tuple[Happening | None, list[Order]]]
) -> None:
    run = Run(actions)
    for happening, orders in steps:
        assert (run.begin() if happening is None else run.on(happening)) == orders


ACTIONS: st.SearchStrategy[Action] = st.sampled_from(
    [TALK, BARGE, Talk("x", loop=0), Stream([URL], barge_in=True), Record(), Record(time_out=5),
     KEYS, SPEECH, EITHER, Input(["dtmf"], dtmf=Keys(max_digits=1)), ROOM]
)  # fmt: skip
SCRIPTS: st.SearchStrategy[Script] = st.lists(ACTIONS, max_size=6).map(lambda each: tuple(each))
HAPPENINGS: st.SearchStrategy[Happening] = st.one_of(
    st.sampled_from(
        [SoundOver(), SoundOver("lost"), RecordOver(), RecordOver("lost"), Barred("gone"), Spoke(),
         YES, Heard((), "stopped"), Told(), Told(error="bad")]
    ),
    st.sampled_from("0159*#Ap").map(Pressed),
    st.integers(1, 6).map(Elapsed),
    SCRIPTS.map(lambda script: Told(script)),
)  # fmt: skip


@given(SCRIPTS, st.lists(HAPPENINGS, max_size=30))
@settings(max_examples=100)
def test_whatever_happens_in_whatever_order(actions: Script, happenings: list[Happening]) -> None:
    run = Run(actions)
    orders = run.begin()
    for happening in happenings:
        was_over = run.is_over
        told = run.on(happening)
        assert not (was_over and told)
        orders += told
    ends = [each for each in orders if isinstance(each, End)]
    assert len(ends) <= 1 and ends == orders[-1:] * len(ends)
    assert bool(ends) == run.is_over
    balance(orders)
    assert run.on(HungUp()) == [] and run.on(SoundOver()) == []


def balance(orders: list[Order]) -> None:
    """What is stopped has begun, once; marks are never used twice."""
    marks = [each.mark for each in orders if isinstance(each, Wait)]
    assert len(set(marks)) == len(marks)
    for stop, starts in ((Hush, Talk | Stream), (Unlisten, Listen)):
        under_way = 0
        for each in orders:
            if isinstance(each, starts):
                under_way = 1
            elif isinstance(each, stop):
                assert under_way == 1
                under_way = 0


@given(SCRIPTS.filter(lambda actions: ROOM not in actions))
@settings(max_examples=100)
def test_a_script_comes_to_its_end(actions: Script) -> None:
    """When everything that was begun takes its course."""
    run = Run(actions)
    todo = run.begin()
    for _ in range(100):
        if run.is_over:
            return
        happening = next(each for order in todo[::-1] if (each := course(order)) is not None)
        todo = run.on(happening) or todo[:-1]
    pytest.fail(f"still busy with {todo}")


def course(order: Order) -> Happening | None:
    match order:
        case Talk() | Stream():
            return SoundOver()
        case Record():
            return RecordOver()
        case Listen() | Unlisten():
            return Heard((), "start_timeout")
        case Wait(mark=mark):
            return Elapsed(mark)
        case Submit():
            return Told()
    return None
