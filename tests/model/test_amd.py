"""Person or machine, by runs of speech and silence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.amd import HUMAN, KNOBS, MACHINE, Knobs, Run, Sound, judge

KINDS = {
    "s": Sound.SILENCE,
    "v": Sound.SPEECH,
    "r": Sound.RING,
    "t": Sound.SIGNAL,
    "m": Sound.MUSIC,
}
LENGTHS = st.integers(1, 150).map(lambda frames: 20 * frames)
RUNS = st.lists(st.builds(Run, st.sampled_from(Sound), LENGTHS), max_size=30)


def runs(told: str) -> list[Run]:
    """`s400 v300` is silence of 400 ms, then speech of 300."""
    return [Run(KINDS[one[0]], int(one[1:])) for one in told.split()]


@pytest.mark.parametrize(
    ("told", "verdict", "cause"),
    [
        ("s500 v400 s900", HUMAN, "short_greeting"),
        ("v300 s200 v500 s1100", HUMAN, "short_greeting"),
        ("s2600 v300 s900", HUMAN, "short_greeting"),
        ("s20 v20 s600 v300 s900", HUMAN, "short_greeting"),
        ("r500 s600 v400 s900", HUMAN, "short_greeting"),
        ("s100 v400 s400 v400 s1200", HUMAN, "short_greeting"),
        ("s200 v2000", MACHINE, "long_greeting"),
        ("s200 v1000 s400 v600", MACHINE, "long_greeting"),
        ("v400 s300 v400 s300 v200", MACHINE, "many_words"),
        (" s120 ".join(["v100"] * 7), MACHINE, "many_words"),
        ("s3000", MACHINE, "silence"),
        ("s1500 v40 s1500", MACHINE, "silence"),
        ("s200 t300", MACHINE, "tone"),
        ("v400 s300 t140", MACHINE, "tone"),
        ("m600 s100 m500", MACHINE, "music"),
        ("r3000 s2000", MACHINE, "limit"),
        ("r3000 s200 v1000 s300 v500", HUMAN, "limit"),
        ("s2900 v1700 s400", HUMAN, "limit"),
    ],
)
def test_verdicts(told: str, verdict: str, cause: str) -> None:
    found = judge(runs(told))
    assert found is not None and (found.verdict, found.cause) == (verdict, cause)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "s2980",
        "v400 s800",
        "v1200 s1000",
        "s500 v1880",
        "r4900",
        "s100 t220",
        "m980",
        "v400 s600 v100 s700",
        "s2000 v400 s800 v20",
    ],
)
def test_what_is_still_open(told: str) -> None:
    assert judge(runs(told)) is None


def test_the_surer_the_shorter() -> None:
    shares = [judge(runs(f"v{length} s2000")) for length in (100, 500, 1000, 1500)]
    sure = [one.confidence for one in shares if one is not None]
    assert len(sure) == 4 and sure == sorted(sure, reverse=True) and sure[-1] > 50


def test_knobs() -> None:
    patient = Knobs(long_greeting=4000, words=99, phrases=99)
    assert judge(runs("v2000 s300"), patient) is None
    assert judge(runs("v2000 s300")) is not None
    assert judge(runs("v300 s500"), Knobs(silence_after=300)) is not None


@settings(max_examples=100, deadline=None)
@given(RUNS, RUNS)
def test_what_comes_later_changes_nothing(heard: list[Run], later: list[Run]) -> None:
    verdict = judge(heard)
    if verdict is not None:
        assert judge(heard + later) == verdict
        assert verdict.verdict in (HUMAN, MACHINE) and 50 <= verdict.confidence <= 100


@settings(max_examples=100, deadline=None)
@given(RUNS)
def test_there_is_a_verdict_at_the_limit(heard: list[Run]) -> None:
    total = sum(run.milliseconds for run in heard)
    assert (judge(heard) is not None) or total < KNOBS.limit


@settings(max_examples=100, deadline=None)
@given(RUNS)
def test_music_and_tones_are_no_person(heard: list[Run]) -> None:
    silent = [run for run in heard if run.sound is not Sound.SPEECH]
    verdict = judge(silent)
    assert verdict is None or verdict.verdict == MACHINE
