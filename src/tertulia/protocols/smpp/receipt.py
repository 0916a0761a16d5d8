"""Delivery receipts of SMPP 3.4 (appendix B, sections 5.2.12, 5.3.2.12, 5.3.2.35), in the spellings
that SMSCs have for them: read leniently, written as the appendix has it.

Only what the SMSC marks as a receipt is one: anybody can write such a text on a handset.
"""

import re
from typing import NamedTuple

from tertulia.protocols.smpp.names import INTERMEDIATE, MESSAGE_TYPE, RECEIPT, State, Tag
from tertulia.protocols.smpp.pdu import Address, Message

_KEY = re.compile(
    r"\b((?:(?:msg|message)[ _]?)?id|sub|dlvrd|submit[ _]?date|done[ _]?date"
    r"|stat(?:us|e)?|err(?:or)?|text)[ ]?[:=]",
    re.IGNORECASE,
)
_SPELLINGS = (
    ("DELIV", State.DELIVERED), ("DELV", State.DELIVERED), ("EXP", State.EXPIRED),
    ("DELE", State.DELETED), ("UNDEL", State.UNDELIVERABLE), ("FAIL", State.UNDELIVERABLE),
    ("ACC", State.ACCEPTED), ("ACK", State.ACCEPTED), ("UNK", State.UNKNOWN),
    ("REJ", State.REJECTED), ("ENR", State.ENROUTE), ("BUF", State.ENROUTE),
    ("SCH", State.ENROUTE),
)  # fmt: skip
_WORDS = {
    State.ENROUTE: "ENROUTE", State.DELIVERED: "DELIVRD", State.EXPIRED: "EXPIRED",
    State.DELETED: "DELETED", State.UNDELIVERABLE: "UNDELIV", State.ACCEPTED: "ACCEPTD",
    State.UNKNOWN: "UNKNOWN", State.REJECTED: "REJECTD",
}  # fmt: skip
_TEXT_MAX = 1000
"""Octets that are looked at."""
_STATES = {int(each): each for each in State}


class Receipt(NamedTuple):
    message_id: str
    state: State
    error: str = ""
    """The network's code, as it was spelled: `000`, `1B`."""
    submitted: str = ""
    """YYMMDDhhmm, with or without seconds, in the SMSC's time."""
    done: str = ""
    text: str = ""
    """How the message began."""
    is_tagged: bool = False
    """The id is of the TLV: spelled as in the answer to the submission."""


def is_receipt(message: Message) -> bool:
    """Whether an SMSC's message says of itself that it is one."""
    kind = message.esm_class & MESSAGE_TYPE
    return bool(kind & (RECEIPT | INTERMEDIATE)) or Tag.RECEIPTED_MESSAGE_ID in message.tlvs


def read_receipt(message: Message) -> Receipt | None:
    """What a receipt tells; None when it names no message, or no state that there is."""
    told = _told(message.content[:_TEXT_MAX].decode("latin-1"))
    tagged = message.tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1")
    state = _STATES.get(int.from_bytes(message.tlvs.get(Tag.MESSAGE_STATE, b"")[:1]))
    state = state or state_of(told.get("stat", ""))
    name = tagged or told.get("id", "")
    if not name or state is None:
        return None
    network = message.tlvs.get(Tag.NETWORK_ERROR_CODE, b"")
    error = str(int.from_bytes(network[1:3])) if len(network) == 3 else told.get("err", "")
    return Receipt(
        name, state, error, told.get("subm", ""), told.get("done", ""), told.get("text", ""),
        bool(tagged),
    )  # fmt: skip


def _told(text: str) -> dict[str, str]:
    """What stands behind each word, by the word's first four letters; of `text` all to the end."""
    told: dict[str, str] = {}
    at = 0
    while found := _KEY.search(text, at):
        key = _name(found[1].lower())
        if key == "text":
            told.setdefault(key, text[found.end() :])
            break
        value = text[found.end() : found.end() + 80].lstrip(" ")
        told.setdefault(key, value.split(maxsplit=1)[0] if value.strip() else "")
        at = found.end()
    return told


def _name(word: str) -> str:
    if word.endswith("id"):
        return "id"
    return "err" if word.startswith("err") else word[:4]


def state_of(word: str) -> State | None:
    """`DELIVRD`, `delivered`, `2`; None for one that is no state."""
    if word.isdecimal() and len(word) <= 2:
        return _STATES.get(int(word))
    upper = word.upper()
    return next((state for start, state in _SPELLINGS if upper.startswith(start)), None)


def write_receipt(
    receipt: Receipt, source: Address, destination: Address, *, tagged: bool = True
) -> Message:
    """The deliver_sm of a receipt: from whom the message was for, to whom it was from."""
    delivered = int(receipt.state is State.DELIVERED)
    text = (
        f"id:{receipt.message_id} sub:001 dlvrd:{delivered:03d} submit date:{receipt.submitted} "
        f"done date:{receipt.done} stat:{_WORDS[receipt.state]} err:{receipt.error or '000'} "
        f"text:{receipt.text[:20]}"
    )
    tlvs = {
        int(Tag.RECEIPTED_MESSAGE_ID): receipt.message_id.encode("latin-1", "replace") + b"\0",
        int(Tag.MESSAGE_STATE): bytes((receipt.state,)),
    }
    return Message(
        source, destination, text.encode("ascii", "replace")[:254], RECEIPT,
        tlvs=tlvs if tagged else {},
    )  # fmt: skip
