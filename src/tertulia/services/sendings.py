"""Sendings: the one who keeps messages beyond the app, and what has become of each.

Every change is an event, stored before anybody hears of it. Of a message of a conversation the
conversation's events tell; of any other a notice to the webhook of its application.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5
from weakref import WeakValueDictionary

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.errors import ConversationNotFound, MessageNotFound
from tertulia.model.event import Fact
from tertulia.model.events.messaging import MESSAGE_WEBHOOK, CustomTertuliaMessage
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.message_errors import Code
from tertulia.model.message_hooks import receipt_members, status_members
from tertulia.model.sending import (
    FINAL,
    Form,
    Inbound,
    MessagePlace,
    Order,
    Outcome,
    Problem,
    Sending,
    SendingStatus,
    Workflow,
    ended,
    handed,
    heard,
)
from tertulia.model.sending_facts import decide_status
from tertulia.model.state import Application, Webhook
from tertulia.ports import Clock, Directory, EventLog, Ids
from tertulia.ports.messaging import MessageRecords
from tertulia.services.conversations import Conversations
from tertulia.services.errands import insist

RECENT_MAX = 20_000
"""Sendings remembered as they are: nearly every receipt is about one of them."""
EARLY_SECONDS = 1.0
"""For which a receipt waits for the answer to the message that it is about."""
UNCLAIMED_MAX = 10_000
"""Receipts remembered that were further ahead: of parts of a message that is not whole yet."""
UNCLAIMED_MS = 600_000
"""For so long: the same name may come again for another message."""
APPLICATION_SECONDS = 1.0
"""For which an application's webhooks are taken as they were."""

REVOKED = Problem(Code.UNPROCESSABLE, "The message was revoked before it was sent.")

Took = Callable[[Sending], None]


class MessageRoutes(Protocol):
    """Which carriers and applications numbers belong to."""

    def carriers_of(self, channel: str, from_: str) -> Sequence[str]:
        """Names of those who may carry a message, the preferred first."""

    def application_of(self, channel: str, to: str, carrier: str = "") -> ApplicationId | None:
        """Whose a message is that came to that number or id, by that carrier."""


class Sendings:
    def __init__(
        self, *, conversations: Conversations, log: EventLog, records: MessageRecords,
        directory: Directory, clock: Clock, ids: Ids, monotonic: Callable[[], float],
        api_key: str = "",
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._log = log
        self._records = records
        self._applications = _Applications(directory, monotonic)
        self._clock = clock
        self._ids = ids
        self._api_key = api_key
        self._recent: OrderedDict[MessageId, Sending] = OrderedDict()
        self._by_ref: dict[tuple[str, str], MessageId] = {}
        self._turns: WeakValueDictionary[MessageId, asyncio.Lock] = WeakValueDictionary()
        self._early: dict[tuple[str, str], asyncio.Event] = {}
        self._unclaimed: OrderedDict[tuple[str, str], tuple[Instant, Outcome]] = OrderedDict()
        self.on_accepted: Took = lambda sending: None
        """Who finds a carrier for it."""

    async def send(
        self, orders: Sequence[Order], application_id: ApplicationId, *,
        form: Form = Form.MESSAGES,
    ) -> Sending:  # fmt: skip
        """Keep a message, and those to be tried when it fails; then it will be carried. Raises
        Unavailable."""
        orders = [await self._answering(each, application_id) for each in orders]
        workflow = Workflow(self._ids.bare(), 1, len(orders)) if len(orders) > 1 else None
        sending = self._made(orders, application_id, form, workflow)
        await self._conversations.happen(application_id, _kept(sending))
        return self._accepted(sending)

    async def send_for(
        self, place: MessagePlace, order: Order, application_id: ApplicationId,
        problem: Problem | None,
    ) -> None:  # fmt: skip
        """Carry a message of a conversation to one of its members. Again is fine: it is done once.

        With a problem it cannot be carried: that is told.
        """
        named = f"tertulia:{place.conversation_id}/{place.event_id}/{place.member_id}"
        message_id = MessageId(str(uuid5(NAMESPACE_URL, named)))
        if message_id in self._recent or await self._records.sending(message_id) is not None:
            return
        made = self._made([order], application_id, Form.EVENTS, None)
        sending = replace(made, id=message_id, place=place)
        if problem is not None:
            await self._change(sending, ended(sending, SendingStatus.REJECTED, problem, self._now))
            return
        await self._conversations.happen(application_id, _kept(sending))
        self._accepted(sending)

    async def _answering(self, order: Order, application_id: ApplicationId) -> Order:
        """With the carrier's name of the message that it answers, where it answers one of ours."""
        content = order.content
        context = content.extras.get("context")
        if not isinstance(context, dict):
            return order
        try:
            known = await self.find(MessageId(str(context.get("message_uuid"))), application_id)
        except MessageNotFound:
            return order
        ref = known.arrival.ref if isinstance(known, Inbound) else next(iter(known.refs), "")
        extras = {**content.extras, "context": {**context, "ref": ref}}
        return replace(order, content=replace(content, extras=extras))

    def _made(
        self, orders: Sequence[Order], application_id: ApplicationId, form: Form,
        workflow: Workflow | None,
    ) -> Sending:  # fmt: skip
        now, order = self._now, orders[0]
        return Sending(
            id=MessageId(self._ids.bare()), application_id=application_id, order=order,
            created_at=now, changed_at=now, form=form, workflow=workflow,
            failover=tuple(orders[1:]),
            expires_at=Instant(now + order.ttl * 1000) if order.ttl else None,
        )  # fmt: skip

    def _accepted(self, sending: Sending) -> Sending:
        self._remember(sending)
        self.on_accepted(sending)
        return sending

    @property
    def _now(self) -> Instant:
        return self._clock.now()

    # ── what is known ──

    async def find(self, message_id: MessageId, application_id: ApplicationId) -> Sending | Inbound:
        """Raises MessageNotFound, also for another application's."""
        found = await self._known(message_id)
        if found.application_id != application_id:
            raise MessageNotFound()
        return found

    async def application_of(self, carrier: str, ref: str) -> ApplicationId | None:
        """Whose message a carrier calls so. None: nobody's, or not known by that name yet."""
        recent = self._recent.get(self._by_ref.get((carrier, ref), MessageId("")))
        found = recent or await self._records.sending_of(carrier, ref)
        return found.application_id if found is not None else None

    async def owner_of(self, message_id: MessageId) -> ApplicationId:
        """Raises MessageNotFound."""
        return (await self._known(message_id)).application_id

    async def _known(self, message_id: MessageId) -> Sending | Inbound:
        found = await self._newest(message_id) or await self._records.inbound(message_id)
        if found is None:
            raise MessageNotFound()
        return found

    def newest(self, sending: Sending) -> Sending:
        """As it has become by now, when that was lately: what was read may be old already."""
        return self._recent.get(sending.id, sending)

    async def _newest(self, message_id: MessageId) -> Sending | None:
        return self._recent.get(message_id) or await self._records.sending(message_id)

    def _remember(self, sending: Sending) -> None:
        recent = self._recent
        recent[sending.id] = sending
        recent.move_to_end(sending.id)
        if sending.status is SendingStatus.SUBMITTED:
            self._by_ref |= {(sending.carrier, ref): sending.id for ref in sending.refs}
        if len(recent) > RECENT_MAX:
            _, oldest = recent.popitem(last=False)
            for ref in oldest.refs:
                self._by_ref.pop((oldest.carrier, ref), None)

    # ── what carriers make of it ──

    async def tried(self, sending: Sending, carrier: str) -> Sending:
        """It is about to be handed to a carrier that must not get it twice."""
        return await self._become(
            sending.id, lambda known: replace(known, is_tried=True, carrier=carrier)
        )

    async def not_taken(self, sending: Sending) -> None:
        """The carrier for which it was `tried` has surely not got it."""
        await self._become(sending.id, lambda known: replace(known, is_tried=False))

    async def submitted(
        self, sending: Sending, carrier: str, refs: Sequence[str], patience: float | None
    ) -> None:
        """A carrier has taken it. `patience`: seconds within which more will be heard of it."""

        def submit(known: Sending) -> Sending:
            now = self._now
            due_at = None if patience is None else Instant(now + int(patience * 1000))
            taken = handed(replace(known, carrier=carrier), tuple(refs), now, due_at)
            return known if known.is_over else taken

        await self._become(sending.id, submit)
        for ref in refs:
            key = carrier, ref
            if (early := self._early.pop(key, None)) is not None:
                early.set()
            if (unclaimed := self._unclaimed.get(key)) is not None:
                at, outcome = unclaimed
                if self._now - at < UNCLAIMED_MS:
                    await self._hear_of(sending.id, outcome)
                self._unclaimed.pop(key, None)

    async def revoke(self, sending: Sending) -> None:
        """No carrier has it, and none is to get it, nor what would be tried in its place."""

        def revoke(known: Sending) -> Sending:
            alone = replace(known, failover=())
            return known if known.is_over else self._ended(alone, SendingStatus.REJECTED, REVOKED)

        await self._become(sending.id, revoke)

    async def end(self, sending: Sending, status: SendingStatus, problem: Problem) -> None:
        """Its final status, unless it has one."""
        await self._become(sending.id, lambda known: self._ended(known, status, problem))

    def _ended(self, known: Sending, status: SendingStatus, problem: Problem) -> Sending:
        return ended(known, status, problem, self._now)

    async def hear(self, outcome: Outcome, *, may_be_early: bool) -> bool:
        """What a carrier tells of a message; False: it is of none that we know."""
        key = (outcome.carrier, outcome.ref)
        message_id = await self._named(key)
        if message_id is None and may_be_early:
            message_id = await self._named_soon(key)
        if message_id is None:
            self._set_aside(key, outcome)
            return False
        await self._hear_of(message_id, outcome)
        return True

    async def _hear_of(self, message_id: MessageId, outcome: Outcome) -> None:
        await self._become(message_id, lambda known: heard(known, outcome, self._now))

    def _set_aside(self, key: tuple[str, str], outcome: Outcome) -> None:
        """Until its message is known by that name. In memory alone: what we do not know of when we
        end is handed over again, under other names."""
        if outcome.is_read or (outcome.status in FINAL and key not in self._unclaimed):
            self._unclaimed[key] = self._now, outcome
            if len(self._unclaimed) > UNCLAIMED_MAX:
                self._unclaimed.popitem(last=False)

    async def _named_soon(self, key: tuple[str, str]) -> MessageId | None:
        early = self._early.setdefault(key, asyncio.Event())
        try:
            async with asyncio.timeout(EARLY_SECONDS):
                await early.wait()
        except TimeoutError:
            pass
        finally:
            self._early.pop(key, None)
        return await self._named(key)

    async def _named(self, key: tuple[str, str]) -> MessageId | None:
        if key in self._by_ref:
            return self._by_ref[key]
        found = await self._records.sending_of(*key)
        return found.id if found is not None else None

    async def _become(self, message_id: MessageId, change: Callable[[Sending], Sending]) -> Sending:
        """Changes of one sending are made one after the other. Raises Unavailable."""
        turn = self._turns.setdefault(message_id, asyncio.Lock())
        async with turn:
            known = await self._newest(message_id)
            if known is None:
                raise MessageNotFound()
            after = change(known)
            if after != known:
                await self._change(known, after)
            return after

    async def _change(self, before: Sending, after: Sending) -> None:
        """Keep and tell; then the next in its place, if there is one and it has failed."""
        status = _told(before, after)
        follower = self._next(after)
        if follower is not None:
            after = replace(after, failover=())
        if status is None:
            await self._conversations.happen(after.application_id, _kept(after))
        elif after.place is not None:
            await self._tell_conversation(after, after.place, status)
        else:
            await self._tell_webhook(after, status, follower)
        self._remember(after)
        if follower is not None:
            self._accepted(follower)

    async def _tell_conversation(self, sending: Sending, place: MessagePlace, status: str) -> None:
        actor = Actor(sending.application_id)
        original = await self._log.event(place.conversation_id, place.event_id)
        try:
            await self._conversations.commit(
                place.conversation_id, actor,
                lambda room, now: decide_status(room, now, sending, original, status),
            )  # fmt: skip
        except ConversationNotFound:
            await self._conversations.happen(sending.application_id, _kept(sending))

    async def _tell_webhook(
        self, sending: Sending, status: str, follower: Sending | None
    ) -> None:  # fmt: skip
        application = await self._applications.find(sending.application_id)
        webhook = sending.order.webhook or _status_url(application)
        members = (
            receipt_members(sending, status, self._now, self._api_key)
            if sending.form is Form.SMS
            else status_members(sending, status, self._now)
        )
        facts = [_kept(sending, webhook, members)]
        if follower is not None:
            facts.append(_kept(follower))
        await self._conversations.happen(sending.application_id, *facts)

    def _next(self, sending: Sending) -> Sending | None:
        """What is tried in its place."""
        has_failed = sending.is_over and sending.status is not SendingStatus.DELIVERED
        if not sending.failover or not has_failed:
            return None
        workflow = sending.workflow and replace(sending.workflow, item=sending.workflow.item + 1)
        return self._made(sending.failover, sending.application_id, sending.form, workflow)


class _Applications:
    """Of those whose messages are under way, as they were a moment ago."""

    def __init__(self, directory: Directory, monotonic: Callable[[], float]) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._known: dict[ApplicationId, tuple[float, Application | None]] = {}

    async def find(self, application_id: ApplicationId) -> Application | None:
        now = self._monotonic()
        until, application = self._known.get(application_id, (0.0, None))
        if now >= until:
            application = await insist(lambda: self._directory.application(application_id))
            self._known[application_id] = (now + APPLICATION_SECONDS, application)
        return application


def _status_url(application: Application | None) -> Webhook | None:
    messages = application.capabilities.get("messages") if application else None
    return (messages.webhooks or {}).get("status_url") if messages else None


def _told(before: Sending, after: Sending) -> str | None:
    """The status to be told, in the words of the wire."""
    if after.read_at is not None and before.read_at is None:
        return "read"
    return str(after.status) if after.status is not before.status or after.is_over else None


def _kept(
    sending: Sending, webhook: Webhook | None = None, members: dict[str, object] | None = None
) -> Fact:
    body = CustomTertuliaMessage(message_uuid=sending.id, lane=sending.id)
    if webhook is not None and members is not None:
        method = (webhook.http_method or "POST").upper()
        body = replace(body, url=webhook.address, members=members, method=method)
    return Fact(MESSAGE_WEBHOOK, encode_body(body), became=sending)
