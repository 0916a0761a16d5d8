"""A small REST client for what has to be there before the measuring begins."""

import http.client
from typing import Any

import msgspec

from bench.load import Target
from bench.places import Failed

MESSAGE = (
    '{"type":"message","from":"{w}","body":{"message_type":"text",'
    '"text":"TS={t} N={n} Good morning everybody, the train is late, start without me, please"}}'
)
"""Body template of load.c: a text of about 100 bytes from a joined member."""


class Refused(Failed):
    """The server did not answer 2xx."""


class Rest:
    """One keep-alive connection with one token."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, msgspec.json.encode(body))

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if not 200 <= response.status < 300:
            raise Refused(f"{method} {path}: {response.status} {content[:500].decode()}")
        return msgspec.json.decode(content)


def populate(rest: Rest, conversations: int) -> list[Target]:
    """Conversations with one joined member each, as targets to post events to."""
    user = rest.post("/v1/users", {"name": "bench"})["id"]
    return [_conversation(rest, number, user) for number in range(conversations)]


def _conversation(rest: Rest, number: int, user: str) -> Target:
    path = f"/v1/conversations/{rest.post('/v1/conversations', {'name': f'bench-{number}'})['id']}"
    join = {"state": "joined", "user": {"id": user}, "channel": {"type": "app"}}
    return Target(f"{path}/events", rest.post(f"{path}/members", join)["id"])


def stored(rest: Rest, targets: list[Target]) -> int:
    """Events that the conversations have by their own count."""
    return sum(
        rest.get(target.path.removesuffix("/events"))["sequence_number"] for target in targets
    )
