"""STUN: the vectors of RFC 5769, what is written is read, and no octets are too strange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.stun import (
    MESSAGE_MAX,
    Attribute,
    Kind,
    address,
    address_value,
    addressee,
    error_code,
    error_value,
    read,
    types_value,
    verify,
    write,
)

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
VECTORS = [REQUEST, RESPONSE, RESPONSE_6]


def test_the_request_of_rfc_5769() -> None:
    message = read(REQUEST)
    assert message is not None
    assert (message.kind, message.method, message.transaction) == (Kind.REQUEST, 1, TRANSACTION)
    assert message.text(Attribute.USERNAME) == "evtj:h6vY"
    assert message.number(Attribute.PRIORITY) == 0x6E0001FF
    assert message.number(Attribute.ICE_CONTROLLED) == 0x932FF9B151263B36
    assert message.text(Attribute.SOFTWARE) == "STUN test client"
    assert message.unknown == ()
    assert addressee(REQUEST) == "evtj"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (RESPONSE, ("192.0.2.1", 32853)),
        (RESPONSE_6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_responses_of_rfc_5769(response: bytes, expected: tuple[str, int]) -> None:
    message = read(response)
    assert message is not None
    value = message.attributes[Attribute.XOR_MAPPED_ADDRESS]
    assert (message.kind, address(value, TRANSACTION)) == (Kind.SUCCESS, expected)
    assert address_value(*expected, TRANSACTION) == value
    assert addressee(response) is None


@pytest.mark.parametrize("data", VECTORS)
def test_integrity_is_of_this_key_alone(data: bytes) -> None:
    message = read(data)
    assert message is not None
    assert verify(data, message, PASSWORD)
    assert not verify(data, message, PASSWORD + b"x")


@given(st.sampled_from(VECTORS), st.data())
def test_no_bit_can_be_changed(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    whole, message = read(data), read(bytes(changed))
    # the type of FINGERPRINT is the one thing that neither covers: it may be lost, no more
    assert message is None or message == whole or not verify(bytes(changed), message, PASSWORD)


@pytest.mark.parametrize("length", range(0, len(REQUEST), 3))
def test_a_cut_message_is_none(length: int) -> None:
    assert read(REQUEST[:length]) is None
    assert read(REQUEST + b"\0" * 4 * (1 + length)) is None


@given(
    st.sampled_from(Kind),
    st.integers(0, 0xFFF),
    st.binary(min_size=12, max_size=12),
    st.lists(
        st.tuples(
            st.sampled_from(
                [Attribute.USERNAME, Attribute.PRIORITY, Attribute.SOFTWARE, Attribute.ERROR_CODE]
            ),
            st.binary(max_size=40),
        ),
        max_size=8,
        unique_by=lambda each: each[0],
    ),
    st.none() | st.binary(min_size=1, max_size=30),
)
def test_what_is_written_is_read(
    kind: Kind,
    method: int,
    transaction: bytes,
    attributes: list[tuple[Attribute, bytes]],
    key: bytes | None,
) -> None:
    data = write(kind, transaction, attributes, key=key, method=method)
    message = read(data)
    assert message is not None
    assert message[:3] == (kind, method, transaction)
    held = {each: message.attributes[each] for each, _ in attributes}
    assert held == dict(attributes)
    assert verify(data, message, key or b"") is (key is not None)


@given(st.ip_addresses(), st.integers(0, 0xFFFF), st.binary(min_size=12, max_size=12))
def test_addresses_there_and_back(host: object, port: int, transaction: bytes) -> None:
    value = address_value(str(host), port, transaction)
    found = address(value, transaction)
    assert found is not None
    assert found[1] == port
    assert found[0] in {str(host), str(getattr(host, "ipv4_mapped", None))}


def test_an_ipv4_address_seen_by_an_ipv6_socket() -> None:
    value = address_value("::ffff:192.0.2.1", 5, TRANSACTION)
    assert address(value, TRANSACTION) == ("192.0.2.1", 5)


@given(st.binary(max_size=40))
def test_any_address_value(value: bytes) -> None:
    address(value, TRANSACTION)


@given(st.binary(max_size=MESSAGE_MAX + 8))
def test_any_octets(data: bytes) -> None:
    assert read(data) is None
    assert addressee(data) is None


@given(st.binary(max_size=200).map(lambda each: each[: len(each) // 4 * 4]))
def test_any_octets_behind_a_header(body: bytes) -> None:
    data = b"\0\1" + len(body).to_bytes(2) + REQUEST[4:20] + body
    message = read(data)
    if message is not None:
        verify(data, message, PASSWORD)
        message.text(Attribute.USERNAME)
        error_code(message)


def test_what_follows_the_integrity_is_not_believed() -> None:
    signed = write(Kind.REQUEST, TRANSACTION, [(Attribute.USERNAME, b"a:b")], key=PASSWORD)[:-8]
    more = signed + bytes.fromhex("00250000")
    data = more[:2] + (len(more) - 20).to_bytes(2) + more[4:]
    message = read(data)
    assert message is not None
    assert Attribute.USE_CANDIDATE not in message.attributes
    assert verify(data, message, PASSWORD)


def test_types_that_must_be_understood() -> None:
    strange = bytes.fromhex("7abc0000fabc0000")
    message = read(b"\0\1" + len(strange).to_bytes(2) + REQUEST[4:20] + strange)
    assert message is not None
    assert message.unknown == (0x7ABC,)
    assert types_value(message.unknown) == b"\x7a\xbc"


@pytest.mark.parametrize("code", [400, 401, 420, 487])
def test_error_codes(code: int) -> None:
    value = error_value(code, "Reason")
    message = read(write(Kind.ERROR, TRANSACTION, [(Attribute.ERROR_CODE, value)]))
    assert message is not None
    assert error_code(message) == code


@pytest.mark.parametrize("username", [b"nobody", b"\xff:x", b""])
def test_a_check_that_is_addressed_to_nobody(username: bytes) -> None:
    assert addressee(write(Kind.REQUEST, TRANSACTION, [(Attribute.USERNAME, username)])) is None
