"""`tertulia dial` as a person sees it: what it takes, and what it prints."""

import asyncio
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tertulia.client.dialling import FORMATS, DialFailed, Outcome, Pause, Wish, dial
from tertulia.client.ladder import Moment, heading, row
from tertulia.client.login import Logins
from tertulia.client.plain import plain
from tertulia.model.validation import DIGITS

Say = Callable[[str], object]

SAID = "Hello. This is a test call from Tertulia."


def script(file: Path | None, said: str | None, seconds: int) -> list[Any]:
    """That of the file, else a text to be said, and then listening. Raises DialFailed."""
    if file is None:
        talk = {"action": "talk", "text": said or SAID}
        return [talk, {"action": "wait", "timeout": seconds}]
    try:
        found = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise DialFailed(f"{file}: {error}") from None
    if not isinstance(found, list):
        raise DialFailed(f"{file}: a script is an array of actions")
    return found


def keys(given: str | None) -> str | None:
    """Raises DialFailed: these are none."""
    if given is not None and not re.fullmatch(DIGITS, given):
        raise DialFailed(f"{given}: keys are 0 to 9, *, #, a to d, and p for a pause")
    return given


def recording(file: Path | None) -> Path | None:
    """Raises DialFailed: no file can be written there, or none of such a kind."""
    if file is None:
        return None
    if file.suffix[1:].lower() not in FORMATS:
        raise DialFailed(f"{file}: a recording is an .mp3, .wav or .ogg file")
    if not file.parent.is_dir():
        raise DialFailed(f"{file.parent} is no folder")
    return file


async def call(
    logins: Logins, wish: Wish, name: str, say: Say, pause: Pause = asyncio.sleep
) -> int:
    """Make the call, and say line by line what happens; 0 when it was answered.

    Raises:
        DialFailed: there is no call, or it was lost from sight.
    """
    columns, moments = _columns(), list[Moment]()

    def show(moment: Moment) -> None:
        moments.append(moment)
        if len(moments) == 1:
            say(f"Calling {plain(name)}\n\n{heading()}")
        say(row(moment, moments[0].seconds, columns))

    outcome = await dial(logins, wish, show, pause)
    say(f"\n{outcome.sentence}")
    return 0 if outcome.was_answered else 1


async def call_silently(logins: Logins, wish: Wish, say: Say, pause: Pause = asyncio.sleep) -> int:
    """As `call`; what is said is a document at the end."""
    moments: list[Moment] = []
    outcome = await dial(logins, wish, moments.append, pause)
    say(msgspec.json.encode(document(outcome, moments)).decode())
    return 0 if outcome.was_answered else 1


def document(outcome: Outcome, moments: list[Moment]) -> dict[str, Any]:
    """For programs."""
    return {
        **outcome._asdict(),
        "sip": outcome.sip._asdict() if outcome.sip else None,
        "verdict": outcome.verdict or None,
        "recording": outcome.recording or None,
        "moments": [each._asdict() for each in moments],
    }


def _columns() -> int | None:
    """Of the terminal; None where there is none, and lines may be as long as they like."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
