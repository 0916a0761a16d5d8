"""Long short messages put together again from their parts, for the handset that shows them."""

from collections import OrderedDict
from typing import NamedTuple

from tertulia.protocols import gsm
from tertulia.protocols.gsm import Concatenation
from tertulia.protocols.smpp.coding import text_of
from tertulia.protocols.smpp.names import UDHI, Tag
from tertulia.protocols.smpp.pdu import Message

UNFINISHED_MAX = 1000
"""Messages of which parts are missing; the oldest is forgotten."""


class Part(NamedTuple):
    text: str
    concatenation: Concatenation | None


class Whole(NamedTuple):
    text: str
    refs: tuple[str, ...]
    """Of its parts, as they came."""


def part_of(message: Message) -> Part | None:
    """None when its user data header is torn."""
    octets, concatenation = message.content, _by_tlvs(message)
    if message.esm_class & UDHI:
        found = gsm.user_data(octets)
        if found is None:
            return None
        octets, concatenation = found.data, found.concatenation or concatenation
    if concatenation is not None and concatenation.total == 1:
        concatenation = None
    return Part(text_of(octets, message.data_coding), concatenation)


class Assembly:
    def __init__(self) -> None:
        self._unfinished: OrderedDict[tuple[str, str, int, int], _Unfinished] = OrderedDict()

    def add(self, source: str, destination: str, part: Part, ref: str) -> Whole | None:
        """The message that the part completes."""
        which = part.concatenation
        if which is None:
            return Whole(part.text, (ref,))
        key = source, destination, which.reference, which.total
        unfinished = self._unfinished.setdefault(key, _Unfinished({}, []))
        unfinished.texts[which.number] = part.text
        unfinished.refs.append(ref)
        if len(unfinished.texts) == which.total:
            del self._unfinished[key]
            texts = unfinished.texts
            return Whole("".join(texts[at] for at in sorted(texts)), tuple(unfinished.refs))
        if len(self._unfinished) > UNFINISHED_MAX:
            self._unfinished.popitem(last=False)
        return None


class _Unfinished(NamedTuple):
    texts: dict[int, str]
    refs: list[str]


def _by_tlvs(message: Message) -> Concatenation | None:
    """SMPP 3.4 section 5.3.2.22 to 24."""
    if not message.tlvs:
        return None
    reference, total, number = (
        int.from_bytes(message.tlvs.get(tag, b""))
        for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    )
    return Concatenation(reference, total, number) if 1 <= number <= total <= 255 else None
