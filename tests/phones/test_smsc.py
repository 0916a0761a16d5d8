"""The simulated SMSC over real connections: binds, submissions, receipts, messages of handsets."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.phones.carriers_stage import US, Esme, Stage, play

from tertulia.model.sending import Content
from tertulia.phones import smsc
from tertulia.phones.texting import NotWritten
from tertulia.protocols import gsm
from tertulia.protocols.gsm import Concatenation
from tertulia.protocols.smpp.names import UDHI, Command, State, Status, Tag
from tertulia.protocols.smpp.pdu import Address, Message, Named, Query
from tertulia.protocols.smpp.receipt import Receipt, read_receipt
from tertulia.protocols.smpp.session import Answered, Bound, Over, Refused


def perform(folder: Path, scene: Callable[[Stage, Esme], Any]) -> None:
    async def whole(stage: Stage) -> None:
        esme = await Esme.bound(stage.offices.smpp_port)
        await scene(stage, esme)
        esme.leave()
        await esme.lost.wait()

    play(folder, whole)


def ref_of(pdu: object) -> str:
    body = getattr(pdu, "body", None)
    assert isinstance(body, Named), pdu
    return body.id


@pytest.mark.parametrize(
    ("to", "state", "error"),
    [("1001", State.DELIVERED, "000"), ("1002", State.UNDELIVERABLE, "027")],
)
def test_a_receipt_follows_the_answer(tmp_path: Path, to: str, state: State, error: str) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        answer = await esme.submit(to)
        brought = await esme.bring()
        receipt = read_receipt(brought)
        assert receipt is not None
        assert (receipt.message_id, receipt.state) == (ref_of(answer), state)
        assert (receipt.error, receipt.text) == (error, "Hello")
        assert (brought.source.value, brought.destination) == (to, Address(5, 0, "ACME"))

    perform(tmp_path, scene)


@pytest.mark.parametrize(
    ("to", "fields", "status"),
    [
        ("1005", {}, Status.RINVDSTADR),
        ("", {}, Status.RINVDSTADR),
        ("1006", {}, Status.RTHROTTLED),
        ("1001", {"esm_class": UDHI, "short_message": b"\x09\x00"}, Status.RINVESMCLASS),
        ("1001", {"esm_class": 4}, Status.RINVESMCLASS),
    ],
)
def test_what_is_not_taken(tmp_path: Path, to: str, fields: dict[str, Any], status: Status) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        assert (await esme.submit(to, **fields)).status == status
        assert (await esme.submit("1006")).status in (Status.ROK, Status.RTHROTTLED)

    perform(tmp_path, scene)


@pytest.mark.parametrize(
    ("to", "wanted", "count"), [("1001", 0, 0), ("1001", 2, 0), ("1002", 2, 1)]
)
def test_receipts_are_as_wanted(tmp_path: Path, to: str, wanted: int, count: int) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        await esme.submit(to, registered_delivery=wanted)
        esme.ask("1003", short_message=b"End", registered_delivery=0)
        brought = []
        while (each := await esme.bring()).esm_class != 0:
            brought.append(each)
        assert len(brought) == count

    perform(tmp_path, scene)


LONG = "Grüße, €uro: " * 40


def parts(text: str) -> list[dict[str, Any]]:
    segments = gsm.segments_of(text)
    return [
        {"short_message": gsm.header(Concatenation(7, len(segments.parts), at)) + data,
         "esm_class": UDHI, "data_coding": 8 if segments.is_unicode else 0}
        for at, data in enumerate(segments.parts, 1)
    ]  # fmt: skip


def by_tlvs(text: str) -> list[dict[str, Any]]:
    return [
        {"short_message": half.encode("utf-16-be"), "data_coding": 8,
         "tlvs": {Tag.SAR_MSG_REF_NUM: b"\0\7", Tag.SAR_TOTAL_SEGMENTS: b"\2",
                  Tag.SAR_SEGMENT_SEQNUM: bytes((at,))}}
        for at, half in enumerate((text[:60], text[60:120]), 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("submitted", "text"),
    [
        (parts(LONG), LONG),
        (parts("Привет, мир! 🌍 " * 20), "Привет, мир! 🌍 " * 20),
        (by_tlvs("Ж" * 120), "Ж" * 120),
        ([{"short_message": b"", "data_coding": 8,
           "tlvs": {Tag.MESSAGE_PAYLOAD: ("é" * 500).encode("utf-16-be")}}], "é" * 500),
        ([{"short_message": b"caf\xe9", "data_coding": 3}], "café"),
        ([{"short_message": b"\x00"}], "@"),
    ],
)  # fmt: skip
def test_a_handset_shows_the_whole_text(
    tmp_path: Path, submitted: list[dict[str, Any]], text: str
) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        order = submitted[1:] + submitted[:1]
        for fields in order:
            esme.ask("1001", **fields)
        answers, receipts = list[str](), list[Receipt | None]()
        while len(receipts) < len(order):
            signal = await esme.hear()
            if isinstance(signal, Answered):
                answers.append(ref_of(signal.pdu))
            else:
                receipts.append(read_receipt(getattr(signal, "pdu").body))  # noqa: B009
        assert [each.message_id for each in receipts if each] == answers
        shown = stage.offices.texting.screens.of("sms", "1001")
        assert [each.message.text for each in shown] == [text]

    perform(tmp_path, scene)


@pytest.mark.parametrize("text", ["Hi", "€" * 200, "Привет " * 30])
def test_what_a_handset_writes_arrives(tmp_path: Path, text: str) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        stage.offices.texting.write("sms", "+1003", US, Content("text", {"text": text}))
        expected = gsm.segments_of(text)
        brought = [await esme.bring() for _ in expected.parts]
        assert {(each.source.value, each.destination.value) for each in brought} == {("1003", US)}
        data = [
            found.data if each.esm_class & UDHI and (found := gsm.user_data(each.content))
            else each.content for each in brought
        ]  # fmt: skip
        assert tuple(data) == expected.parts

    perform(tmp_path, scene)


def test_what_cannot_go_by_sms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smsc, "WAITING_MAX", 1)

    async def scene(stage: Stage) -> None:
        write = stage.offices.texting.write
        for sender, text in (("somebody@x.test", "Hi"), ("1003", "x" * 60_000)):
            with pytest.raises(NotWritten):
                write("sms", sender, US, Content("text", {"text": text}))
        write("sms", "1003", US, Content("text", {"text": "Hi"}))
        with pytest.raises(NotWritten, match="waiting"):
            write("sms", "1003", US, Content("text", {"text": "Hi"}))
        sending = await Esme.bound(stage.offices.smpp_port, command=Command.BIND_TRANSMITTER)
        assert (await sending.submit("1001")).status == Status.RMSGQFUL
        sending.leave()

    play(tmp_path, scene)


def test_what_waits_is_brought_once_somebody_is_bound(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        sender = await Esme.bound(stage.offices.smpp_port, command=Command.BIND_TRANSMITTER)
        ref = ref_of(await sender.submit("1001"))
        stage.offices.texting.write("sms", "1003", US, Content("text", {"text": "Hi"}))
        receiver = await Esme.bound(stage.offices.smpp_port, command=Command.BIND_RECEIVER)
        receipt = read_receipt(await receiver.bring())
        assert receipt is not None and receipt.message_id == ref
        assert (await receiver.bring()).short_message == b"Hi"
        assert (await receiver.submit("1001")).status == Status.RINVBNDSTS
        assert sender.signals.empty()
        sender.leave()
        receiver.leave()

    play(tmp_path, scene)


def test_what_is_not_acknowledged_is_brought_again(tmp_path: Path) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        esme.statuses = [None, 0, None]
        for text in (b"1", b"2", b"3"):
            await esme.submit("1003", short_message=text, registered_delivery=0)
            await esme.bring()
        esme.leave()
        await esme.lost.wait()
        again = await Esme.bound(stage.offices.smpp_port)
        brought = [await again.bring(), await again.bring()]
        assert [each.short_message for each in brought] == [b"You said: 1", b"You said: 3"]
        again.leave()

    async def alone(stage: Stage) -> None:
        await scene(stage, await Esme.bound(stage.offices.smpp_port))

    play(tmp_path, alone)


def test_what_waits_outlasts_the_port(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        centre = stage.offices._smsc
        esme = await Esme.bound(centre.port)
        esme.statuses = [None]
        ref = ref_of(await esme.submit("1001"))
        await esme.bring()
        await centre.close()
        await esme.lost.wait()
        await centre.open(centre.port)
        again = await Esme.bound(centre.port)
        receipt = read_receipt(await again.bring())
        assert receipt is not None and receipt.message_id == ref
        again.leave()

    play(tmp_path, scene)


def test_who_asks_for_patience_is_given_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia.phones.smsc_link.REST_S", 0.01)
    monkeypatch.setattr(smsc, "TICK_S", 0.02)

    async def scene(stage: Stage, esme: Esme) -> None:
        esme.statuses = [Status.RTHROTTLED, Status.RX_T_APPN, 0]
        await esme.submit("1003", registered_delivery=0)
        brought = [await esme.bring() for _ in range(3)]
        assert {each.short_message for each in brought} == {b"You said: Hello"}

    perform(tmp_path, scene)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"system_id": "me"}, Status.RINVSYSID), ({"password": "x"}, Status.RINVPASWD)],
)
def test_a_bind_is_refused(tmp_path: Path, changes: dict[str, Any], status: Status) -> None:
    async def scene(stage: Stage) -> None:
        esme = await Esme.connected(stage.offices.smpp_port, **changes)
        assert await esme.hear() == Refused(status)
        assert isinstance(await esme.hear(), Over)
        await esme.lost.wait()

    play(tmp_path, scene)


def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smsc, "LINKS_MAX", 1)

    async def scene(stage: Stage) -> None:
        first = await Esme.bound(stage.offices.smpp_port)
        second = await Esme.connected(stage.offices.smpp_port)
        await second.lost.wait()
        first.leave()
        await first.lost.wait()

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0" * 4,
        b"\xff" * 100,
        b"\0\0\0\x10\0\0\0\x63" + b"\0" * 8,
    ],
)
def test_nonsense_harms_nobody(tmp_path: Path, data: bytes) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        other = await Esme.bound(stage.offices.smpp_port)
        assert other._transport is not None
        other._transport.write(data)
        assert (await esme.submit("1001")).status == Status.ROK
        other.leave()

    perform(tmp_path, scene)


def test_what_this_smsc_does_not_do(tmp_path: Path) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        esme.session.ask(Command.QUERY_SM, Query("1"), 0.0)
        esme.flush()
        signal = await esme.hear()
        assert isinstance(signal, Answered) and signal.pdu.status == Status.RQUERYFAIL
        message = Message(
            Address(5, 0, "ACME"), Address(1, 1, "1001"), tlvs={Tag.MESSAGE_PAYLOAD: b"Hi"}
        )
        esme.session.ask(Command.DATA_SM, message, 0.0)
        esme.flush()
        signal = await esme.hear()
        assert isinstance(signal, Answered) and signal.pdu.status == Status.ROK

    perform(tmp_path, scene)


def test_two_bound_share_what_there_is(tmp_path: Path) -> None:
    async def scene(stage: Stage, esme: Esme) -> None:
        second = await Esme.bound(stage.offices.smpp_port)
        for _ in range(300):
            esme.ask("1001")
        refs, receipts = set[str](), set[str]()
        while len(refs) < 300 or len(receipts) < 300:
            for each in (esme, second):
                while not each.signals.empty():
                    signal = each.signals.get_nowait()
                    if isinstance(signal, Answered):
                        refs.add(ref_of(signal.pdu))
                    elif not isinstance(signal, Bound) and (
                        receipt := read_receipt(getattr(signal, "pdu").body)  # noqa: B009
                    ):
                        receipts.add(receipt.message_id)
            await asyncio.sleep(0)
        assert refs == receipts
        second.leave()

    perform(tmp_path, scene)
