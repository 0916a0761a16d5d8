"""Keys: digits that legs press, and digits that are sent into them.

A digit that a client sends as an event was pressed on its leg: the others hear it. One that a
program sends goes into the leg that it names, or into all.
"""

from collections.abc import Callable

import msgspec

from tertulia.model.commands import Digit, Press, Speaking, Tell
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import AudioDtmf, AudioSpeakingOff, AudioSpeakingOn
from tertulia.model.events.leg import LegType
from tertulia.model.events.registry import Body, encode_body
from tertulia.model.leg import Leg
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.legs import Legs
from tertulia.services.reactions import body_of

KEY_MS = 100
"""Of a key that a program presses."""

BodyOf = Callable[[Leg], Body]


class Keys:
    def __init__(self, *, conversations: Conversations, legs: Legs) -> None:
        self._conversations = conversations
        self._legs = legs
        self._pressed = 0
        self.pass_on: Callable[[Digit], None] = lambda report: None
        """To whoever the leg talks to."""

    @property
    def reactions(self) -> Reactions:
        return {"audio:dtmf": self._pressed_somewhere}

    @property
    def hearings(self) -> Hearings:
        return {Digit: self.pressed, Speaking: self._speak}

    async def _pressed_somewhere(self, event: Event) -> None:
        body = body_of(event)
        if isinstance(body, AudioDtmf):
            self._tell_sockets(event, body)
            if body.method is None:
                self._send(event, body)

    def _tell_sockets(self, event: Event, body: AudioDtmf) -> None:
        """Websockets' servers hear of each key that anybody in the conversation presses."""
        there = self._legs.within(event.conversation_id) if event.conversation_id else []
        for live in there:
            if live.leg.type is LegType.WEBSOCKET and live.leg.member_id != event.sender:
                for digit in body.digits or body.digit or "":
                    told = {"event": "websocket:dtmf", "digit": digit,
                            "duration": body.duration or KEY_MS}  # fmt: skip
                    text = msgspec.json.encode(told).decode()
                    self._legs.tell(event.application_id, Tell(live.leg.id, text))

    def _send(self, event: Event, body: AudioDtmf) -> None:
        for leg in self._targets(event, body):
            digits = body.digits or body.digit or ""
            self._legs.tell(event.application_id, Press(leg.id, digits))

    def _targets(self, event: Event, body: AudioDtmf) -> list[Leg]:
        if event.recipient is not None:
            target = self._legs.recipient(event)
            return [target] if target is not None else []
        room = event.conversation_id
        there = [each.leg for each in self._legs.within(room)] if room else []
        others = [each for each in there if each.member_id != event.sender]
        named = body.channel.id if body.channel else None
        if named is None or any(
            each.id == named and each.member_id == event.sender for each in there
        ):
            return others
        return [each for each in there if each.id == named]

    async def pressed(self, report: Digit) -> None:
        """A key, by whatever way it came."""
        self._pressed += 1
        self.pass_on(report)
        await self._tell(
            report.leg, "audio:dtmf",
            lambda leg: AudioDtmf(
                digit=report.digit, method="in", duration=report.milliseconds,
                channel=leg.channel, dtmf_seq=self._pressed,
            ),
        )  # fmt: skip

    async def _speak(self, report: Speaking) -> None:
        if report.on:
            await self._tell(
                report.leg, "audio:speaking:on", lambda leg: AudioSpeakingOn(leg.channel)
            )
        else:
            await self._tell(
                report.leg, "audio:speaking:off", lambda leg: AudioSpeakingOff(leg.channel)
            )

    async def _tell(self, leg_id: str, name: str, body: BodyOf) -> None:
        live = self._legs.live(leg_id)
        leg = live.leg if live is not None else None
        if leg is None or leg.conversation_id is None:
            return
        fact = Fact(name, encode_body(body(leg)), sender=leg.member_id)
        await self._conversations.tell_if_there(leg.conversation_id, leg.application_id, fact)
