"""The plan of messaging: what it leads to, and errors that say what is wrong."""

import re
from pathlib import Path

import pytest

from tertulia.carriers.accounts import GatewayAccount, SmppAccount, WhatsAppAccount
from tertulia.carriers.plan import Plan, for_development, read_plan, with_simulated
from tertulia.model.ids import ApplicationId
from tertulia.model.sending import MessageChannel
from tertulia.settings import SettingsError

ONE, TWO, HOME = (ApplicationId(name) for name in ("app-1", "app-2", "home"))
EXAMPLE = """
[[carrier]]
kind = "smpp"
name = "first"
host = "smsc.example"
tls = true
system_id = "us"
password = "secret"
window = 20
rate = 50.0
senders = ["+1 555-0100", "SHOP"]

[[carrier]]
kind = "smpp"
name = "second"
host = "192.0.2.7"
resends = false
patience = 3600
application = "app-2"

[[carrier]]
kind = "whatsapp"
name = "wa"
token = "t"
secret = "s"
verify = "v"
numbers = { "15550100" = "106" }

[[carrier]]
kind = "messenger"
name = "page"
token = "t"
secret = "s"

[[carrier]]
kind = "viber"
name = "bot"
token = "t"

[[carrier]]
kind = "http"
name = "gate"
channels = ["mms", "sms"]
key = "Idempotency-Key"

[carrier.send]
url = "https://gate.example/send"
headers = { Authorization = "Bearer x" }
body = '{"to": "{to}", "text": "{text}"}'

[carrier.signature]
secret = "password"
header = "X-Signature"
kind = "hmac-sha256"

[carrier.receipt]
id = "message.id"
words = { delivered = ["OK"], undeliverable = ["NO"] }

[carrier.inbound]
from = "sender"
text = "text"

[[number]]
number = "+1 555-0100"
channels = ["sms", "mms", "whatsapp"]
application = "app-1"
label = "Shop"

[[number]]
number = "15550100"
channels = ["viber"]
application = "app-2"

[[number]]
id = "105:page"
application = "app-2"
"""


def written(folder: Path, text: str) -> Plan:
    path = folder / "messaging.toml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return written(tmp_path, EXAMPLE)


@pytest.mark.parametrize(
    ("channel", "sender", "names"),
    [
        ("sms", "15550100", ("first", "second", "gate")),
        ("sms", "+15550100", ("first", "second", "gate")),
        ("sms", "SHOP", ("first", "second", "gate")),
        ("sms", "15550177", ("second", "gate")),
        ("mms", "SHOP", ("gate",)),
        ("whatsapp", "1", ("wa",)),
        ("viber", "x", ("bot",)),
        ("messenger", "x", ("page",)),
        ("rcs", "x", ()),
    ],
)
def test_what_a_message_can_go_by(
    plan: Plan, channel: str, sender: str, names: tuple[str, ...]
) -> None:
    assert plan.carriers_of(channel, sender) == names


@pytest.mark.parametrize(
    ("channel", "to", "carrier", "owner"),
    [
        ("sms", "15550100", "", ONE),
        ("whatsapp", "+15550100", "", ONE),
        ("viber", "15550100", "", TWO),
        ("rcs", "15550100", "", None),
        ("messenger", "105:page", "", TWO),
        ("sms", "15550177", "", None),
        ("sms", "15550177", "second", TWO),
        ("sms", "15550177", "first", None),
        ("sms", "15550100", "second", ONE),
    ],
)
def test_whose_a_message_is(
    plan: Plan, channel: str, to: str, carrier: str, owner: ApplicationId | None
) -> None:
    assert plan.application_of(channel, to, carrier) == owner


def test_what_stands_in_it(plan: Plan) -> None:
    first, second, whatsapp, *_, gate = plan.carriers
    assert isinstance(first, SmppAccount)
    assert (first.host, first.port, first.tls, first.channels) == (
        "smsc.example", 2775, True, (MessageChannel.SMS,),
    )  # fmt: skip
    terms = second.terms()
    assert (terms.resends, terms.patience, terms.window, terms.rate) == (False, 3600, 10, 0)
    assert (first.terms().window, first.terms().rate) == (20, 50)
    assert isinstance(whatsapp, WhatsAppAccount)
    assert whatsapp.numbers == {"15550100": "106"}
    assert isinstance(gate, GatewayAccount)
    assert gate.inbound is not None
    assert gate.inbound.from_ == "sender"
    assert [each.label for each in plan.numbers_of(ONE)] == ["Shop"]
    assert "secret" not in repr(plan.carriers)


def test_development_adds_what_is_missing(plan: Plan) -> None:
    assert for_development(Plan(), HOME).application_of("sms", "1") == HOME
    everything = for_development(Plan(), HOME)
    for channel in MessageChannel:
        assert everything.carriers_of(channel, "1") == (f"simulated-{channel}",)
    added = [each.name for each in with_simulated(plan).carriers[len(plan.carriers) :]]
    assert added == ["simulated-rcs", "simulated-email"]


def test_the_guide_shows_one_that_can_be_read(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "carriers.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    plan = written(tmp_path, example)
    assert [each.name for each in plan.carriers] == ["north", "shop", "page", "bot", "gate"]


def carrier(text: str) -> str:
    return f'[[carrier]]\nname = "a"\n{text}\n'


SEND = 'kind = "http"\nchannels = ["sms"]\n[carrier.send]\nurl = "https://g.example/"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[carrier]", "messaging.toml"),
        ("[[carier]]\n", "carier"),
        (carrier(""), "kind"),
        (carrier('kind = "pigeon"'), "pigeon"),
        ('[[carrier]]\nkind = "smpp"\nname = "a b"', "carrier a b"),
        (carrier('kind = "smpp"\nhots = "x"'), "hots"),
        (carrier('kind = "smpp"\nwindow = 0'), "carrier a.window"),
        (carrier('kind = "smpp"\npassword = "far too long"'), "carrier a.password"),
        (carrier('kind = "smpp"\nchannels = ["fax"]'), "fax"),
        (carrier('kind = "whatsapp"'), "token"),
        (carrier('kind = "viber"\ntoken = "a\\nb"'), "carrier a.token"),
        (carrier('kind = "viber"\ntoken = "t"\nurl = "file:///a"'), "carrier a.url"),
        (carrier(SEND.replace('["sms"]', "[]")), "channels"),
        (carrier(SEND + "body = '{\"a\": {text}}'"), "carrier a: send: the body is not JSON"),
        (carrier(SEND + "body = '{nobody}'"), "no placeholder {nobody}"),
        (carrier('ref_pattern = "a"\n' + SEND), "has no group"),
        (carrier('ref_pattern = "("\n' + SEND), "carrier a"),
        (carrier(SEND + '[carrier.receipt]\nid = "i"'), "signature"),
        (carrier(SEND + '[carrier.signature]\nsecret = "password"'), "header or in the query"),
        (carrier('kind = "smpp"') * 2, "there is a carrier a already"),
        ('[[carrier]]\nkind = "smpp"\nname = "simulated-sms"', "already"),
        ('[[number]]\napplication = "x"', "number or id"),
        ('[[number]]\napplication = "x"\nnumber = "SHOP"', "SHOP is no number"),
        ('[[number]]\napplication = "x"\nnumber = "1"\nid = "2"', "number or id"),
        ('[[number]]\nnumber = "1"', "application"),
        ('[[number]]\nnumber = "+1"\napplication = "x"\n' * 2, "1 stands there twice"),
        ('number = "1"', "number"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        written(tmp_path, text)
    assert complaint in str(wrong.value)
    assert str(wrong.value).startswith(str(tmp_path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        read_plan(tmp_path / "none.toml")
