"""What a chat asks by REST."""

from typing import Any
from urllib.parse import quote

from tertulia.client.rest import Denied, Rest

EDITION = "/v0.3"
"""The one that takes the older event types too: `text:typing:on`, `image` …"""
_APP = {"type": "app"}


class ChatRest(Rest):
    """Raises as Rest does."""

    async def own_conversations(self, user_id: str) -> list[Any]:
        page = await self.get(f"{EDITION}/users/{user_id}/conversations", page_size=100)
        return list(page["_embedded"]["conversations"])

    async def conversation_named(self, name: str) -> Any | None:
        """Among those that one may see."""
        page = await self.get(f"{EDITION}/conversations", name=name)
        return next(iter(page["_embedded"]["conversations"]), None)

    async def conversation(self, conversation_id: str) -> Any:
        return await self.get(f"{EDITION}/conversations/{quote(conversation_id)}")

    async def new_conversation(self, name: str) -> Any:
        return await self.call("POST", f"{EDITION}/conversations", {"name": name})

    async def own_member(self, conversation_id: str) -> Any | None:
        """The membership, joined or not; None if there is none or no such conversation."""
        try:
            return await self.get(f"{EDITION}/conversations/{quote(conversation_id)}/members/me")
        except Denied as denied:
            if denied.status == 404:
                return None
            raise

    async def join(self, conversation_id: str, user_name: str) -> Any:
        joining = {"state": "joined", "user": {"name": user_name}, "channel": _APP}
        path = f"{EDITION}/conversations/{quote(conversation_id)}/members"
        return await self.call("POST", path, joining)

    async def leave(self, conversation_id: str, member_id: str) -> None:
        await self.call("DELETE", f"{EDITION}/conversations/{conversation_id}/members/{member_id}")

    async def members(self, conversation_id: str) -> list[Any]:
        page = await self.get(f"{EDITION}/conversations/{conversation_id}/members", page_size=100)
        return list(page["_embedded"]["members"])

    async def newest_events(self, conversation_id: str, count: int) -> list[Any]:
        """The last ones, oldest first."""
        path = f"{EDITION}/conversations/{conversation_id}/events"
        page = await self.get(path, page_size=count, order="desc")
        return list(reversed(page["_embedded"]["events"]))

    async def events_from(self, conversation_id: str, first: int) -> list[Any]:
        """All from this number on."""
        path = f"{EDITION}/conversations/{conversation_id}/events"
        found: list[Any] = []
        while True:
            page = await self.get(path, page_size=100, order="asc", start_id=first)
            items = page["_embedded"]["events"]
            found += items
            if len(items) < 100:
                return found
            first = items[-1]["id"] + 1

    async def post_event(
        self, conversation_id: str, member_id: str, type_: str, body: object
    ) -> Any:
        path = f"{EDITION}/conversations/{conversation_id}/events"
        return await self.call("POST", path, {"type": type_, "from": member_id, "body": body})

    async def delete_event(self, conversation_id: str, member_id: str, number: int) -> None:
        path = f"{EDITION}/conversations/{conversation_id}/events/{number}?from={member_id}"
        await self.call("DELETE", path)
