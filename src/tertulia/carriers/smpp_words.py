"""Messages of ours in the words of SMPP 3.4, and its words in ours: addresses (5.2.5 to 5.2.9),
parts (5.2.12, 5.3.2.22 to 5.3.2.24), what went wrong (5.1.3), message ids, times (7.1.1)."""

from datetime import UTC, datetime

from tertulia.carriers.accounts import SmppAccount, plain
from tertulia.model.instant import Instant
from tertulia.model.message_errors import Code
from tertulia.model.sending import Content, MessageChannel, Outcome, Problem, Sending, SendingStatus
from tertulia.ports.messaging import Declined
from tertulia.protocols import gsm
from tertulia.protocols.smpp.coding import DEFAULT, EIGHT_BIT, UCS_2
from tertulia.protocols.smpp.names import (
    UDHI,
    Npi,
    State,
    Status,
    Tag,
    Ton,
    status_name,
)
from tertulia.protocols.smpp.pdu import Address, Message
from tertulia.protocols.smpp.receipt import Receipt

CONGESTED = {
    Status.RTHROTTLED: 1.0, Status.RMSGQFUL: 1.0, Status.RSYSERR: 5.0, Status.RX_T_APPN: 5.0,
}  # fmt: skip
"""Statuses after which the same is tried again, and after how many seconds."""
_SHORT_CODE = 6
"""Digits, at most."""
_ALPHANUMERIC_MAX = 11
_ENTITY, _TEMPLATE = 0x1400, 0x1401
"""TLVs (of the vendors' range, 5.3.1) in which regulated countries want the ids of who sends, and
of the registered content."""
_OCTETS = ("udh", "body")
_OCTETS_MAX = 140
_BASES = {"decimal": 10, "hex": 16}
_REFUSALS = {
    Status.RINVSRCADR: Code.SENDER, Status.RINVSRCTON: Code.SENDER, Status.RINVSRCNPI: Code.SENDER,
    Status.RINVDSTADR: Code.RECIPIENT, Status.RINVDSTTON: Code.RECIPIENT,
    Status.RINVDSTNPI: Code.RECIPIENT, Status.RINVMSGLEN: Code.TOO_LONG,
    Status.RINVEXPIRY: Code.TTL, Status.RINVSCHED: Code.TTL,
    Status.RDELIVERYFAILURE: Code.UNREACHABLE,
}  # fmt: skip
_ENDS = {
    State.DELIVERED: (SendingStatus.DELIVERED, None),
    State.EXPIRED: (SendingStatus.UNDELIVERABLE, Code.EXPIRED),
    State.DELETED: (SendingStatus.UNDELIVERABLE, Code.UNREACHABLE),
    State.UNDELIVERABLE: (SendingStatus.UNDELIVERABLE, Code.UNREACHABLE),
    State.UNKNOWN: (SendingStatus.UNDELIVERABLE, Code.UNKNOWN),
    State.REJECTED: (SendingStatus.REJECTED, Code.UNKNOWN),
}  # fmt: skip
"""ENROUTE and ACCEPTED are no ends: SMSCs tell of these on the way."""


def messages_of(sending: Sending, account: SmppAccount, reference: int) -> list[Message]:
    """The submit_sm of each part, in order. Raises Declined."""
    order = sending.order
    kind = order.content.message_type
    if order.channel != MessageChannel.SMS or kind not in ("text", "binary"):
        raise _declined(Code.UNPROCESSABLE, "A short message carries text, or octets.")
    first = Message(
        source=_source(order.from_, account),
        destination=_destination(order.to),
        service_type=account.service_type,
        registered_delivery=int(account.receipts),
        validity_period=time_of(sending.expires_at) if sending.expires_at else "",
        tlvs=_regulated(order.content.extras.get("sms")),
    )
    if kind == "binary":
        return [_binary(first, order.content)]
    data_coding, parts = _parts(order.content.text, _wanted(sending), account)
    first = first._replace(data_coding=data_coding)
    if len(parts) == 1:
        return [first._replace(short_message=parts[0])]
    if account.segmentation == "payload":
        payload = b"".join(parts)
        if len(payload) > 0xFFFF:
            raise _declined(Code.TOO_LONG, "The text is longer than a message may be.")
        return [first._replace(tlvs={**first.tlvs, int(Tag.MESSAGE_PAYLOAD): payload})]
    if len(parts) > gsm.PARTS_MAX:
        raise _declined(Code.TOO_LONG, "The text has more parts than a message may have.")
    return [
        _part(first, each, gsm.Concatenation(reference, len(parts), number), account)
        for number, each in enumerate(parts, 1)
    ]


def _binary(first: Message, content: Content) -> Message:
    """Octets, with their header: both come in hexadecimal."""
    try:
        header, body = (bytes.fromhex(str(content.members.get(each, ""))) for each in _OCTETS)
    except ValueError:
        raise _declined(Code.INVALID, "The octets are not hexadecimal.") from None
    if len(header) + len(body) > _OCTETS_MAX:
        raise _declined(Code.TOO_LONG, "There are more octets than a message carries.")
    esm_class = first.esm_class | UDHI if header else first.esm_class
    return first._replace(short_message=header + body, data_coding=EIGHT_BIT, esm_class=esm_class)


def _wanted(sending: Sending) -> str:
    options = sending.order.content.extras.get("sms")
    wanted = options.get("encoding_type") if isinstance(options, dict) else None
    return wanted if isinstance(wanted, str) else gsm.Encoding.AUTO


def _parts(text: str, encoding: str, account: SmppAccount) -> tuple[int, list[bytes]]:
    """The data_coding, and the texts of the parts in it."""
    is_latin = account.alphabet == "latin-1"
    if is_latin and encoding == gsm.Encoding.AUTO and not _is_latin(text):
        encoding = gsm.Encoding.UNICODE
    segments = gsm.segments_of(text, encoding)
    if segments.is_unicode:
        return UCS_2, list(segments.parts)
    if is_latin:
        return DEFAULT, [gsm.decode(each).encode("latin-1", "replace") for each in segments.parts]
    return DEFAULT, list(segments.parts)


def _is_latin(text: str) -> bool:
    return all(ord(each) < 0x100 for each in text)


def _part(first: Message, text: bytes, which: gsm.Concatenation, account: SmppAccount) -> Message:
    if account.segmentation == "udh":
        esm_class = first.esm_class | UDHI
        return first._replace(short_message=gsm.header(which) + text, esm_class=esm_class)
    tlvs = {
        **first.tlvs,
        int(Tag.SAR_MSG_REF_NUM): (which.reference & 0xFFFF).to_bytes(2),
        int(Tag.SAR_TOTAL_SEGMENTS): bytes((which.total,)),
        int(Tag.SAR_SEGMENT_SEQNUM): bytes((which.number,)),
    }
    return first._replace(short_message=text, tlvs=tlvs)


def _regulated(options: object) -> dict[int, bytes]:
    if not isinstance(options, dict):
        return {}
    wanted = ((_ENTITY, options.get("entity_id")), (_TEMPLATE, options.get("content_id")))
    return {tag: each.encode() + b"\0" for tag, each in wanted if isinstance(each, str) and each}


def _source(sender: str, account: SmppAccount) -> Address:
    number = plain(sender).removeprefix("+")
    if _is_number(number) and len(number) <= _SHORT_CODE:
        return Address(account.short_ton, account.short_npi, number)
    if _is_number(number):
        return Address(Ton.INTERNATIONAL, Npi.ISDN, number)
    if not sender.isascii() or not 0 < len(sender) <= _ALPHANUMERIC_MAX:
        raise _declined(Code.SENDER, "The sender is no number, and no name of up to 11 letters.")
    return Address(Ton.ALPHANUMERIC, Npi.UNKNOWN, sender)


def _destination(recipient: str) -> Address:
    number = plain(recipient).removeprefix("+")
    if not _is_number(number):
        raise _declined(Code.RECIPIENT, "The recipient is no number.")
    return Address(Ton.INTERNATIONAL, Npi.ISDN, number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20


def address_of(address: Address) -> str:
    """A number without a plus, or a name."""
    return address.value.removeprefix("+")


def time_of(instant: Instant) -> str:
    """`YYMMDDhhmmss000+`: an absolute time, in UTC (7.1.1)."""
    return f"{datetime.fromtimestamp(instant // 1000, UTC):%y%m%d%H%M%S}000+"


def id_of(spelled: str, spelling: str) -> str:
    """A message id as it is compared: in decimal, when its spelling is known to be a number's."""
    base = _BASES.get(spelling)
    if base is None:
        return spelled
    try:
        return str(int(spelled, base))
    except ValueError:
        return spelled


def refusal(status: int) -> Problem:
    """Why a submit_sm was not taken."""
    code = _REFUSALS.get(Status(status), Code.UNKNOWN) if status in _KNOWN else Code.UNKNOWN
    return Problem(code, f"The SMSC answered {status_name(status)}.")


_KNOWN = frozenset(map(int, Status))


def outcome_of(receipt: Receipt, account: SmppAccount, *, is_intermediate: bool) -> Outcome:
    """What a receipt says of a message."""
    spelling = account.submit_ids if receipt.is_tagged else account.receipt_ids
    ref = id_of(receipt.message_id, spelling)
    end = _ENDS.get(receipt.state)
    if end is None or is_intermediate:
        return Outcome(account.name, ref, SendingStatus.SUBMITTED)
    status, code = end
    if code is None:
        return Outcome(account.name, ref, status)
    reason = f"The SMSC reported {receipt.state.name}, error {receipt.error or 'none'}."
    return Outcome(account.name, ref, status, Problem(code, reason))


def _declined(code: Code, reason: str) -> Declined:
    return Declined(Problem(code, reason))
