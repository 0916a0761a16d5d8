"""What callees do, in virtual time."""

import pytest
from tests.phones.actor import SOUND_SECONDS, Actor, scripted

from tertulia.phones.callfile import built_in
from tertulia.phones.orders import (
    Answers,
    Echoes,
    GoesEarly,
    Holds,
    Hushes,
    Leaves,
    Order,
    Presses,
    Records,
    Refers,
    Refuses,
    Rings,
    Sounds,
)

PEOPLE = built_in()


def kinds(orders: list[Order]) -> list[type[Order]]:
    return [type(order) for order in orders]


# --- the beginning ---


def test_it_rings_and_answers() -> None:
    actor = Actor(scripted("{ ring = 1 }, { answer = true }, { pause = 1 }"))
    assert kinds(actor.orders) == [Rings]
    assert actor.rest(0.99) == []
    assert kinds(actor.rest(0.01)) == [Answers]
    assert kinds(actor.rest(1)) == [Leaves]
    assert actor.conduct.is_over
    assert actor.conduct.wake is None


def test_it_rings_on_until_all_sounds_are_there() -> None:
    actor = Actor(scripted('{ ring = 1 }, { answer = true }, { say = "x" }'), prepared=False)
    actor.rest(5)
    assert kinds(actor.orders) == [Rings]
    assert kinds(actor.take(actor.conduct.prepared)) == [Answers, Sounds]


def test_who_is_prepared_early_still_rings() -> None:
    actor = Actor(scripted("{ ring = 1 }, { answer = true }"), prepared=False)
    assert actor.take(actor.conduct.prepared) == []
    assert kinds(actor.rest(1)) == [Answers, Leaves]


def test_early_media_comes_before_the_answer() -> None:
    steps = '{ early = true }, { say = "a" }, { answer = true }, { say = "b" }'
    actor = Actor(scripted(steps))
    assert kinds(actor.orders) == [GoesEarly, Sounds]
    assert kinds(actor.rest(2 * SOUND_SECONDS)) == [Answers, Sounds, Leaves]


def test_what_nobody_could_hear_takes_no_time() -> None:
    actor = Actor(scripted('{ say = "a" }, { press = "1" }, { hold = 1 }, { answer = true }'))
    assert kinds(actor.orders) == [Answers, Leaves]


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        ('{ decline = 486, text = "Busy" }', Refuses(486, "Busy")),
        ('{ redirect = "15550101" }', Refuses(302, to="15550101")),
        ("{ hang_up = true }", Refuses(480)),
        ("", Refuses(480)),
        ('{ answer = true }, { redirect = "1" }', Leaves()),
        ("{ answer = true }, { decline = 486 }", Leaves()),
    ],
)
def test_a_call_ends_as_it_can(steps: str, order: Order) -> None:
    assert Actor(scripted(steps)).orders[-1] == order


def test_a_script_that_goes_round_is_ended() -> None:
    actor = Actor(scripted('{ answer = true }, { go = "start" }'))
    assert actor.orders[-1] == Leaves("the script goes round without end")


# --- waiting ---

LISTENS = '{ answer = true }, { wait = 10, until = "speech", else = "gone" }, { say = "heard" }'
GONE = 'gone = [{ say = "gone" }]'


def test_it_waits_for_speech() -> None:
    actor = Actor(scripted(LISTENS, GONE))
    actor.rest(9)
    assert actor.said(actor.speak(1)) == ["heard"]


def test_nobody_speaks() -> None:
    actor = Actor(scripted(LISTENS, GONE))
    assert actor.said(actor.rest(10)) == ["gone"]


def test_somebody_who_speaks_already_is_heard() -> None:
    actor = Actor(scripted('{ answer = true }, { pause = 1 }, { wait = 9, until = "speech" }'))
    actor.take(lambda now: actor.conduct.speaks(True, now))
    assert kinds(actor.rest(1)) == [Leaves]


def test_it_waits_for_silence_after_speech() -> None:
    actor = Actor(scripted('{ answer = true }, { wait = 60, until = "silence", quiet = 0.5 }'))
    actor.rest(0.4)
    actor.speak(7)
    assert actor.rest(0.4) == []
    assert kinds(actor.rest(0.2)) == [Leaves]


def test_silence_counts_from_when_it_began() -> None:
    actor = Actor(scripted('{ answer = true }, { wait = 60, until = "silence", quiet = 1 }'))
    actor.take(lambda now: actor.conduct.speaks(True, now))
    actor.rest(3)
    actor.take(lambda now: actor.conduct.speaks(False, now, now - 0.3))
    assert actor.rest(0.6) == []
    assert kinds(actor.rest(0.2)) == [Leaves]


def test_the_longest_wait_for_silence_ends() -> None:
    actor = Actor(scripted('{ answer = true }, { wait = 5, until = "silence" }'))
    actor.take(lambda now: actor.conduct.speaks(True, now))
    assert kinds(actor.rest(5)) == [Leaves]


# --- keys ---

MENU = (
    '{ answer = true }, { say = "menu", on = { 1 = "one", digit = "other" } }, '
    '{ wait = 5, on = { 1 = "one", digit = "other", silence = "quiet" }, quiet = 4 }',
    'one = [{ say = "one" }]',
    'other = [{ say = "other" }]',
    'quiet = [{ say = "quiet" }]',
)


@pytest.mark.parametrize(("digit", "said"), [("1", "one"), ("7", "other"), ("#", "other")])
def test_a_key_cuts_what_is_said(digit: str, said: str) -> None:
    actor = Actor(scripted(*MENU))
    actor.rest(1)
    orders = actor.press(digit)
    assert kinds(orders) == [Hushes, Sounds]
    assert actor.said(orders) == [said]


def test_a_key_after_what_is_said() -> None:
    actor = Actor(scripted(*MENU))
    actor.rest(SOUND_SECONDS + 1)
    assert actor.said(actor.press("1")) == ["one"]


def test_no_key_at_all() -> None:
    actor = Actor(scripted(*MENU))
    assert actor.said(actor.rest(SOUND_SECONDS + 4)) == ["quiet"]


def test_keys_wait_for_who_asks_for_them() -> None:
    actor = Actor(scripted('{ answer = true }, { say = "first" }, { go = "menu" }',
                           'menu = [{ say = "menu", on = { 1 = "one" } }]',
                           'one = [{ say = "one" }]'))  # fmt: skip
    assert actor.press("591") == []
    assert actor.said(actor.rest(SOUND_SECONDS)) == ["menu", "one"]


def test_any_key_will_do() -> None:
    actor = Actor(scripted('{ answer = true }, { wait = 5, until = "digit" }'))
    assert kinds(actor.press("4")) == [Leaves]


def test_speech_cuts_what_is_said() -> None:
    steps = '{ answer = true }, { say = "long", on = { speech = "stop" } }'
    actor = Actor(scripted(steps, 'stop = [{ say = "yes?" }]'))
    actor.rest(1)
    assert kinds(actor.speak(0)) == [Hushes, Sounds]


# --- the rest ---


@pytest.mark.parametrize(
    ("step", "begun", "over"),
    [
        ("{ echo = 3 }", Echoes(True), Echoes(False)),
        ("{ record = 3 }", Records(True, 3), Records(False)),
        ("{ hold = 3 }", Holds(True), Holds(False)),
    ],
)
def test_something_for_a_while(step: str, begun: Order, over: Order) -> None:
    actor = Actor(scripted(f"{{ answer = true }}, {step}"))
    assert actor.orders[-1] == begun
    assert actor.rest(2.9) == []
    assert actor.rest(0.1) == [over, Leaves()]


def test_keys_are_pressed_one_step_at_a_time() -> None:
    actor = Actor(scripted('{ answer = true }, { press = "12" }, { pause = 1 }'))
    assert kinds(actor.orders) == [Answers, Presses]
    assert kinds(actor.rest(SOUND_SECONDS + 1)) == [Leaves]


def test_a_transfer_goes_on_when_it_is_known() -> None:
    actor = Actor(scripted('{ answer = true }, { transfer = "15550101" }'))
    assert actor.orders[-1] == Refers("15550101")
    actor.rest(5)
    assert kinds(actor.take(actor.conduct.transferred)) == [Leaves]


def test_a_transfer_that_is_never_known_is_given_up() -> None:
    actor = Actor(scripted('{ answer = true }, { transfer = "15550101" }'))
    assert kinds(actor.rest(30)) == [Leaves]


def test_who_calls_does_not_ring() -> None:
    steps = '{ ring = 5 }, { early = true }, { answer = true }, { say = "hello" }'
    assert Actor(scripted(steps), calls=True).said() == ["hello"]
    actor = Actor(scripted(steps, 'calls = [{ say = "it is me" }]'), calls=True)
    assert actor.said() == ["it is me"]


# --- those that are built in ---


def test_a_person_greets_listens_and_answers() -> None:
    actor = Actor(PEOPLE["15550100"])
    assert actor.said(actor.rest(4)) == ["Hello?"]
    assert actor.said(actor.speak(2) + actor.rest(1)) == [
        "Yes, this is Robin. That sounds good to me."
    ]
    actor.rest(5)
    assert actor.said(actor.speak(2) + actor.rest(1)) == ["I see. Please go on."]


def test_a_person_gives_up_who_is_silent() -> None:
    actor = Actor(PEOPLE["15550100"])
    actor.rest(60)
    assert actor.said()[-2:] == ["Are you still there?", "I cannot hear you. Goodbye."]
    assert kinds(actor.orders)[-1] is Leaves


def test_a_voicemail_greets_beeps_and_records() -> None:
    actor = Actor(PEOPLE["15550101"])
    actor.rest(2 + 0.3 + 2 * SOUND_SECONDS + 0.5)
    greeting, beep = actor.said()
    assert len(greeting) > 100 and beep == "♪"
    assert kinds(actor.orders)[-1] is Records
    assert actor.rest(59) == []
    assert actor.rest(1) == [Records(False), Leaves()]


@pytest.mark.parametrize(
    ("number", "seconds", "code"),
    [("15550102", 0, 486), ("15550106", 1, 603), ("15550107", 0, 404)],
)
def test_those_that_do_not_answer(number: str, seconds: float, code: int) -> None:
    actor = Actor(PEOPLE[number])
    actor.rest(seconds)
    last = actor.orders[-1]
    assert isinstance(last, Refuses) and last.code == code


def test_nobody_is_there_for_as_long_as_anybody_waits() -> None:
    actor = Actor(PEOPLE["15550103"])
    actor.rest(600)
    assert kinds(actor.orders) == [Rings]


def test_a_menu_tells_what_is_asked_for() -> None:
    actor = Actor(PEOPLE["15550104"])
    actor.rest(1)
    told = set()
    for digit in "1237":
        told |= {*actor.said(actor.press(digit))}
        actor.rest(SOUND_SECONDS)
    assert len(told) == 4
    actor.press("9")
    assert kinds(actor.rest(SOUND_SECONDS))[-1] is Leaves
    assert actor.said()[-1] == "Goodbye."


def test_a_menu_answers_who_speaks() -> None:
    actor = Actor(PEOPLE["15550104"])
    actor.rest(2 + 2 * SOUND_SECONDS)
    assert actor.said(actor.speak(1) + actor.rest(1)) == ["Thank you. I can only understand keys."]


def test_a_menu_does_not_go_on_for_ever() -> None:
    actor = Actor(PEOPLE["15550104"])
    actor.rest(120)
    assert actor.conduct.is_over
