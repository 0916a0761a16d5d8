"""The simulated messaging network, with carriers that only note what is told; time is virtual."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.dispatch.virtual import VirtualClock, run

from tertulia.model.sending import Content
from tertulia.phones import screens, texting
from tertulia.phones.handset import Deliver, Fail, Read, Refuse, Throttle
from tertulia.phones.handset_api import ANSWER_MAX, HandsetApi, listing, screen
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.screens import Message
from tertulia.phones.texting import News, NotWritten, Texting, file
from tertulia.protocols.http1 import Request

US = "15550199"


class Notes:
    """A carrier, and what happened there when."""

    def __init__(self) -> None:
        self.happened: list[tuple[float, Any]] = []
        self.is_shut = False

    def tell(self, message: Message, news: News) -> None:
        self._note((message.id, news))

    def bring(self, message: Message) -> None:
        if self.is_shut:
            raise NotWritten("nobody is there")
        self._note((message.from_, message.to, message.text))

    def _note(self, what: object) -> None:
        self.happened.append((round(asyncio.get_running_loop().time(), 3), what))


def play(scene: Callable[[Texting, Notes], Awaitable[None]], folder: Path | None = None) -> Notes:
    notes = Notes()

    async def whole() -> None:
        network = Texting(Handsetbook(folder), now=VirtualClock().now)
        network.attach(notes, "sms", "whatsapp", "viber")
        await scene(network, notes)
        network.close()

    run(whole())
    return notes


def sent(to: str, text: str = "Hello", channel: str = "whatsapp", name: str = "M1") -> Message:
    return Message(name, channel, US, to, Content("text", {"text": text}))


def test_each_thing_happens_at_its_time() -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        for at, number in enumerate(("15550110", "15550111", "15550113", "15550114", "15550115")):
            assert network.judge("whatsapp", number, "Hello") is None
            network.begin(sent(number, name=f"M{at}"))
        await asyncio.sleep(60)

    assert play(scene).happened == [
        (0.0, ("M0", Deliver(True))),
        (0.0, ("M3", Deliver(True))),
        (0.5, ("M3", Read(True))),
        (0.5, ("15550114", US, "Hello")),
        (1.0, ("M0", Read(True))),
        (2.0, ("M2", Fail("unreachable"))),
        (10.0, ("M1", Deliver(True))),
    ]


def test_screens_show_what_came_and_went() -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        network.begin(sent("+15550114", "Anybody?"))
        await asyncio.sleep(1)
        network.write("whatsapp", "15550114", US, file("image", "https://x.test/a.jpg", "Me"))
        shown = screen(network, "whatsapp", "15550114")
        told = [
            (each["direction"], each["status"], each.get("text"), each["message_type"])
            for each in shown["messages"]
        ]
        assert told == [
            ("in", "read", "Anybody?", "text"),
            ("out", "sent", "Anybody?", "text"),
            ("out", "sent", None, "image"),
        ]
        assert shown["messages"][2]["image"] == {"url": "https://x.test/a.jpg", "caption": "Me"}
        assert shown["about"].startswith("An echo")
        listed = listing(network)
        assert [each["address"] for each in listed["handsets"]] == ["15550114"]
        assert {"15550110", "15550117"} <= {each["number"] for each in listed["numbers"]}

    play(scene)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "SCREENS_MAX", 3)

    async def scene(network: Texting, notes: Notes) -> None:
        for at in range(300):
            network.begin(sent("1555", "x" * 10_000, name=f"A{at}"))
        assert len(network.screens.of("whatsapp", "1555")) == screens.MESSAGES_MAX
        newest = network.screens.of("whatsapp", "1555")[-1]
        assert newest.message.id == "A299"
        assert len(msgspec.json.encode(newest.document)) < screens.OCTETS_MAX + 500
        told = screen(network, "whatsapp", "1555")
        assert len(msgspec.json.encode(told)) < ANSWER_MAX + 500
        assert told["messages"][-1]["id"] == "A299"
        for number in ("1", "2", "3"):
            network.begin(sent(number))
        assert [address for _, address, _ in network.screens] == ["3", "2", "1"]

    play(scene)


def test_a_carrier_that_is_full_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texting, "COURSES_MAX", 2)

    async def scene(network: Texting, notes: Notes) -> None:
        for at in range(2):
            network.begin(sent("15550111", name=f"M{at}"))
        assert isinstance(network.judge("whatsapp", "15550110", ""), Throttle)
        await asyncio.sleep(10)
        assert network.judge("whatsapp", "15550110", "") is None

    play(scene)


def test_verdicts_are_by_address() -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        assert network.judge("sms", "15550112", "") == Refuse("unknown")
        tries = [network.judge("sms", "15550117", "") for _ in range(5)]
        assert [verdict is None for verdict in tries] == [False, False, False, True, True]
        assert network.judge("viber", "15550117", "") == Throttle(3)

    play(scene)


def test_a_message_is_taken_back_while_something_is_to_come() -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        network.begin(sent("15550111", name="M1"))
        assert network.revoke("M1")
        assert not network.revoke("M1")
        assert not network.revoke("other")
        await asyncio.sleep(60)

    assert play(scene).happened == []


def test_who_cannot_answer_does_not() -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        notes.is_shut = True
        network.begin(sent("15550114"))
        await asyncio.sleep(2)
        assert [each.direction for each in network.screens.of("whatsapp", "15550114")] == ["in"]

    play(scene)


@pytest.mark.parametrize(
    ("channel", "sender", "to", "content"),
    [
        ("pigeon", "1", "2", Content("text", {"text": "x"})),
        ("rcs", "1", "2", Content("text", {"text": "x"})),
        ("sms", "", "2", Content("text", {"text": "x"})),
        ("sms", "1", "\n", Content("text", {"text": "x"})),
        ("sms", "1", "2" * 201, Content("text", {"text": "x"})),
        ("sms", "1", "2", file("image", "https://x.test/a.jpg")),
    ],
)
def test_what_cannot_be_written(channel: str, sender: str, to: str, content: Content) -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        with pytest.raises(NotWritten):
            network.write(channel, sender, to, content)

    assert play(scene).happened == []


def test_a_picture_as_an_answer_where_there_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "15551234.toml").write_text(
        'about = "x"\n[[message]]\n'
        'do = [{ deliver = true }, { send = "https://x.test/a.jpg", caption = "c" }]\n'
    )

    async def scene(network: Texting, notes: Notes) -> None:
        network.begin(sent("15551234", channel="sms", name="S"))
        network.begin(sent("15551234", channel="viber", name="V"))

    told = [what for _, what in play(scene, tmp_path).happened]
    assert told == [("S", Deliver(True)), ("V", Deliver(True)), ("15551234", US, "c")]


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/handsets", {}, b"", 200),
        ("GET", "/handsets/sms/%2B15550110", {}, b"", 200),
        ("GET", "/handsets/pigeon/1", {}, b"", 404),
        ("GET", "/handsets/sms/1/2/3/4", {}, b"", 404),
        ("POST", "/handsets/sms/1/messages", JSON, b'{"to":"2","text":"Hi"}', 201),
        ("POST", "/handsets/viber/1/messages", JSON, b'{"to":"2","image":"https://x/a"}', 201),
        ("POST", "/handsets/viber/1/messages", JSON, b'{"to":"2","image":"file:///x"}', 400),
        ("POST", "/handsets/sms/1/messages", JSON, b'{"to":"2"}', 400),
        ("POST", "/handsets/sms/1/messages", JSON, b'{"to":"","text":"Hi"}', 400),
        ("POST", "/handsets/sms/1/messages", JSON, b"{", 400),
        ("POST", "/handsets/sms/1/messages", JSON, b"[" * 100_000, 400),
        ("POST", "/handsets/sms/1/messages", JSON, b'{"to":"2","text":"\xff"}', 400),
        ("POST", "/handsets/sms/1/messages", {}, b'{"to":"2","text":"Hi"}', 415),
        ("POST", "/handsets", JSON, b"{}", 404),
    ],
)
def test_handsets_over_http(
    method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    async def scene(network: Texting, notes: Notes) -> None:
        request = Request(method, path, path, "", headers, body=body)
        assert HandsetApi(network).answer(request).status == status

    assert len(play(scene).happened) == (status == 201)
