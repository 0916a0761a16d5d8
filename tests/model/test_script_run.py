"""The way of a call through its script."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.endpoints import PhoneEndpoint
from tertulia.model.script import (
    Action,
    Connect,
    Input,
    Keys,
    Meeting,
    Notify,
    Record,
    Script,
    Stream,
    Talk,
    Transfer,
    Wait,
    read,
)
from tertulia.model.script_input import PACE, UNDER_SOUND
from tertulia.model.script_orders import (
    Announce,
    AskConnect,
    Barred,
    Complain,
    Connected,
    ConnectOver,
    Disconnect,
    Elapsed,
    End,
    Happening,
    Heard,
    HungUp,
    Hush,
    Leave,
    Listen,
    MachineAnswered,
    NewScript,
    Order,
    Pressed,
    Reading,
    RecordOver,
    Report,
    SoundOver,
    Spoke,
    Submit,
    Timer,
    Told,
    Unlisten,
)
from tertulia.model.script_run import ACTIONS_PER_CALL, TURNS, Run

URL = "https://app.test/x"
TALK = Talk("Hello")
BARGE = Talk("Press one", barge_in=True)
TUNE = Stream([URL], barge_in=True)
KEYS = Input(["dtmf"])
ONE_KEY = Input(["dtmf"], dtmf=Keys(max_digits=1))
SPEECH = Input(["speech"])
EITHER = Input(["dtmf", "speech"])
ASIDE = Input(["dtmf"], mode="asynchronous")
ROOM = Meeting("standup")
MOVE = Transfer("CON-1")
CALL = Connect([PhoneEndpoint("15550100")])
OTHER = Connect([PhoneEndpoint("15550101")])
ASKING = Connect([PhoneEndpoint("15550102")], event_type="synchronous")
NOTIFY = Notify({"step": 1}, [URL])
NEXT = Talk("Next")
YES = Heard((Reading("yes", 0.9),), "end_on_silence_timeout")

Steps = list[tuple[Happening | None, list[Order]]]
Walks = dict[str, tuple[Script, Steps]]

SOUNDS: Walks = {
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
    "each by itself when no input follows": ((BARGE, TUNE, CALL), [
        (None, [BARGE]), (Pressed("1"), [Hush(), TUNE]), (Spoke(), [Hush(), CALL]),
    ]),
    "a recording in the background": ((Record(), TALK), [(None, [Record(), TALK])]),
    "a recording that ends": ((Record(time_out=9), TALK), [
        (None, [Record(time_out=9)]), (Pressed("1"), []), (RecordOver(), [TALK]),
    ]),
    "a recording that fails": ((Record(time_out=9), TALK), [
        (None, [Record(time_out=9)]), (RecordOver("full"), [Complain("full"), TALK]),
    ]),
    "a wait": ((Wait(0.01), NEXT), [
        (None, [Timer(1, 0.1)]), (Pressed("1"), []), (Elapsed(2), []), (Elapsed(1), [NEXT]),
    ]),
}  # fmt: skip

INPUTS: Walks = {
    "keys up to their number": ((Input(["dtmf"], dtmf=Keys(max_digits=2)), NEXT), [
        (None, [Timer(1, 3.0)]), (Pressed("1"), [Timer(2, 3.0)]), (Elapsed(1), []),
        (Pressed("2"), [Submit(3, Input(["dtmf"], dtmf=Keys(max_digits=2)), "12", False, None)]),
        (Pressed("3"), []), (Told(3), [NEXT]),
    ]),
    "keys up to the hash": ((Input(["dtmf"], dtmf=Keys(submit_on_hash=True)),), [
        (None, [Timer(1, 3.0)]), (Pressed("p"), []), (Pressed("*"), [Timer(2, 3.0)]),
        (Pressed("#"),
         [Submit(3, Input(["dtmf"], dtmf=Keys(submit_on_hash=True)), "*", False, None)]),
        (Told(3), [End()]),
    ]),
    "a hash is a key like others": ((ONE_KEY,), [
        (None, [Timer(1, 3.0)]), (Pressed("#"), [Submit(2, ONE_KEY, "#", False, None)]),
    ]),
    "keys that do not come": ((KEYS, NEXT), [
        (None, [Timer(1, 3.0)]), (Elapsed(1), [Submit(2, KEYS, "", True, None)]), (Elapsed(1), []),
        (Told(9, (NEXT,)), []), (Told(2, (TALK,)), [Timer(3, PACE), TALK]), (Elapsed(3), []),
        (SoundOver(), [End()]),
    ]),
    "no time at all is some": ((Input(["dtmf"], dtmf=Keys(time_out=0)),), [
        (None, [Timer(1, PACE)]),
    ]),
    "keys under a sound": ((BARGE, KEYS), [
        (None, [BARGE]), (Spoke(), []), (Pressed("1"), [Hush(), Timer(1, 3.0)]),
        (SoundOver(), []), (Elapsed(1), [Submit(2, KEYS, "1", True, None)]),
    ]),
    "keys behind a sound": ((BARGE, KEYS), [
        (None, [BARGE]), (SoundOver("lost"), [Complain("lost"), Timer(1, 3.0)]),
        (Elapsed(1), [Submit(2, KEYS, "", True, None)]),
    ]),
    "keys under the first of several sounds": ((BARGE, TALK, TUNE, ONE_KEY, NEXT), [
        (None, [BARGE]), (Pressed("7"), [Hush(), Submit(1, ONE_KEY, "7", False, None)]),
        (Told(1), [NEXT]),
    ]),
    "keys under the last of them": ((BARGE, TALK, ONE_KEY, NEXT), [
        (None, [BARGE]), (SoundOver(), [TALK]),
        (Pressed("7"), [Hush(), Submit(1, ONE_KEY, "7", False, None)]), (Told(1), [NEXT]),
    ]),
    "keys behind all of them": ((BARGE, TALK, ONE_KEY), [
        (None, [BARGE]), (SoundOver("lost"), [Complain("lost"), TALK]),
        (SoundOver(), [Timer(1, 3.0)]),
    ]),
    "a sound before the first that may be interrupted": ((TALK, BARGE, KEYS), [
        (None, [TALK]), (Pressed("1"), []), (SoundOver(), [BARGE]),
        (Pressed("2"), [Hush(), Timer(1, 3.0)]),
    ]),
    "speech": ((SPEECH, NEXT), [
        (None, [Listen(SPEECH.speech, 10.0)]), (Spoke(), []), (Pressed("1"), []),
        (YES, [Submit(1, SPEECH, "", False, YES)]), (Told(1), [NEXT]),
    ]),
    "speech under a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]),
        (Spoke(), [Hush(), Timer(1, 70.0)]), (YES, [Submit(2, SPEECH, "", False, YES)]),
    ]),
    "speech under several sounds": ((BARGE, TALK, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [TALK]),
        (Spoke(), [Hush(), Timer(1, 70.0)]), (YES, [Submit(2, SPEECH, "", False, YES)]),
    ]),
    "speech that does not come behind a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [Timer(1, 10.0)]),
        (Elapsed(1), [Unlisten()]),
        (Heard((), "stopped"), [Submit(2, SPEECH, "", False, Heard((), "start_timeout"))]),
    ]),
    "speech that comes behind a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [Timer(1, 10.0)]),
        (Spoke(), [Timer(2, 70.0)]), (Elapsed(1), []), (YES, [Submit(3, SPEECH, "", False, YES)]),
    ]),
    "keys win over speech": ((EITHER,), [
        (None, [Listen(EITHER.speech, 10.0)]), (Pressed("7"), [Unlisten(), Timer(1, 3.0)]),
        (YES, []), (Elapsed(1), [Submit(2, EITHER, "7", True, Heard())]),
    ]),
    "keys when nobody listens any more": ((BARGE, EITHER), [
        (None, [BARGE, Listen(EITHER.speech, UNDER_SOUND)]), (SoundOver(), [Timer(1, 10.0)]),
        (Elapsed(1), [Unlisten()]), (Pressed("7"), [Timer(2, 3.0)]), (Heard((), "stopped"), []),
        (Elapsed(2), [Submit(3, EITHER, "7", True, Heard())]),
    ]),
    "speech comes before keys": ((BARGE, EITHER), [
        (None, [BARGE, Listen(EITHER.speech, UNDER_SOUND)]),
        (YES, [Hush(), Submit(1, EITHER, "", True, YES)]),
    ]),
    "speech that is saved": ((SPEECH,), [
        (None, [Listen(SPEECH.speech, 10.0)]),
        (Heard(recording_url=URL), [Submit(1, SPEECH, "", False, Heard(recording_url=URL))]),
    ]),
    "an answer that is no script": ((KEYS, NEXT), [
        (None, [Timer(1, 3.0)]), (Elapsed(1), [Submit(2, KEYS, "", True, None)]),
        (Told(2, error="bad"), [Complain("bad"), End("bad")]), (Told(2), []),
    ]),
    "hung up while the application thinks": ((KEYS, NEXT), [
        (None, [Timer(1, 3.0)]), (Elapsed(1), [Submit(2, KEYS, "", True, None)]), (HungUp(), []),
        (Told(2, (TALK,)), []),
    ]),
    "keys are reported meanwhile": ((ASIDE, TALK), [
        (None, [TALK]), (Pressed("p"), []), (Pressed("1"), [Report(ASIDE, "1")]),
        (Pressed("a"), [Report(ASIDE, "A")]), (SoundOver(), [End()]), (Pressed("2"), []),
    ]),
    "keys that are reported count too": ((ASIDE, ONE_KEY, ROOM), [
        (None, [Timer(1, 3.0)]),
        (Pressed("1"), [Report(ASIDE, "1"), Submit(2, ONE_KEY, "1", False, None)]),
        (Told(2, (ROOM,)), [Timer(3, PACE), ROOM]), (Pressed("2"), [Report(ASIDE, "2")]),
    ]),
    "a report is no end of what was begun": ((BARGE, ASIDE, NEXT), [
        (None, [BARGE]), (Pressed("1"), [Hush(), NEXT]), (Pressed("2"), [Report(ASIDE, "2")]),
    ]),
}  # fmt: skip

CALLS: Walks = {
    "a conversation holds the call": ((ROOM, NEXT), [
        (None, [ROOM]), (Pressed("1"), []), (SoundOver(), []), (HungUp(), []),
    ]),
    "a conversation that cannot be entered": ((ROOM, NEXT), [
        (None, [ROOM]), (Barred("gone"), [Complain("gone"), End("gone")]),
    ]),
    "a call that is moved away": ((MOVE, NEXT), [
        (None, [MOVE]), (SoundOver(), []), (Elapsed(1), []), (HungUp(), []),
    ]),
    "a call that cannot be moved": ((MOVE, NEXT), [
        (None, [MOVE]), (Barred("gone"), [Complain("gone"), End("gone")]),
    ]),
    "a callee answers and hangs up": ((CALL, NEXT), [
        (None, [CALL]), (Pressed("1"), []), (Connected(), []), (SoundOver(), []),
        (ConnectOver("completed"), [NEXT]), (ConnectOver("completed"), []),
    ]),
    "nothing comes after the callee": ((CALL,), [
        (None, [CALL]), (Connected(), []), (ConnectOver("completed"), [End()]),
    ]),
    "one callee after the other": ((CALL, OTHER, NEXT), [
        (None, [CALL]), (ConnectOver("busy"), [OTHER]), (ConnectOver("timeout"), [NEXT]),
    ]),
    "a callee that cannot be called": ((CALL, NEXT), [
        (None, [CALL]), (ConnectOver("failed", "no trunk"), [Complain("no trunk"), NEXT]),
    ]),
    "nobody asked": ((CALL, NEXT), [
        (None, [CALL]), (Connected(), []), (MachineAnswered(), []),
        (ConnectOver("machine"), [NEXT]),
    ]),
    "another script for a busy callee": ((ASKING, NEXT), [
        (None, [ASKING]), (ConnectOver("busy"), [AskConnect(1, ASKING, "busy")]),
        (ConnectOver("busy"), []), (Told(1, (OTHER,)), [Timer(2, PACE), OTHER]),
        (ConnectOver("completed"), [End()]),
    ]),
    "nothing to say of it": ((ASKING, NEXT), [
        (None, [ASKING]), (ConnectOver("timeout"), [AskConnect(1, ASKING, "timeout")]),
        (Told(1), [NEXT]),
    ]),
    "nonsense to say of it": ((ASKING, NEXT), [
        (None, [ASKING]), (ConnectOver("failed"), [AskConnect(1, ASKING, "failed")]),
        (Told(1, error="bad"), [Complain("bad"), End("bad")]),
    ]),
    "nobody is asked about a good end": ((ASKING, NEXT), [
        (None, [ASKING]), (Connected(), []), (ConnectOver("completed"), [NEXT]),
    ]),
    "another script for a machine, which stays": ((ASKING,), [
        (None, [ASKING]), (Connected(), []),
        (MachineAnswered("beep_start"), [AskConnect(1, ASKING, "machine", "beep_start")]),
        (Told(1, (TALK,)), [Timer(2, PACE), TALK]), (ConnectOver("completed"), []),
        (SoundOver(), [End()]),
    ]),
    "nothing to say to a machine": ((ASKING, NEXT), [
        (None, [ASKING]), (MachineAnswered(), [AskConnect(1, ASKING, "machine")]), (Told(1), []),
        (ConnectOver("completed"), [NEXT]),
    ]),
    "a machine that hangs up meanwhile": ((ASKING, NEXT), [
        (None, [ASKING]), (MachineAnswered(), [AskConnect(1, ASKING, "machine")]),
        (ConnectOver("completed"), []), (MachineAnswered(), []), (Told(1), [NEXT]),
    ]),
    "two questions at a time": ((ASKING, NEXT), [
        (None, [ASKING]), (MachineAnswered(), [AskConnect(1, ASKING, "machine")]),
        (ConnectOver("disconnected"), [AskConnect(2, ASKING, "disconnected")]),
        (Told(2), []), (Told(2), []), (Told(1), [NEXT]),
    ]),
    "a notice": ((NOTIFY, NEXT), [
        (None, [Announce(1, NOTIFY)]), (Pressed("1"), []), (Told(1), [NEXT]),
    ]),
    "a notice that changes everything": ((NOTIFY, NEXT), [
        (None, [Announce(1, NOTIFY)]), (Told(1, (ROOM, TALK)), [Timer(2, PACE), ROOM]),
    ]),
    "a notice that is answered with nonsense": ((NOTIFY, NEXT), [
        (None, [Announce(1, NOTIFY)]),
        (Told(1, error="bad"), [Complain("bad"), End("bad")]),
    ]),
}  # fmt: skip

OUTSIDE: Walks = {
    "before it has begun": ((TALK,), [
        (NewScript((NEXT,)), []), (None, [NEXT]), (SoundOver(), [End()]),
    ]),
    "while something is said": ((TALK, CALL), [
        (None, [TALK]), (NewScript((NEXT,)), [Hush(), NEXT]), (SoundOver(), [End()]),
    ]),
    "nothing at all": ((TALK,), [(None, [TALK]), (NewScript(()), [Hush(), End()])]),
    "while keys are waited for": ((KEYS,), [
        (None, [Timer(1, 3.0)]), (NewScript((KEYS,)), [Timer(2, 3.0)]), (Elapsed(1), []),
        (Elapsed(2), [Submit(3, KEYS, "", True, None)]),
    ]),
    "while somebody listens under a sound": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]),
        (NewScript((NEXT,)), [Hush(), Unlisten(), NEXT]),
    ]),
    "when nobody listens any more": ((BARGE, SPEECH), [
        (None, [BARGE, Listen(SPEECH.speech, UNDER_SOUND)]), (SoundOver(), [Timer(1, 10.0)]),
        (Elapsed(1), [Unlisten()]), (NewScript((NEXT,)), [NEXT]),
    ]),
    "while the application thinks": ((KEYS,), [
        (None, [Timer(1, 3.0)]), (Elapsed(1), [Submit(2, KEYS, "", True, None)]),
        (NewScript((NOTIFY,)), [Announce(3, NOTIFY)]), (Told(2, (TALK,)), []), (Told(3), [End()]),
    ]),
    "in a conversation": ((ROOM,), [(None, [ROOM]), (NewScript((NEXT,)), [Leave(), NEXT])]),
    "in another conversation": ((MOVE,), [(None, [MOVE]), (NewScript((NEXT,)), [Leave(), NEXT])]),
    "while it rings at a callee": ((CALL,), [
        (None, [CALL]), (NewScript((NEXT,)), [Disconnect(), NEXT]),
        (ConnectOver("cancelled"), []),
    ]),
    "when the callee has gone": ((ASKING,), [
        (None, [ASKING]), (ConnectOver("busy"), [AskConnect(1, ASKING, "busy")]),
        (NewScript((NEXT,)), [NEXT]),
    ]),
    "during a recording, which goes on": ((Record(time_out=9),), [
        (None, [Record(time_out=9)]), (NewScript((NEXT,)), [NEXT]), (RecordOver(), []),
    ]),
    "during a wait": ((Wait(),), [
        (None, [Timer(1, 10.0)]), (NewScript((Wait(),)), [Timer(2, 10.0)]), (Elapsed(1), []),
        (Elapsed(2), [End()]),
    ]),
    "while keys are reported": ((ASIDE, TALK), [
        (None, [TALK]), (NewScript((ROOM,)), [Hush(), ROOM]), (Pressed("1"), []),
    ]),
    "when all is over": ((TALK,), [
        (None, [TALK]), (SoundOver(), [End()]), (NewScript((NEXT,)), []),
    ]),
}  # fmt: skip

WALKS = SOUNDS | INPUTS | CALLS | {f"a new script {name}": each for name, each in OUTSIDE.items()}


@pytest.mark.parametrize(("actions", "steps"), WALKS.values(), ids=WALKS)
def test_the_way_through(actions: Script, steps: Steps) -> None:
    run = Run(actions)
    for happening, orders in steps:
        assert (run.begin() if happening is None else run.on(happening)) == orders


# ── scripts that go round ──


def question(orders: list[Order]) -> int:
    (asked,) = (each for each in orders if isinstance(each, Announce))
    return asked.mark


def test_scripts_that_go_round_do_not_race() -> None:
    run = Run((NOTIFY,))
    orders = run.begin()
    timers: list[Timer] = []
    for _ in range(TURNS):
        orders = run.on(Told(question(orders), (NOTIFY,)))
        timers += [each for each in orders if isinstance(each, Timer)]
    (second,) = timers
    assert second.seconds == PACE
    assert run.on(Told(question(orders), (NOTIFY,))) == []
    assert question(run.on(Elapsed(second.mark))) > second.mark


def test_a_call_that_goes_round_takes_its_time_and_comes_to_its_end() -> None:
    run = Run((NOTIFY,))
    orders, timer, seconds = run.begin(), 0, 0
    while not run.is_over:
        timer = max([timer, *(each.mark for each in orders if isinstance(each, Timer))])
        seconds += not orders
        orders = run.on(Told(question(orders), (NOTIFY,)) if orders else Elapsed(timer))
    reason = f"the call has more than {ACTIONS_PER_CALL} actions"
    assert orders[-2:] == [Complain(reason), End(reason)]
    assert seconds >= ACTIONS_PER_CALL // (TURNS + 1) - 1


def test_who_takes_its_time_is_not_held_up() -> None:
    run = Run((NOTIFY,))
    orders = run.begin()
    for _ in range(3 * TURNS):
        orders = run.on(Told(question(orders), (NOTIFY,)))
        (second,) = (each for each in orders if isinstance(each, Timer))
        assert run.on(Elapsed(second.mark)) == []


def test_a_new_script_from_outside_is_not_held_up() -> None:
    run = Run((NOTIFY,))
    orders = run.begin()
    for _ in range(TURNS):
        orders = run.on(Told(question(orders), (NOTIFY,)))
    assert run.on(Told(question(orders), (NOTIFY,))) == []
    assert run.on(NewScript((TALK,))) == [TALK]


# ── scripts as people write them ──

MENU = [
    {"action": "talk", "text": "For sales press one", "bargeIn": True},
    {"action": "stream", "streamUrl": [URL], "loop": 0},
    {"action": "input", "eventUrl": [URL], "type": ["dtmf", "speech"], "dtmf": {"maxDigits": 1},
     "speech": {"context": ["sales", "support"]}},
]  # fmt: skip
FORWARD = [
    {"action": "record", "eventUrl": [URL]},
    {"action": "connect", "from": "447700900000", "eventUrl": [URL], "timeout": "45",
     "endpoint": [{"type": "phone", "number": "15550103", "onAnswer": {"url": URL}}]},
    {"action": "talk", "text": "Nobody is there"},
    {"action": "record", "endOnKey": "#", "beepStart": True},
]  # fmt: skip
BOT = [
    {"action": "connect", "eventType": "synchronous", "eventUrl": [URL], "endpoint": [
        {"type": "websocket", "uri": "wss://bot.test/a", "content-type": "audio/l16;rate=8000",
         "headers": {"original_from": "15551234567"}}]},
]  # fmt: skip


def test_a_menu() -> None:
    run = Run(read(MENU))
    talk, listen = run.begin()
    assert isinstance(talk, Talk) and isinstance(listen, Listen)
    (stream,) = run.on(SoundOver())
    assert isinstance(stream, Stream)
    hush, unlisten, submit = run.on(Pressed("1"))
    assert (hush, unlisten) == (Hush(), Unlisten())
    assert isinstance(submit, Submit) and (submit.digits, submit.timed_out) == ("1", False)
    forward = read(FORWARD)
    assert run.on(Told(submit.mark, forward))[1:] == list(forward[:2])


def test_a_call_is_forwarded_to_a_mailbox() -> None:
    record, connect, talk, message = read(FORWARD)
    run = Run((record, connect, talk, message))
    assert run.begin() == [record, connect]
    assert run.on(ConnectOver("timeout")) == [talk]
    assert run.on(SoundOver()) == [message]
    assert run.on(RecordOver()) == [End()]


def test_a_bot_that_leaves_has_a_successor() -> None:
    run = Run(read(BOT))
    (connect,) = run.begin()
    assert isinstance(connect, Connect) and run.on(Connected()) == []
    (asked,) = run.on(ConnectOver("disconnected"))
    assert asked == AskConnect(1, connect, "disconnected")
    assert run.on(Told(1, read([{"action": "talk", "text": "Sorry"}])))[1:] == [Talk("Sorry")]


# ── whatever happens ──

ACTIONS: st.SearchStrategy[Action] = st.sampled_from(
    [TALK, BARGE, Talk("x", loop=0), TUNE, Record(), Record(time_out=5), KEYS, SPEECH, EITHER,
     ONE_KEY, ASIDE, ROOM, MOVE, CALL, ASKING, NOTIFY, Wait()]
)  # fmt: skip
SCRIPTS: st.SearchStrategy[Script] = st.lists(ACTIONS, max_size=6).map(lambda each: tuple(each))
MARKS = st.integers(1, 8)
HAPPENINGS: st.SearchStrategy[Happening] = st.one_of(
    st.sampled_from(
        [SoundOver(), SoundOver("lost"), RecordOver(), RecordOver("lost"), Barred("gone"), Spoke(),
         YES, Heard((), "stopped"), Connected(), MachineAnswered(), ConnectOver("busy"),
         ConnectOver("completed"), ConnectOver("failed", "lost")]
    ),
    st.sampled_from("0159*#Ap").map(Pressed),
    MARKS.map(Elapsed),
    MARKS.map(Told),
    st.builds(Told, MARKS, SCRIPTS),
    MARKS.map(lambda mark: Told(mark, error="bad")),
    SCRIPTS.map(NewScript),
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
    marks = [
        each.mark for each in orders if isinstance(each, Timer | Submit | Announce | AskConnect)
    ]
    assert len(set(marks)) == len(marks)
    for stop, starts in (
        (Hush, Talk | Stream), (Unlisten, Listen), (Leave, Meeting | Transfer),
        (Disconnect, Connect),
    ):  # fmt: skip
        under_way = 0
        for each in orders:
            if isinstance(each, starts):
                under_way = 1
            elif isinstance(each, stop):
                assert under_way == 1
                under_way = 0


@given(SCRIPTS.filter(lambda actions: ROOM not in actions and MOVE not in actions))
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
        case Connect():
            return ConnectOver("busy")
        case Listen() | Unlisten():
            return Heard((), "start_timeout")
        case Timer(mark=mark):
            return Elapsed(mark)
        case Submit(mark=mark) | Announce(mark=mark) | AskConnect(mark=mark):
            return Told(mark)
    return None
