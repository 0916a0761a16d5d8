"""The simulated phone network: who calls in is connected with whoever has the number."""

import asyncio
import logging
import os
import time
from collections.abc import Callable

from msgspec.structs import replace

from tertulia.media.g711 import Samples
from tertulia.phones.bridge import Bridge
from tertulia.phones.call import Call, Outside
from tertulia.phones.callee import Callee
from tertulia.phones.messages import Messages
from tertulia.phones.phonebook import Phonebook
from tertulia.phones.scriptfile import ScriptFileError
from tertulia.phones.sounds import Sounds
from tertulia.phones.station import HOST, Station
from tertulia.protocols.sip import signals, verbs
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.uri import SipUri

CALLS_MAX = 200
TICK = 0.02
FAREWELL = 0.2
"""Seconds in the end for others to take up that calls are over: who has just been answered is
told so only when it has acknowledged that."""
STALL = 5
"""Ticks missed at once from which they are left out."""
PASSED_ON = "user-to-user"

_log = logging.getLogger(__name__)


class CallRefused(Exception):
    """A call from here cannot be made. The reason is for whoever wanted it."""


class Exchange:
    """From `open` to `close`. `hub` is where the application's `own` number is called."""

    def __init__(
        self, phonebook: Phonebook, sounds: Sounds, messages: Messages, *, port: int, own: str,
        hub: Callable[[], tuple[str, int] | None],
    ) -> None:  # fmt: skip
        """`port` is for SIP; 0 takes any that is free."""
        self._phonebook, self._sounds, self._messages = phonebook, sounds, messages
        self._own, self._hub = own, hub
        self._loop = asyncio.get_running_loop()
        # a bridge is two calls
        self._station = Station(self._heard, port=port, calls=2 * CALLS_MAX)
        self._parties: dict[str, Call | Bridge] = {}
        """By the names of their calls."""
        self._calls: dict[str, Call] = {}
        self._next = 0.0
        self._ticking: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Raises OSError."""
        await self._station.open()

    @property
    def port(self) -> int:
        return self._station.port

    async def close(self) -> None:
        """Ends all calls."""
        parties = [*dict.fromkeys(self._parties.values())]
        for party in parties:
            party.hang_up()
        if self._ticking is not None:
            self._ticking.cancel()
        if parties:
            await asyncio.sleep(FAREWELL)
        await self._station.close()
        await self._messages.close()

    def __len__(self) -> int:
        return len(dict.fromkeys(self._parties.values()))

    # ── calls from here ──

    def call(self, number: str, to: str, told: Callable[[str], None]) -> Call:
        """Let a callee call a number of the hub. Raises CallRefused."""
        try:
            callee = self._phonebook.find(number)
        except ScriptFileError as error:
            raise CallRefused(str(error)) from None
        if callee is None:
            raise CallRefused(f"nobody has the number {number}")
        if len(self) >= CALLS_MAX:
            raise CallRefused(f"there are {CALLS_MAX} calls already")
        name = self._station.name()
        try:
            call = self._begun(name, callee, told)
        except OSError as error:
            raise CallRefused(str(error)) from None
        call.dial(lambda offer: self._invite(name, to, f"sip:{number}@{HOST}", offer))
        return call

    def _invite(self, name: str, to: str, caller: str, offer: bytes) -> verbs.Invite:
        host, port = self._hub() or (HOST, 0)
        return verbs.Invite(
            name, to=str(SipUri.make(host, user=to, port=port or None)), caller=caller, body=offer,
            flow=self._station.flow((host, port)) if port else None,
        )  # fmt: skip

    # ── calls to here ──

    def _heard(self, signal: signals.AnySignal) -> None:
        match signal:
            case signals.Stepped():
                pass
            case signals.Invited():
                self._invited(signal)
            case signals.Asked():
                self._station.tell(verbs.Respond(signal.call, 405))
            case _:
                party = self._parties.get(signal.call)
                if party is not None:
                    party.take(signal)

    def _invited(self, invited: signals.Invited) -> None:
        refusal = self._connect(invited)
        if refusal is not None:
            self._station.tell(verbs.Refuse(invited.call, *refusal))

    def _connect(self, invited: signals.Invited) -> tuple[int, str] | None:
        """Code and text of why not."""
        if len(self) >= CALLS_MAX:
            return 503, "Too Many Calls"
        try:
            number = invited.message.uri.number
            if number.removeprefix("+") == self._own:
                return self._pass_on(invited)
            callee = self._phonebook.find(number)
        except Malformed:
            return 416, ""
        except ScriptFileError as error:
            _log.error("%s", error, extra={"action": "call_file_refused"})
            return 500, "Call File Refused"
        if callee is None:
            return 404, ""
        try:
            call = self._begun(invited.call, callee, None)
        except OSError:
            return 503, "No Port Is Free"
        call.invited(invited.body)
        return None

    def _pass_on(self, invited: signals.Invited) -> tuple[int, str] | None:
        """To the hub, as a call of its own: so the application calls itself as others would."""
        if self._hub() is None:
            return 480, ""
        name = self._station.name()
        from_ = invited.message.from_
        caller = f"sip:{from_.uri.userinfo or 'anonymous'}@{HOST}"
        invite = self._invite(name, self._own, caller, invited.body)
        headers = tuple(
            (field, value) for field, value in invited.message.headers.items()
            if field.lower().startswith("x-") or field.lower() == PASSED_ON
        )  # fmt: skip
        bridge = Bridge(invited.call, name, self._station.tell, lambda: self._forget(bridge))
        self._parties[invited.call] = self._parties[name] = bridge
        self._station.tell(replace(invite, headers=headers, display=from_.display))
        return None

    def _begun(self, name: str, callee: Callee, told: Callable[[str], None] | None) -> Call:
        """Raises OSError."""
        call = Call(name, callee, self._outside(), over=lambda: self._forget(call), told=told)
        self._parties[name] = self._calls[name] = call
        if self._ticking is None:
            self._next = self._loop.time() + TICK
            self._wait()
        return call

    def _forget(self, party: Call | Bridge) -> None:
        for name in [name for name, each in self._parties.items() if each is party]:
            del self._parties[name]
            self._calls.pop(name, None)

    def _outside(self) -> Outside:
        return Outside(
            tell=self._station.tell, prepare=self._prepare, keep=self._messages.keep,
            uri=lambda number: str(SipUri.make(HOST, user=number, port=self._station.port)),
            host=HOST, clock=self._loop.time, wall=time.time, random=os.urandom,
        )  # fmt: skip

    async def _prepare(self, callee: Callee, /) -> dict[str, Samples]:
        return await self._sounds.prepare(callee.sounds)

    # ── ticks ──

    def _wait(self) -> None:
        """The next tick has its own time, whatever this one took: nothing drifts. Without calls
        there is none."""
        self._ticking = None
        if self._calls:
            self._ticking = self._loop.call_at(self._next, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        missed = int((now - self._next) / TICK)
        if missed >= STALL:
            self._next += missed * TICK
            for call in self._calls.values():
                call.skip(missed)
        for call in list(self._calls.values()):
            self._tick_one(call, now)
        self._next += TICK
        self._wait()

    def _tick_one(self, call: Call, now: float) -> None:
        try:
            call.tick(now)
        except Exception:
            _log.exception("a simulated call failed", extra={"action": "phones_call_failed"})
            call.hang_up()
