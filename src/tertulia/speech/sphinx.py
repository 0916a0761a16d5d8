"""The engine `sphinx`: a small recogniser of English. Needs pocketsphinx, soundfile and soxr.

`python -m tertulia.speech.sphinx [FOLDER]` with an acoustic model; without, that of the package.
"""

import itertools
import sys
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from tertulia.ports.speech import Reading
from tertulia.speech.hearing import RATE, listening
from tertulia.speech.messages import Hear
from tertulia.speech.readings import distinct, trusted
from tertulia.speech.serving import Work, serve

_FRAME_MS = 10
_PAUSE_FRAMES = 30
"""Silence that ends a sentence."""
_BEST = 10
_NEXT = 0.85
"""How much less likely a reading is than the one before it: the decoder gives no figures."""


def load(folder: str | None) -> Work:
    chosen = {"hmm": str(Path(folder))} if folder else {}
    return listening(_Sphinx(Decoder(samprate=RATE, loglevel="FATAL", **chosen)))


class _Word(Protocol):
    """Of the likeliest reading; its times are in frames."""

    word: str
    prob: float
    start_frame: int
    end_frame: int


class _Sphinx:
    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def __call__(self, samples: NDArray[np.float32], order: Hear) -> list[Reading]:
        if order.language and not order.language.lower().startswith("en"):
            raise ValueError(f"pocketsphinx knows English only, not {order.language}")
        loud = np.clip(samples, -1.0, 1.0) * 32767
        self._decoder.start_utt()
        self._decoder.process_raw(loud.astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        words = [each for each in self._decoder.seg() if each.word[0] not in "<["]
        if not words or self._decoder.hyp() is None:
            return []
        return self._sentences(words) if order.sentences else self._readings(words, order)

    def _readings(self, words: list[_Word], order: Hear) -> list[Reading]:
        best = _reading(words)
        others = [each.hypstr for each in itertools.islice(self._decoder.nbest(), _BEST)]
        found = [
            Reading(text, best.confidence * _NEXT**place, best.start_ms, best.end_ms)
            for place, text in enumerate([self._decoder.hyp().hypstr, *others])
        ]
        return distinct(trusted(found, found, order.hints))

    def _sentences(self, words: list[_Word]) -> list[Reading]:
        found: list[list[_Word]] = [[]]
        for word in words:
            if found[-1] and word.start_frame - found[-1][-1].end_frame > _PAUSE_FRAMES:
                found.append([])
            found[-1].append(word)
        return [_reading(each) for each in found]


def _reading(words: list[_Word]) -> Reading:
    text = " ".join(each.word.partition("(")[0] for each in words)
    surely = float(np.clip(np.mean([each.prob for each in words]), 0.0, 1.0))
    start, end = words[0].start_frame, words[-1].end_frame + 1
    return Reading(text, surely, start * _FRAME_MS, end * _FRAME_MS)


if __name__ == "__main__":
    serve(lambda: load(sys.argv[1] if len(sys.argv) > 1 else None))
