"""Short messages that are octets, in the words of SMPP."""

import pytest

from tertulia.carriers.accounts import SmppAccount
from tertulia.carriers.smpp_words import messages_of
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.sending import Content, Order, Sending
from tertulia.ports.messaging import Declined
from tertulia.protocols.smpp.coding import EIGHT_BIT
from tertulia.protocols.smpp.names import UDHI

ACCOUNT = SmppAccount(name="sms", host="127.0.0.1", system_id="x", password="x")
NOW = Instant(0)


def sending(**members: str) -> Sending:
    order = Order("sms", "447700900001", "Shop", Content("binary", dict(members)))
    return Sending(MessageId("M"), ApplicationId("A"), order, created_at=NOW, changed_at=NOW)


def test_octets_go_with_their_header() -> None:
    (message,) = messages_of(sending(body="00ff", udh="0101"), ACCOUNT, 1)
    assert message.short_message == b"\x01\x01\x00\xff"
    assert (message.data_coding, message.esm_class & UDHI) == (EIGHT_BIT, UDHI)
    (message,) = messages_of(sending(body="00"), ACCOUNT, 1)
    assert (message.short_message, message.esm_class & UDHI) == (b"\x00", 0)


@pytest.mark.parametrize("members, code", [
    ({"body": "0"}, "1020"), ({"body": "00" * 141}, "1090"),
])  # fmt: skip
def test_what_is_none_is_declined(members: dict[str, str], code: str) -> None:
    with pytest.raises(Declined) as declined:
        messages_of(sending(**members), ACCOUNT, 1)
    assert declined.value.problem.code == code
