"""The usual cast of a scenario, and what is asked again and again."""

from base64 import b64encode
from typing import Any

from tertulia.protocols.jwt import load_private_key, mint
from tertulia.testing.world import Answer, World

ORIGIN = "https://tertulia.test"
ACCOUNT = {"authorization": f"Basic {b64encode(b'key:secret').decode()}"}
NOBODY = {"authorization": ""}
EVENTS = "/v1/conversations/CON-1/events"
OLDER = "/v0.3/conversations/CON-1/events"

INVALID = "http:error:validation-fail"
NO_CONVERSATION = "conversation:error:not-found"
NO_MEMBER = "conversation:error:member-not-found"
NO_EVENT = "event:error:not-found"
NO_USER = "user:error:not-found"
NOT_GRANTED = "system:error:permission"
WRONG_STATE = "conversation:error:invalid-member-state"

TARGETS: dict[str, dict[str, Any]] = {
    "message": {"message_type": "text", "text": "Hi"}, "text": {"text": "Hi"},
    "image": {"representations": {"id": "x"}},
}  # fmt: skip
"""A message of each generation: what reports are about."""


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


def entrance(name: str, state: str = "joined", **fields: Any) -> dict[str, Any]:
    """The body that makes a user of that name a member."""
    return {"state": state, "user": {"name": name}, "channel": {"type": "app"}, **fields}


async def joined(world: World, cid: str, name: str, *, state: str = "joined") -> dict[str, Any]:
    """A new user of that name, as a member."""
    await user(world, name)
    answer = await world.call("POST", f"/v1/conversations/{cid}/members", entrance(name, state))
    assert answer.status == 201, answer.json
    member: dict[str, Any] = answer.json
    return member


async def room(world: World) -> None:
    """CON-1 with alice (MEM-1) and bob (MEM-2) in it: events 1 and 2."""
    await conversation(world)
    await joined(world, "CON-1", "alice")
    await joined(world, "CON-1", "bob")


def text(words: str, member_id: str | None = None) -> dict[str, Any]:
    """The body that says something."""
    draft: dict[str, Any] = {"type": "message", "body": {"message_type": "text", "text": words}}
    return draft if member_id is None else {**draft, "from": member_id}


async def say(world: World, cid: str, member_id: str | None, words: str) -> dict[str, Any]:
    answer = await world.call("POST", f"/v1/conversations/{cid}/events", text(words, member_id))
    assert answer.status == 201, answer.json
    event: dict[str, Any] = answer.json
    return event


async def post(
    world: World, name: str, body: dict[str, Any], sender: str | None = "MEM-1", **how: Any
) -> Answer:
    draft = {"type": name, "body": body, "from": sender}
    return await world.call("POST", OLDER, draft, **how)


async def history(world: World, cid: str) -> list[dict[str, Any]]:
    """All events of a conversation, as REST shows them."""
    found: list[dict[str, Any]] = []
    for page in await pages(world, f"/v0.3/conversations/{cid}/events?page_size=100", "events"):
        found += page
    return found


async def pages(
    world: World, target: str, collection: str, *, link: str = "next", **how: Any
) -> list[list[dict[str, Any]]]:
    """The pages of a list, from `target` on along their links."""
    found: list[list[dict[str, Any]]] = []
    while target:
        answer = await world.call("GET", target, **how)
        assert answer.status == 200, answer.json
        found.append(answer.json["_embedded"][collection])
        target = following(answer, link)
    return found


def following(answer: Answer, link: str = "next") -> str:
    """Where a link of a page leads, without the origin; empty when the page has no such link."""
    href: str = answer.json["_links"].get(link, {}).get("href", "")
    return href.removeprefix(ORIGIN)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def blamed(answer: Answer) -> str:
    """The parameter that a 400 names."""
    assert refusal(answer) == (400, INVALID), answer.json
    name: str = answer.json["invalid_parameters"][0]["name"]
    return name


class Stranger:
    """Another application of the same account."""

    def __init__(self, made: dict[str, Any], world: World) -> None:
        self.id: str = made["id"]
        self._key = load_private_key(made["keys"]["private_key"])
        self._world = world
        self._count = 0

    def token(self, **claims: Any) -> str:
        self._count += 1
        now = self._world.clock.time // 1000
        told = {"application_id": self.id, "iat": now, "exp": now + 900, **claims}
        return mint(self._key, {"jti": f"stranger-{self._count}", **told})


async def stranger(world: World) -> Stranger:
    answer = await world.call("POST", "/v2/applications", {"name": "stranger"}, headers=ACCOUNT)
    assert answer.status == 201, answer.json
    return Stranger(answer.json, world)
