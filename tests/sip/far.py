"""The far end of SIP calls: another agent on sockets, which does what a test says."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace
from tests.contracts.carrier import OURS, PATIENCE, THEIRS, FarCall

from tertulia.protocols.sip import signals, verbs
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow, host_port
from tertulia.settings import Settings, Sip, Webhooks
from tertulia.sip.identity import calling, told
from tertulia.sip.shell import Shell
from tertulia.sip.transports import Secrecy

HOST = "127.0.0.1"
LOOPBACK = Webhooks(allow_networks=("127.0.0.0/8", "::1/128"))


def settings(**sip: int | str) -> Settings:
    """Any port of loopback, and calls to it allowed."""
    return replace(Settings(), sip=replace(Sip(port=0), **sip), webhooks=LOOPBACK)


class SipFar:
    """`open` it on the loop. `peer` is where it calls: host and port."""

    def __init__(self, transport: str = "udp", credentials: Credentials | None = None) -> None:
        self.transport = transport
        self.peer = (HOST, 0)
        self.heard: list[signals.AnySignal] = []
        self.credentials = credentials
        self._seen = 0
        self._taken: set[int] = set()
        self._came = asyncio.Event()
        self._count = count(1)
        self._offered: set[str] = set()
        self.shell = Shell(
            settings(), hear=self._hear, lost=lambda _: None, is_trusted=lambda _: True,
            name_call=lambda: f"in-{next(self._count)}",
            credentials=lambda call, realm: self.credentials, hosts={HOST},
        )  # fmt: skip

    async def open(self, secrecy: Secrecy | None = None) -> "SipFar":
        await self.shell.transports.open(HOST, secrecy)
        return self

    async def close(self) -> None:
        await self.shell.close()

    @property
    def port(self) -> int:
        transports = self.shell.transports
        return transports.tls_port if self.transport == "tls" else transports.port

    def uri(self, user: str | None = OURS) -> str:
        name = f"{user}@" if user else ""
        return f"sip:{name}{host_port(self.peer)};transport={self.transport}"

    async def wait(self, matches: Callable[[signals.AnySignal], bool]) -> signals.AnySignal:
        """The first that has not been waited for."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for index, each in enumerate(self.heard):
                    if index not in self._taken and matches(each):
                        self._taken.add(index)
                        return each
                self._came.clear()
                await self._came.wait()

    # ── Far ──

    async def dialled(self) -> FarCall:
        signal = await self.wait(lambda each: isinstance(each, signals.Invited))
        assert isinstance(signal, signals.Invited)
        message = signal.message
        caller = calling(message, trusted=True).number or ""
        return FarCall(signal.call, message.uri.user, caller, signal.body.decode(), told(message))

    async def call(self, sdp: str, headers: dict[str, str]) -> str:
        return self.invite(OURS, sdp, headers)

    def invite(
        self, user: str, sdp: str = "", headers: dict[str, str] | None = None,
        caller: str = f"sip:{THEIRS}@{HOST}",
    ) -> str:  # fmt: skip
        name = f"out-{next(self._count)}"
        pairs = tuple((headers or {}).items())
        self.shell.tell(verbs.Invite(name, self.uri(user), caller, sdp.encode(), headers=pairs))
        return name

    async def told(self, name: str, verb: str) -> tuple[str, int]:
        return _meaning(await self.wait(lambda each: _is(each, name, verb)))

    def rings(self, name: str, sdp: str = "") -> None:
        self.shell.tell(verbs.Progress(name, sdp.encode()) if sdp else verbs.Ring(name))

    def answers(self, name: str, sdp: str, headers: dict[str, str] | None = None) -> None:
        asked = [each for each in self.heard if isinstance(each, signals.Answered) and each.offer]
        if any(each.call == name for each in asked):
            self.shell.tell(verbs.Accept(name, sdp.encode()))
        else:
            pairs = tuple((headers or {}).items())
            self.shell.tell(verbs.Answer(name, sdp.encode(), pairs))

    def declines(self, name: str, code: int) -> None:
        self.shell.tell(verbs.Refuse(name, code))

    def hangs_up(self, name: str) -> None:
        self.shell.tell(verbs.HangUp(name))

    def reoffers(self, name: str, sdp: str) -> None:
        self.shell.tell(verbs.Offer(name, sdp.encode()))

    def keys(self, name: str, digit: str, milliseconds: int) -> None:
        self.shell.tell(verbs.Key(name, digit, milliseconds))

    def refers(self, name: str, number: str) -> None:
        self.shell.tell(verbs.Refer(name, self.uri(number)))

    # ── a softphone ──

    async def register(
        self, user: str, *, expires: int = 600, domain: str = HOST
    ) -> signals.Replied:
        """What came of it."""
        name = f"register-{user}"
        self.shell.tell(
            verbs.Ask(name, "REGISTER", self.uri(None), f"sip:{user}@{domain}", expires=expires)
        )
        reply = await self.wait(
            lambda each: isinstance(each, signals.Replied) and each.call == name
        )
        assert isinstance(reply, signals.Replied)
        return reply

    def _hear(self, signal: signals.AnySignal) -> None:
        self.heard.append(signal)
        self._came.set()


class _Seen(NamedTuple):
    kind: type[signals.Signal]
    sdp: bool | None = None


_VERBS = {
    "ring": _Seen(signals.Rang, False),
    "progress": _Seen(signals.Rang, True),
    "refuse": _Seen(signals.Failed),
    "hang_up": _Seen(signals.Ended),
    "offer": _Seen(signals.Reoffered),
    "referred": _Seen(signals.Transferred),
}


def _is(signal: signals.AnySignal, name: str, verb: str) -> bool:
    """Whether that is what a method of a carrier looks like from here."""
    if signal.call != name:
        return False
    if verb == "answer":
        return isinstance(signal, signals.Answered | signals.Agreed)
    if verb == "refuse" and isinstance(signal, signals.Disagreed):
        return True
    if verb == "referred":
        return isinstance(signal, signals.Transferred) and signal.code >= 200
    seen = _VERBS[verb]
    if not isinstance(signal, seen.kind):
        return False
    return seen.sdp is None or bool(getattr(signal, "body", b"")) is seen.sdp


def _meaning(signal: signals.AnySignal) -> tuple[str, int]:
    body = getattr(signal, "body", b"")
    return body.decode(), getattr(signal, "code", 0)


def by(flow: Flow) -> str:
    return flow.transport
