"""Calls as programs look at them and act on them, one by one, by id (wire-api 5.2).

A call is a leg that came by one. What cannot be done with it now is told in the words of calls.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tertulia.model.actor import Actor
from tertulia.model.call_request import CallChange, CallRequest
from tertulia.model.errors import (
    CallNotFound,
    CallNotReady,
    CallOver,
    Forbidden,
    LegNotFound,
    LegOver,
    NothingSounds,
)
from tertulia.model.events.audio import AudioPlay, AudioSay
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.leg import Leg
from tertulia.model.state import Webhook
from tertulia.ports import CallFilter, Directory, FoundCalls, Records
from tertulia.services.audiocontrol import AudioControl, Place
from tertulia.services.keyhooks import KeyHooks
from tertulia.services.legs import Legs, LiveLeg
from tertulia.services.lines import Line
from tertulia.services.timelines import Moment, Timelines
from tertulia.services.voicecalls import VoiceCalls
from tertulia.services.voicehooks import VoiceHooks

JOINING_SECONDS = 1.0
"""For the member of a call that was answered a moment ago."""
STEP_SECONDS = 0.01


class CallControl:
    def __init__(
        self, *, calls: VoiceCalls, legs: Legs, audio: AudioControl, hooks: VoiceHooks,
        keys: KeyHooks, directory: Directory, timelines: Timelines,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._legs = legs
        self._audio = audio
        self._hooks = hooks
        self._keys = keys
        self._directory = directory
        self._timelines = timelines

    async def create(self, request: CallRequest, actor: Actor) -> Line:
        """Call somebody. Only the application may: it pays."""
        _require_application(actor)
        return await self._calls.create(request, actor)

    async def find(self, leg_id: LegId, actor: Actor) -> Leg:
        """Raises CallNotFound, Forbidden."""
        try:
            leg = await self._legs.find(leg_id, actor)
        except LegNotFound:
            raise CallNotFound() from None
        if not leg.is_call:
            raise CallNotFound()
        if not actor.is_system and leg.user_id != actor.user_id:
            raise Forbidden("A user has to do with its own calls only.")
        return leg

    def where(self, leg: Leg) -> ConversationId | None:
        """The conversation of a call, if only the one that it will be in."""
        line = self._hooks.line(leg.id)
        return leg.conversation_id or (line.own if line is not None else None)

    async def list(self, where: CallFilter, records: Records) -> FoundCalls:
        return await self._directory.calls(where, records)

    async def change(self, leg_id: LegId, change: CallChange, actor: Actor) -> None:
        """Raises CallNotFound, CallOver, CallNotReady, Forbidden, ValidationFailed."""
        await self._live(leg_id, actor)
        if change.action == "transfer":
            _require_application(actor)
        with _in_words_of_calls():
            await self._calls.change(leg_id, change, actor)

    async def play(self, leg_id: LegId, body: AudioPlay, actor: Actor) -> None:
        """Raises CallNotFound, CallOver, CallNotReady, Forbidden, as the next ones."""
        await self._audio.play(await self._place(leg_id, actor), body, actor)

    async def say(self, leg_id: LegId, body: AudioSay, actor: Actor) -> None:
        await self._audio.say(await self._place(leg_id, actor), body, actor)

    async def press(self, leg_id: LegId, digits: str, actor: Actor) -> None:
        await self._audio.press(await self._place(leg_id, actor), digits, actor)

    async def stop_sounds(self, leg_id: LegId, actor: Actor, *, speech: bool) -> None:
        """Be it that nothing sounds any more: it may have ended a moment ago."""
        place = await self._place(leg_id, actor)
        try:
            await self._audio.stop_sounds(place, actor, speech=speech)
        except NothingSounds:
            return

    async def subscribe(self, leg_id: LegId, webhook: Webhook, actor: Actor) -> None:
        """Tell of each key from now on, until the call ends. Only the application may."""
        live = await self._live(leg_id, actor)
        _require_application(actor)
        self._keys.subscribe(await self._line(live), webhook)

    async def unsubscribe(self, leg_id: LegId, actor: Actor) -> None:
        await self._live(leg_id, actor)
        _require_application(actor)
        self._keys.unsubscribe(leg_id)

    async def timeline(self, leg_id: LegId, actor: Actor) -> tuple[Sequence[Moment], Sequence[str]]:
        """And the calls that this one was connected with. Only the application's: the addresses of
        its servers are in it."""
        await self.find(leg_id, actor)
        _require_application(actor)
        return self._timelines.of(leg_id), self._timelines.connected(leg_id)

    async def _live(self, leg_id: LegId, actor: Actor) -> LiveLeg:
        await self.find(leg_id, actor)
        live = self._legs.live(leg_id)
        if live is None or live.is_ending:
            raise CallOver()
        return live

    async def _place(self, leg_id: LegId, actor: Actor) -> Place:
        live = await self._live(leg_id, actor)
        if live.leg.answered_at is None:
            raise CallNotReady("The call has not been answered.")
        await _joined(live)
        with _in_words_of_calls():
            return await self._audio.leg(leg_id, actor)

    async def _line(self, live: LiveLeg) -> Line:
        line, leg = self._hooks.line(live.leg.id), live.leg
        if line is not None:
            return line
        user = await self._directory.user(leg.user_id) if leg.user_id else None
        if user is None or leg.conversation_id is None:
            raise CallNotReady("The call is in no conversation.")
        return Line(live, user, leg.conversation_id)


def _require_application(actor: Actor) -> None:
    if not actor.is_system:
        raise Forbidden("Only the application may do this, not one of its users.")


async def _joined(live: LiveLeg) -> None:
    """That a call was answered is told before its member joins: whoever acts upon that at once
    waits here. Raises CallNotReady."""
    for _ in range(round(JOINING_SECONDS / STEP_SECONDS)):
        if live.leg.member_id is not None or live.is_ending:
            return
        await asyncio.sleep(STEP_SECONDS)
    raise CallNotReady("The call has not joined a conversation.")


@contextmanager
def _in_words_of_calls() -> Iterator[None]:
    try:
        yield
    except LegOver as error:
        raise CallNotReady(error.detail) from None
