"""PDUs of SMPP 3.4 (sections 3.2, 4 and 5), read and written. What is torn is Malformed, a value.

A message's text stands in `short_message` or in the TLV message_payload; `Message.content` is the
one that there is. TLVs are octets by tag, those that nobody here knows too.
"""

from collections.abc import Callable, Mapping
from struct import Struct as Layout
from struct import error as StructError
from typing import Any, NamedTuple

from tertulia.protocols.smpp.fields import (
    FLAGS,
    NO_TLVS,
    NOWHERE,
    THREE,
    TWO,
    Torn,
    octets,
    options,
    place,
    read_address,
    read_numbers,
    read_text,
    read_tlvs,
    short,
)
from tertulia.protocols.smpp.fields import Address as Address
from tertulia.protocols.smpp.names import BINDS, RESPONSE, Command, Status, Tag

PDU_MAX = 70_000
"""Octets: a message_payload of 64 KiB with all that can be around it."""
VERSION = 0x34

_HEADER = Layout("!IIII")


class Bind(NamedTuple):
    """bind_transmitter, bind_receiver, bind_transceiver (4.1)."""

    system_id: str
    password: str = ""
    system_type: str = ""
    interface_version: int = VERSION
    address_range: Address = NOWHERE


class Named(NamedTuple):
    """An answer that gives an id: of the SMSC to a bind (4.1), of the message (4.4.2 …)."""

    id: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class Message(NamedTuple):
    """submit_sm (4.4.1), deliver_sm (4.6.1), and what data_sm (4.7.1) has of it."""

    source: Address
    destination: Address
    short_message: bytes = b""
    esm_class: int = 0
    data_coding: int = 0
    registered_delivery: int = 0
    tlvs: Mapping[int, bytes] = NO_TLVS
    service_type: str = ""
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present: int = 0
    sm_default_msg_id: int = 0

    @property
    def content(self) -> bytes:
        return self.short_message or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")


class Query(NamedTuple):
    """query_sm (4.8.1)."""

    message_id: str
    source: Address = NOWHERE


class Queried(NamedTuple):
    """query_sm_resp (4.8.2)."""

    message_id: str
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


class Cancel(NamedTuple):
    """cancel_sm (4.9.1)."""

    message_id: str
    source: Address = NOWHERE
    destination: Address = NOWHERE
    service_type: str = ""


class Replace(NamedTuple):
    """replace_sm (4.10.1)."""

    message_id: str
    source: Address = NOWHERE
    short_message: bytes = b""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0


Body = Bind | Named | Message | Query | Queried | Cancel | Replace


class Pdu(NamedTuple):
    command: int
    sequence: int
    status: int = 0
    body: Body | None = None
    """None where there is nothing to be told, and of an answer that tells of a failure."""


class Malformed(NamedTuple):
    """What should have been a PDU."""

    command: int
    sequence: int
    status: Status
    """With which it is answered."""

    @property
    def answer(self) -> Pdu:
        """A generic_nack to what is no command, its own response to one that is torn (3.3)."""
        if self.status in (Status.RINVCMDID, Status.RINVCMDLEN):
            return Pdu(Command.GENERIC_NACK, self.sequence, self.status)
        return Pdu(self.command | RESPONSE, self.sequence, self.status)


def read(frame: bytes) -> Pdu | Malformed:
    """One whole PDU, its length included. Of 16 octets at least."""
    _, command, status, sequence = _HEADER.unpack_from(frame)
    reader = _READERS.get(command)
    if reader is None:
        return Malformed(command, sequence, Status.RINVCMDID)
    if len(frame) == 16 and command & RESPONSE:
        return Pdu(command, sequence, status)  # a failed answer may have no body (4.4.2)
    try:
        return Pdu(command, sequence, status, reader(frame, 16))
    except Torn as torn:
        if command & RESPONSE and status:
            return Pdu(command, sequence, status)
        return Malformed(command, sequence, torn.status)


def write(pdu: Pdu) -> bytes:
    """The octets of a PDU.

    Raises:
        ValueError: something does not fit its field.
    """
    writer = _WRITERS.get(pdu.command)
    body = b"" if pdu.body is None or writer is None else writer(pdu.body)
    try:
        return _HEADER.pack(16 + len(body), pdu.command, pdu.status, pdu.sequence) + body
    except StructError as error:
        raise ValueError(f"the header: {error}") from error


def _read_bind(data: bytes, at: int) -> Bind:
    system_id, at = read_text(data, at, 16)
    password, at = read_text(data, at, 9)
    system_type, at = read_text(data, at, 13)
    version, ton, npi = read_numbers(data, at, THREE)
    where, _ = read_text(data, at + 3, 41)
    return Bind(system_id, password, system_type, version, Address(ton, npi, where))


def _read_named(data: bytes, at: int) -> Named:
    if data.find(0, at) < 0 and len(data) - at < 65:  # some forget the NUL of the last field
        return Named(data[at:].decode("latin-1"))
    name, at = read_text(data, at, 65)
    return Named(name, read_tlvs(data, at))


def _read_message(data: bytes, at: int) -> Message:
    service_type, at = read_text(data, at, 6)
    source, at = read_address(data, at)
    destination, at = read_address(data, at)
    esm_class, protocol_id, priority = read_numbers(data, at, THREE)
    schedule, at = read_text(data, at + 3, 17)
    validity, at = read_text(data, at, 17)
    registered, replace, coding, canned, length = read_numbers(data, at, FLAGS)
    at += 5
    end = at + length
    if end > len(data) or length > 254:
        raise Torn(Status.RINVMSGLEN)
    return Message(
        source, destination, data[at:end], esm_class, coding, registered, read_tlvs(data, end),
        service_type, protocol_id, priority, schedule, validity, replace, canned,
    )  # fmt: skip


def _read_data(data: bytes, at: int) -> Message:
    service_type, at = read_text(data, at, 6)
    source, at = read_address(data, at, 65)
    destination, at = read_address(data, at, 65)
    esm_class, registered, coding = read_numbers(data, at, THREE)
    tlvs = read_tlvs(data, at + 3)
    return Message(
        source, destination, b"", esm_class, coding, registered, tlvs, service_type
    )  # fmt: skip


def _read_query(data: bytes, at: int) -> Query:
    message_id, at = read_text(data, at, 65)
    return Query(message_id, read_address(data, at)[0])


def _read_queried(data: bytes, at: int) -> Queried:
    message_id, at = read_text(data, at, 65)
    date, at = read_text(data, at, 17)
    state, error = read_numbers(data, at, TWO)
    return Queried(message_id, date, state, error)


def _read_cancel(data: bytes, at: int) -> Cancel:
    service_type, at = read_text(data, at, 6)
    message_id, at = read_text(data, at, 65)
    source, at = read_address(data, at)
    return Cancel(message_id, source, read_address(data, at)[0], service_type)


def _read_replace(data: bytes, at: int) -> Replace:
    message_id, at = read_text(data, at, 65)
    source, at = read_address(data, at)
    schedule, at = read_text(data, at, 17)
    validity, at = read_text(data, at, 17)
    registered, canned, length = read_numbers(data, at, THREE)
    text = data[at + 3 : at + 3 + length]
    if len(text) != length or length > 254:
        raise Torn(Status.RINVMSGLEN)
    return Replace(message_id, source, text, schedule, validity, registered, canned)


def _read_nothing(data: bytes, at: int) -> None:
    """What is there all the same is passed over."""


def _write_bind(bind: Bind) -> bytes:
    where = bind.address_range
    return b"".join(
        (
            octets(bind.system_id, 16), octets(bind.password, 9), octets(bind.system_type, 13),
            bytes((bind.interface_version, where.ton, where.npi)), octets(where.value, 41),
        )
    )  # fmt: skip


def _write_named(named: Named) -> bytes:
    return octets(named.id, 65) + (options(named.tlvs) if named.tlvs else b"")


def _write_message(each: Message) -> bytes:
    dates = b"\0\0"
    if each.schedule_delivery_time or each.validity_period:
        dates = octets(each.schedule_delivery_time, 17) + octets(each.validity_period, 17)
    return b"".join(
        (
            octets(each.service_type, 6), place(each.source), place(each.destination),
            bytes((each.esm_class, each.protocol_id, each.priority_flag)), dates,
            bytes(
                (
                    each.registered_delivery, each.replace_if_present, each.data_coding,
                    each.sm_default_msg_id,
                )
            ),
            short(each.short_message), options(each.tlvs) if each.tlvs else b"",
        )
    )  # fmt: skip


def _write_data(each: Message) -> bytes:
    tlvs = dict(each.tlvs)
    if each.short_message:
        tlvs[Tag.MESSAGE_PAYLOAD] = each.short_message
    flags = bytes((each.esm_class, each.registered_delivery, each.data_coding))
    places = place(each.source, 65) + place(each.destination, 65)
    return octets(each.service_type, 6) + places + flags + options(tlvs)


def _write_query(each: Query) -> bytes:
    return octets(each.message_id, 65) + place(each.source)


def _write_queried(each: Queried) -> bytes:
    last = bytes((each.message_state, each.error_code))
    return octets(each.message_id, 65) + octets(each.final_date, 17) + last


def _write_cancel(each: Cancel) -> bytes:
    return b"".join(
        (
            octets(each.service_type, 6), octets(each.message_id, 65), place(each.source),
            place(each.destination),
        )
    )  # fmt: skip


def _write_replace(each: Replace) -> bytes:
    return b"".join(
        (
            octets(each.message_id, 65), place(each.source),
            octets(each.schedule_delivery_time, 17), octets(each.validity_period, 17),
            bytes((each.registered_delivery, each.sm_default_msg_id)), short(each.short_message),
        )
    )  # fmt: skip


_SHAPES: tuple[tuple[Command, Callable[[bytes, int], Body], Callable[[Any], bytes]], ...] = (
    *((each, _read_bind, _write_bind) for each in BINDS),
    *((Command(each | RESPONSE), _read_named, _write_named) for each in BINDS),
    (Command.SUBMIT_SM, _read_message, _write_message),
    (Command.SUBMIT_SM_RESP, _read_named, _write_named),
    (Command.DELIVER_SM, _read_message, _write_message),
    (Command.DELIVER_SM_RESP, _read_named, _write_named),
    (Command.DATA_SM, _read_data, _write_data),
    (Command.DATA_SM_RESP, _read_named, _write_named),
    (Command.QUERY_SM, _read_query, _write_query),
    (Command.QUERY_SM_RESP, _read_queried, _write_queried),
    (Command.CANCEL_SM, _read_cancel, _write_cancel),
    (Command.REPLACE_SM, _read_replace, _write_replace),
)
_WRITERS: dict[int, Callable[[Any], bytes]] = {each: writer for each, _, writer in _SHAPES}
_READERS: dict[int, Callable[[bytes, int], Body | None]] = {
    **dict.fromkeys(map(int, Command), _read_nothing),
    **{int(each): reader for each, reader, _ in _SHAPES},
}
