"""Where the scenes of the proof are played: a server with an application behind it, phones, and
conversations in which somebody watches.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.system.books import SECRET
from tests.system.conftest import Plant
from tests.system.file_server import serving, wav
from tests.system.hall import Hall, hall
from tests.system.office import OWN, set_webhooks, voice_webhooks
from tests.system.program import Program
from tests.system.proof.places import Ledger
from tests.system.receiver import Receiver
from tests.system.simulated import wait_for_phones, with_keypads
from tests.system.softphone import Softphone
from tests.system.tones import tone

FILE_HERTZ = 1_500
"""Of the file that is played."""
_FILE = "/tone.wav"
_THINKS_S = 10.0


class Venue:
    def __init__(
        self, here: Hall, program: Program, ledger: Ledger, watcher: Softphone, file: str
    ) -> None:
        self.hall = here
        self.program = program
        self.ledger = ledger
        self.watcher = watcher
        """A user without audio, in every room."""
        self.file = file
        """Address of a tone of 0.8 seconds."""
        self.since: dict[str, int] = {}
        """By conversation, the number of the event by which the watcher came."""

    async def watch(self, conversation: str) -> None:
        """Have the watcher join."""
        joining = {"state": "joined", "user": {"name": self.watcher.user},
                   "channel": {"type": "app"}}  # fmt: skip
        path = f"/v0.3/conversations/{conversation}/members"
        member = (await self.hall.caller.post(path, joining))["id"]
        joined = await self.hall.diary.see("member:joined", member_id=member)
        assert joined.event.id is not None
        self.since[conversation] = joined.event.id

    async def room(self) -> dict[str, Any]:
        """The action of a script that leads to a watched conversation."""
        conversation = await self.hall.another()
        await self.watch(conversation)
        made = await self.hall.caller.get(f"/v1/conversations/{conversation}")
        return {"action": "conversation", "name": made["name"]}

    async def call(self, number: str, **members: Any) -> str:
        """By the application, into a room of its own; the leg."""
        wanted = {
            "to": [{"type": "phone", "number": number}], "from": {"type": "phone", "number": OWN},
            "ncco": [await self.room()], **members,
        }  # fmt: skip
        return str((await self.hall.caller.post("/v1/calls", wanted))["uuid"])

    async def hang_up(self, leg: str) -> None:
        answer = await self.hall.caller.call("PUT", f"/v1/calls/{leg}", {"action": "hangup"})
        assert answer.status == 204, answer

    @contextmanager
    def thinking(self) -> Iterator[None]:
        """The application takes its time to answer."""
        self.program.slow = _THINKS_S
        yield
        self.program.slow = 0.0


@asynccontextmanager
async def venue(plant: Plant, folder: Path) -> AsyncIterator[Venue]:
    """`folder` is for call files."""
    receiver = Receiver()
    receiver.books = ledger = Ledger()
    async with (
        Program.serving() as program,
        receiver.listening() as url,
        serving({_FILE: wav(tone(FILE_HERTZ, 0.8))}) as files,
        hall(
            plant, TERTULIA_ACCOUNT__SIGNATURE_SECRET=SECRET, TERTULIA_DEV__EVENT_URL=url,
            TERTULIA_SIP__PHONES=with_keypads(folder / "phones"),
        ) as here,
    ):  # fmt: skip
        await asyncio.to_thread(wait_for_phones, here.tree.data)
        told = {"event_url": {"address": url, "http_method": "POST"}}  # as it is already
        own = {
            "rtc": told, "voice": voice_webhooks(program.url),
            "messages": message_webhooks(program.url),
        }  # fmt: skip
        await asyncio.to_thread(set_webhooks, here.stage.document, **own)
        watcher = await here.phone("watcher")
        made = Venue(here, program, ledger, watcher, f"{files}{_FILE}")
        await made.watch(here.conversation)
        yield made


def message_webhooks(url: str) -> dict[str, Any]:
    return {
        name: {"address": f"{url}{path}", "http_method": "POST"}
        for name, path in (("inbound_url", "/inbound"), ("status_url", "/status"))
    }
