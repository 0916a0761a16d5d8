"""A call made from the terminal: asked for, watched until its end, and what came of it."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from tertulia.client.ladder import Answer, Moment, answer
from tertulia.client.login import Logins, NoServer
from tertulia.client.plain import plain
from tertulia.client.rest import Denied, Rest
from tertulia.client.websocket import Dropped

CALLS = "/v1/calls"
LOOK_S = 0.2
"""Between two looks at the call."""
SETTLING_LOOKS = 3
"""At what comes just behind the end of a call."""
RECORDING_LOOKS = 50
OVER = frozenset(
    {"completed", "busy", "cancelled", "failed", "rejected", "timeout", "unanswered"}
)  # fmt: skip
FORMATS = ("mp3", "wav", "ogg")
HANG_UP = {"action": "hangup"}
DETECTION = "detection"
RECORDED = "audio:record:done"

_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]*")

Show = Callable[[Moment], None]
Pause = Callable[[float], Awaitable[object]]


class DialFailed(Exception):
    """There is no call, or it was lost from sight; the message says why."""


class Wish(NamedTuple):
    """What the command line asks for."""

    callee: dict[str, Any]
    script: list[Any]
    caller: str | None = None
    seconds: int = 30
    """That the call may last once it is answered."""
    ring_seconds: int = 60
    press: str | None = None
    """Keys, once it is answered."""
    detects: bool = False
    """Find out whether a machine answers, and wait for its beep."""
    record: Path | None = None

    @property
    def draft(self) -> dict[str, Any]:
        """The request."""
        made: dict[str, Any] = {
            "to": [self.callee], "ncco": self.script, "length_timer": self.seconds,
            "ringing_timer": self.ring_seconds,
        }  # fmt: skip
        if self.record is not None:
            recording = {"action": "record", "format": self.record.suffix[1:].lower()}
            made["ncco"] = [recording, *self.script]
        if self.caller:
            made["from"] = {"type": "phone", "number": self.caller}
        if self.detects:
            made["advanced_machine_detection"] = {"mode": "detect_beep"}
        return made


class Outcome(NamedTuple):
    uuid: str
    status: str
    was_answered: bool
    seconds: int
    """That it lasted from the answer on."""
    sip: Answer | None
    verdict: str
    """`human` or `machine`; empty when nobody wanted to know, or the call was too short."""
    beep: float | None
    """Seconds after the answer, of a machine that asks for a message."""
    recording: str
    """Why there is none, or where it is; empty when none was wanted."""

    @property
    def sentence(self) -> str:
        parts = [f"{self.status} after {self.seconds} s" if self.was_answered else self.status]
        if self.sip is not None:
            parts.append(f"SIP {self.sip.code} {self.sip.reason}".rstrip())
        if self.verdict:
            parts.append(self.verdict)
        if self.beep is not None:
            parts.append(f"beep {self.beep:.1f} s after the answer")
        if self.recording:
            parts.append(self.recording)
        return " · ".join(parts)


def callee(given: str) -> dict[str, Any]:
    """An endpoint of the call API, by what it looks like: a number, an address, else a user."""
    if re.match("sips?:", given, re.IGNORECASE):
        return {"type": "sip", "uri": given}
    if re.match("wss?://", given, re.IGNORECASE):
        return {"type": "websocket", "uri": given, "content-type": "audio/l16;rate=16000"}
    if _NUMBER.fullmatch(given):
        return {"type": "phone", "number": re.sub("[^0-9]", "", given)}
    return {"type": "app", "user": given}


async def dial(logins: Logins, wish: Wish, show: Show, pause: Pause = asyncio.sleep) -> Outcome:
    """Call, show each moment as it is known, and return at the end. An interrupt hangs up.

    Raises:
        DialFailed: the call was not made, or nothing is known of it any more.
    """
    try:
        async with Rest(logins) as rest:
            watch = Watch(rest, wish, show, pause)
            with _interrupts(watch.hang_up):
                return await watch.run()
    except NoServer as error:
        raise DialFailed(f"no server at {error}") from None
    except (Denied, Dropped, ValueError) as error:
        raise DialFailed(plain(str(error))) from None


@contextmanager
def _interrupts(act: Callable[[], None]) -> Iterator[None]:
    """The first one is a wish; the next one ends the program as usual."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def leave() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def first() -> None:
        leave()
        act()

    for number in numbers:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        leave()


class Watch:
    """One call, from the request to its end."""

    def __init__(self, rest: Rest, wish: Wish, show: Show, pause: Pause) -> None:
        self._rest = rest
        self._wish = wish
        self._show = show
        self._pause = pause
        self._uuid = ""
        self._is_to_end = False
        self._keys = wish.press
        self._known: list[Moment] = []
        """In the order of time, as of the last look."""
        self.moments: list[Moment] = []
        """Those that were shown, in that order."""

    def hang_up(self) -> None:
        """As soon as there is a call."""
        self._is_to_end = True

    async def run(self) -> Outcome:
        made = await self._rest.call("POST", CALLS, self._wish.draft)
        self._uuid = str(made["uuid"])
        try:
            return await self._watch()
        except (asyncio.CancelledError, OSError):  # nobody looks any more
            with suppress(Denied, OSError):
                await self._rest.call("PUT", self._path, HANG_UP)
            raise

    async def _watch(self) -> Outcome:
        while (call := await self._look())["status"] not in OVER:
            await self._act(call)
            await self._pause(LOOK_S)
        for _ in range(SETTLING_LOOKS):
            await self._pause(LOOK_S)
            await self._look_on()
        recording = await self._recording() if self._wish.record is not None else ""
        self._tell(self._known)
        return self._outcome(call, recording)

    async def _look(self) -> dict[str, Any]:
        """The call; its moments are read after it, so that its end is among them."""
        call: dict[str, Any] = await self._rest.get(self._path)
        await self._look_on()
        return call

    async def _look_on(self) -> None:
        """Shown is what was known at the last look, and what has turned out to be before that."""
        page = await self._rest.get(f"{self._path}/timeline")
        found = [Moment(**each) for each in page["moments"]]
        old = [index for index, moment in enumerate(found) if moment in self._known]
        self._tell(found[: old[-1] + 1] if old else [])
        self._known = found

    def _tell(self, moments: list[Moment]) -> None:
        left = list(self.moments)
        for moment in moments:
            if moment in left:
                left.remove(moment)
            else:
                self.moments.append(moment)
                self._show(moment)

    async def _act(self, call: dict[str, Any]) -> None:
        """What may come too late or too early is asked for again, or was of no use any more."""
        with suppress(Denied):
            if self._is_to_end:
                await self._rest.call("PUT", self._path, HANG_UP)
                self._is_to_end = False
            elif self._keys and "start_time" in call:
                await self._rest.call("PUT", f"{self._path}/dtmf", {"digits": self._keys})
                self._keys = None

    async def _recording(self) -> str:
        """It is ready some time after the end."""
        path = self._wish.record
        assert path is not None
        for _ in range(RECORDING_LOOKS):
            done = next((each for each in self._known if each.text == RECORDED), None)
            if done is not None:
                return await self._kept(done.detail, path)
            await self._pause(LOOK_S)
            await self._look_on()
        return "nothing was recorded"

    async def _kept(self, address: str, path: Path) -> str:
        where = urlsplit(address)
        if not where.path.startswith("/"):
            return f"not recorded: {plain(address)}"
        content = await self._rest.download(where.path)
        try:
            await asyncio.to_thread(path.write_bytes, content)
        except OSError as error:
            return f"not recorded: {error}"
        return f"recorded in {path}"

    def _outcome(self, call: dict[str, Any], recording: str) -> Outcome:
        found = [each for each in self.moments if each.text == DETECTION]
        heard = {each.detail.split(",")[0]: each for each in found}
        verdict = next((name for name in ("human", "machine") if name in heard), "")
        began = call.get("start_time")
        beep = None
        if began and "beep" in heard:
            beep = heard["beep"].seconds - Moment(began, "", "", "").seconds
        return Outcome(
            uuid=self._uuid, status=str(call["status"]), was_answered=bool(began),
            seconds=int(call.get("duration") or 0), sip=answer(self.moments), verdict=verdict,
            beep=beep, recording=recording,
        )  # fmt: skip

    @property
    def _path(self) -> str:
        return f"{CALLS}/{quote(self._uuid)}"
