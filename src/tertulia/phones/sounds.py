"""What callees are heard with: texts as spoken, files, tones; at 8 kHz, in memory while in use.

Texts are said by a speech engine once and kept in the folder. Where there is none, babble stands in
for them: a callee is never silent because something is not installed.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import soxr

from tertulia.media.audio_files import RAW_RATE, AudioError, AudioFile, Reader
from tertulia.media.g711 import Samples
from tertulia.media.tones import Note
from tertulia.media.tones import Tone as Signal
from tertulia.phones.babble import RATE, babble
from tertulia.phones.callee import Beep, Play, Say, Sound, Tone
from tertulia.ports.speech import Speech, SpeechUnavailable, Utterance

PATIENCE = 20.0
"""Seconds for the first of a text to be said, before babble takes its place."""
KEPT = 32 << 20
"""Octets of samples in memory."""
FILE_SECONDS_MAX = 600

_log = logging.getLogger(__name__)


class Sounds:
    """`folder` is where texts are kept, `files` where call files find what they play."""

    def __init__(self, folder: Path, speech: Speech, files: Path | None = None) -> None:
        self._folder = folder
        self._speech = speech
        self._files = files
        self._kept: OrderedDict[str, Samples] = OrderedDict()
        self._making: dict[str, asyncio.Task[Samples]] = {}
        self._is_mute = False
        """It has been told that nothing can be said."""

    async def prepare(self, sounds: Iterable[Sound]) -> dict[str, Samples]:
        """All of them by `key`, ready to be played; made one after the other, in their order."""
        return {key(sound): await self._sound(sound) for sound in sounds}

    async def close(self) -> None:
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _sound(self, sound: Sound) -> Samples:
        name = key(sound)
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
            return found
        task = self._making.get(name)
        if task is None:  # who waits may leave; others wait for the same
            task = self._making[name] = asyncio.create_task(self._made(sound))
            task.add_done_callback(lambda _: self._making.pop(name, None))
        return await asyncio.shield(task)

    async def _made(self, sound: Sound) -> Samples:
        match sound:
            case Say():
                samples, keep = await self._spoken(sound)
            case Play(file=file):
                # not kept: the file may be another one at the next call
                samples, keep = await asyncio.to_thread(self._read_file, file), False
            case Tone() | Beep():
                samples, keep = rendered(sound), True
        if keep:
            self._keep(key(sound), samples)
        return samples

    def _keep(self, name: str, samples: Samples) -> None:
        self._kept[name] = samples
        while sum(each.nbytes for each in self._kept.values()) > KEPT and len(self._kept) > 1:
            self._kept.popitem(last=False)

    async def _spoken(self, say: Say) -> tuple[Samples, bool]:
        """And whether it is what was to be said, and not a substitute."""
        path = self._folder / f"{key(say)}.pcm"
        with suppress(OSError):
            if len(samples := await asyncio.to_thread(_read, path)):
                return samples, True
        try:
            async with asyncio.timeout(PATIENCE):
                samples = await self._said(say, path)
        except (SpeechUnavailable, TimeoutError, ValueError, OSError) as error:
            self._note_mute(error)
            return babble(say.text), False
        return samples, True

    async def _said(self, say: Say, path: Path) -> Samples:
        draft = path.with_suffix(f".{os.getpid()}.draft")
        try:
            await self._speech.say(
                Utterance(say.text, language=say.language, voice=say.voice), draft
            )
            return await asyncio.to_thread(_finish, draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def _note_mute(self, error: Exception) -> None:
        if not self._is_mute:
            self._is_mute = True
            _log.warning(
                "simulated phones babble instead of speaking: %s", error or "it takes too long",
                extra={"action": "phones_babble"},
            )  # fmt: skip

    def _read_file(self, file: str) -> Samples:
        try:
            if self._files is None:
                raise AudioError("there is no folder sip.phones")
            return _decoded(self._files / file)
        except AudioError as error:
            _log.error(
                "a call file plays %s: %s", file, error, extra={"action": "phones_file_unreadable"}
            )
            return babble(file)


def rendered(sound: Tone | Beep) -> Samples:
    """A tone as samples, with soft edges."""
    hertz = (sound.hertz,) if isinstance(sound, Beep) else tuple(sound.hertz)
    length = round(sound.seconds * 1000)
    tone = Signal((Note(hertz, 0, length, sound.level),), length, repeats=False)
    return tone.samples(0, length * RATE // 1000, RATE)


def key(sound: Sound) -> str:
    """The same for those that sound the same."""
    match sound:
        case Say():
            what = "\0".join(("say", sound.language or "", sound.voice or "", sound.text))
        case Play():
            what = f"play\0{sound.file}"
        case Tone():
            what = f"tone\0{sound.hertz}\0{sound.seconds}\0{sound.level}"
        case Beep():
            what = f"tone\0{[sound.hertz]}\0{sound.seconds}\0{sound.level}"
    return sha256(what.encode()).hexdigest()[:32]


def _read(path: Path) -> Samples:
    return np.fromfile(path, "<i2").astype(np.int16, copy=False)


def _finish(draft: Path, path: Path) -> Samples:
    """From the engine's rate to ours, and in place as a whole."""
    spoken = np.fromfile(draft, "<i2").astype(np.float32)
    samples = np.clip(soxr.resample(spoken, RAW_RATE, RATE), -32768, 32767).astype("<i2")
    if not len(samples):
        raise SpeechUnavailable("the engine has said nothing")
    draft.write_bytes(samples.tobytes())
    os.replace(draft, path)
    return np.asarray(samples, np.int16)


def _decoded(path: Path) -> Samples:
    reader = Reader(AudioFile(path))
    pieces = []
    try:
        length, last = 0, False
        while not last and length < FILE_SECONDS_MAX * RATE:
            samples, _, last = reader.read(RATE)
            pieces.append(samples)
            length += len(samples)
    finally:
        reader.close()
    return np.concatenate(pieces)
