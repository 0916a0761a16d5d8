"""The phones part alone, as the supervisor starts it: its carriers in their own protocols."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.phones.carriers_stage import US, Esme, Hub, ask
from tests.system.test_phones import Phones

from tertulia.app.whereabouts import HUB, Whereabouts, note
from tertulia.phones.control import told
from tertulia.protocols.smpp.names import State
from tertulia.protocols.smpp.pdu import Named
from tertulia.protocols.smpp.receipt import read_receipt

pytestmark = pytest.mark.system

MINE = 'about = "Mine"\n[[message]]\ndo = [{ deliver = true }, { reply = "{text}!" }]\n'
BEARER = {"Authorization": "Bearer simulated"}


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    made = Phones(tmp_path_factory.mktemp("carriers"))
    handsets = made.data.parent / "files" / "handsets"
    handsets.mkdir()
    (handsets / "15551234.toml").write_text(MINE)
    yield made
    made.end()


def test_messages_by_sms_and_their_receipts(phones: Phones) -> None:
    async def scene() -> None:
        esme = await Esme.bound(phones.where().smpp)
        answer = await esme.submit("15550110")
        receipt = read_receipt(await esme.bring())
        assert isinstance(answer.body, Named) and receipt is not None
        assert (receipt.message_id, receipt.state) == (answer.body.id, State.DELIVERED)
        esme.ask("15551234", registered_delivery=0)
        assert (await esme.bring()).short_message == b"Hello!"
        esme.leave()

    asyncio.run(scene())


def test_what_a_chat_channel_tells_goes_to_the_hub(phones: Phones, tmp_path: Path) -> None:
    async def scene() -> None:
        hub = Hub()
        await hub.open()
        assert hub.port is not None
        note(phones.data / HUB, Whereabouts(5060, phones.process.pid, http=hub.port))
        draft = {"messaging_product": "whatsapp", "to": "15550110", "type": "text",
                 "text": {"body": "Hello"}}  # fmt: skip
        path = f"/graph/v21.0/{US}/messages"
        status, _ = await ask(phones.where().http, "POST", path, draft, **BEARER)
        assert status == 200
        words = []
        for _ in range(3):
            value = (await hub.hear()).body["entry"][0]["changes"][0]["value"]
            words.append(value["statuses"][0]["status"])
        assert words == ["sent", "delivered", "read"]
        await hub.server.drain(1)

    asyncio.run(scene())


def test_handsets_are_seen_and_write_by_http_and_by_the_socket(phones: Phones) -> None:
    async def scene() -> None:
        port = phones.where().http
        writing = {"to": US, "text": "By HTTP"}
        assert (await ask(port, "POST", "/handsets/sms/15550120/messages", writing))[0] == 201
        assert (await told(phones.data, f"text sms 15550120 {US} By the  socket é")).startswith(
            "sent "
        )
        _, seen = await ask(port, "GET", "/handsets/sms/15550120")
        texts = [each["text"] for each in seen["messages"]]
        assert texts == ["By HTTP", "By the  socket é"]
        assert json.loads(await told(phones.data, "handset sms 15550120")) == seen
        listed = json.loads(await told(phones.data, "handsets"))
        assert "15550120" in [each["address"] for each in listed["handsets"]]
        assert (await told(phones.data, "text pigeon 1 2 x")).startswith("refused ")
        assert await told(phones.data, "text sms 1 2") == "refused this is no command"

    asyncio.run(scene())
