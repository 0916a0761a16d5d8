"""The engine `whisper`: a neural recogniser. Needs faster-whisper, soundfile and soxr.

`python -m tertulia.speech.whisper FOLDER` with a model as CTranslate2 keeps it.
"""

import math
import sys

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from tertulia.ports.speech import Reading
from tertulia.speech.hearing import RATE, listening
from tertulia.speech.messages import Hear
from tertulia.speech.readings import clipped, distinct, joined, trusted
from tertulia.speech.serving import Work, serve

_SPANS = VadOptions(min_silence_duration_ms=500, speech_pad_ms=100)
_BEAM = 5
_SILENT = 0.6
"""Probability of no speech, and the confidence below which it is believed."""
_UNSURE = 0.37
_TOKENS_A_SECOND = 12
"""People say four words a second; a model that says more repeats itself."""


def load(folder: str) -> Work:
    ear = _Whisper(folder)
    ear.readings(np.zeros(RATE, np.float32), Hear("", None))  # the first takes longer than others
    return listening(ear)


class _Whisper:
    def __init__(self, folder: str) -> None:
        self._model = WhisperModel(
            folder, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1,
            local_files_only=True,
        )  # fmt: skip

    def __call__(self, samples: NDArray[np.float32], order: Hear) -> list[Reading]:
        # Without this, silence, ring tones and noise become "Thank you.".
        spoken = [
            (each["start"] * 1000 // RATE, each["end"] * 1000 // RATE)
            for each in get_speech_timestamps(samples, _SPANS)
        ]
        if not spoken:
            return []
        if order.sentences:
            return joined(clipped(each, spoken) for each in self._parts(samples, order))
        start, end = spoken[0][0], spoken[-1][1]
        found = self.readings(samples, order)
        return [Reading(each.text, each.confidence, start, end) for each in found]

    def readings(self, samples: NDArray[np.float32], order: Hear) -> list[Reading]:
        """Several readings by one search, and by a second one when there are hints: the encoder
        is nine tenths of the time."""
        tokens = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual,
            task="transcribe", language=self._language(order),
        )  # fmt: skip
        encoded = self._model.encode(pad_or_trim(self._model.feature_extractor(samples)))
        room = 20 + _TOKENS_A_SECOND * math.ceil(len(samples) / RATE)
        plain = self._searched(encoded, tokens, None, room)
        if not plain or not order.hints:
            return distinct(plain)
        hinted = self._searched(encoded, tokens, _glossary(order), room)
        return distinct([*trusted(hinted, plain, order.hints), *plain])

    def _searched(
        self, encoded: object, tokens: Tokenizer, hotwords: str | None, room: int
    ) -> list[Reading]:
        prompt = self._model.get_prompt(tokens, [], without_timestamps=True, hotwords=hotwords)
        result = self._model.model.generate(
            encoded, [prompt], beam_size=_BEAM, num_hypotheses=_BEAM,
            return_scores=True, return_no_speech_prob=True,
            max_length=min(len(prompt) + room, self._model.max_length),
        )[0]  # fmt: skip
        surely = [math.exp(min(score, 0.0)) for score in result.scores]
        if result.no_speech_prob > _SILENT and surely[0] < _UNSURE:
            return []
        texts = [tokens.decode(ids).strip() for ids in result.sequences_ids]
        return [Reading(*each) for each in zip(texts, surely, strict=True)]

    def _parts(self, samples: NDArray[np.float32], order: Hear) -> list[Reading]:
        segments, _ = self._model.transcribe(
            samples, language=self._language(order), beam_size=_BEAM, temperature=0.0,
            condition_on_previous_text=False,
        )  # fmt: skip
        found = [
            Reading(
                each.text.strip(), math.exp(min(each.avg_logprob, 0.0)),
                round(each.start * 1000), round(each.end * 1000),
            )
            for each in segments
            if each.no_speech_prob <= _SILENT or each.avg_logprob > math.log(_UNSURE)
        ]  # fmt: skip
        return [each for each in found if any(map(str.isalnum, each.text))]

    def _language(self, order: Hear) -> str:
        """English unless told; raises ValueError for one that the model does not know."""
        code = (order.language or "en").replace("_", "-").partition("-")[0].lower()
        code = {"cmn": "zh", "arb": "ar", "nb": "no", "iw": "he"}.get(code, code)
        if code not in self._model.supported_languages:
            raise ValueError(
                f"the recognition model does not know the language {order.language}; "
                "speech.recognition_model can name another"
            )
        return code


def _glossary(order: Hear) -> str:
    """A whole sentence, for the model goes on from it: behind bare words it leaves out those that
    are said."""
    return f"Glossary: {', '.join(order.hints)}."


if __name__ == "__main__":
    serve(lambda: load(sys.argv[1]))
