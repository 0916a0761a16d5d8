"""`tertulia dev` as its contract has it: dev.json, secrets, second starts, the end, the tools."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.system.books import SECRET
from tests.system.caller import Caller
from tests.system.conftest import Kept, Plant
from tests.system.receiver import Receiver
from tests.system.tree import STOPPED_WITHIN, Tree, plain_environment, until

from tertulia.devkit import DevDocument
from tertulia.model.events.registry import all_types

pytestmark = pytest.mark.system

SECRETS = ("dev.json", "account.json", "private.key", "ca.key", "server.key", "tertulia.db",
           "dispatch.db")  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """One for the tests that only look."""
    tree = Tree(tmp_path_factory.mktemp("dev"))
    tree.start()
    yield tree
    assert tree.terminate() == 0


def tertulia(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tertulia", *arguments],
        env=plain_environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def fetch(url: str, context: ssl.SSLContext | None = None) -> str:
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        content: bytes = answer.read()
    return content.decode()


# --- what a start makes ---


def test_it_serves_where_it_says(tree: Tree) -> None:
    document = tree.document()
    assert document.pid == tree.supervisor.pid
    assert urlsplit(document.api_url).port not in (0, urlsplit(document.api_url_tls).port)
    trusting = ssl.create_default_context(cafile=document.ca_file)
    for url, context in ((document.api_url, None), (document.api_url_tls, trusting)):
        assert json.loads(fetch(f"{url}/healthz", context)) == {"status": "up"}
        assert json.loads(fetch(f"{url}/readyz", context)) == {"status": "ready"}


def test_secrets_are_for_their_owner_only(tree: Tree) -> None:
    open_to_others = [name for name in SECRETS if (tree.data / name).stat().st_mode & 0o077]
    assert open_to_others == []
    assert tree.data.stat().st_mode & 0o077 == 0


def test_a_second_start_keeps_identity_and_history(plant: Plant, kept: Kept) -> None:
    tree = plant(**kept.settings)
    first = tree.start()
    made = asyncio.run(_conversation(first, "kept"))
    assert tree.terminate() == 0
    second = tree.start()
    for name in ("application_id", "api_key", "api_secret", "signature_secret", "ca_file"):
        assert getattr(second, name) == getattr(first, name)
    asyncio.run(_see(second, made["id"]))


async def _conversation(document: DevDocument, name: str) -> Any:
    async with Caller(document) as caller:
        return await caller.post("/v1/conversations", {"name": name})


async def _see(document: DevDocument, conversation: str) -> None:
    async with Caller(document) as caller:
        await caller.get(f"/v1/conversations/{conversation}")


# --- what a start refuses ---


def test_a_second_server_on_the_same_data_is_refused(plant: Plant) -> None:
    first, second = plant(), plant()
    document = first.start()
    second.spawn()
    assert second.supervisor.wait(15) == 2
    assert f"{first.data} is in use by another server" in second.told()
    assert json.loads(fetch(f"{document.api_url}/readyz")) == {"status": "ready"}


def test_a_port_that_is_taken_is_told(plant: Plant, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        tree = plant("--http-port", str(port))
        tree.spawn()
        assert tree.supervisor.wait(15) == 1
    assert "address already in use" in tree.told()


def test_a_wrong_setting_is_named(plant: Plant) -> None:
    tree = plant(TERTULIA_HTTP__PROT="1")
    tree.spawn()
    assert tree.supervisor.wait(15) == 2
    assert "there is no setting http.prot" in tree.told()


# --- how it ends ---


def test_sigterm_lets_a_request_in_flight_finish(plant: Plant) -> None:
    tree = plant()
    document = tree.start()
    address = urlsplit(document.api_url)
    token = tertulia("token", "--data", str(tree.data)).stdout.strip()
    body = b'{"name": "just in time"}'
    with socket.create_connection((address.hostname, address.port or 0), 10) as line:
        head = (
            f"POST /v1/conversations HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        line.sendall(head.encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 100 ")
        began = time.monotonic()
        tree.supervisor.terminate()
        until("no more connections", lambda: not _accepts(address.hostname, address.port))
        line.sendall(body)
        answer = line.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"connection: close" in answer.lower()
    assert tree.supervisor.wait(STOPPED_WITHIN) == 0
    assert time.monotonic() - began < STOPPED_WITHIN
    made = json.loads(answer.partition(b"\r\n\r\n")[2])
    asyncio.run(_see(tree.start(), made["id"]))


def _accepts(host: str | None, port: int | None) -> bool:
    try:
        socket.create_connection((host, port or 0), 1).close()
    except OSError:
        return False
    return True


def test_sigterm_does_not_wait_for_who_says_nothing(plant: Plant) -> None:
    """Idle connections, a request that never comes to its end, a receiver that never answers."""

    async def scenario() -> None:
        stuck = await asyncio.start_server(_never_answer, "127.0.0.1", 0)
        async with stuck:
            port = stuck.sockets[0].getsockname()[1]
            tree = plant("--event-url", f"http://127.0.0.1:{port}/")
            document = await asyncio.to_thread(tree.start)
            await _conversation(document, "unheard")
            address = urlsplit(document.api_url)
            lines = [
                await asyncio.open_connection(address.hostname, address.port) for _ in range(3)
            ]
            lines[0][1].write(
                b"POST /v1/users HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{"
            )
            assert await asyncio.to_thread(tree.terminate) == 0
            for _, writer in lines:
                writer.close()

    asyncio.run(scenario())


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


# --- what it shows and tells ---


def test_it_describes_itself(tree: Tree) -> None:
    url = tree.document().api_url
    openapi = json.loads(fetch(f"{url}/openapi.json"))
    assert openapi["openapi"].startswith("3.1")
    assert "/v1/conversations/{conversation_id}/events" in openapi["paths"]
    assert json.loads(fetch(f"{url}/asyncapi.json"))["asyncapi"].startswith("3.")
    assert 'tertulia_http_requests_total{status="2xx"}' in fetch(f"{url}/metrics")


def test_the_token_command_speaks_for_the_application(tree: Tree) -> None:
    token = tertulia("token", "--data", str(tree.data), "--ttl", "60").stdout.strip()

    async def look() -> None:
        async with Caller(tree.document(), token) as caller:
            await caller.get("/v1/users")

    asyncio.run(look())


def test_there_is_no_token_without_a_server(tmp_path: Path) -> None:
    done = tertulia("token", "--data", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "start `tertulia dev` first" in done.stderr


def test_the_events_command_lists_the_catalogue() -> None:
    rows = json.loads(tertulia("events", "--json").stdout)
    types = {row["type"] for row in rows}
    assert {row.name for row in all_types()} <= types
    assert "audio:earmuff:on" in tertulia("events").stdout


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tertulia", "events", "--json"],
        env=plain_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as listing:  # fmt: skip
        assert listing.stdout is not None and listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 141


# --- webhooks, end to end ---


def test_a_webhook_arrives_is_listed_and_sent_again(plant: Plant) -> None:
    async def scenario() -> None:
        receiver = Receiver()
        async with receiver.listening() as url:
            tree = plant("--event-url", url, TERTULIA_ACCOUNT__SIGNATURE_SECRET=SECRET)
            document = await asyncio.to_thread(tree.start)
            made = await _conversation(document, "told")
            await _until_requests(receiver, 1)
            data = ("--data", str(tree.data))
            await _until_listed(data)
            async with Caller(document) as caller:
                path = "/tertulia/v1/webhooks"
                (attempt,) = (await caller.get(f"{path}/attempts"))["attempts"]
                assert (attempt["type"], attempt["delivered"]) == ("conversation:created", True)
                assert (await caller.get(f"{path}/dead-letters"))["dead_letters"] == []
                asked = {"position": attempt["position"]}
                answer = await caller.call("POST", f"{path}/replay", asked)
                assert answer.status == 202
                await _until_requests(receiver, 2)
            asked_too = ("webhooks", "replay", *data, "--position", str(attempt["position"]))
            replay = await asyncio.to_thread(tertulia, *asked_too)
            assert replay.returncode == 0, replay.stderr
            await _until_requests(receiver, 3)
            nothing = await asyncio.to_thread(tertulia, "webhooks", "replay", *data)
            assert (nothing.returncode, nothing.stdout) == (2, "")
            assert '"position" or' in nothing.stderr
            listed = await asyncio.to_thread(tertulia, "webhooks", "attempts", *data)
            assert json.loads(listed.stdout.splitlines()[-1]) == attempt
            letters = await asyncio.to_thread(tertulia, "webhooks", "dead-letters", *data)
            assert (letters.returncode, letters.stdout) == (0, "")
            assert await asyncio.to_thread(tree.terminate) == 0
        assert (receiver.books.faults, receiver.books.repeats) == ([], 2)
        assert made["id"].startswith("CON-")

    asyncio.run(scenario())


async def _until_requests(receiver: Receiver, wanted: int) -> None:
    await asyncio.to_thread(until, "requests", lambda: receiver.books.requests >= wanted)


async def _until_listed(data: tuple[str, str]) -> None:
    """What was sent is written down a moment later."""
    await asyncio.to_thread(
        until, "attempts", lambda: bool(tertulia("webhooks", "attempts", *data).stdout)
    )
