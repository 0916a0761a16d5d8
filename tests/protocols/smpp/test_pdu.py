import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tertulia.protocols.smpp.framing import Frames
from tertulia.protocols.smpp.names import Command, Status, Tag, status_name
from tertulia.protocols.smpp.pdu import (
    Address,
    Bind,
    Cancel,
    Malformed,
    Message,
    Named,
    Pdu,
    Queried,
    Query,
    Replace,
    read,
    write,
)

BIND = bytes.fromhex(
    "0000002f000000020000000000000001"
    "534d50503354455354007365637265743038005355424d49543100500101 00".replace(" ", "")
)
"""The example of section 3.2.3, whose interface_version is 0x50."""

words = st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=5)
places = st.builds(
    Address,
    st.integers(0, 255),
    st.integers(0, 255),
    st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=20),
)
octets = st.integers(0, 255)
tlvs = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=30), max_size=5)
messages = st.builds(
    Message,
    source=places,
    destination=places,
    short_message=st.binary(max_size=254),
    esm_class=octets,
    data_coding=octets,
    registered_delivery=octets,
    tlvs=tlvs,
    service_type=words,
    protocol_id=octets,
    priority_flag=octets,
    schedule_delivery_time=words,
    validity_period=words,
    replace_if_present=octets,
    sm_default_msg_id=octets,
)
bodies = (
    st.tuples(st.sampled_from([Command.SUBMIT_SM, Command.DELIVER_SM]), messages)
    | st.tuples(
        st.just(Command.BIND_TRANSCEIVER), st.builds(Bind, words, words, words, octets, places)
    )
    | st.tuples(
        st.sampled_from([Command.SUBMIT_SM_RESP, Command.DATA_SM_RESP]),
        st.builds(Named, words, tlvs),
    )
    | st.tuples(st.just(Command.QUERY_SM), st.builds(Query, words, places))
    | st.tuples(st.just(Command.QUERY_SM_RESP), st.builds(Queried, words, words, octets, octets))
    | st.tuples(st.just(Command.CANCEL_SM), st.builds(Cancel, words, places, places, words))
    | st.tuples(
        st.just(Command.REPLACE_SM),
        st.builds(Replace, words, places, st.binary(max_size=254), words, words, octets, octets),
    )
    | st.tuples(
        st.sampled_from([Command.UNBIND, Command.ENQUIRE_LINK_RESP, Command.GENERIC_NACK]),
        st.none(),
    )
)
pdus = st.builds(
    lambda body, sequence, status: Pdu(body[0], sequence, status, body[1]),
    bodies,
    st.integers(1, 0x7FFFFFFF),
    st.integers(0, 0xFFFFFFFF),
)
A, B = Address(1, 1, "447700900001"), Address(5, 0, "Tertulia")
SUBMIT = Pdu(Command.SUBMIT_SM, 7, 0, Message(B, A, b"hello", tlvs={int(Tag.SOURCE_PORT): b"\0\1"}))


def test_the_example_of_the_specification() -> None:
    pdu = read(BIND)
    where = Address(1, 1, "")
    assert pdu == Pdu(2, 1, 0, Bind("SMPP3TEST", "secret08", "SUBMIT1", 0x50, where))
    assert write(pdu) == BIND


@settings(max_examples=100)
@given(pdus)
def test_what_is_written_is_read(pdu: Pdu) -> None:
    frame = write(pdu)
    assert int.from_bytes(frame[:4]) == len(frame)
    assert read(frame) == pdu


def test_data_sm_has_its_text_as_a_payload() -> None:
    pdu = Pdu(Command.DATA_SM, 1, 0, Message(B, A, b"hello", 0x04, 8, 1))
    found = read(write(pdu))
    assert isinstance(found, Pdu) and isinstance(found.body, Message)
    assert found.body.tlvs == {Tag.MESSAGE_PAYLOAD: b"hello"}
    assert found.body.content == b"hello"
    assert found.body[:2] + found.body[3:6] == (B, A, 0x04, 8, 1)


@settings(max_examples=200)
@given(pdus, st.data())
def test_mutated_pdus_are_values(pdu: Pdu, data: st.DataObject) -> None:
    frame = bytearray(write(pdu))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(octets)
    cut = bytes(frame[: data.draw(st.integers(16, len(frame)))])
    found = read(cut)
    assert isinstance(found, Pdu | Malformed)
    if isinstance(found, Malformed):
        assert isinstance(read(write(found.answer)), Pdu)


@given(st.binary(min_size=16, max_size=100))
def test_no_octets_break_it(frame: bytes) -> None:
    assert isinstance(read(frame), Pdu | Malformed)


@pytest.mark.parametrize("size", range(17, len(write(SUBMIT))))
def test_a_pdu_that_is_cut_is_malformed(size: int) -> None:
    frame = write(SUBMIT)
    found = read(frame[:size])
    if size == len(frame) - 6:  # before the TLV: it is another message, and a whole one
        assert isinstance(found, Pdu)
    else:
        assert isinstance(found, Malformed)
        assert found.answer[:2] == (Command.SUBMIT_SM_RESP, 7) and found.answer.status


def test_a_command_that_is_none() -> None:
    found = read(bytes.fromhex("00000010000000770000000000000009"))
    assert found == Malformed(0x77, 9, Status.RINVCMDID)
    assert isinstance(found, Malformed)
    assert found.answer == Pdu(Command.GENERIC_NACK, 9, Status.RINVCMDID)


def test_answers_without_a_body() -> None:
    pdu = Pdu(Command.SUBMIT_SM_RESP, 5, Status.RTHROTTLED)
    assert read(write(pdu)) == pdu
    torn = write(pdu._replace(body=Named("x")))[:-1]
    assert read(torn) == pdu._replace(body=Named("x")), "the NUL may be forgotten"


def test_too_many_tlvs() -> None:
    many = {tag: b"" for tag in range(65)}
    found = read(write(Pdu(Command.SUBMIT_SM, 1, 0, Message(A, B, tlvs=many))))
    assert isinstance(found, Malformed) and found.status == Status.RINVOPTPARSTREAM


@pytest.mark.parametrize(
    "message",
    [
        Message(A, B, b"x" * 255),
        Message(A, Address(1, 1, "1" * 21)),
        Message(A, Address(1, 1, "1\x002")),
        Message(A, B, esm_class=256),
        Message(A, B, validity_period="1" * 17),
        Message(A, B, tlvs={1: b"x" * 65_536}),
    ],
)
def test_what_does_not_fit_is_not_written(message: Message) -> None:
    with pytest.raises(ValueError):
        write(Pdu(Command.SUBMIT_SM, 1, 0, message))


def test_numbers_that_do_not_fit_the_header() -> None:
    with pytest.raises(ValueError):
        write(Pdu(Command.UNBIND, 1 << 32))


@settings(max_examples=50)
@given(st.lists(pdus, max_size=5), st.integers(1, 50))
@example([SUBMIT, SUBMIT], 1)
def test_the_stream_may_come_in_any_pieces(wanted: list[Pdu], size: int) -> None:
    stream = b"".join(map(write, wanted))
    frames = Frames()
    found = [
        read(frame)
        for at in range(0, len(stream), size)
        for frame in frames.feed(stream[at : at + size])
    ]
    assert found == wanted and not frames.is_broken


@pytest.mark.parametrize("length", [0, 15, 1001, 0xFFFFFFFF])
def test_a_length_that_cannot_be_breaks_the_stream(length: int) -> None:
    frames = Frames(largest=1000)
    assert list(frames.feed(write(SUBMIT) + length.to_bytes(4))) == [write(SUBMIT)]
    assert frames.is_broken
    assert list(frames.feed(write(SUBMIT))) == []


def test_names_of_statuses() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x401) == "0x00000401"
