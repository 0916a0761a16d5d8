import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.smpp.coding import is_binary, text_of
from tertulia.protocols.smpp.names import State, Tag
from tertulia.protocols.smpp.pdu import Address, Message
from tertulia.protocols.smpp.receipt import (
    Receipt,
    is_receipt,
    read_receipt,
    state_of,
    write_receipt,
)

A, B = Address(1, 1, "447700900001"), Address(1, 1, "447700900002")


def receipt(text: str, **tlvs: bytes) -> Message:
    tagged = {int(Tag[name.upper()]): value for name, value in tlvs.items()}
    return Message(A, B, text.encode("latin-1"), 0x04, tlvs=tagged)


@pytest.mark.parametrize(
    ("text", "name", "state", "error"),
    [
        (
            "id:12aB sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 "
            "stat:DELIVRD err:000 text:Hello",
            "12aB", State.DELIVERED, "000",
        ),
        ("ID:7 SUB:1 DLVRD:0 SUBMIT DATE:1 DONE DATE:2 STAT:UNDELIV ERR:1B TEXT:x",
         "7", State.UNDELIVERABLE, "1B"),
        ("id:7 sub:1 dlvrd:0 submit_date:1 done_date:2 status:EXPIRED error:4 Text:",
         "7", State.EXPIRED, "4"),
        ("id: 7-a sub: 1 stat: REJECTD err: 12", "7-a", State.REJECTED, "12"),
        ("Id=7 Stat=Delivered", "7", State.DELIVERED, ""),
        ("message id:7 stat:ENROUTE", "7", State.ENROUTE, ""),
        ("msgid:7 stat:2", "7", State.DELIVERED, ""),
        ("stat:ACCEPTD id:7", "7", State.ACCEPTED, ""),
        ("id:7 stat:DELETED text:id:8 stat:DELIVRD", "7", State.DELETED, ""),
        ("id:7 stat:UNKNOWN\0", "7", State.UNKNOWN, ""),
    ],
)  # fmt: skip
def test_spellings(text: str, name: str, state: State, error: str) -> None:
    found = read_receipt(receipt(text.rstrip("\0")))
    assert found is not None
    assert (found.message_id, found.state, found.error) == (name, state, error)


def test_all_that_is_told() -> None:
    text = (
        "id:1 sub:001 dlvrd:001 submit date:2601011200 done date:260101120130 stat:DELIVRD "
        "err:000 text:Hello: you"
    )
    assert read_receipt(receipt(text)) == Receipt(
        "1", State.DELIVERED, "000", "2601011200", "260101120130", "Hello: you"
    )


def test_tlvs_are_enough_and_count_more() -> None:
    tagged = receipt(
        "", receipted_message_id=b"1F\0", message_state=b"\x05", network_error_code=b"\x03\x01\x02"
    )
    assert read_receipt(tagged) == Receipt("1F", State.UNDELIVERABLE, "258", is_tagged=True)
    both = receipt("id:31 stat:DELIVRD", receipted_message_id=b"1F", message_state=b"\x02")
    assert read_receipt(both) == Receipt("1F", State.DELIVERED, is_tagged=True)


@pytest.mark.parametrize(
    "text", ["", "Hello", "id:1", "stat:DELIVRD", "id:1 stat:WHATEVER", "id:1 stat:99", "id: stat:"]
)
def test_what_tells_nothing(text: str) -> None:
    assert read_receipt(receipt(text)) is None


def test_only_the_smsc_makes_receipts() -> None:
    message = receipt("id:1 stat:DELIVRD")
    assert is_receipt(message)
    assert is_receipt(message._replace(esm_class=0x20))
    assert not is_receipt(message._replace(esm_class=0x00))
    assert not is_receipt(message._replace(esm_class=0x40))
    assert is_receipt(Message(A, B, tlvs={int(Tag.RECEIPTED_MESSAGE_ID): b"1"}))


@pytest.mark.parametrize("word", ["DELIVRD", "DELIVERED", "delvrd", "Deliverd"])
def test_abbreviations(word: str) -> None:
    assert state_of(word) is State.DELIVERED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("tagged", [True, False])
def test_what_is_written_is_read(state: State, tagged: bool) -> None:
    wanted = Receipt("17", state, "005", "2601011200", "2601011201", "Hello", tagged)
    message = write_receipt(wanted, A, B, tagged=tagged)
    assert is_receipt(message)
    assert read_receipt(message) == wanted


@given(st.text(max_size=300), st.binary(max_size=20), st.binary(max_size=4))
def test_no_text_breaks_it(text: str, name: bytes, state: bytes) -> None:
    octets = ("id:1 stat:" + text).encode()
    tlvs = {int(Tag.RECEIPTED_MESSAGE_ID): name, int(Tag.MESSAGE_STATE): state}
    read_receipt(Message(A, B, octets, 0x04, tlvs=tlvs))
    read_receipt(Message(A, B, octets, 0x04))


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"\x00\x1b\x65", 0, "@€"),
        (b"\x00\x1b\x65", 0xF1, "@€"),
        ("жук".encode("utf-16-be"), 8, "жук"),
        ("жук".encode("utf-16-be"), 0x18, "жук"),
        ("жук".encode("iso8859-5"), 6, "жук"),
        (b"\xe9", 3, "é"),
        (b"\xe9", 1, "�"),
        (b"\xe9", 4, "é"),
    ],
)
def test_codings(octets: bytes, coding: int, text: str) -> None:
    assert text_of(octets, coding) == text
    assert is_binary(coding) == (coding == 4)


def test_the_default_alphabet_may_be_latin() -> None:
    assert text_of(b"\xe9", 0, is_latin=True) == "é"
    assert is_binary(0xF5) and not is_binary(0xF0)
