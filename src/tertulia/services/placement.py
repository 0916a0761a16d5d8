"""Where inbound messages belong: the member whose they are, and the event that they become."""

import msgspec
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.carrying import body_of
from tertulia.model.decision import Decision
from tertulia.model.errors import ConversationNotFound
from tertulia.model.event import Fact
from tertulia.model.events.messaging import MESSAGE_WEBHOOK, CustomTertuliaMessage
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import EventId
from tertulia.model.instant import Instant
from tertulia.model.message_hooks import inbound_members
from tertulia.model.sending import Inbound, MessagePlace, address, address_of, end_name
from tertulia.model.state import Conversation, Member, Webhook
from tertulia.ports.messaging import MessageRecords
from tertulia.services.conversations import Conversations


class Placement:
    def __init__(self, *, conversations: Conversations, records: MessageRecords) -> None:
        self._conversations = conversations
        self._records = records

    async def member(self, inbound: Inbound) -> Member | None:
        """Whose message it is: of the conversation that it answers, or else of the newest."""
        arrival = inbound.arrival
        where = address(arrival.channel, arrival.from_)
        found = [
            each
            for each in await self._records.members_at(inbound.application_id, where)
            if end_name(each.channel.from_).lstrip("+") in ("", arrival.to.lstrip("+"))
        ]
        if arrival.context and len(found) > 1:
            sending = await self._records.sending_of(arrival.carrier, arrival.context)
            place = sending.place if sending is not None else None
            found.sort(key=lambda each: place is None or each.id != place.member_id)
        return found[0] if found else None

    async def place(self, inbound: Inbound, member: Member) -> bool:
        """As a message of that member; False when it has just left."""
        body = msgspec.json.encode(body_of(inbound.arrival))

        def decide(room: Conversation, now: Instant) -> Decision:
            known = room.members.get(member.id)
            if known is None or address_of(known) is None:
                raise ConversationNotFound()
            place = MessagePlace(room.id, EventId(room.sequence + 1), member.id)
            placed = replace(inbound, is_waiting=False, place=place)
            return Decision((Fact("message", body, sender=member.id, became=placed),))

        actor = Actor(inbound.application_id)
        try:
            await self._conversations.commit(member.conversation_id, actor, decide)
        except ConversationNotFound:
            return False
        return True

    async def keep(self, inbound: Inbound, webhook: Webhook | None = None) -> None:
        """For itself; `webhook` is told of it until it has heard."""
        lane = address(inbound.arrival.channel, inbound.arrival.from_)
        body = CustomTertuliaMessage(message_uuid=inbound.id, lane=lane)
        if webhook is not None:
            body = replace(
                body, url=webhook.address, members=inbound_members(inbound),
                method=(webhook.http_method or "POST").upper(),
            )  # fmt: skip
        fact = Fact(MESSAGE_WEBHOOK, encode_body(body), became=inbound)
        await self._conversations.happen(inbound.application_id, fact)
