"""The SMPP carrier against an SMSC over loopback."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.carriers.smsc import Smsc

from tertulia.carriers.smpp import SmppAccount, SmppCarrier
from tertulia.carriers.smpp_repeats import Repeats
from tertulia.devkit.authority import ensure_certificate, server_ssl_context
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.sending import (
    Arrival,
    Content,
    Order,
    Outcome,
    Sending,
    SendingStatus,
)
from tertulia.ports.messaging import Congested, Declined, OutOfReach, Unsupported
from tertulia.protocols import gsm
from tertulia.protocols.smpp.names import RECEIPT, UDHI, Command, State, Status, Tag
from tertulia.protocols.smpp.pdu import Address, Message
from tertulia.protocols.smpp.receipt import Receipt, write_receipt

NOW = Instant(1_700_000_000_000)
HANDSET, OURS = Address(1, 1, "447700900123"), Address(1, 1, "447700900000")
ACCOUNT = SmppAccount(
    name="sms", system_id="us", password="secret", window=4, first_retry_seconds=0.01,
    longest_retry_seconds=0.05, answer_seconds=5.0,
)  # fmt: skip


class Ears:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.arrivals: list[Arrival] = []
        self.is_deaf = False
        self.bug: Exception | None = None

    async def heard(self, outcome: Outcome) -> None:
        self._listen()
        self.outcomes.append(outcome)

    async def arrived(self, arrival: Arrival) -> None:
        self._listen()
        self.arrivals.append(arrival)

    def _listen(self) -> None:
        if self.bug is not None:
            raise self.bug
        if self.is_deaf:
            raise Unavailable("the disk is full")


class Scene:
    def __init__(self, smsc: Smsc, carrier: SmppCarrier, ears: Ears) -> None:
        self.smsc, self.carrier, self.ears = smsc, carrier, ears

    async def up(self) -> None:
        await until(lambda: self.carrier.health.state == "up")

    async def deliver(self, message: Message) -> int:
        answer = await asyncio.wait_for(self.smsc.peer.deliver(message), 5)
        return answer.status


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def scene(account: SmppAccount = ACCOUNT, **changes: Any) -> AsyncIterator[Scene]:
    smsc, ears = Smsc(), Ears()
    await smsc.open()
    carrier = SmppCarrier(
        replace(account, **changes), now=lambda: NOW, where=lambda: ("127.0.0.1", smsc.port),
        chance=lambda: 0.0,
    )  # fmt: skip
    await carrier.start(ears)
    try:
        stage = Scene(smsc, carrier, ears)
        await stage.up()
        yield stage
    finally:
        await carrier.close()
        await smsc.close()


def play(act: Callable[[Scene], Awaitable[None]], **changes: Any) -> None:
    async def main() -> None:
        async with scene(**changes) as stage:
            await act(stage)

    asyncio.run(main())


def sending(text: str = "Hello", name: str = "m-1", **changes: Any) -> Sending:
    extras = {"sms": changes.pop("sms")} if "sms" in changes else {}
    expires_at = changes.pop("expires_at", None)
    order = Order(
        **{"channel": "sms", "to": "447700900123", "from_": "447700900000"}
        | {"content": Content("text", {"text": text}, extras)} | changes
    )  # fmt: skip
    application_id = ApplicationId("app")
    return Sending(MessageId(name), application_id, order, NOW, NOW, expires_at=expires_at)


def test_a_message_goes_out_and_its_receipt_comes_back() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.receipts = State.DELIVERED
        expires = Instant(1_700_000_060_000)
        refs = await stage.carrier.submit(sending("Grüße €", expires_at=expires))
        assert refs == ("1",)
        (message,) = stage.smsc.got
        assert (message.source, message.destination) == (OURS, HANDSET)
        assert message.short_message == gsm.encode("Grüße €")
        assert (message.data_coding, message.registered_delivery) == (0, 1)
        assert message.validity_period == "231114221420000+"
        await until(lambda: stage.ears.outcomes)
        assert stage.ears.outcomes == [Outcome("sms", "1", SendingStatus.DELIVERED)]

    play(act)


def test_a_receipt_may_come_before_the_answer() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.receipts, stage.smsc.is_early = State.DELIVERED, True
        assert await stage.carrier.submit(sending()) == ("1",)
        await until(lambda: stage.ears.outcomes)

    play(act)


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (State.UNDELIVERABLE, SendingStatus.UNDELIVERABLE, "1260"),
        (State.EXPIRED, SendingStatus.UNDELIVERABLE, "1360"),
        (State.DELETED, SendingStatus.UNDELIVERABLE, "1260"),
        (State.UNKNOWN, SendingStatus.UNDELIVERABLE, "1330"),
        (State.REJECTED, SendingStatus.REJECTED, "1330"),
        (State.ENROUTE, SendingStatus.SUBMITTED, None),
        (State.ACCEPTED, SendingStatus.SUBMITTED, None),
    ],
)
def test_what_receipts_tell(state: State, status: SendingStatus, code: str | None) -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.receipts = state
        await stage.carrier.submit(sending())
        await until(lambda: stage.ears.outcomes)
        (outcome,) = stage.ears.outcomes
        assert outcome.status is status
        assert (outcome.problem.code if outcome.problem else None) == code

    play(act)


def test_ids_in_hexadecimal_and_receipts_in_decimal() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.spelled = lambda number: f"{number + 30:08X}"
        assert await stage.carrier.submit(sending()) == ("31",)
        receipt = Receipt("0000000031", State.DELIVERED)
        assert await stage.deliver(write_receipt(receipt, HANDSET, OURS, tagged=False)) == 0
        tagged = write_receipt(Receipt("1F", State.DELIVERED), HANDSET, OURS)
        assert await stage.deliver(tagged) == 0
        assert [each.ref for each in stage.ears.outcomes] == ["31", "31"]

    play(act, submit_ids="hex", receipt_ids="decimal")


def test_receipts_that_say_nothing_are_answered_and_passed_over() -> None:
    async def act(stage: Scene) -> None:
        assert await stage.deliver(Message(HANDSET, OURS, b"no receipt", RECEIPT)) == 0
        assert stage.ears.outcomes == [] == stage.ears.arrivals

    play(act)


@pytest.mark.parametrize("segmentation", ["udh", "sar", "payload"])
@pytest.mark.parametrize("text", ["abcdé€ " * 60, "Привет \U0001f600 " * 20])
def test_long_texts_there_and_back(segmentation: str, text: str) -> None:
    async def act(stage: Scene) -> None:
        refs = await stage.carrier.submit(sending(text))
        parts = 1 if segmentation == "payload" else len(gsm.segments_of(text).parts)
        assert list(refs) == [str(number) for number in range(1, parts + 1)]
        backwards = [
            each._replace(source=HANDSET, destination=OURS) for each in stage.smsc.got[::-1]
        ]
        for each in [*backwards, *backwards]:
            assert await stage.deliver(each) == 0
        first = stage.ears.arrivals[0]
        assert first.content == Content("text", {"text": text})
        assert (first.from_, first.to) == ("447700900123", "447700900000")
        assert first.details == {"num_messages": str(parts)}
        if segmentation != "payload":
            assert len(stage.ears.arrivals) == 1

    play(act, segmentation=segmentation)


@pytest.mark.parametrize(
    ("sender", "source"),
    [
        ("+447700900000", OURS), ("12345", Address(3, 0, "12345")),
        ("Tertulia", Address(5, 0, "Tertulia")), ("a" * 12, None), ("Ärzte", None), ("", None),
    ],
)  # fmt: skip
def test_senders(sender: str, source: Address | None) -> None:
    async def act(stage: Scene) -> None:
        if source is None:
            with pytest.raises(Declined) as declined:
                await stage.carrier.submit(sending(from_=sender))
            assert declined.value.problem.code == "1120"
        else:
            await stage.carrier.submit(sending(from_=sender))
            assert stage.smsc.got[0].source == source

    play(act)


def test_what_is_no_short_message_is_declined() -> None:
    async def act(stage: Scene) -> None:
        for each, code in (
            (sending(to="somebody"), "1170"),
            (sending(content=Content("image", {"image": {"url": "x"}})), "1040"),
            (sending(channel="mms"), "1040"),
            (sending("я" * 67 * 256), "1090"),
        ):
            with pytest.raises(Declined) as declined:
                await stage.carrier.submit(each)
            assert declined.value.problem.code == code
        assert stage.smsc.got == []
        with pytest.raises(Unsupported):
            await stage.carrier.revoke(sending())

    play(act)


def test_options_of_the_channel() -> None:
    async def act(stage: Scene) -> None:
        options = {"encoding_type": "unicode", "entity_id": "E1", "content_id": "C1"}
        await stage.carrier.submit(sending("Hi", sms=options))
        await stage.carrier.submit(sending("я", sms={"encoding_type": "text"}))
        first, second = stage.smsc.got
        assert (first.data_coding, first.short_message) == (8, "Hi".encode("utf-16-be"))
        assert first.tlvs == {0x1400: b"E1\0", 0x1401: b"C1\0"}
        assert (second.data_coding, second.short_message) == (0, b"?")

    play(act)


def test_an_smsc_whose_alphabet_is_latin() -> None:
    async def act(stage: Scene) -> None:
        await stage.carrier.submit(sending("Grüße ê"))
        await stage.carrier.submit(sending("Grüße"))
        await stage.carrier.submit(sending("5 €"))
        assert [each.data_coding for each in stage.smsc.got] == [8, 0, 8]
        assert stage.smsc.got[1].short_message == "Grüße".encode("latin-1")

    play(act, alphabet="latin-1")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.RINVDSTADR, "1170"),
        (Status.RINVSRCADR, "1120"),
        (Status.RSUBMITFAIL, "1330"),
        (0x401, "1330"),
    ],
)
def test_refusals(status: int, code: str) -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: status
        with pytest.raises(Declined) as declined:
            await stage.carrier.submit(sending())
        assert declined.value.problem.code == code

    play(act)


def test_throttling() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: Status.RTHROTTLED if number == 0 else 0
        with pytest.raises(Congested):
            await stage.carrier.submit(sending())
        assert await stage.carrier.submit(sending()) == ("2",)

    play(act)


def test_throttling_in_the_middle_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(stage: Scene) -> None:
        monkeypatch.setattr("tertulia.carriers.smpp.CONGESTED", {Status.RMSGQFUL: 0.01})
        full = {1, 2, 4}
        stage.smsc.rule = lambda number, message: Status.RMSGQFUL if number in full else 0
        assert await stage.carrier.submit(sending("a" * 400)) == ("1", "4", "6")
        numbers = [each.short_message[5] for each in stage.smsc.got]
        assert numbers == [1, 2, 2, 2, 3, 3]
        assert len({each.short_message[3] for each in stage.smsc.got}) == 1

    play(act)


def test_a_connection_lost_in_the_middle_of_a_window() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: 0 if number < 2 else None
        submits = [
            asyncio.ensure_future(stage.carrier.submit(sending(name=f"m-{number}")))
            for number in range(6)
        ]
        await until(lambda: len(stage.smsc.got) == 6)
        await stage.smsc.close()
        done = await asyncio.gather(*submits, return_exceptions=True)
        assert done[:2] == [("1",), ("2",)]
        assert all(isinstance(each, OutOfReach) and each.in_doubt for each in done[2:])
        with pytest.raises(OutOfReach) as out:
            await stage.carrier.submit(sending())
        assert not out.value.in_doubt and stage.carrier.health.state == "down"
        stage.smsc.rule = lambda number, message: 0
        await stage.smsc.open()
        await stage.up()
        assert await stage.carrier.submit(sending()) == ("7",)

    play(act, window=6)


def test_the_window_is_kept() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: None
        submits = [
            asyncio.ensure_future(stage.carrier.submit(sending(name=f"m-{number}")))
            for number in range(9)
        ]
        await until(lambda: len(stage.smsc.got) == 4)
        await asyncio.sleep(0.01)
        assert len(stage.smsc.got) == 4
        for each in submits:
            each.cancel()
        await asyncio.gather(*submits, return_exceptions=True)

    play(act)


def test_parts_that_were_taken_are_not_handed_over_again() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: None if number == 1 else 0
        long = sending("a" * 400)
        first = asyncio.ensure_future(stage.carrier.submit(long))
        await until(lambda: len(stage.smsc.got) == 2)
        stage.smsc.cut()
        with pytest.raises(OutOfReach) as out:
            await first
        assert out.value.in_doubt
        await until(lambda: stage.carrier.health.state == "down")
        await stage.up()
        assert await stage.carrier.submit(long) == ("1", "3", "4")
        headers = [each.short_message[3:6] for each in stage.smsc.got]
        assert [each[2] for each in headers] == [1, 2, 2, 3]
        assert len({each[:2] for each in headers}) == 1

    play(act)


def test_no_answer_in_time_is_in_doubt() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.rule = lambda number, message: None
        with pytest.raises(OutOfReach) as out:
            await stage.carrier.submit(sending())
        assert out.value.in_doubt and stage.carrier.health.state == "up"

    play(act, answer_seconds=0.2)


def test_a_bind_that_is_refused_is_tried_again() -> None:
    async def main() -> None:
        smsc, ears = Smsc(), Ears()
        smsc.refuses = Status.RINVPASWD
        await smsc.open()
        place: list[tuple[str, int] | None] = [None]
        carrier = SmppCarrier(ACCOUNT, now=lambda: NOW, where=lambda: place[0])
        assert carrier.health.state == "starting"
        await carrier.start(ears)
        await until(lambda: "no address" in carrier.health.detail)
        place[0] = "127.0.0.1", smsc.port
        await until(lambda: "ESME_RINVPASWD" in carrier.health.detail)
        with pytest.raises(OutOfReach):
            await carrier.submit(sending())
        smsc.refuses = 0
        await until(lambda: carrier.health.state == "up")
        await carrier.close()
        await smsc.close()
        assert carrier.health.state == "down"

    asyncio.run(main())


def test_what_arrives_is_answered_when_it_is_kept() -> None:
    async def act(stage: Scene) -> None:
        hello = Message(HANDSET, OURS, "Привет".encode("utf-16-be"), data_coding=8)
        stage.ears.is_deaf = True
        assert await stage.deliver(hello) == Status.RX_T_APPN
        stage.ears.is_deaf = False
        assert await stage.deliver(hello) == 0
        (arrival,) = stage.ears.arrivals
        assert arrival.content == Content("text", {"text": "Привет"})
        assert (arrival.carrier, arrival.channel) == ("sms", "sms")
        stage.ears.bug = RuntimeError("a bug")
        assert await stage.deliver(hello) == Status.RX_T_APPN
        stage.ears.bug = None
        assert await stage.deliver(hello) == 0

    play(act)


def test_a_long_message_that_could_not_be_kept_comes_again() -> None:
    async def act(stage: Scene) -> None:
        parts = [
            Message(
                HANDSET, OURS, gsm.header(gsm.Concatenation(7, 2, number)) + text, UDHI
            )
            for number, text in ((1, b"Hel"), (2, b"lo"))
        ]  # fmt: skip
        stage.ears.is_deaf = True
        assert await stage.deliver(parts[0]) == 0
        assert await stage.deliver(parts[1]) == Status.RX_T_APPN
        stage.ears.is_deaf = False
        assert await stage.deliver(parts[1]) == 0
        assert await stage.deliver(parts[1]) == 0
        assert [each.content.text for each in stage.ears.arrivals] == ["Hello"]

    play(act)


@pytest.mark.parametrize("bug", [None, LookupError("a bug")])
def test_what_is_there_of_a_long_message_is_handed_over_at_the_end(bug: Exception | None) -> None:
    async def main() -> None:
        async with scene() as stage:
            for reference, text in ((7, b"Hel"), (8, b"Good ")):
                header = gsm.header(gsm.Concatenation(reference, 2, 1))
                assert await stage.deliver(Message(HANDSET, OURS, header + text, UDHI)) == 0
            stage.ears.bug = bug
        told = [] if bug else ["Hel", "Good "]
        assert [each.content.text for each in stage.ears.arrivals] == told

    asyncio.run(main())


def test_the_same_text_twice_is_two_messages_and_on_the_next_connection_it_is_one() -> None:
    async def act(stage: Scene) -> None:
        yes = Message(HANDSET, OURS, b"Yes")
        answers = [stage.smsc.peer.deliver(yes) for _ in range(2)]
        assert [(await each).status for each in answers] == [0, 0]
        stage.smsc.cut()
        await until(lambda: stage.carrier.health.state == "down")
        await stage.up()
        assert await stage.deliver(yes) == 0
        refs = [each.ref for each in stage.ears.arrivals]
        assert refs[1] == refs[2] != refs[0]

    play(act)


def test_what_comes_by_data_sm() -> None:
    async def act(stage: Scene) -> None:
        session = stage.smsc.peer.session
        receipt = write_receipt(Receipt("7", State.DELIVERED), HANDSET, OURS)
        for message in (receipt, Message(HANDSET, OURS, b"Hello")):
            session.ask(Command.DATA_SM, message, asyncio.get_running_loop().time())
        stage.smsc.peer.flush()
        await until(lambda: not session.unanswered)
        assert [each.ref for each in stage.ears.outcomes] == ["7"]
        assert [each.content.text for each in stage.ears.arrivals] == ["Hello"]

    play(act)


def test_octets_that_are_no_text() -> None:
    async def act(stage: Scene) -> None:
        assert await stage.deliver(Message(HANDSET, OURS, b"\x01\xff", data_coding=4)) == 0
        assert stage.ears.arrivals[0].content == Content("unsupported", extras={"binary": "01ff"})

    play(act)


def test_a_payload_arrives() -> None:
    async def act(stage: Scene) -> None:
        message = Message(HANDSET, OURS, tlvs={int(Tag.MESSAGE_PAYLOAD): b"long" * 100})
        assert await stage.deliver(message) == 0
        assert stage.ears.arrivals[0].content.text == "long" * 100

    play(act)


def test_an_smsc_that_speaks_something_else_is_left_and_tried_again() -> None:
    async def act(stage: Scene) -> None:
        transport = stage.smsc.peer.transport
        assert transport is not None
        torn = bytes.fromhex("0000001200000005000000000000000a4141")
        transport.write(torn + b"HTTP/1.1 400 Bad Request")
        await until(lambda: "a length that cannot be" in stage.carrier.health.detail)
        await stage.up()
        assert await stage.carrier.submit(sending()) == ("1",)

    play(act)


def test_many_messages_over_many_lost_connections() -> None:
    doubts: Counter[str] = Counter()

    async def insist(stage: Scene, number: int) -> str:
        while True:
            try:
                (ref,) = await stage.carrier.submit(sending(f"{number}", name=f"m-{number}"))
            except OutOfReach as out:
                doubts[f"{number}"] += out.in_doubt
                await asyncio.sleep(0.005)
            else:
                return ref

    async def act(stage: Scene) -> None:
        def rule(number: int, message: Message) -> int | None:
            if number % 97 == 96:
                stage.smsc.cut()
            return Status.ROK

        stage.smsc.rule = rule
        refs = await asyncio.gather(*(insist(stage, number) for number in range(1000)))
        assert len(set(refs)) == 1000
        taken = Counter(each.short_message.decode() for each in stage.smsc.got)
        assert all(1 <= taken[f"{each}"] <= 1 + doubts[f"{each}"] for each in range(1000))
        assert 0 < doubts.total() <= 20 * (len(stage.smsc.got) // 97), "a window each time"

    play(act, window=20, first_retry_seconds=0.01, longest_retry_seconds=0.01)


class Connection:
    heard_at = 0.0


def test_how_the_same_is_told_from_the_same() -> None:
    wall, time = [NOW], [0.0]
    repeats = Repeats(lambda: wall[0], lambda: time[0])
    first, second, third = Connection(), Connection(), Connection()
    a = repeats.ref("x", first)
    assert repeats.ref("x", second) == a, "lost right after the answer"
    second.heard_at = 5.0
    b = repeats.ref("x", third)
    assert b != a, "the answer has arrived, since the SMSC went on talking"
    repeats.failed("x", b)
    assert repeats.ref("x", third) == b
    wall[0] = Instant(NOW + 700_000)
    c = repeats.ref("x", third)
    wall[0] = Instant(NOW + 700_001)
    started = Repeats(lambda: wall[0], lambda: time[0])
    assert len({a, b, c, started.ref("x", first)}) == 4, "rather twice than not at all"


def test_tls(tmp_path: Path) -> None:
    now = Instant(int(datetime.now(UTC).timestamp() * 1000))
    files = ensure_certificate(tmp_path, "127.0.0.1", now=now)

    async def main() -> None:
        context = server_ssl_context(files.certificate, files.key)
        smsc, ears = Smsc(), Ears()
        await smsc.open(context)
        account = replace(ACCOUNT, tls=True, ca_file=str(files.authority))
        carrier = SmppCarrier(account, now=lambda: NOW, where=lambda: ("127.0.0.1", smsc.port))
        await carrier.start(ears)
        await until(lambda: carrier.health.state == "up")
        assert await carrier.submit(sending()) == ("1",)
        stranger = SmppCarrier(
            replace(account, ca_file=""), now=lambda: NOW, where=lambda: ("127.0.0.1", smsc.port)
        )
        await stranger.start(ears)
        await until(lambda: "certificate" in stranger.health.detail)
        await stranger.close()
        await carrier.close()
        await smsc.close()

    asyncio.run(main())
