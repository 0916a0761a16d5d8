"""Strangers: messages from an address that is in no conversation.

The application decides: its inbound webhook is asked, and may name a conversation. Where it says
nothing a rule of the settings holds.
"""

import logging
from collections.abc import Collection
from enum import StrEnum
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.conversation import ConversationDraft
from tertulia.model.errors import DuplicateConversationName, TertuliaError, Unavailable
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.membership import MemberDraft, UserReference
from tertulia.model.message_hooks import inbound_members
from tertulia.model.sending import Inbound, address
from tertulia.model.state import Application, Channel, Endpoint, Member, Webhook
from tertulia.ports import Directory
from tertulia.ports.messaging import MessageRecords
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands, insist
from tertulia.services.members import Members
from tertulia.services.placement import Placement
from tertulia.services.users import Users
from tertulia.services.voicehooks import Answers, Question, Unanswered

RECOVERED_MAX = 100_000

_log = logging.getLogger(__name__)


class Unknown(StrEnum):
    """What becomes of a message from an address that is in no conversation."""

    WEBHOOK = "webhook"
    """The inbound webhook decides; without one, a conversation is opened."""
    CONVERSATION = "conversation"
    """A conversation is opened unless the webhook names one."""
    IGNORE = "ignore"
    """Only the webhook can open one."""


class _Wanted(Struct, frozen=True):
    """Where the inbound webhook wants a message. An extension of ours."""

    id: str | None = None
    name: str | None = None
    display_name: str | None = None


class _Verdict(Struct, frozen=True):
    conversation: _Wanted | None = None


class Strangers:
    def __init__(
        self, placement: Placement, *, conversations: Conversations, members: Members,
        users: Users, directory: Directory, records: MessageRecords, answers: Answers,
        errands: Errands,
    ) -> None:  # fmt: skip
        self._placement = placement
        self._conversations = conversations
        self._members = members
        self._users = users
        self._directory = directory
        self._records = records
        self._answers = answers
        self._errands = errands
        self.rule = Unknown.WEBHOOK

    async def recover(self, of: Collection[ApplicationId]) -> None:
        """Decide about what was undecided when the hub that had these applications ended."""
        for inbound in await self._records.undecided(RECOVERED_MAX):
            if inbound.application_id in of:
                self.decide_later(inbound)

    def decide_later(self, inbound: Inbound) -> None:
        """Find a place for it. What comes from one address is decided about in its order."""
        where = address(inbound.arrival.channel, inbound.arrival.from_)
        key = ("arrival", inbound.application_id, where)
        self._errands.in_turn(key, lambda: insist(partial(self._decide, inbound)))

    async def _decide(self, inbound: Inbound) -> None:
        member = await self._placement.member(inbound)  # the one before may have opened one
        if member is not None and await self._placement.place(inbound, member):
            return
        application = await self._directory.application(inbound.application_id)
        if application is None:
            await self._placement.keep(await self._decided(inbound))
            return
        webhook = _inbound_url(application)
        wanted, untold = None, None
        if webhook is not None:
            try:
                wanted = await self._ask(inbound, webhook)
            except Unanswered:
                untold = webhook
        if wanted is None and self._opens(webhook):
            wanted = _Wanted()
        is_placed = wanted is not None and await self._open(inbound, wanted)
        if untold is not None or not is_placed:
            await self._placement.keep(await self._decided(inbound), untold)

    async def _decided(self, inbound: Inbound) -> Inbound:
        """As it is kept now: it may have become an event."""
        known = await self._records.inbound(inbound.id) or inbound
        return replace(known, is_waiting=False)

    def _opens(self, webhook: Webhook | None) -> bool:
        if self.rule is Unknown.WEBHOOK:
            return webhook is None
        return self.rule is Unknown.CONVERSATION

    async def _ask(self, inbound: Inbound, webhook: Webhook) -> _Wanted | None:
        """Raises Unanswered."""
        question = Question(inbound.application_id, webhook, inbound_members(inbound))
        answer = await self._answers.ask(question)
        try:
            return msgspec.json.decode(answer, type=_Verdict).conversation
        except msgspec.MsgspecError:  # most say nothing, or a word
            return None

    async def _open(self, inbound: Inbound, wanted: _Wanted) -> bool:
        """Into the conversation that is wanted, as a member who joins by this."""
        try:
            room = await self._room(inbound, wanted)
            member = await self._join(inbound, room)
        except Unavailable:
            raise
        except TertuliaError as error:
            told = {"action": "arrival_not_placed", "error": str(error)}
            _log.warning("a message found no place", extra=told)
            return False
        return await self._placement.place(inbound, member)

    async def _room(self, inbound: Inbound, wanted: _Wanted) -> ConversationId:
        actor, arrival = Actor(inbound.application_id), inbound.arrival
        if wanted.id is not None:
            return (await self._conversations.get(ConversationId(wanted.id), actor)).profile.id
        title = wanted.display_name or arrival.name or arrival.from_
        name = wanted.name or f"{address(arrival.channel, arrival.from_)}-{inbound.id}"
        draft = ConversationDraft(name=name, display_name=title[:50])
        try:
            return (await self._conversations.create(draft, actor)).id
        except DuplicateConversationName:
            return (await self._conversations.find(name, actor)).profile.id

    async def _join(self, inbound: Inbound, room: ConversationId) -> Member:
        arrival = inbound.arrival
        name = address(arrival.channel, arrival.from_)
        user_id = await self._users.ensure(name, inbound.application_id)
        draft = MemberDraft(
            state="joined", user=UserReference(id=user_id),
            channel=Channel(
                type=arrival.channel, to=_end(arrival.channel, arrival.from_),
                from_=_end(arrival.channel, arrival.to),
            ),
        )  # fmt: skip
        member, _ = await self._members.create(room, draft, Actor(inbound.application_id))
        return member


def _inbound_url(application: Application) -> Webhook | None:
    messages = application.capabilities.get("messages")
    return (messages.webhooks or {}).get("inbound_url") if messages else None


def _end(channel: str, name: str) -> Endpoint:
    """COMPAT: numbers and ids by channel (wire-api 3)."""
    if channel == "messenger":
        return Endpoint(type=channel, id=name)
    return Endpoint(type=channel, number=name)
