"""A server with trunks, kept for all tests of a module, and what each of them looks at.

Calls come in from 127.0.0.2 without credentials; from elsewhere, by NUMBER, the trunk `digested`
shows its name. Numbers that begin with 1777 and 1778 are called at CALLEES, by UDP and TCP.
"""

import asyncio
import json
import time
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace
from tests.system.caller import Caller
from tests.system.diary import Diary
from tests.system.file_server import serving, wav
from tests.system.hall import Hall
from tests.system.phone_ear import PhoneEar
from tests.system.program import Program
from tests.system.scenario import scenario
from tests.system.sipp_party import Sipp, free_port, sipp
from tests.system.softphone import gather_loopback
from tests.system.stage import Stage
from tests.system.tones import tone
from tests.system.tree import Tree

from tertulia import devkit
from tertulia.devkit import DevDocument
from tertulia.settings import Settings

OWN = "15550199"
"""Of the application: the simulated network calls it without credentials."""
ADDRESSED, UNKNOWN = "127.0.0.2", "127.0.0.3"
"""Hosts that call: one that is a trunk, one that has to show who it is."""
NUMBER = "15550200"
"""The application's too, by the trunks alone."""
TRUNK = ("trunk", "open sesame")
"""What the trunk shows; and what we show others."""
US = ("us", "let us in")
OPEN = ("started", "ringing", "answered", "machine")
MUSIC = 1_300
"""Hertz of what the application plays."""
TONE = "/tone.wav"
SETTLED_WITHIN = 20.0
"""Seconds until nothing is left of calls that have ended; generous."""
FORGOTTEN_WITHIN = 60.0
"""The same for the messages of their ends, which may be repeated for half a minute."""
PLAN = """
[[trunk]]
name = "addressed"
from_networks = ["127.0.0.2/32"]
application = "{application}"

[[trunk]]
name = "digested"
inbound_username = "trunk"
inbound_password = "open sesame"
application = "{application}"

[[trunk]]
name = "callees"
host = "127.0.0.4"
port = {callees}
transport = "udp"
prefixes = ["1777"]
username = "us"
password = "let us in"

[[trunk]]
name = "callees-tcp"
host = "127.0.0.4"
port = {callees}
transport = "tcp"
prefixes = ["1778"]

[[rate]]
prefix = "15550105"
rate = "0.0120"
network = "001-TEST"
"""
CALLEES = "127.0.0.4"

Running = AbstractAsyncContextManager[Sipp]


class Premises:
    """The running server."""

    def __init__(self, tree: Tree, document: DevDocument, callees: int) -> None:
        self.tree = tree
        self.document = document
        self.callees = callees
        """The port where sipp is called."""
        self.ports = self.media_ports()

    def media_ports(self) -> set[int]:
        """UDP ports that the media process has open."""
        found = self.tree.part("media").net_connections(kind="udp")
        return {each.laddr.port for each in found}


@contextmanager
def premises(folder: Path, **environment: str) -> Iterator[Premises]:
    callees = free_port(CALLEES)
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(application=_application(folder / "data"), callees=callees))
    settings = {
        "TERTULIA_SIP__PLAN": str(plan), "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
        "TERTULIA_RTC__ADDRESSES": "127.0.0.1",
    }  # fmt: skip
    tree = Tree(folder, environment=settings | environment)
    back = gather_loopback()
    try:
        yield Premises(tree, tree.start(), callees)
    finally:
        back()
        tree.end()


def _application(data: Path) -> str:
    """The id that the server will find."""
    settings = Settings()
    settings = replace(settings, data=replace(settings.data, dir=str(data)))
    data.mkdir()
    return str(devkit.development_application(settings).id)


class Office:
    """What one test has to do with."""

    def __init__(
        self, house: Premises, hall: Hall, program: Program, ear: PhoneEar, files: str, folder: Path
    ) -> None:
        self.house = house
        self.hall = hall
        self.caller = hall.caller
        self.diary = hall.diary
        self.program = program
        self.ear = ear
        self.folder = folder
        self.music: dict[str, Any] = {
            "action": "stream", "streamUrl": [f"{files}{TONE}"], "loop": 0,
        }  # fmt: skip
        """A tone of MUSIC hertz for as long as the call lasts, whatever the other side says."""
        self._runs = 0

    @property
    def sip(self) -> str:
        return self.house.document.sip

    def says(self, *actions: dict[str, Any], at: str = "/answer") -> None:
        """What the application wants done."""
        self.program.says[at] = list(actions)

    def says_nothing(self) -> None:
        """It is not asked what is to become of calls."""
        voice = voice_webhooks(self.program.url)
        del voice["answer_url"]
        set_webhooks(self.house.document, voice=voice)

    def url(self, path: str) -> str:
        return f"{self.program.url}{path}"

    def sipp(self, *steps: str, number: str = OWN, **named: Any) -> Running:
        """It calls `number` and does this; what it is to hear is heard by `ear`."""
        self._runs += 1
        return sipp(
            self.folder / f"sipp-{self._runs}", scenario(*steps), to=self.sip, number=number,
            ear=self.ear.port, **named,
        )  # fmt: skip

    def callee(self, *steps: str, options: tuple[str, ...] = (), **named: Any) -> Running:
        """It waits for a call to a number that begins with 1777, or 1778 by TCP; a single step is
        the name of a scenario of its own."""
        self._runs += 1
        play = steps[0] if len(steps) == 1 else scenario(*steps)
        return sipp(
            self.folder / f"callee-{self._runs}", play, options, host=CALLEES,
            port=self.house.callees, ear=self.ear.port, **named,
        )  # fmt: skip

    async def call(self, to: str, *script: dict[str, Any], **members: Any) -> str:
        """A number, by the application; the call's id."""
        return await self.call_end({"type": "phone", "number": to}, *script, **members)

    async def call_end(self, to: dict[str, Any], *script: dict[str, Any], **members: Any) -> str:
        """The same with any endpoint."""
        members.setdefault("from", {"type": "phone", "number": OWN})
        wanted = {"to": [to], "ncco": list(script), **members}
        return str((await self.caller.post(f"/v1/calls?made={uuid4()}", wanted))["uuid"])

    async def user(self, name: str, password: str) -> None:
        """Who may register a softphone; once for all tests."""
        wanted = {"name": name, "channels": {"sip": [{"username": name, "password": password}]}}
        answer = await self.caller.call("POST", "/v1/users", wanted)
        assert answer.status == 201 or b"duplicate" in answer.raw, answer

    async def hang_up(self, leg: str) -> None:
        answer = await self.caller.call("PUT", f"/v1/calls/{leg}", {"action": "hangup"})
        assert answer.status == 204, answer

    async def leg(self, status: str = "started", *, nth: int = 0) -> str:
        """The `nth` call that got a status, by what the application was told."""
        await soon(lambda: len(self.with_status(status)) > nth, f"no {status}")
        return self.with_status(status)[nth]

    def leg_of(self, *, caller: str) -> str:
        """The call that came from there."""
        (found,) = {each["uuid"] for each in self.program.of("/event") if each["from"] == caller}
        return str(found)

    def with_status(self, status: str) -> list[str]:
        told = self.program.of("/event")
        return [each["uuid"] for each in told if each.get("status") == status]

    def statuses(self, leg: str) -> list[str]:
        """What the application was told of a call, in its order."""
        told = self.program.of("/event")
        return [each["status"] for each in told if each.get("uuid") == leg and "status" in each]

    async def told(self, leg: str, *statuses: str, within: float = SETTLED_WITHIN) -> None:
        """These and no others, once each."""
        with suppress(AssertionError):
            await soon(lambda: len(self.statuses(leg)) >= len(statuses), "", within)
        assert self.statuses(leg) == list(statuses), self.statuses(leg)

    async def settled(self) -> None:
        """Nothing is left: no call, no leg at the worker, no port, no dialog."""
        deadline = time.monotonic() + SETTLED_WITHIN
        while left := await self._left():
            assert time.monotonic() < deadline, left
            await asyncio.sleep(0.05)
        for leg in set(self.with_status("started")):
            await soon(partial(self._ends, leg), f"{leg} has not ended")
            assert len(self._ends(leg)) == 1, (leg, self.statuses(leg))

    def _ends(self, leg: str) -> list[str]:
        """Of what the application was told of a call."""
        return [each for each in self.statuses(leg) if each not in OPEN]

    async def forgotten(self) -> None:
        """No transaction waits for repetitions any more, and no timer."""
        deadline = time.monotonic() + FORGOTTEN_WITHIN
        names = ("sip_agent_transactions", "sip_agent_deadlines")
        while left := {name: n for name in names if (n := (await self.figures())[name])}:
            assert time.monotonic() < deadline, left
            await asyncio.sleep(0.5)

    async def _left(self) -> dict[str, Any]:
        figures = await self.figures()
        busy = ("sip_calls", "sip_agent_calls", "sip_agent_dialogs", 'media_legs{worker="0"}')
        left: dict[str, Any] = {name: figures[name] for name in busy if figures[name]}
        for status in OPEN:
            found = await self.caller.get(f"/v1/calls?status={status}")
            if found["count"]:
                left[status] = found["count"]
        if more := self.house.media_ports() - self.house.ports:
            left["ports"] = more
        return left

    async def figures(self) -> dict[str, float]:
        """Of `/metrics`, without the name of the program."""
        lines = (await self.caller.call("GET", "/metrics")).raw.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name.removeprefix("tertulia_"): float(value) for name, _, value in pairs}


async def soon(holds: Callable[[], object], otherwise: str, within: float = SETTLED_WITHIN) -> None:
    """Look until it holds, or fail the test."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, otherwise
        await asyncio.sleep(0.02)


Session = Callable[[Office], Awaitable[None]]


def play(session: Session, house: Premises, folder: Path) -> None:
    """One test."""

    async def whole() -> None:
        async with office(house, folder) as here:
            await session(here)

    asyncio.run(whole())


@asynccontextmanager
async def office(house: Premises, folder: Path) -> AsyncIterator[Office]:
    """Nothing may be left of its calls at the end."""
    async with (
        Program.serving() as program,
        Caller(house.document) as caller,
        Diary.of(house.tree.data) as diary,
        PhoneEar.listening() as ear,
        serving({TONE: wav(tone(MUSIC, 5))}) as files,
    ):
        await diary.read()
        diary.entries.clear()
        await asyncio.to_thread(set_webhooks, house.document, voice=voice_webhooks(program.url))
        made = await caller.post("/v1/conversations", {"name": f"hall {folder}"})
        hall = Hall(Stage(house.tree, house.document, caller), diary, made["id"])
        here = Office(house, hall, program, ear, files, folder)
        try:
            yield here
            await here.settled()
        finally:
            await hall.close()


def voice_webhooks(url: str) -> dict[str, Any]:
    return {
        name: {"address": f"{url}{path}", "http_method": "POST"}
        for name, path in (("answer_url", "/answer"), ("event_url", "/event"))
    }


def set_webhooks(document: DevDocument, **capabilities: dict[str, Any]) -> None:
    """Of the application: these alone."""
    told = {name: {"webhooks": webhooks} for name, webhooks in capabilities.items()}
    wanted = {"name": "development", "capabilities": told}
    secret = b64encode(f"{document.api_key}:{document.api_secret}".encode()).decode()
    request = urllib.request.Request(
        f"{document.api_url}/v2/applications/{document.application_id}",
        json.dumps(wanted).encode(),
        {"Content-Type": "application/json", "Authorization": f"Basic {secret}"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
