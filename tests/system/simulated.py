"""Simulated phones: those that press keys, and how they call in (`tertulia.phones.control`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from tests.system.stage import cancel
from tests.system.tree import until

from tertulia.app.whereabouts import PHONES, find
from tertulia.phones.control import call

PATIENCE = 30.0
"""Seconds until something is told; generous, since what they say may have to be made first."""
PERSON, VOICEMAIL, MENU, ECHO = "15550100", "15550101", "15550104", "15550105"
BAD_LINE = "15550108"
KEYPAD, OLD_KEYPAD = "15550178", "15550179"
"""They call in, and press keys by RFC 4733 and SIP INFO, and as tones and by SIP INFO."""
PRESSED = "12#56077"
_KEYPAD_FILE = """
about = "Somebody who presses keys"
[line]
keys = "{way}"
[parts]
calls = [
    {{ pause = 0.5 }},
    {{ press = "12#", by = "{way}" }}, {{ pause = 1 }},
    {{ press = "560", by = "info" }}, {{ pause = 1 }},
    {{ press = "77", by = "{way}", for = 0.15 }}, {{ pause = 1 }},
    {{ hang_up = true }},
]
start = [{{ decline = 480 }}]
"""


def are_of(keys: str, pressed: str) -> bool:
    """Whether these are some of those that were pressed, in their order, none twice."""
    rest = iter(pressed)
    return all(key in rest for key in keys)


class Ringing:
    """A call of a simulated phone."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._news = asyncio.Event()

    async def until(self, word: str) -> None:
        """Wait until a line that begins with this has come."""
        async with asyncio.timeout(PATIENCE):
            while not any(line.startswith(word) for line in self.told):
                self._news.clear()
                await self._news.wait()

    async def follow(self, data: Path, number: str, to: str) -> None:
        async with aclosing(call(data, number, to)) as lines:
            async for line in lines:
                self.told.append(line)
                self._news.set()


@asynccontextmanager
async def calling(data: Path, number: str, to: str) -> AsyncIterator[Ringing]:
    """The phone `number` calls `to`; at the end it hangs up, if that has not happened yet."""
    await asyncio.to_thread(wait_for_phones, data)
    ringing = Ringing()
    following = asyncio.create_task(ringing.follow(data, number, to))
    try:
        yield ringing
    finally:
        await cancel([following])


def wait_for_phones(data: Path) -> None:
    until("simulated phones", lambda: find(data / PHONES) is not None)


def with_keypads(folder: Path) -> str:
    """Make a folder of their call files, for the setting `sip.phones`."""
    folder.mkdir()
    for number, way in ((KEYPAD, "rtp"), (OLD_KEYPAD, "tones")):
        (folder / f"{number}.toml").write_text(_KEYPAD_FILE.format(way=way))
    return str(folder)
