"""The usual cast of a scenario."""

from typing import Any

from tertulia.testing.world import World


async def user(world: World, name: str, **fields: Any) -> dict[str, Any]:
    answer = await world.call("POST", "/v1/users", {"name": name, **fields})
    assert answer.status == 201, answer.json
    made: dict[str, Any] = answer.json
    return made


async def conversation(world: World, **fields: Any) -> dict[str, Any]:
    answer = await world.call("POST", "/v1/conversations", fields)
    assert answer.status == 201, answer.json
    made: dict[str, Any] = answer.json
    return made


async def joined(world: World, cid: str, name: str, *, state: str = "joined") -> dict[str, Any]:
    """A new user of that name, as a member."""
    made = await user(world, name)
    answer = await world.call("POST", f"/v1/conversations/{cid}/members", {
        "state": state, "user": {"id": made["id"]}, "channel": {"type": "app"},
    })  # fmt: skip
    assert answer.status == 201, answer.json
    member: dict[str, Any] = answer.json
    return member


async def say(world: World, cid: str, member_id: str | None, text: str) -> dict[str, Any]:
    draft: dict[str, Any] = {"type": "message", "body": {"message_type": "text", "text": text}}
    if member_id is not None:
        draft["from"] = member_id
    answer = await world.call("POST", f"/v1/conversations/{cid}/events", draft)
    assert answer.status == 201, answer.json
    event: dict[str, Any] = answer.json
    return event
