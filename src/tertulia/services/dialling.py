"""Dialling: calls that we make, to whatever can be called, up to their answer.

What is to become of an answered call is said by who asked for it.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.calling import Ending, name_of
from tertulia.model.commands import (
    RTP,
    Offer,
    Offered,
    Press,
    Refused,
    Socket,
    Up,
)
from tertulia.model.endpoints import (
    AppEndpoint,
    Callee,
    PhoneEndpoint,
    SipEndpoint,
    WebsocketEndpoint,
    end_of,
)
from tertulia.model.errors import TertuliaError, UserNotFound
from tertulia.model.event import Event
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.ids import ApplicationId, ConversationId, LegId
from tertulia.model.leg import Leg, advanced
from tertulia.model.machine import Detection
from tertulia.model.membership import MemberDraft, UserReference
from tertulia.model.state import (
    AudioSettings,
    Channel,
    Endpoint,
    Media,
    User,
    Webhook,
)
from tertulia.model.telephone import Dial
from tertulia.ports import Clock, Ids, MediaUnavailable
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Line
from tertulia.services.switchboard import Switchboard
from tertulia.services.users import Users
from tertulia.services.voicehooks import VoiceHooks

ANONYMOUS = "tel:anonymous"
"""Name of the user that all callers are who withhold their number."""


class Outgoing(Struct, frozen=True):
    """A call that is wanted."""

    callee: Callee
    room: ConversationId
    """Where it is from the start, and where its member joins."""
    caller: Endpoint = Endpoint()
    """By whom it is known: empty withholds that."""
    event_url: Webhook | None = None
    ring_seconds: float = 60.0
    limit_seconds: float = 7200.0
    detection: Detection | None = None
    is_asked: bool = False
    """Whoever wants it asks the application itself what becomes of a failure."""


class Rung(Protocol):
    def __call__(self, line: Line, *, early: bool) -> Awaitable[None]:
        """`early`: the far end is to be heard already."""


Then = Callable[[Line], Awaitable[None]]


class Call(Struct, eq=False):
    """A call that we have made, from before it rings."""

    line: Line
    wanted: Outgoing
    on_answer: Then
    on_over: Then | None
    on_ring: Rung | None
    is_answered: bool = False


class Dialling:
    def __init__(
        self, board: Switchboard, *, users: Users, hooks: VoiceHooks, clock: Clock, ids: Ids
    ) -> None:  # fmt: skip
        self._calls = board.calls
        self._legs = board.legs
        self._members = board.members
        self._errands = board.errands
        self._carrier = board.telephony.carrier
        self._users = users
        self._hooks = hooks
        self._telephony = board.telephony
        self._clock = clock
        self._ids = ids
        self._under_way: dict[LegId, Call] = {}

    @property
    def reactions(self) -> Reactions:
        return {"leg:status:update": self._changed}

    @property
    def hearings(self) -> Hearings:
        return {Up: self._up, Refused: self._refused}

    def __len__(self) -> int:
        return len(self._under_way)

    async def user(self, end: Endpoint, application_id: ApplicationId) -> User:
        """The user that a phone or another far end is: made when it is first seen."""
        name = _user_name(end)
        user_id = await self._users.ensure(name, application_id)
        if user_id is None:  # deleted at this moment
            user_id = await self._users.ensure(name, application_id)
        if user_id is None:
            raise UserNotFound()
        return await self._users.find(user_id, application_id)

    async def dial(
        self, wanted: Outgoing, application_id: ApplicationId, *, on_answer: Then,
        on_over: Then | None = None, on_ring: Rung | None = None,
        on_begin: Callable[[Line], None] | None = None,
    ) -> Line:  # fmt: skip
        """Call somebody; the line of that call.

        `on_begin` is called when there is a call; `on_answer` once, when it was answered;
        `on_over` once, at its end. Raises TertuliaError: there is no call.
        """
        if isinstance(wanted.callee, AppEndpoint):
            live, user = await self._ring_app(wanted, application_id, wanted.callee)
        else:
            user = await self.user(end_of(wanted.callee), application_id)
            live = await self._begin(wanted, application_id, user)
        line = Line(live, user, wanted.room, wanted.event_url, is_asked=wanted.is_asked)
        if on_begin is not None:
            on_begin(line)
        call = Call(line, wanted, on_answer, on_over, on_ring)
        self._under_way[live.leg.id] = call
        self._hooks.open(line)
        self._time(call, wanted.ring_seconds, Ending.RANG_OUT, only_unanswered=True)
        if live.leg.type is LegType.APP and live.leg.status is LegStatus.RINGING:
            await self._has_rung(call, early=False)
        else:
            await self._send(call)
        return line

    async def _begin(self, wanted: Outgoing, application_id: ApplicationId, user: User) -> LiveLeg:
        end = end_of(wanted.callee)
        now = self._clock.now()
        rated = self._telephony.rates.of(end.number) if end.number else None
        leg = Leg(
            id=LegId(self._ids.bare()), application_id=application_id,
            type=LegType(end.type or "phone"), direction=Direction.OUTBOUND,
            status=LegStatus.STARTED, started_at=now, from_=wanted.caller, to=end, user_id=user.id,
            is_call=True, rate=rated.rate if rated else None,
            network=rated.network if rated else None,
        )  # fmt: skip
        return await self._legs.begin(advanced(leg, LegStatus.STARTED, now))

    async def _send(self, call: Call) -> None:
        """Let it go out; a failure is the call's end."""
        callee, live = call.wanted.callee, call.line.live
        if live.is_ending:  # it was given up meanwhile
            return
        try:
            if isinstance(callee, WebsocketEndpoint):
                self._connect(call, callee)
            else:
                await self._dial_phone(call, callee)
        except TertuliaError:
            await self._calls.end(live, Ending.BROKEN)

    def _connect(self, call: Call, callee: WebsocketEndpoint) -> None:
        leg = call.line.leg
        greeting = {
            "event": "websocket:connected",
            "content-type": callee.content_type,
            **callee.headers,
        }
        headers = {}
        if callee.authorization is not None:
            headers["Authorization"] = self._hooks.credential(call.line, callee.authorization)
        command = Socket(
            leg.id, callee.uri, callee.rate, msgspec.json.encode(greeting).decode(), headers
        )
        if not self._legs.tell(leg.application_id, command):
            raise MediaUnavailable("There is no media worker.")

    def _is_secure(self, callee: Callee) -> bool:
        if isinstance(callee, SipEndpoint):
            return "media=srtp" in callee.uri.lower()
        return isinstance(callee, PhoneEndpoint) and self._telephony.is_secure(callee.number)

    async def _dial_phone(self, call: Call, callee: Callee) -> None:
        leg = call.line.leg
        offer = Offer(leg.id, RTP, self._is_secure(callee))
        report = await self._legs.ask(leg.application_id, offer, "sdp")
        assert isinstance(report, Offered)
        headers: dict[str, str] = {}
        user_to_user = None
        if isinstance(callee, SipEndpoint):
            headers, user_to_user = callee.x_headers, callee.user_to_user
        if not call.line.live.is_ending:
            self._carrier.dial(
                Dial(
                    leg=leg.id, application_id=leg.application_id, to=leg.to, sdp=report.sdp,
                    caller=name_of(leg.from_), headers=headers, user_to_user=user_to_user,
                )
            )  # fmt: skip

    async def _ring_app(
        self, wanted: Outgoing, application_id: ApplicationId, callee: AppEndpoint
    ) -> tuple[LiveLeg, User]:
        """A user is invited with audio: its clients ring."""
        settings = AudioSettings(enabled=True)
        channel = Channel(
            type="app", from_=wanted.caller, ring_timeout=round(wanted.ring_seconds * 1000)
        )
        draft = MemberDraft(
            state="invited", user=UserReference(name=callee.user), channel=channel,
            media=Media(audio_settings=settings),
        )  # fmt: skip
        member, user = await self._members.create(wanted.room, draft, Actor(application_id))
        live = self._legs.live(member.channel.id)
        if live is None:
            raise MediaUnavailable("Nobody could carry the call.")
        return live, user

    # ── what becomes of it ──

    async def rang(self, live: LiveLeg, *, early: bool) -> None:
        """The far end rings; `early`: it is to be heard already, perhaps since it began to."""
        call = self._under_way.get(live.leg.id)
        if call is None or live.leg.answered_at is not None:
            return
        is_news = live.leg.status is LegStatus.STARTED
        if is_news:
            await self._place(call, LegStatus.RINGING)
        if is_news or early:
            await self._has_rung(call, early=early)

    async def _has_rung(self, call: Call, *, early: bool) -> None:
        if call.on_ring is not None and not call.line.live.is_ending:
            await call.on_ring(call.line, early=early)

    async def answered(self, live: LiveLeg) -> None:
        """The far end has answered, and its media path is agreed upon."""
        call = self._under_way.get(live.leg.id)
        if call is None or call.is_answered or live.is_ending:
            return
        await self._place(call, LegStatus.ANSWERED)
        await self._go_on(call)

    async def _go_on(self, call: Call) -> None:
        if call.is_answered or call.line.live.is_ending:
            return
        call.is_answered = True
        self._time(call, call.wanted.limit_seconds, Ending.LENGTH)
        callee, leg = call.wanted.callee, call.line.leg
        if isinstance(callee, PhoneEndpoint) and callee.dtmf_answer:
            self._legs.tell(leg.application_id, Press(leg.id, callee.dtmf_answer))
        await call.on_answer(call.line)

    async def join(self, line: Line) -> None:
        """Let an answered call join the conversation that it was made for: users of an app have
        done so by answering."""
        if line.leg.member_id is not None or line.live.is_ending:
            return
        try:
            await self._members.create(line.own, line.entry, Actor(line.application_id))
        except TertuliaError:
            await self._calls.end(line.live, Ending.REMOVED)
            raise

    async def _place(self, call: Call, status: LegStatus) -> None:
        try:
            await self._calls.place(call.line.live, call.wanted.room, status)
        except TertuliaError:  # the conversation was deleted meanwhile
            await self._calls.end(call.line.live, Ending.REMOVED)

    async def _up(self, report: Up) -> None:
        """A websocket's server has accepted."""
        call = self._under_way.get(LegId(report.leg))
        if call is not None and call.line.leg.type is LegType.WEBSOCKET:
            await self.answered(call.line.live)

    async def _refused(self, report: Refused) -> None:
        call = self._under_way.get(LegId(report.leg))
        if call is not None and call.line.leg.type is LegType.WEBSOCKET:
            self._errands.run(self._calls.end(call.line.live, Ending.UNREACHED))

    async def _changed(self, event: Event) -> None:
        leg = event.became
        call = self._under_way.get(leg.id) if isinstance(leg, Leg) else None
        if call is None or not isinstance(leg, Leg):
            return
        if leg.is_over:
            del self._under_way[leg.id]
            if call.on_over is not None:
                await call.on_over(call.line)
        elif leg.type is LegType.APP and leg.answered_at is not None:
            await self._go_on(call)

    def _time(
        self, call: Call, seconds: float, ending: Ending, *, only_unanswered: bool = False
    ) -> None:
        live = call.line.live

        async def end() -> None:
            if not (only_unanswered and call.is_answered):
                await self._calls.end(live, ending)

        live.timers.append(self._errands.after(seconds, end))


def _user_name(end: Endpoint) -> str:
    """Not one that a user of an app would have."""
    if end.number:
        return f"tel:{end.number}"
    if end.extension:
        return f"vbc:{end.extension}"
    return (end.uri or ANONYMOUS)[:200]
