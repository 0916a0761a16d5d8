"""The other ends of carriers by HTTP: a server on loopback that speaks each one's API."""

import asyncio
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

import msgspec
from tests.contracts.message_carrier import OURS, PATIENCE, FarMessage, Mood, Rig

from tertulia.app.carrier_requests import CarrierRequests
from tertulia.app.messaging import http_carrier
from tertulia.carriers.accounts import (
    Asking,
    GatewayAccount,
    InboundMap,
    MessengerAccount,
    ReceiptMap,
    Signature,
    ViberAccount,
    WhatsAppAccount,
)
from tertulia.carriers.doors import HttpCarrier
from tertulia.dispatch.target import TargetGuard
from tertulia.model.sending import MessageChannel, SendingStatus
from tertulia.ports.messaging import Knock

SECRET = "the secret"
HttpAccounts = WhatsAppAccount | MessengerAccount | ViberAccount | GatewayAccount


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Answer(NamedTuple):
    status: int
    told: object = None
    headers: str = ""

    @property
    def raw(self) -> bytes:
        body = self.told if isinstance(self.told, bytes) else msgspec.json.encode(self.told)
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n{self.headers}\r\n"
        return head.encode() + body


class Api(ABC):
    """How one carrier speaks."""

    channel: str

    @abstractmethod
    def account(self) -> HttpAccounts: ...

    @abstractmethod
    def said(self, request: Request) -> FarMessage | None:
        """The message of a request, without a name; None: it is no message."""

    @abstractmethod
    def taken(self, message: FarMessage) -> Answer: ...

    @abstractmethod
    def declined(self) -> Answer: ...

    @abstractmethod
    def congested(self) -> Answer: ...

    @abstractmethod
    def status(self, message: FarMessage, status: SendingStatus | None) -> Any: ...

    @abstractmethod
    def message(self, message: FarMessage) -> Any: ...

    @abstractmethod
    def signed(self, body: bytes) -> Knock: ...

    def ref(self, number: int) -> str:
        return f"ref.{number}"


def hmac256(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def told_as(headers: dict[str, str], body: bytes) -> Knock:
    return Knock("POST", {}, {"content-type": "application/json", **headers}, body)


class WhatsAppApi(Api):
    channel = "whatsapp"

    def account(self) -> WhatsAppAccount:
        return WhatsAppAccount(
            name="north", url="{simulated}/v21.0", token="token", secret=SECRET, verify="word",
            numbers={f"+{OURS}": "1061"},
        )  # fmt: skip

    def said(self, request: Request) -> FarMessage | None:
        assert request.path == "/v21.0/1061/messages"
        assert request.headers["authorization"] == "Bearer token"
        told = request.json
        assert told["messaging_product"] == "whatsapp"
        return FarMessage("", OURS, told["to"], told["text"]["body"]) if "to" in told else None

    def taken(self, message: FarMessage) -> Answer:
        contact = {"input": message.to, "wa_id": message.to}
        return Answer(200, {"contacts": [contact], "messages": [{"id": message.ref}]})

    def declined(self) -> Answer:
        error = {"message": "(#131030) Not in allowed list", "code": 131030}
        return Answer(400, {"error": error})

    def congested(self) -> Answer:
        return Answer(400, {"error": {"message": "Rate limit hit", "code": 130429}})

    def status(self, message: FarMessage, status: SendingStatus | None) -> Any:
        word = {"undeliverable": "failed", None: "read"}.get(status, status)
        told: dict[str, Any] = {"id": message.ref, "status": word, "recipient_id": message.to}
        if word == "failed":
            told["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
        return self._value(statuses=[told])

    def message(self, message: FarMessage) -> Any:
        told = {"from": message.from_, "id": message.ref, "type": "text",
                "text": {"body": message.text}}  # fmt: skip
        return self._value(
            contacts=[{"profile": {"name": "Ann"}, "wa_id": message.from_}], messages=[told]
        )

    def signed(self, body: bytes) -> Knock:
        return told_as({"x-hub-signature-256": f"sha256={hmac256(body)}"}, body)

    def _value(self, **told: Any) -> Any:
        metadata = {"display_phone_number": "+1 555-0199", "phone_number_id": "1061"}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **told}
        entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
        return {"object": "whatsapp_business_account", "entry": [entry]}


class MessengerApi(WhatsAppApi):
    channel = "messenger"

    def account(self) -> MessengerAccount:  # type: ignore[override]
        return MessengerAccount(
            name="page", url="{simulated}/v21.0", token="token", secret=SECRET, verify="word"
        )

    def said(self, request: Request) -> FarMessage | None:
        assert request.path == f"/v21.0/{OURS}/messages"
        told = request.json
        if "message" not in told:
            return None
        return FarMessage("", OURS, told["recipient"]["id"], told["message"]["text"])

    def taken(self, message: FarMessage) -> Answer:
        return Answer(200, {"recipient_id": message.to, "message_id": message.ref})

    def declined(self) -> Answer:
        told = {"message": "(#551) This person isn't available", "code": 551}
        return Answer(400, {"error": told})

    def congested(self) -> Answer:
        return Answer(400, {"error": {"message": "Too many calls", "code": 613}})

    def status(self, message: FarMessage, status: SendingStatus | None) -> Any:
        told = {"read": {"watermark": 1}} if status is None else {
            "delivery": {"mids": [message.ref], "watermark": 1}
        }  # fmt: skip
        return self._event(message.to, told)

    def message(self, message: FarMessage) -> Any:
        return self._event(message.from_, {"message": {"mid": message.ref, "text": message.text}})

    def _event(self, person: str, told: dict[str, Any]) -> Any:
        event = {"sender": {"id": person}, "recipient": {"id": OURS}, "timestamp": 1, **told}
        return {"object": "page", "entry": [{"id": OURS, "time": 1, "messaging": [event]}]}


class ViberApi(Api):
    channel = "viber"

    def account(self) -> ViberAccount:
        return ViberAccount(name="bot", url="{simulated}", token=SECRET, bot="shop", sender="Shop")

    def ref(self, number: int) -> str:
        return str(5_741_311_803_571_721_087 + number)

    def said(self, request: Request) -> FarMessage | None:
        assert (request.path, request.headers["x-viber-auth-token"]) == ("/pa/send_message", SECRET)
        told = request.json
        return FarMessage("", told["sender"]["name"], told["receiver"], told["text"])

    def taken(self, message: FarMessage) -> Answer:
        token = int(message.ref)
        return Answer(200, {"status": 0, "status_message": "ok", "message_token": token})

    def declined(self) -> Answer:
        return Answer(200, {"status": 6, "status_message": "receiverNotSubscribed"})

    def congested(self) -> Answer:
        return Answer(200, {"status": 12, "status_message": "tooManyRequests"})

    def status(self, message: FarMessage, status: SendingStatus | None) -> Any:
        word = {"undeliverable": "failed", None: "seen"}.get(status, status)
        told = {"event": word, "message_token": int(message.ref), "user_id": message.to}
        return {**told, "desc": "no such device"} if word == "failed" else told

    def message(self, message: FarMessage) -> Any:
        return {
            "event": "message", "message_token": int(message.ref), "timestamp": 1,
            "sender": {"id": message.from_, "name": "Ann"},
            "message": {"type": "text", "text": message.text},
        }  # fmt: skip

    def signed(self, body: bytes) -> Knock:
        return told_as({"x-viber-content-signature": hmac256(body)}, body)


class GatewayApi(Api):
    channel = "mms"

    def account(self) -> GatewayAccount:
        body = '{"messages": [{"to": "{to}", "from": "{from}", "text": "{text}"}]}'
        return GatewayAccount(
            name="gate", channels=(MessageChannel.MMS, MessageChannel.SMS),
            send=Asking("{simulated}/send?key={id}", headers={"X-Key": "k"}, body=body),
            read=Asking("{simulated}/read/{ref}"), ref="messages.0.id", reason="error.text",
            key="Idempotency-Key",
            signature=Signature(SECRET, header="X-Signed", kind="hmac-sha256", encoding="hex"),
            receipt=ReceiptMap(
                id="id", status="state", reason="why", code="code",
                words={"delivered": ("DONE",), "undeliverable": ("LOST",), "read": ("SEEN",)},
            ),
            inbound=InboundMap(id="id", text="text", when={"kind": "message"}),
        )  # fmt: skip

    def said(self, request: Request) -> FarMessage | None:
        if request.path.startswith("/read"):
            return None
        assert request.path == "/send?key=" + request.headers["idempotency-key"]
        told = request.json["messages"][0]
        return FarMessage("", told["from"], told["to"], told["text"])

    def taken(self, message: FarMessage) -> Answer:
        return Answer(202, {"messages": [{"id": message.ref}]})

    def declined(self) -> Answer:
        return Answer(422, {"error": {"text": "nobody has that number"}})

    def congested(self) -> Answer:
        return Answer(429, {}, "Retry-After: 3\r\n")

    def status(self, message: FarMessage, status: SendingStatus | None) -> Any:
        words = {"undeliverable": "lost", "delivered": "Done", None: "SEEN"}
        told = {"id": message.ref, "state": words.get(status), "code": 7}
        return {**told, "why": "it is off"} if status == "undeliverable" else told

    def message(self, message: FarMessage) -> Any:
        return {
            "id": message.ref, "from": message.from_, "to": f"+{message.to}", "kind": "message",
            "text": message.text,
        }  # fmt: skip

    def signed(self, body: bytes) -> Knock:
        return told_as({"x-signed": hmac256(body)}, body)


class HttpFar:
    """`scripted` answers come before all others, whatever is asked."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.requests: list[Request] = []
        self.scripted: deque[Answer] = deque()
        self.holds = False
        """Nobody is answered."""
        self.port = 0
        self.carrier: HttpCarrier
        self._moods: deque[Mood] = deque()
        self._came: asyncio.Queue[FarMessage] = asyncio.Queue()
        self._numbers = count(1)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def meets(self, mood: Mood) -> None:
        self._moods.append(mood)

    async def taken(self) -> FarMessage:
        async with asyncio.timeout(PATIENCE):
            return await self._came.get()

    async def tells(self, message: FarMessage, status: SendingStatus | None) -> bool:
        return await self._knock(self.api.status(message, status))

    async def brings(self, message: FarMessage) -> bool:
        return await self._knock(self.api.message(message))

    async def goes(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _knock(self, told: object) -> bool:
        knock = self.api.signed(msgspec.json.encode(told))
        return (await self.carrier.knock(knock)).status == 200

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await _read(reader):
                self.requests.append(request)
                answer = await self._answer(request)
                if answer is None:
                    break
                writer.write(answer.raw)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _answer(self, request: Request) -> Answer | None:
        """None: hang up."""
        if self.holds:
            await asyncio.Event().wait()
        if self.scripted:
            return self.scripted.popleft()
        said = self.api.said(request)
        if said is None:
            return Answer(200, {"success": True})
        mood = self._moods.popleft() if self._moods else None
        if mood is Mood.DECLINES:
            return self.api.declined()
        if mood is Mood.CONGESTED:
            return self.api.congested()
        message = said._replace(ref=self.api.ref(next(self._numbers)))
        self._came.put_nowait(message)
        if mood is Mood.TELLS_FIRST:
            assert await self.tells(message, SendingStatus.DELIVERED)
        return None if mood is Mood.VANISHES else self.api.taken(message)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    fields = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@asynccontextmanager
async def against(api: Api, account: HttpAccounts | None = None) -> AsyncIterator[HttpFar]:
    far = HttpFar(api)
    await far.listen()
    out = CarrierRequests(TargetGuard(("127.0.0.0/8",)))
    base = f"http://127.0.0.1:{far.port}"
    far.carrier = http_carrier(account or api.account(), out, lambda: base)
    try:
        yield far
    finally:
        await far.carrier.close()
        out.close()
        await far.goes()


@asynccontextmanager
async def rig(api: Api) -> AsyncIterator[Rig]:
    async with against(api) as far:
        yield Rig(far.carrier, far)
