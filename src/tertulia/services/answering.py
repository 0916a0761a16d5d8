"""Answering calls to an application: its own server is asked what becomes of them.

COMPAT: a client gives its call up when it is not a member of a conversation within five seconds
(wire-clients 4.4), and that server may take longer. So such a caller is let in before, and waits.
"""

import asyncio
import re

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.conversation import ConversationDraft
from tertulia.model.endpoints import AppEndpoint, PhoneEndpoint
from tertulia.model.events.leg import LegType
from tertulia.model.ids import ConversationId
from tertulia.model.script import Connect, Meeting, Script, ScriptRefused, answers, parse
from tertulia.model.state import Application, Webhook
from tertulia.ports import Directory, Ids
from tertulia.services.house import House
from tertulia.services.knocking import Knock, Knocking
from tertulia.services.lines import Gate, Line
from tertulia.services.rooms import Rooms
from tertulia.services.scripts import Scripts
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import Unanswered, VoiceHooks

TRIES = 3
"""Requests to a server before its fallback is asked (wire-api 5.4)."""

DIALLED = re.compile(r"[0-9*#]{1,32}")
"""What a telephone can dial."""

Webhooks = dict[str, Webhook]


class KnockGate:
    """Of a call that a client makes."""

    is_patient = False

    def __init__(self, knock: Knock, knocking: Knocking) -> None:
        self._knock = knock
        self._knocking = knocking

    def is_waiting(self) -> bool:
        return self._knocking.is_waiting(self._knock)

    async def admit(self, room: ConversationId, *, answer: bool) -> bool:
        return await self._knocking.admit(self._knock, room) is not None

    async def refuse(self, ending: Ending) -> None:
        await self._knocking.refuse(self._knock, ending)


class Answering:
    def __init__(
        self, board: Switchboard, *, directory: Directory, ids: Ids, hooks: VoiceHooks,
        rooms: Rooms, scripts: Scripts, house: House | None,
    ) -> None:  # fmt: skip
        """`house`: who answers where no application does."""
        self._knocking = board.knocking
        self._conversations = board.conversations
        self._patience = board.patience
        self._telephony = board.telephony
        self._directory = directory
        self._ids = ids
        self._hooks = hooks
        self._rooms = rooms
        self._scripts = scripts
        self._house = house

    async def knocked(self, knock: Knock) -> None:
        """A client calls."""
        line = Line(knock.live, knock.user, self._ids.conversation(), custom_data=knock.custom_data)
        await self.decide(line, KnockGate(knock, self._knocking))

    async def decide(self, line: Line, gate: Gate) -> None:
        """Ask, and let the caller in or refuse it."""
        webhooks = voice_webhooks(await self._directory.application(line.application_id))
        line.event_url = webhooks.get("event_url")
        self._hooks.open(line)
        if "answer_url" in webhooks:
            await self._asked(line, gate, webhooks)
        elif usual := self._usual(line):
            self._scripts.start(line, usual)
            await self._let_in(line, gate, usual)
        elif self._house is not None:
            await self._house.take(line, gate)
        else:
            await gate.refuse(Ending.NOT_FOUND)

    def _usual(self, line: Line) -> Script:
        """What is done with a user's own softphone when nobody says otherwise: it talks to whom it
        dials. In development apps reach the simulated phones so. Nothing for all other calls."""
        leg = line.leg
        number = (leg.to.number or "").removeprefix("+")
        phone = PhoneEndpoint(number=number) if DIALLED.fullmatch(number) else None
        if line.live.is_softphone:
            if leg.to.user:
                return (Connect(endpoint=[AppEndpoint(user=leg.to.user)]),)
            is_own = number in self._telephony.numbers(line.application_id)
            return (Connect(endpoint=[phone]),) if phone is not None and not is_own else ()
        is_app = leg.type is LegType.APP and self._house is not None
        if phone is None or not is_app or not self._telephony.is_simulated(number):
            return ()
        return (Connect(endpoint=[phone], random_from_number=True),)

    async def _asked(self, line: Line, gate: Gate, webhooks: Webhooks) -> None:
        asking = asyncio.create_task(self.script(line, webhooks))
        try:
            if not gate.is_patient:
                await asyncio.wait([asking], timeout=self._patience.answer)
                if not asking.done():
                    await self._let_in(line, gate)
            script = await asking
        finally:
            asking.cancel()
        if script is not None:
            self._scripts.start(line, script)
            await self._let_in(line, gate, script)
        elif gate.is_waiting():
            await gate.refuse(Ending.NO_SCRIPT)
        else:
            await self._scripts.abandon(line)

    async def script(self, line: Line, webhooks: Webhooks) -> Script | None:
        """What the application wants done with a call; None when nobody gives a usable answer."""
        for name in ("answer_url", "fallback_answer_url"):
            if name not in webhooks or line.live.is_ending:
                continue
            try:
                return parse(await self._said(line, webhooks[name]))
            except (Unanswered, ScriptRefused) as error:
                self._hooks.complain(line, f"{name}: {error}")
        return None

    async def _said(self, line: Line, webhook: Webhook) -> bytes:
        """Raises Unanswered."""
        for _ in range(TRIES - 1):
            try:
                return await self._hooks.ask(line, webhook)
            except Unanswered:
                if line.live.is_ending:
                    raise
                await asyncio.sleep(self._patience.again)
        return await self._hooks.ask(line, webhook)

    async def _let_in(self, line: Line, gate: Gate, script: Script = ()) -> None:
        """Into the conversation that the script begins with, else into one of the call's own."""
        if not gate.is_waiting():
            return
        first = script[0] if script else None
        if isinstance(first, Meeting):
            room = await self._rooms.find(first.name, line.application_id, given=line.own)
            await self._rooms.prepare(line, first, room)
        else:
            system = Actor(line.application_id)
            made = await self._conversations.create(ConversationDraft(), system, given=line.own)
            room = made.id
        await gate.admit(room, answer=first is None or answers(first))


def voice_webhooks(application: Application | None) -> Webhooks:
    """Those of the `voice` capability that lead somewhere."""
    voice = application.capabilities.get("voice") if application else None
    found = (voice.webhooks if voice else None) or {}
    return {name: webhook for name, webhook in found.items() if webhook.address}
