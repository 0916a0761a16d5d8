"""Answering server calls: the application's own server is asked what becomes of a knock.

COMPAT: a client gives its call up when it is not a member of a conversation within five seconds
(wire-clients 4.4), and that server may take longer. So the caller is let in before, and waits.
"""

import asyncio

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending
from tertulia.model.conversation import ConversationDraft
from tertulia.model.script import Meeting, Script, ScriptRefused, parse
from tertulia.model.state import Application, Webhook
from tertulia.ports import Directory, Ids
from tertulia.services.house import House
from tertulia.services.knocking import Knock
from tertulia.services.rooms import Rooms
from tertulia.services.scripts import Scripts
from tertulia.services.switchboard import Switchboard
from tertulia.services.voicehooks import Line, Unanswered, VoiceHooks

Webhooks = dict[str, Webhook]


class Answering:
    def __init__(
        self, board: Switchboard, *, directory: Directory, ids: Ids, hooks: VoiceHooks,
        rooms: Rooms, scripts: Scripts, house: House | None,
    ) -> None:  # fmt: skip
        """`house`: who answers where no application does."""
        self._knocking = board.knocking
        self._conversations = board.conversations
        self._answer_seconds = board.patience.answer
        self._directory = directory
        self._ids = ids
        self._hooks = hooks
        self._rooms = rooms
        self._scripts = scripts
        self._house = house

    async def decide(self, knock: Knock) -> None:
        """Ask, and let the caller in or refuse it."""
        webhooks = _webhooks(await self._directory.application(knock.application_id))
        line = Line(knock, self._ids.conversation(), webhooks.get("event_url"))
        self._hooks.open(line)
        if "answer_url" in webhooks:
            await self._asked(line, webhooks)
        elif self._house is not None:
            await self._house.take(line)
        else:
            await self._knocking.refuse(knock)

    async def _asked(self, line: Line, webhooks: Webhooks) -> None:
        asking = asyncio.create_task(self._script(line, webhooks))
        try:
            await asyncio.wait([asking], timeout=self._answer_seconds)
            if not asking.done():
                await self._let_in(line)
            script = await asking
        finally:
            asking.cancel()
        if script is None:
            await self._fail(line)
            return
        self._scripts.start(line, script)
        await self._let_in(line, script)

    async def _script(self, line: Line, webhooks: Webhooks) -> Script | None:
        """None when nobody gives a usable one."""
        for name in ("answer_url", "fallback_answer_url"):
            if name not in webhooks:
                continue
            try:
                return parse(await self._hooks.ask(line, webhooks[name]))
            except (Unanswered, ScriptRefused) as error:
                self._hooks.complain(line, f"{name}: {error}")
        return None

    async def _let_in(self, line: Line, script: Script = ()) -> None:
        """Into the conversation that the script begins with, else into one of the call's own."""
        if not self._knocking.is_waiting(line.knock):
            return
        first = script[0] if script else None
        if isinstance(first, Meeting):
            room = await self._rooms.find(first.name, line.knock.application_id, given=line.own)
            await self._rooms.prepare(line, first, room)
        else:
            system = Actor(line.knock.application_id)
            made = await self._conversations.create(ConversationDraft(), system, given=line.own)
            room = made.id
        await self._knocking.admit(line.knock, room)

    async def _fail(self, line: Line) -> None:
        if self._knocking.is_waiting(line.knock):
            await self._knocking.refuse(line.knock, Ending.NO_SCRIPT)
        else:
            await self._scripts.abandon(line)


def _webhooks(application: Application | None) -> Webhooks:
    """Those of the `voice` capability that lead somewhere."""
    voice = application.capabilities.get("voice") if application else None
    found = (voice.webhooks if voice else None) or {}
    return {name: webhook for name, webhook in found.items() if webhook.address}
