"""The call API: programs call somebody, and change calls that are under way."""

from functools import partial

from tertulia.model.actor import Actor
from tertulia.model.call_request import CallChange, CallRequest
from tertulia.model.conversation import ConversationDraft
from tertulia.model.errors import LegOver, ValidationFailed
from tertulia.model.ids import ConversationId, LegId
from tertulia.model.script import Script, ScriptRefused, parse
from tertulia.model.state import Endpoint, Webhook
from tertulia.ports import Directory
from tertulia.services.answering import Answering, voice_webhooks
from tertulia.services.detecting import Detecting
from tertulia.services.dialling import Dialling, Outgoing
from tertulia.services.legcontrol import LegControl
from tertulia.services.legs import LiveLeg
from tertulia.services.lines import Line
from tertulia.services.scripts import Scripts
from tertulia.services.switchboard import Switchboard
from tertulia.services.telephony import some_number
from tertulia.services.voicehooks import Unanswered, VoiceHooks


class VoiceCalls:
    def __init__(
        self, board: Switchboard, *, dialling: Dialling, detecting: Detecting, hooks: VoiceHooks,
        scripts: Scripts, answering: Answering, control: LegControl, directory: Directory,
    ) -> None:  # fmt: skip
        self._board = board
        self._dialling = dialling
        self._detecting = detecting
        self._hooks = hooks
        self._scripts = scripts
        self._answering = answering
        self._control = control
        self._directory = directory

    async def create(self, request: CallRequest, actor: Actor) -> Line:
        """Call somebody. Raises TertuliaError: nobody is called."""
        system = Actor(actor.application_id)
        webhooks = voice_webhooks(await self._directory.application(actor.application_id))
        room = await self._board.conversations.create(ConversationDraft(), system)
        wanted = Outgoing(
            request.to, room.id, caller=self._caller(request, actor, room.id),
            event_url=request.event_url or webhooks.get("event_url"),
            ring_seconds=request.ringing_seconds, limit_seconds=request.length_seconds,
            detection=request.detection,
        )  # fmt: skip
        return await self._dialling.dial(
            wanted, actor.application_id, on_answer=partial(self._answered, request)
        )

    async def change(self, leg_id: LegId, change: CallChange, actor: Actor) -> None:
        """Raises LegNotFound, LegOver, Forbidden, ValidationFailed: the script cannot be had."""
        if change.action != "transfer":
            await self._control.act(leg_id, change.action, actor)
            return
        live = await self._control.control(leg_id, actor)
        line = self._hooks.line(leg_id) or await self._line(live)
        script = change.script
        if script is None and change.url is not None:
            script = await self._fetched(line, change.url)
        await self._transfer(line, script or ())

    async def _answered(self, request: CallRequest, line: Line) -> None:
        self._board.errands.run(self._go_on(request, line))

    async def _go_on(self, request: CallRequest, line: Line) -> None:
        """Apart: it may take a while until it is known who has answered, and what is to be done."""
        await self._dialling.join(line)
        if request.detection is not None:
            perform = partial(self._perform, request, line)
            await self._detecting.begin(line, request.detection, perform)
        else:
            await self._perform(request, line)

    async def _perform(self, request: CallRequest, line: Line) -> None:
        script = request.script
        if line.live.is_ending:
            return
        if request.answer_url is not None:
            script = await self._answering.script(line, {"answer_url": request.answer_url})
        if script is None:
            await self._scripts.abandon(line)
        else:
            self._scripts.start(line, script)

    async def _fetched(self, line: Line, url: str) -> Script:
        try:
            return parse(await self._hooks.ask(line, Webhook(url)))
        except (Unanswered, ScriptRefused) as error:
            self._hooks.complain(line, f"transfer: {error}")
            raise ValidationFailed.of(
                "destination.url", f"gave no usable script: {error}"
            ) from None

    async def _transfer(self, line: Line, script: Script) -> None:
        """Into a conversation of its own, with that script; whom it was connected to stays."""
        if line.leg.conversation_id is None or line.leg.answered_at is None:
            raise LegOver("The call has not been answered.")
        system = Actor(line.application_id)
        self._scripts.unlink(line.leg.id)
        room = await self._board.conversations.create(ConversationDraft(), system)
        line.own = room.id
        self._scripts.replace_in(room.id, line, script)
        await self._board.members.create(room.id, line.entry, system)

    async def _line(self, live: LiveLeg) -> Line:
        """Of a leg that nobody has called by us."""
        leg = live.leg
        application = await self._directory.application(leg.application_id)
        user = await self._directory.user(leg.user_id) if leg.user_id else None
        if user is None or leg.conversation_id is None:
            raise LegOver("The leg is in no conversation.")
        own: ConversationId = leg.conversation_id
        line = Line(live, user, own, voice_webhooks(application).get("event_url"))
        self._hooks.follow(line)
        return line

    def _caller(self, request: CallRequest, actor: Actor, room: str) -> Endpoint:
        if request.random_from_number:
            numbers = self._board.telephony.numbers(actor.application_id)
            if not numbers:
                raise ValidationFailed.of("random_from_number", "the application has no number")
            return Endpoint(type="phone", number=some_number(numbers, room))
        return request.from_ or Endpoint()
