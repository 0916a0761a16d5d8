"""Person or machine: the detector's aims, on both sets of the corpus (also `make bench-amd`)."""

from statistics import median

import pytest
from tests.media.greetings import can_speak
from tests.media.verdicts import SETS, Outcome, outcomes, summary

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not can_speak(), reason="no speech synthesis is installed"),
]

SIZE = 120
"""Of each set."""
RIGHT, HUMANS_LOST = 0.95, 0.02
VERDICT_MS, BEEP_MS = 2500, 200
BEEPS_MISSED, BEEPS_FALSE = 0.02, 0.01


@pytest.fixture(scope="module")
def results() -> dict[str, list[Outcome]]:
    return {name: outcomes(name, SIZE) for name in SETS}


@pytest.mark.parametrize("name", SETS)
def test_verdicts_are_right(results: dict[str, list[Outcome]], name: str) -> None:
    wrong = [
        (each.greeting.kind, each.verdict, each.cause)
        for each in results[name]
        if each.verdict != each.truth
    ]
    assert summary(results[name]).right >= RIGHT, wrong


def test_aims_of_all(results: dict[str, list[Outcome]]) -> None:
    whole = summary(each for name in SETS for each in results[name])
    assert whole.size >= 200
    assert whole.humans_lost < HUMANS_LOST
    assert whole.verdict_ms < VERDICT_MS
    assert whole.false_beeps <= BEEPS_FALSE * whole.size
    assert whole.missed_beeps <= BEEPS_MISSED * len(whole.beeps)
    assert median(whole.beeps) < BEEP_MS
    assert sum(delay > BEEP_MS for delay in whole.beeps) <= 0.01 * len(whole.beeps)


def test_the_surer_the_more_often_right(results: dict[str, list[Outcome]]) -> None:
    every = [each for name in SETS for each in results[name]]
    sure = [each.verdict == each.truth for each in every if each.confidence >= 85]
    assert len(sure) > len(every) / 2 and sum(sure) / len(sure) >= RIGHT
