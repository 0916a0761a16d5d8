"""`python -m tertulia.app.phones_part phones`: the simulated phones, as the supervisor starts them.

By itself, so that the hub is not slower for phones, and the whole way to them is a real one.
"""

import argparse
import asyncio
import logging
import os
from collections.abc import Coroutine, Iterable
from pathlib import Path

from msgspec.structs import replace

from tertulia.app import whereabouts
from tertulia.app.chance import SystemClock
from tertulia.app.lifeline import ended
from tertulia.app.start import start
from tertulia.app.whereabouts import Whereabouts
from tertulia.media.process import prepare
from tertulia.phones.callee import Callee
from tertulia.phones.control import SOCKET, Control
from tertulia.phones.exchange import Exchange
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.messages import Messages
from tertulia.phones.offices import Offices
from tertulia.phones.phonebook import Phonebook
from tertulia.phones.sounds import Sounds
from tertulia.settings import Settings, SettingsError
from tertulia.speech.pool import SpeechPool

FOLDER = "phones"
"""In the data folder: texts as spoken, and `messages`."""
HANDSETS = "handsets"
"""In the folder of call files: the files of handsets."""
ENGINE_IDLE = 30.0
REST = 5.0
"""Seconds after the start before texts are said ahead of the first call: other parts start now."""

_log = logging.getLogger("tertulia.phones")


async def serve(settings: Settings, over: Coroutine[None, None, None]) -> None:
    """Until `over` returns. Raises SettingsError when the port is taken."""
    ending = asyncio.create_task(over)  # hears of the end before anybody knows that we are there
    data = settings.data.path
    files = settings.sip.phones_path
    phonebook = Phonebook(files)
    callees = phonebook.everybody().values()
    speech = SpeechPool(replace(settings.speech, workers=1, idle_s=ENGINE_IDLE))
    sounds = Sounds(data / FOLDER, speech, files)
    exchange = Exchange(
        phonebook, sounds, Messages(data / FOLDER / "messages"),
        port=settings.sip.simulated_port, own=settings.dev.number, hub=lambda: _hub(settings),
    )  # fmt: skip
    offices = Offices(
        Handsetbook(files / HANDSETS if files is not None else None), now=SystemClock().now,
        hub=lambda: whereabouts.http_port(data / whereabouts.HUB),
    )  # fmt: skip
    control = Control(exchange, offices.texting)
    warming = asyncio.create_task(_warm(callees, sounds))
    try:
        await _open(exchange, offices, control, data)
        numbers = {each.number: each.about for each in callees}
        where = Whereabouts(
            exchange.port, os.getpid(), numbers, smpp=offices.smpp_port, http=offices.http_port
        )
        whereabouts.note(data / whereabouts.PHONES, where)
        _log.info(
            "%d simulated phones are on port %d", len(numbers), exchange.port,
            extra={"action": "phones_up", "port": exchange.port},
        )  # fmt: skip
        await ending
    finally:
        ending.cancel()
        warming.cancel()
        (data / whereabouts.PHONES).unlink(missing_ok=True)
        await control.close()
        await offices.close()
        await exchange.close()
        await sounds.close()
        await speech.close()


async def _open(exchange: Exchange, offices: Offices, control: Control, data: Path) -> None:
    try:
        (data / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        await exchange.open()
        await offices.open()
        await control.open(data / SOCKET)
    except OSError as error:
        raise SettingsError(f"the simulated phones cannot be reached: {error}") from None


def _hub(settings: Settings) -> tuple[str, int] | None:
    """Where it is just now; before it has said so, where it is to be."""
    found = whereabouts.find(settings.data.path / whereabouts.HUB)
    if found is None and settings.sip.port:
        return whereabouts.HOST, settings.sip.port
    return found


async def _warm(callees: Iterable[Callee], sounds: Sounds) -> None:
    """Let everything be said once, so that nobody has to ring for longer."""
    await asyncio.sleep(REST)
    for callee in callees:
        await sounds.prepare(callee.sounds)


def _phones(settings: Settings, given: argparse.Namespace) -> Coroutine[None, None, None]:
    return serve(settings, ended(given.lifeline))


if __name__ == "__main__":
    prepare()
    start({"phones": _phones})
