"""Requests of a run: each on a connection of its own, with a token of its own, and noted."""

import asyncio
import time
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace
from tests.system.caller import Caller, Dropped
from tests.system.chaos.history import UNKNOWN, Answered, Asked, History

from tertulia.devkit import DevDocument
from tertulia.protocols.jwt import load_private_key, mint

PATIENCE_S = 12.0
"""Of one who waits for an answer; a node that forwards waits less."""


class Reply(NamedTuple):
    status: int
    members: dict[str, Any]
    code: str | None = None

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Asker:
    """Speaks for one application. `document` is of the balancer."""

    def __init__(self, document: DevDocument, history: History) -> None:
        self.document = document
        self.history = history
        self._key = load_private_key(Path(document.private_key_file).read_text())

    @property
    def application_id(self) -> str:
        return self.document.application_id

    def token(self, user: str | None = None) -> str:
        now = int(time.time())
        claims = {
            "application_id": self.application_id, "iat": now, "exp": now + 3600,
            "jti": str(uuid4()), **({"sub": user} if user else {}),
        }  # fmt: skip
        return mint(self._key, claims)

    async def call(
        self, method: str, path: str, body: object = None, *, url: str | None = None
    ) -> Reply:
        """At the balancer, or at `url`; status UNKNOWN when there is no answer."""
        document = replace(self.document, api_url=url or self.document.api_url)
        try:
            async with asyncio.timeout(PATIENCE_S), Caller(document, self.token()) as caller:
                answer = await caller.call(method, path, body)
        except TimeoutError:
            return Reply(UNKNOWN, {}, "timeout")
        except Dropped:
            return Reply(UNKNOWN, {}, "dropped")
        members = msgspec.json.decode(answer.raw) if answer.raw else {}
        code = members.get("code") if answer.status >= 400 else None
        return Reply(answer.status, members, code)

    async def change(self, method: str, path: str, asked: Asked, body: object = None) -> Reply:
        """As `call`, and noted before and after."""
        self.history.note(asked)
        reply = await self.call(method, path, body)
        said = reply.members.get("body")
        made = reply.members.get("id") if asked.deed == "message" and reply.is_good else None
        self.history.note(Answered(
            self.history.now, asked.request, reply.status, reply.code, made,
            said.get("text") if isinstance(said, dict) else None,
        ))  # fmt: skip
        return reply

    async def settle(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What is done before the run, and has to be done."""
        reply = await self.call(method, path, body)
        assert reply.is_good, (method, path, reply)
        return reply.members


def make_application(document: DevDocument, number: int, event_url: str) -> DevDocument:
    """One more of the account, with the key of the first; its document."""
    private = load_private_key(Path(document.private_key_file).read_text())
    body = {
        "name": f"application {number}", "keys": {"public_key": _public(private)},
        "capabilities": {"rtc": {"webhooks": {
            "event_url": {"address": event_url, "http_method": "POST"},
        }}},
    }  # fmt: skip
    credentials = b64encode(f"{document.api_key}:{document.api_secret}".encode()).decode()
    request = Request(
        f"{document.api_url}/v2/applications", method="POST", data=msgspec.json.encode(body),
        headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urlopen(request, timeout=PATIENCE_S) as answer:
        made = msgspec.json.decode(answer.read())
    return replace(document, application_id=made["id"])


def _public(private: Any) -> str:
    pem: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()
