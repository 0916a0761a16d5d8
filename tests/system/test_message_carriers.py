"""Carriers that are not there, that never tell, and whose webhooks are forged: on a running server,
what is handed to whom, and how each message ends."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import pytest
from tests.phones.carriers_stage import ask
from tests.system.accounting import opened, whole_log
from tests.system.caller import Caller
from tests.system.post import AGAIN, OWN, PATIENCE, account, books, send, smsc, wanted, write_plan
from tests.system.program import Program
from tests.system.simulated import wait_for_phones
from tests.system.sipp_party import free_port
from tests.system.tree import Tree

from tertulia.carriers.http import mac
from tertulia.carriers.simulated import SIMULATED
from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

DOUBLED, MUTE, DEAD = "15550201", "15550202", "15550203"
"""Senders: one with two carriers, and those whose carrier never tells, and is not there."""
TTL = 20
"""Seconds: the shortest that there is."""
PERSON, SILENT = "447700900123", "447715550115"
"""The latter is a handset of which nothing is ever told."""
FATE = "/tertulia/v1/messages/"


class Place:
    """The server, and where its carriers are looked for."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in ("first", "second", "mute", "dead")}
        told: dict[str, dict[str, Any]] = {
            "first": {"senders": [DOUBLED]}, "second": {"senders": [DOUBLED]},
            "mute": {"senders": [MUTE], "patience": 1.0}, "dead": {"senders": [DEAD]},
        }  # fmt: skip
        accounts = [account(name, self.ports[name], **more) for name, more in told.items()]
        channels = ["sms"]
        plan = write_plan(folder, *(f"{each}channels = {channels}\n" for each in accounts))
        self.tree = Tree(folder, environment=plan)
        self.document: DevDocument = self.tree.start()
        self.expiring = asyncio.run(self._send_to_nobody())

    async def _send_to_nobody(self) -> str:
        async with Caller(self.document) as caller:
            return await send(caller, wanted(PERSON, "Soon", from_=DEAD, ttl=TTL))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("carriers"))
    yield made
    made.tree.end()


async def becomes(caller: Caller, message: str, status: str) -> dict[str, Any]:
    """What is known of it then; for each status there is one way to another at most."""
    told: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while told.get("status") != status:
            found = await caller.get(FATE + message)
            told = {**found["message"], "carrier": found["carrier"]}
            await asyncio.sleep(AGAIN)
    return told


async def is_seen(caller: Caller, carrier: str, state: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await caller.get("/tertulia/v1/message-carriers")
            if (carrier, state) in [(each["name"], each["state"]) for each in found["carriers"]]:
                return
            await asyncio.sleep(AGAIN)


async def by(caller: Caller, text: str) -> str:
    """The carrier by which this has arrived."""
    message = await send(caller, wanted(PERSON, text, from_=DOUBLED))
    return str((await becomes(caller, message, "delivered"))["carrier"])


async def is_used(caller: Caller, carrier: str) -> None:
    """Again: a moment after it has come back."""
    await is_seen(caller, carrier, "up")
    async with asyncio.timeout(PATIENCE):
        while await by(caller, f"By {carrier}? {uuid4()}") != carrier:  # noqa: ASYNC110
            await asyncio.sleep(AGAIN)


def test_the_second_carries_while_the_first_is_dead(place: Place) -> None:
    async def scenario() -> None:
        async with Caller(place.document) as caller:
            waiting = await send(caller, wanted(PERSON, "Early", from_=DOUBLED))
            async with smsc(place.ports["second"]) as second:
                assert (await becomes(caller, waiting, "delivered"))["carrier"] == "second"
                assert await by(caller, "one") == "second"
                for number in range(2):
                    async with smsc(place.ports["first"]) as first:
                        await is_used(caller, "first")
                        assert await by(caller, f"first {number}") == "first"
                        assert (await first.ask()).taken[-1] == (PERSON, f"first {number}")
                    await is_seen(caller, "first", "down")
                    assert await by(caller, f"second {number}") == "second"
                texts = [text for _, text in (await second.ask()).taken if text[:3] != "By "]
                assert texts == ["Early", "one", "second 0", "second 1"]

    asyncio.run(scenario())


def test_a_carrier_that_never_tells(place: Place) -> None:
    """What it tells when it is too late changes nothing."""

    async def scenario() -> None:
        async with (
            Program.serving() as program,
            Caller(place.document) as caller,
            smsc(place.ports["mute"]) as carrier,
        ):
            await carrier.ask("mute")
            await is_seen(caller, "mute", "up")
            hook = f"{program.url}/status"
            message = await send(caller, wanted(PERSON, "Hm", from_=MUTE, webhook_url=hook))
            told = await becomes(caller, message, "undeliverable")
            assert (told["carrier"], told["error"]["title"]) == ("mute", "1360")
            await carrier.ask("speak")
            async with asyncio.timeout(PATIENCE):
                while (await carrier.ask()).unheard:  # noqa: ASYNC110
                    await asyncio.sleep(AGAIN)
            await becomes(caller, message, "undeliverable")
            await program.has_told("/status", status="undeliverable")
            statuses = [each["status"] for each in program.of("/status")]
            assert statuses == ["submitted", "undeliverable"]

    asyncio.run(scenario())


class Way(NamedTuple):
    """How a carrier by HTTP tells, and signs."""

    channel: str
    header: str
    prefix: str
    failed: Any
    """Document that tells so of the message REF."""
    said: Any
    """Document of a message."""

    def document(self, form: Any, ref: str) -> bytes:
        return msgspec.json.encode(form).replace(b"REF", ref.encode())

    def signed(self, body: bytes, secret: str = SIMULATED) -> dict[str, str]:
        return {self.header: self.prefix + mac(secret, body)}


def graph(value: Mapping[str, Any]) -> Any:
    return {"entry": [{"changes": [{"field": "messages", "value": value}]}]}


WAYS = (
    Way(
        "whatsapp", "X-Hub-Signature-256", "sha256=",
        graph({"statuses": [{"id": "REF", "status": "failed"}]}),
        graph({
            "metadata": {"display_phone_number": OWN},
            "messages": [{"id": "REF", "from": PERSON, "type": "text", "text": {"body": "Hi"}}],
        }),
    ),
    Way(
        "viber", "X-Viber-Content-Signature", "",
        {"event": "failed", "message_token": "REF", "desc": "no"},
        {"event": "message", "message_token": "REF", "sender": {"id": PERSON},
         "message": {"type": "text", "text": "Hi"}},
    ),
    Way(
        "mms", "X-Signature", "sha256=",
        {"id": "REF", "status": "undeliverable"},
        {"id": "REF", "channel": "mms", "from": PERSON, "to": OWN,
         "content": {"message_type": "text", "text": "Hi"}},
    ),
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.channel)
def test_what_is_forged_changes_nothing(place: Place, way: Way) -> None:
    """And the same, signed by the carrier, does."""

    async def scenario() -> None:
        path = f"/carriers/simulated-{way.channel}"
        port = urlsplit(place.document.api_url).port or 0
        async with Caller(place.document) as caller, opened(place.tree.data) as store:
            message = await send(caller, wanted(SILENT, "Hello", channel=way.channel))
            await becomes(caller, message, "submitted")
            sending = await store.sending(message)  # type: ignore[arg-type]
            assert sending is not None
            failed = way.document(way.failed, sending.refs[0])
            said = way.document(way.said, f"in-{uuid4()}")
            before = await whole_log(store)
            for body in (failed, said):
                other = way.signed(body + b" ")
                for headers in ({}, {way.header: ""}, way.signed(body, "simulate"), other):
                    assert (await ask_raw(port, path, body, headers)) == 401
            assert await whole_log(store) == before
            await becomes(caller, message, "submitted")
            for body in (failed, said):
                assert (await ask_raw(port, path, body, way.signed(body))) == 200
            await becomes(caller, message, "undeliverable")
            told = Counter(each.type for each in (await whole_log(store))[len(before) :])
            assert told["custom:tertulia:message"] >= 2

    wait_for_phones(place.tree.data)
    asyncio.run(scenario())


async def ask_raw(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    status, _ = await ask(port, "POST", path, msgspec.Raw(body), **headers)
    return status


def test_a_message_that_waits_too_long(place: Place) -> None:
    """It is told once, and is not sent when its carrier comes."""

    async def scenario() -> None:
        async with Caller(place.document) as caller:
            told = await becomes(caller, place.expiring, "undeliverable")
            assert told["error"]["title"] == "1360"
            async with smsc(place.ports["dead"]) as carrier:
                await is_seen(caller, "dead", "up")
                after = await send(caller, wanted(PERSON, "Later", from_=DEAD))
                await becomes(caller, after, "delivered")
                assert [text for _, text in (await carrier.ask()).taken] == ["Later"]
        await books(place.tree.data)

    asyncio.run(scenario())
