"""The pool over an engine that dies, hangs, refuses and talks nonsense."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from tertulia.ports.speech import SpeechUnavailable, Utterance
from tertulia.settings import Speech
from tertulia.speech.engine import environment
from tertulia.speech.installed import Installed, Program, find
from tertulia.speech.pool import SpeechPool

pytestmark = pytest.mark.system
ENGINE = Path(__file__).with_name("odd_engine.py")
LIMIT_S = 10


def pool(folder: Path, how: str = "", **settings: Any) -> SpeechPool:
    program = Program("odd", (sys.executable, str(ENGINE), str(folder), how))
    found = Installed(piper=program, piper_language="en-US", ears=program)
    return SpeechPool(Speech(**{"workers": 1, "patience_s": 5.0, **settings}), found)


def play(
    scenario: Callable[[SpeechPool], Coroutine[Any, Any, None]],
    folder: Path, how: str = "", **settings: Any,
) -> None:  # fmt: skip
    """Run it with a pool of odd engines; afterwards none of them lives."""

    async def played() -> None:
        speech = pool(folder, how, **settings)
        try:
            await scenario(speech)
        finally:
            await speech.close()

    uvloop.run(played())
    assert not any(psutil.pid_exists(pid) for pid in pids(folder))


def pids(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


async def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_one_engine_says_text_after_text(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        for text in ("One. Two.", "Three."):
            assert await speech.say(Utterance(text), tmp_path / "said") == len(text) - text.count(
                " "
            )
        assert (tmp_path / "said").read_text() == "Three."
        assert len(pids(tmp_path)) == 1
        assert psutil.Process(pids(tmp_path)[0]).nice() >= 10

    play(scenario, tmp_path)


@pytest.mark.parametrize("how", ["die", "hang"])
def test_another_engine_goes_on_where_one_was_lost(tmp_path: Path, how: str) -> None:
    async def scenario(speech: SpeechPool) -> None:
        (tmp_path / how).touch()
        await speech.say(Utterance(f"One. {how}. Two."), tmp_path / "said")
        assert (tmp_path / "said").read_text() == f"One.{how}.Two."
        assert len(pids(tmp_path)) == 2

    play(scenario, tmp_path, patience_s=0.5)


def test_a_recording_is_gone_on_with(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        (tmp_path / "hear 1").touch()
        found = await speech.transcribe(tmp_path / "any.wav")
        assert [each.text for each in found] == ["part 0", "part 1", "part 2"]
        (whole,) = await speech.recognise(tmp_path / "any.wav")
        assert (whole.text, whole.confidence) == ("part 0 part 1 part 2", 0.5)

    play(scenario, tmp_path)


def test_two_engines_lost_over_one_text_are_enough(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        (tmp_path / "die").touch()
        (tmp_path / "hang").touch()
        with pytest.raises(SpeechUnavailable, match="did nothing"):
            await speech.say(Utterance("die. hang."), tmp_path / "said")
        await speech.say(Utterance("Well again."), tmp_path / "said")
        assert (tmp_path / "said").read_text() == "Well again."

    play(scenario, tmp_path, patience_s=0.5)


@pytest.mark.parametrize(
    ("how", "sentence", "starts"),
    [("refuse", "there is no model", 1), ("crash", "has ended", 2), ("nonsense", "nonsense", 0)],
)
def test_an_engine_that_does_not_start(
    tmp_path: Path, how: str, sentence: str, starts: int
) -> None:
    async def scenario(speech: SpeechPool) -> None:
        with pytest.raises(SpeechUnavailable, match=sentence):
            await speech.say(Utterance("One."), tmp_path / "said")
        assert len(pids(tmp_path)) == starts

    play(scenario, tmp_path, how)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = Program("missing", (str(tmp_path / "missing"),))

    async def scenario() -> None:
        speech = SpeechPool(Speech(), Installed(ears=missing))
        with pytest.raises(SpeechUnavailable, match="does not start"):
            await speech.recognise(tmp_path / "any.wav")
        with pytest.raises(SpeechUnavailable, match="switched off"):
            await speech.say(Utterance("One."), tmp_path / "said")
        await speech.close()

    uvloop.run(scenario())


def test_what_an_engine_refuses_is_not_tried_again(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        with pytest.raises(SpeechUnavailable, match="this word is not known"):
            await speech.say(Utterance("One. refuse."), tmp_path / "said")
        await speech.say(Utterance("Two."), tmp_path / "said")
        assert len(pids(tmp_path)) == 1

    play(scenario, tmp_path)


def test_who_gives_up_does_not_cost_an_engine(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        await speech.say(Utterance("Warm."), tmp_path / "said")
        long = Utterance("Long. " * 1000)
        for turns in range(20):
            saying = asyncio.create_task(speech.say(long, tmp_path / "given up"))
            for _ in range(turns):
                await asyncio.sleep(0)
            saying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saying
        await speech.say(Utterance("Short."), tmp_path / "said")
        assert (tmp_path / "said").read_text() == "Short."
        assert len(pids(tmp_path)) == 1
        assert (tmp_path / "given up").stat().st_size < 5000

    play(scenario, tmp_path)


def test_only_so_many_work_and_wait(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        asked = [speech.say(Utterance("One."), tmp_path / f"{number}") for number in range(8)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(each, SpeechUnavailable) for each in results] == [False] * 5 + [True] * 3
        assert len(pids(tmp_path)) == 2

    play(scenario, tmp_path, workers=2, waiting=3)


def test_an_idle_engine_ends(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        await speech.say(Utterance("One."), tmp_path / "said")
        await until(lambda: ended(pids(tmp_path)[0]))
        await speech.say(Utterance("Two."), tmp_path / "said")
        assert (tmp_path / "said").read_text() == "Two."
        assert len(pids(tmp_path)) == 2

    play(scenario, tmp_path, idle_s=0.05)


def test_the_end_of_the_pool_ends_what_it_does(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        (tmp_path / "hang").touch()
        saying = asyncio.create_task(speech.say(Utterance("hang."), tmp_path / "said"))
        await until(lambda: not (tmp_path / "hang").exists())
        await speech.close()
        with pytest.raises(SpeechUnavailable):
            await saying
        with pytest.raises(SpeechUnavailable, match="ending"):
            await speech.say(Utterance("One."), tmp_path / "said")

    play(scenario, tmp_path)


def test_the_death_of_the_hub_ends_its_engines(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.speech.hub_that_dies", str(tmp_path)]
    with subprocess.Popen(program, cwd=Path(__file__).parents[2]) as hub:
        deadline = time.monotonic() + LIMIT_S
        while not pids(tmp_path) or (tmp_path / "hang").exists():
            assert time.monotonic() < deadline and hub.poll() is None
            time.sleep(0.01)
        hub.kill()
    asyncio.run(until(lambda: ended(pids(tmp_path)[0])))


def test_texts_have_a_limit(tmp_path: Path) -> None:
    async def scenario(speech: SpeechPool) -> None:
        with pytest.raises(ValueError, match="20 characters"):
            await speech.say(Utterance("One. " * 5), tmp_path / "said")
        assert pids(tmp_path) == []

    play(scenario, tmp_path, text_limit=20)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Speech(synthesis="none", recognition="none"), "switched off"),
        (Speech(), r"install tertulia\[speech\]"),
        (Speech(synthesis="espeak", recognition="whisper"), r"install"),
        (Speech(synthesis="piper", recognition="sphinx"), r"install"),
    ],
)
def test_a_host_without_engines(
    settings: Speech, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.speech.installed.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    found = find(settings)
    assert (found.piper, found.espeak, found.ears) == (None, None, None)
    assert all(sentence.replace("\\", "") in why for why in (found.mute, found.deaf))


def test_an_engine_fetches_nothing_and_has_one_thread() -> None:
    made = environment({"PATH": "/bin"})
    assert (made["PATH"], made["HF_HUB_OFFLINE"], made["OMP_NUM_THREADS"]) == ("/bin", "1", "1")
