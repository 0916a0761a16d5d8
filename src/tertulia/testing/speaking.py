"""Speech that a test can check letter by letter: each letter is a pair of tones.

No engine, no process: said in microseconds, and recognised word for word from 8 kHz on, also when
it went through a codec. None of its pairs is a key of a telephone.
"""

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tertulia.ports.speech import Reading, SpeechUnavailable, Utterance
from tertulia.speech.phrases import pieces
from tertulia.speech.readings import words
from tertulia.speech.ssml import Segment, segments

RATE = 16_000
LOW = tuple(range(400, 1_101, 100))
HIGH = tuple(range(1_750, 3_151, 200))
"""Hertz. Two bins of the window apart, so that neighbours do not answer."""
LETTER_MS = 40
GAP_MS = 20
WORD_MS = 60
SENTENCE_MS = 300
FAILURE = "!fail"
"""Text in which this stands cannot be said."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'"
_OCTET = len(LOW) * len(HIGH) - 1
"""Before the two hexadecimal digits of an octet of any other letter."""
_AMPLITUDE = 0.2
_STEP_MS = 5
_WINDOW_MS = 20
_LEAST_STEPS = 3
_NEAR = 10
"""Steps, to each side, whose loudest a tone is compared with."""


class ToneSpeech:
    """Adapter of ports.Speech. Any language; hints change nothing but are kept for the test."""

    def __init__(self) -> None:
        self.said: list[Utterance] = []
        self.hints: list[tuple[str, ...]] = []

    async def say(self, utterance: Utterance, path: Path) -> int:
        _write(path, b"")
        self.said.append(utterance)
        if FAILURE in utterance.text:
            raise SpeechUnavailable("this text is not to be said")
        spoken = (
            segments(utterance.text, language=utterance.language)
            if utterance.is_ssml
            else [Segment(utterance.text)]
        )
        return _write(path, samples(pieces(spoken)).tobytes())

    async def recognise(
        self, path: Path, *, language: str | None = None, hints: Sequence[str] = ()
    ) -> list[Reading]:
        self.hints.append(tuple(hints))
        found = list(_words(*_read(path)))
        if not found:
            return []
        text = " ".join(each.text for each in found)
        return [Reading(text, 1.0, found[0].start_ms, found[-1].end_ms)]

    async def transcribe(self, path: Path, *, language: str | None = None) -> list[Reading]:
        sentences: list[list[Reading]] = []
        for word in _words(*_read(path)):
            if sentences and word.start_ms - sentences[-1][-1].end_ms < SENTENCE_MS:
                sentences[-1].append(word)
            else:
                sentences.append([word])
        return [
            Reading(" ".join(word.text for word in each), 1.0, each[0].start_ms, each[-1].end_ms)
            for each in sentences
        ]


def _write(path: Path, content: bytes) -> int:
    try:
        return path.write_bytes(content)
    except OSError as error:
        raise SpeechUnavailable(str(error)) from None


def samples(spoken: Sequence[Segment]) -> NDArray[np.int16]:
    """The words as sound at 16 kHz, with a pause behind each piece."""
    parts: list[NDArray[np.int16]] = [_silence(GAP_MS)]
    for segment in spoken:
        for word in words(segment.text):
            for symbol in _symbols(word):
                parts += [_letter(symbol), _silence(GAP_MS)]
            parts.append(_silence(WORD_MS))
        parts.append(_silence(SENTENCE_MS + segment.pause_ms if segment.text else segment.pause_ms))
    return np.concatenate(parts)


def _symbols(word: str) -> Iterator[int]:
    for letter in word:
        if letter in _LETTERS:
            yield _LETTERS.index(letter)
        else:
            for octet in letter.encode():
                yield from (_OCTET, *(_LETTERS.index(digit) for digit in f"{octet:02x}"))


def _letter(symbol: int) -> NDArray[np.int16]:
    low, high = LOW[symbol // len(HIGH)], HIGH[symbol % len(HIGH)]
    at = np.arange(LETTER_MS * RATE // 1000) / RATE
    sound = np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at)
    return (sound * (_AMPLITUDE * 32767)).astype("<i2")


def _silence(ms: int) -> NDArray[np.int16]:
    return np.zeros(ms * RATE // 1000, "<i2")


def _read(path: Path) -> tuple[NDArray[np.float64], int]:
    """Mono, -1 to 1, and the rate. Raises SpeechUnavailable."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise SpeechUnavailable("not 16 bits a sample")
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            mono = raw.reshape(-1, file.getnchannels()).mean(axis=1)
            return mono / 32768, file.getframerate()
    except (OSError, EOFError, ValueError, wave.Error) as error:
        raise SpeechUnavailable(f"not a WAV file: {error}") from None


class _Heard(NamedTuple):
    symbol: int
    start_ms: int
    end_ms: int


def _words(sound: NDArray[np.float64], rate: int) -> Iterator[Reading]:
    word: list[_Heard] = []
    for heard in _letters(sound, rate):
        if word and heard.start_ms - word[-1].end_ms > (GAP_MS + WORD_MS) * 2 // 3:
            yield _spelled(word)
            word = []
        word.append(heard)
    if word:
        yield _spelled(word)


def _spelled(word: list[_Heard]) -> Reading:
    octets = bytearray()
    symbols = iter(each.symbol for each in word)
    for symbol in symbols:
        if symbol == _OCTET:
            digits = "".join(_sign(next(symbols, -1)) for _ in range(2))
            octets += bytes.fromhex(digits) if set(digits) <= set("0123456789abcdef") else b"?"
        else:
            octets += _sign(symbol).encode()
    text = octets.decode(errors="replace")
    return Reading(text, 1.0, word[0].start_ms, word[-1].end_ms)


def _sign(symbol: int) -> str:
    return _LETTERS[symbol] if 0 <= symbol < len(_LETTERS) else "?"


def _letters(sound: NDArray[np.float64], rate: int) -> Iterator[_Heard]:
    """Runs of one pair of tones, with their times."""
    pairs = [*_pairs(sound, rate), -1]
    start = 0
    for at in range(1, len(pairs)):
        if pairs[at] != pairs[start]:
            if pairs[start] >= 0 and at - start >= _LEAST_STEPS:
                middle = _WINDOW_MS // 2
                yield _Heard(pairs[start], start * _STEP_MS + middle, (at - 1) * _STEP_MS + middle)
            start = at


def _pairs(sound: NDArray[np.float64], rate: int) -> list[int]:
    """The pair in each window, one every _STEP_MS; -1 for none."""
    window = _WINDOW_MS * rate // 1000
    if len(sound) < window:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[:: _STEP_MS * rate // 1000]
    at = np.arange(window) / rate
    hann = np.hanning(window + 1)[:-1]
    waves = np.exp(-2j * np.pi * np.outer(at, LOW + HIGH)) * hann[:, None]
    levels = np.abs(frames @ waves) * 2 / hann.sum()
    low, high = levels[:, : len(LOW)], levels[:, len(LOW) :]
    power = low.max(axis=1) ** 2 + high.max(axis=1) ** 2
    whole = 2 * (np.square(frames) @ hann) / hann.sum()
    pair = low.argmax(axis=1) * len(HIGH) + high.argmax(axis=1)
    balance = np.minimum(low.max(axis=1), high.max(axis=1)) / np.sqrt(power + 1e-12)
    clear = (power > 0.5 * whole) & (balance > 0.2) & (power > 1e-4) & (power > _near(power) / 4)
    return list(np.where(clear, pair, -1))


def _near(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The loudest around each."""
    padded = np.pad(power, _NEAR)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1)
    return np.asarray(around.max(axis=1))
