"""Where the sounds of callees come from: said once, kept, read from files, or babble."""

import asyncio
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tertulia.phones.babble import babble
from tertulia.phones.callee import Beep, Play, Say, Tone
from tertulia.phones.messages import Messages
from tertulia.phones.phonebook import Phonebook
from tertulia.phones.sounds import Sounds, key
from tertulia.ports.speech import Reading, SpeechUnavailable, Utterance


def write_tone(path: Path) -> int:
    sound = (np.sin(np.arange(16_000) / 10) * 8000).astype("<i2")
    return path.write_bytes(sound.tobytes())


class Engine:
    """Says a second of a tone, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.said: list[str] = []

    async def say(self, utterance: Utterance, path: Path) -> int:
        self.said.append(utterance.text)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return write_tone(path)

    async def recognise(
        self, path: Path, *, language: str | None = None, hints: Sequence[str] = ()
    ) -> list[Reading]:
        return []

    async def transcribe(self, path: Path, *, language: str | None = None) -> list[Reading]:
        return []


HELLO = Say(text="Hello?", on={"1": "one"})


def test_a_text_is_said_once_and_kept(tmp_path: Path) -> None:
    async def prepare(engine: Engine) -> None:
        sounds = Sounds(tmp_path, engine)
        found, again = await asyncio.gather(
            sounds.prepare([HELLO, Say(text="Hello?")]), sounds.prepare([HELLO])
        )
        assert found.keys() == again.keys() == {key(HELLO)}
        assert len(found[key(HELLO)]) == 8000
        await sounds.close()

    first, second = Engine(), Engine()
    asyncio.run(prepare(first))
    asyncio.run(prepare(second))
    assert (first.said, second.said) == (["Hello?"], [])
    assert [each.suffix for each in tmp_path.iterdir()] == [".pcm"]


@pytest.mark.parametrize("failure", [SpeechUnavailable("none"), ValueError("empty"), OSError()])
def test_without_an_engine_there_is_babble_and_one_line_in_the_log(
    tmp_path: Path, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def prepare() -> None:
        sounds = Sounds(tmp_path, Engine(failure))
        found = await sounds.prepare([HELLO, Say(text="Goodbye.")])
        assert np.array_equal(found[key(HELLO)], babble("Hello?"))

    asyncio.run(prepare())
    assert len(caplog.records) == 1
    assert [*tmp_path.iterdir()] == []


def test_tones_and_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 8000))
    tone, beep = Tone(hertz=[440, 480], seconds=0.5), Beep(hertz=1000)
    there, missing = Play(file="a.wav"), Play(file="b.wav")

    async def prepare() -> None:
        sounds = Sounds(tmp_path / "said", Engine(), tmp_path)
        found = await sounds.prepare([tone, beep, there, missing])
        assert [len(found[key(each)]) for each in (tone, beep)] == [4000, 3200]
        assert len(found[key(there)]) == pytest.approx(4000, abs=2)
        assert not found[key(there)].any()
        assert found[key(missing)].any()

    asyncio.run(prepare())
    assert "a call file plays b.wav: the file cannot be opened" in caplog.text


def test_a_call_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    book = Phonebook(tmp_path)
    assert book.find("15551234") is None
    path = tmp_path / "15551234.toml"
    path.write_text('about = "first"\n[parts]\nstart = []')
    assert (found := book.find("+15551234")) and found.about == "first"
    path.write_text('about = "second, and longer"\n[parts]\nstart = []')
    assert (found := book.find("15551234")) and found.about.startswith("second")
    path.unlink()
    assert book.find("15551234") is None
    assert (built_in := book.find("15550102")) and "busy" in built_in.about


@pytest.mark.parametrize("number", ["", "robin", "../15551234", "1" * 30, "+"])
def test_nobody_has_a_number_that_is_none(tmp_path: Path, number: str) -> None:
    assert Phonebook(tmp_path).find(number) is None


def test_files_with_errors_are_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1.toml").write_text('about = "mine"\n[parts]\nstart = []')
    (tmp_path / "2.toml").write_text("about =")
    everybody = Phonebook(tmp_path).everybody()
    assert "1" in everybody and "2" not in everybody and "15550100" in everybody
    assert "2.toml: Invalid value" in caplog.text


def test_what_was_said_is_kept(tmp_path: Path) -> None:
    async def keep() -> None:
        messages = Messages(tmp_path / "messages")
        messages.keep("15550101", np.arange(800, dtype=np.int16))
        messages.keep("15550101", np.zeros(0, np.int16))
        await messages.close()

    asyncio.run(keep())
    [path] = (tmp_path / "messages").iterdir()
    assert path.name.startswith("15550101-")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 800)
