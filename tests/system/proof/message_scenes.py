"""What people say to each other, in the app and beyond it: SMS and WhatsApp by the simulated
carriers, in their real protocols.
"""

import asyncio
from typing import Any
from uuid import uuid4

from tests.system.hall import Hall
from tests.system.office import OWN
from tests.system.proof.venue import Venue
from tests.system.softphone import Softphone

PROMPT, UNKNOWN, SWITCHED_OFF = "15550110", "15550112", "15550113"
"""Handsets: one that gets messages at once and reads them, a number that is nobody's, one that is
switched off."""
CHATTING = f"4477{PROMPT}"
SAID, ANSWERED = "Is anybody there?", "I am, as ever."
MIXED = ("publisher", "subscriber")


class Room:
    """A watched conversation, and a client in it."""

    def __init__(self, venue: Venue, conversation: str, phone: Softphone, member: str) -> None:
        self.venue = venue
        self.hall: Hall = venue.hall
        self.conversation = conversation
        self.phone = phone
        self.member = member

    async def say(self, type_: str, body: dict[str, Any]) -> int:
        """By the client, of whom it is; the event's number."""
        path = f"/conversations/{self.conversation}/events"
        told = {"type": type_, "from": self.member, "body": body}
        return int((await self.phone.must("POST", path, told))["id"])

    async def hint(self, type_: str, body: dict[str, Any]) -> None:
        """The same with what is not kept, and has no number."""
        path = f"/conversations/{self.conversation}/events"
        await self.phone.must("POST", path, {"type": type_, "from": self.member, "body": body})

    async def tell(self, type_: str, body: dict[str, Any]) -> None:
        """By the application."""
        path = f"/v0.3/conversations/{self.conversation}/events?post={uuid4()}"
        await self.hall.caller.post(path, {"type": type_, "body": body, "from": self.member})

    async def reach(self, channel: str, number: str) -> str:
        """Whom a messaging channel reaches becomes a member; its id."""
        name = f"{channel}-{number}"
        await self.hall.caller.post("/v1/users", {"name": name})
        ends = {end: {"type": channel, "number": at} for end, at in (("to", number), ("from", OWN))}
        joining = {"state": "joined", "user": {"name": name}, "channel": {"type": channel, **ends}}
        path = f"/v0.3/conversations/{self.conversation}/members"
        return str((await self.hall.caller.post(path, joining))["id"])


async def play(venue: Venue) -> None:
    """All scenes."""
    eve = await venue.hall.phone("eve")
    talk, beyond = [await enter(venue, eve) for _ in range(2)]
    async with asyncio.TaskGroup() as tasks:
        for scene in (what_carriers_report(beyond), what_the_application_sends(venue),
                      what_clients_say(talk), what_older_clients_say(talk)):  # fmt: skip
            tasks.create_task(scene)
    await what_becomes_of_conversations(talk)


async def enter(venue: Venue, phone: Softphone) -> Room:
    conversation = await venue.hall.another()
    await venue.watch(conversation)
    joining = {"state": "joined", "user": {"name": phone.user}, "channel": {"type": "app"}}
    made = await phone.must("POST", f"/conversations/{conversation}/members", joining)
    return Room(venue, conversation, phone, made["id"])


async def what_carriers_report(room: Room) -> None:
    """One message, to four people; and an answer."""
    diary = room.hall.diary
    reached = {
        number: await room.reach(channel, number)
        for channel, number in (("sms", PROMPT), ("whatsapp", CHATTING), ("sms", UNKNOWN),
                                ("sms", SWITCHED_OFF))
    }  # fmt: skip
    said = await room.say("message", {"message_type": "text", "text": SAID})
    about = {"event_id": said}
    for status in ("submitted", "delivered", "seen", "rejected", "undeliverable"):
        await diary.see(f"message:{status}", **about)
    path = f"/v1/conversations/{room.conversation}/events/{said}"
    state = (await room.hall.caller.get(path))["state"]
    assert set(state["submitted_to"]) == {reached[n] for n in (PROMPT, CHATTING, SWITCHED_OFF)}
    assert set(state["delivered_to"]) == {reached[n] for n in (PROMPT, CHATTING)}
    assert set(state["seen_by"]) == {reached[CHATTING]}
    assert set(state["rejected_by"]) == {reached[UNKNOWN]}
    assert set(state["undeliverable_to"]) == {reached[SWITCHED_OFF]}
    for number in reached:
        told = (await diary.see("member:message:status", to=number)).body
        assert (told["original_event_id"], told["from"]) == (said, OWN)
    shown = await room.hall.caller.get(f"/tertulia/v1/handsets/sms/{PROMPT}")
    assert [each["text"] for each in shown["messages"]].count(SAID) == 1
    path = f"/tertulia/v1/handsets/sms/{PROMPT}/messages?post={uuid4()}"
    await room.hall.caller.post(path, {"to": OWN, "text": ANSWERED})
    came = await diary.see("message", text=ANSWERED)
    assert came.event.sender == reached[PROMPT]
    assert came.event.conversation_id == room.conversation


async def what_the_application_sends(venue: Venue) -> None:
    """By the message API; its webhook hears what has become of it."""
    for number, statuses in ((CHATTING, ("submitted", "delivered")), (UNKNOWN, ("rejected",))):
        channel = "whatsapp" if number == CHATTING else "sms"
        wanted = {"channel": channel, "message_type": "text", "text": SAID, "to": number,
                  "from": OWN}  # fmt: skip
        answer = await venue.hall.caller.call("POST", f"/v1/messages?post={uuid4()}", wanted)
        assert answer.status == 202, answer
        for status in statuses:
            sent = {"message_uuid": answer.json["message_uuid"], "status": status}
            await venue.program.has_told("/status", **sent)


async def what_clients_say(room: Room) -> None:
    text = {"message_type": "text", "text": "What nobody should read"}
    first = await room.say("message", text)
    for status in ("delivered", "seen"):
        await room.say(f"message:{status}", {"event_id": first})
    await room.say("custom:tertulia:edit", {"event_id": first, "text": "What all may read"})
    answer = await room.say("message", {"message_type": "text", "text": "Fine"})
    await room.say("custom:tertulia:reply", {"event_id": answer, "reply_to": first})
    reaction = {"event_id": answer, "reaction": "❤️", "action": "add"}
    await room.say("custom:tertulia:reaction", reaction)
    await room.say("custom:proof", {"of": ["the", "pudding"]})
    await room.hint("ephemeral", {"once": str(uuid4())})
    gone = await room.say("message", text)
    await room.venue.ledger.until((room.conversation, gone))
    await room.hall.diary.read()  # as it was
    await room.phone.must("DELETE", f"/conversations/{room.conversation}/events/{gone}")
    await room.hall.diary.see("event:delete", event_id=gone)


async def what_older_clients_say(room: Room) -> None:
    for activity, word in ((1, "on"), (0, "off")):
        await room.hint(f"text:typing:{word}", {"activity": activity})
    text = await room.say("text", {"text": "As it used to be"})
    picture = {"representations": {"original": {"url": "https://pictures.example/a.png"}}}
    image = await room.say("image", picture)
    for kind, number in (("text", text), ("image", image)):
        for status in ("delivered", "seen"):
            await room.say(f"{kind}:{status}", {"event_id": number})
    await room.tell("text:update", {"text": "As it is", "original_event_id": text})
    for side in MIXED:
        for what in ("created", "destroyed"):
            await room.tell(f"mixer:{side}:{what}", {f"{side}_id": "1"})


async def what_becomes_of_conversations(room: Room) -> None:
    caller, diary = room.hall.caller, room.hall.diary
    await room.hall.put(f"/v1/conversations/{room.conversation}", {"display_name": "Renamed"})
    await diary.see("conversation:updated", id=room.conversation)
    lost = await room.hall.another()
    answer = await caller.call("DELETE", f"/v1/conversations/{lost}")
    assert answer.status == 204, answer
    await diary.see("conversation:deleted", id=lost)
