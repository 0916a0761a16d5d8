"""The way into a conversation: the user, the conversation that is meant, the membership."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from tertulia.client.asking import EDITION, ChatRest
from tertulia.client.rest import Denied

_DUPLICATE = ("conversation:error:duplicate-name", "user:error:duplicate-name")


class ChatFailed(Exception):
    """The chat cannot begin or go on; the message says why."""


class Directions(NamedTuple):
    """What the command line asks for."""

    name: str
    """Of the user."""
    conversation: str | None
    """Its id or its name; None for the only one that the user is in."""
    new: str | None
    """Name of a conversation to be made."""


class Place(NamedTuple):
    conversation_id: str
    title: str
    member_id: str


async def ensure_user(host: ChatRest, name: str) -> None:
    """Make the user if there is none of that name. `host` speaks for the application."""
    try:
        await host.get(f"{EDITION}/users/{quote(name, safe='')}")
        return
    except Denied as denied:
        if denied.status != 404:
            raise
    try:
        await host.call("POST", f"{EDITION}/users", {"name": name})
    except Denied as denied:
        if denied.code not in _DUPLICATE:  # somebody else was faster
            raise


async def enter(rest: ChatRest, host: ChatRest, user_id: str, directions: Directions) -> Place:
    """Find or make the conversation, and join it. `host` sees conversations that `rest`, the
    user, may not be in yet. Raises ChatFailed."""
    conversation_id = await _conversation(rest, host, user_id, directions)
    try:
        own = await rest.own_member(conversation_id)
        if own is None or own["state"] != "JOINED":
            own = await rest.join(conversation_id, directions.name)
        found = await rest.conversation(conversation_id)
    except Denied as denied:
        raise ChatFailed(f"{conversation_id}: {denied}") from None
    return Place(conversation_id, found.get("display_name") or found["name"], own["id"])


async def _conversation(
    rest: ChatRest, host: ChatRest, user_id: str, directions: Directions
) -> str:
    if directions.new is not None:
        return await _made(rest, directions.new)
    wanted = directions.conversation
    if wanted is None:
        return _only(directions.name, await rest.own_conversations(user_id))
    if wanted.startswith("CON-"):
        return wanted
    found = await host.conversation_named(wanted)
    if found is None:
        raise ChatFailed(f"there is no conversation {wanted}; --new {wanted} makes it")
    return str(found["id"])


async def _made(rest: ChatRest, name: str) -> str:
    try:
        return str((await rest.new_conversation(name))["id"])
    except Denied as denied:
        if denied.code in _DUPLICATE:
            raise ChatFailed(
                f"there is a conversation {name} already; join it without --new"
            ) from None
        raise ChatFailed(f"{name}: {denied}") from None


def _only(name: str, conversations: Sequence[Any]) -> str:
    if len(conversations) == 1:
        return str(conversations[0]["id"])
    if not conversations:
        raise ChatFailed(f"{name} is in no conversation; --new NAME makes one")
    listed = "\n".join(f"  {each['id']}  {each['name']}" for each in conversations)
    raise ChatFailed(f"{name} is in several conversations; say which:\n{listed}")
