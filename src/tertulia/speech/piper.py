"""The engine `piper`: a neural voice. Needs the packages piper-tts, onnxruntime and soxr.

`python -m tertulia.speech.piper VOICE.onnx`, with its VOICE.onnx.json beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from piper import PiperConfig, PiperVoice, SynthesisConfig

from tertulia.speech.messages import Say
from tertulia.speech.saying import Sound, speaking
from tertulia.speech.serving import Work, serve
from tertulia.speech.ssml import Segment


def load(model: Path) -> Work:
    voice = _opened(model)
    _said(voice, "Ready.", 0, 1.0)  # the first sentence of a model takes longer than all others
    return speaking(lambda piece, order: _sound(voice, piece, order))


def _opened(model: Path) -> PiperVoice:
    onnxruntime.set_seed(1)  # its intonation is drawn by lot: the same lots for every process
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(
        str(model), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return PiperVoice(session=session, config=PiperConfig.from_dict(config))


def _sound(voice: PiperVoice, piece: Segment, order: Say) -> Sound:
    # Double brackets enclose phonemes there; what people write is never meant so.
    text = piece.text.replace("[[", "[ [").replace("]]", "] ]")
    return _said(voice, text, order.style, piece.rate)


def _said(voice: PiperVoice, text: str, style: int, rate: float) -> Sound:
    config = SynthesisConfig(
        speaker_id=style % voice.config.num_speakers if voice.config.num_speakers > 1 else None,
        length_scale=voice.config.length_scale / rate,
    )
    sounds = [chunk.audio_float_array for chunk in voice.synthesize(text, config)]
    samples = np.concatenate([np.zeros(0, np.float32), *sounds])
    return samples, voice.config.sample_rate


if __name__ == "__main__":
    serve(lambda: load(Path(sys.argv[1])))
