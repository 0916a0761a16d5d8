"""What one member sends into its conversation: messages, what is about them, receipts, typing."""

import asyncio
import mimetypes
from functools import partial
from pathlib import Path

from tertulia.client.asking import ChatRest
from tertulia.client.commands import Delete, Edit, Image, React, Reply, Say
from tertulia.client.entering import Place
from tertulia.client.outbox import Outbox
from tertulia.client.rest import Part
from tertulia.client.transcript import Happening, Transcript
from tertulia.model.extending import EDIT, MESSAGES, REACTION, REPLY

_UPLOAD = "/v1/image"


class Speaker:
    """Everything goes through the outbox, in its order."""

    def __init__(
        self, rest: ChatRest, outbox: Outbox, place: Place, transcript: Transcript
    ) -> None:
        self.newest = 0
        """Number of the newest event that the server took from us."""
        self._rest = rest
        self._outbox = outbox
        self._place = place
        self._transcript = transcript

    def say(self, asked: Say) -> None:
        self._put("message", _text(asked.text), f"“{asked.text}”")

    def edit(self, asked: Edit) -> None:
        self._put(EDIT, {"event_id": asked.number, "text": asked.text}, f"/edit {asked.number}")

    def react(self, asked: React) -> None:
        """The same reaction again takes it back."""
        said = self._transcript.said.get(asked.number)
        is_there = said is not None and asked.reaction in said.reactions
        body = {
            "event_id": asked.number, "reaction": asked.reaction,
            "action": "remove" if is_there else "add",
        }  # fmt: skip
        self._put(REACTION, body, f"/react {asked.number}")

    def reply(self, asked: Reply) -> None:
        what = f"/reply {asked.number}"

        async def deed() -> None:
            number = await self._post("message", _text(asked.text))
            self._put(REPLY, {"event_id": number, "reply_to": asked.number}, what)

        self._outbox.put(deed, what)

    def delete(self, asked: Delete) -> None:
        place = self._place
        self._outbox.put(
            partial(self._rest.delete_event, place.conversation_id, place.member_id, asked.number),
            f"/delete {asked.number}",
        )

    async def image(self, asked: Image) -> None:
        """Raises OSError when there is no such file."""
        file = await asyncio.to_thread(_file, asked.path)
        what = f"/image {asked.path}"

        async def deed() -> None:
            made = await self._rest.upload(_UPLOAD, file)
            self._put("image", {"representations": made}, what)

        self._outbox.put(deed, what)

    def leave(self) -> None:
        place = self._place
        self._outbox.put(
            partial(self._rest.leave, place.conversation_id, place.member_id), "/leave"
        )

    def type(self, begins: bool) -> None:
        name = "text:typing:on" if begins else "text:typing:off"
        self._put(name, {"activity": int(begins)})

    def report(self, event: Happening, *, is_seen: bool) -> None:
        """Tell that a message has come, and that it is seen; not what was told before."""
        is_message = event.type in MESSAGES and event.id is not None
        if not is_message or self._transcript.is_own(event.from_) or "timestamp" in event.body:
            return
        told = event.state or {}
        for status, reports in (("delivered", "delivered_to"), ("seen", "seen_by")):
            is_due = status == "delivered" or is_seen
            if is_due and self._place.member_id not in told.get(reports, {}):
                self._put(f"{event.type}:{status}", {"event_id": event.id})

    def _put(self, type_: str, body: object, what: str = "") -> None:
        self._outbox.put(partial(self._post, type_, body), what)

    async def _post(self, type_: str, body: object) -> int:
        place = self._place
        made = await self._rest.post_event(place.conversation_id, place.member_id, type_, body)
        number = int(made.get("id") or 0)
        self.newest = max(self.newest, number)
        return number


def _file(path: str) -> Part:
    found = Path(path).expanduser()
    kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    return Part(found.name, kind, found.read_bytes())


def _text(text: str) -> dict[str, str]:
    return {"message_type": "text", "text": text}
