"""What audio needs of voices and ears: engines that say and recognise.

As the other ports: an adapter passes the contract suite of its port (tests/contracts).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from tertulia.model.errors import TertuliaError


class SpeechUnavailable(TertuliaError):
    """No engine for that is installed, or it broke."""


class Utterance(Struct, frozen=True):
    """What is to be said, and how."""

    text: str
    is_ssml: bool = False
    language: str | None = None
    """As in `en-US`."""
    voice: str | None = None
    style: int = 0


class Reading(Struct, frozen=True):
    """What somebody may have said."""

    text: str
    confidence: float
    """0 to 1."""
    start_ms: int = 0
    """In the recording; this and the next."""
    end_ms: int = 0


class Speech(Protocol):
    """Speech synthesis and recognition. Engines start with their first use."""

    async def say(self, utterance: Utterance, path: Path) -> int:
        """Write 16-bit samples at 16 kHz to `path`, as they come; the octets written in the end.

        The file is there, empty, before anything is awaited. Raises SpeechUnavailable, or
        ValueError for a text that cannot be said.
        """

    async def recognise(
        self, path: Path, *, language: str | None = None, hints: Sequence[str] = ()
    ) -> list[Reading]:
        """What is said in a WAV file, the likeliest reading first; empty when nothing is.

        Raises SpeechUnavailable.
        """

    async def transcribe(self, path: Path, *, language: str | None = None) -> list[Reading]:
        """What is said in an audio file, sentence by sentence. Raises SpeechUnavailable."""
