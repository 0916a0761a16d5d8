"""The number plan: what it leads to, and errors that name the line."""

from pathlib import Path

import pytest

from tertulia.model.ids import ApplicationId
from tertulia.model.rating import Rate
from tertulia.settings import SettingsError
from tertulia.sip.plan import Caps, Plan, TrunkPlan, for_development, read_plan

ONE, TWO = ApplicationId("application-1"), ApplicationId("application-2")
EXAMPLE = """
[[trunk]]
name = "north"
host = "sip.north.example"
transport = "tls"
username = "alice"
password = "secret"
register = true
from_networks = ["192.0.2.0/24", "2001:db8::/32"]
prefixes = ["+44", "1"]
strip = 1
add = "00"
calls = 10
calls_per_second = 2.5
srtp = true

[[trunk]]
name = "south"
host = "198.51.100.7"
port = 5080
order = 5
application = "application-2"
prefixes = ["1555", ""]

[[trunk]]
name = "east"
host = "198.51.100.8"
prefixes = [""]

[numbers]
"+1 555-0100" = "application-1"
15550101 = "application-2"

[domains]
"Phones.example" = "application-1"

[applications.application-1]
calls = 7

[[rate]]
prefix = "1555"
rate = "0.0200"
network = "US-FIXED"
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return written(tmp_path, EXAMPLE)


def written(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return read_plan(path, suffix="sip.example")


@pytest.mark.parametrize(
    ("number", "names"),
    [
        ("15550177", ["south"]),
        ("+15550177", ["south"]),
        ("1777", ["north"]),
        ("4420", ["north"]),
        ("33", ["south", "east"]),
        ("anything", ["south", "east"]),
    ],
)
def test_the_longest_prefix_counts_then_the_order(
    plan: Plan, number: str, names: list[str]
) -> None:
    assert [trunk.name for trunk in plan.ways(number)] == names


def test_without_a_trunk_there_is_no_way() -> None:
    inbound_only = TrunkPlan(name="inbound")
    assert Plan(trunks=(inbound_only,)).ways("15550100") == []


def test_numbers_are_dialled_as_the_trunk_wants_them(plan: Plan) -> None:
    north, south, _ = plan.trunks
    assert north.dialled("+15550100") == "005550100"
    assert (south.dialled("+15550100"), south.dialled("1777")) == ("+15550100", "1777")


def test_numbers_belong_to_applications(plan: Plan) -> None:
    north, south, _ = plan.trunks
    assert plan.owner("15550100", north) == plan.owner("+15550100") == ONE
    assert (plan.owner("15550101", north), plan.owner("15550199", north)) == (TWO, None)
    assert plan.owner("15550199", south) == TWO


def test_domains_belong_to_applications(plan: Plan) -> None:
    assert plan.tenant("phones.EXAMPLE") == ONE
    assert plan.tenant("application-2") == plan.tenant("application-2.sip.example") == TWO


def test_caps_are_read(plan: Plan) -> None:
    assert plan.trunks[0].caps == Caps(10, 2.5)
    assert plan.caps == {ONE: Caps(7)}


def test_rates_and_an_applications_numbers_are_read(plan: Plan) -> None:
    assert plan.rates == (Rate("1555", "0.0200", "US-FIXED"),)
    assert (plan.numbers_of(ONE), plan.numbers_of(TWO)) == (["15550100"], ["15550101"])


def test_srtp_is_offered_where_all_trunks_for_a_number_want_it() -> None:
    secure = TrunkPlan(name="a", host="a", transport="tls", prefixes=("44",), srtp=True)
    plain_one = TrunkPlan(name="b", host="b", prefixes=("44", "1"))
    assert Plan(trunks=(secure,)).is_secure("447700900000")
    assert not Plan(trunks=(secure, plain_one)).is_secure("447700900000")
    assert not Plan(trunks=(secure,)).is_secure("15550100")


def test_secrets_are_not_shown(plan: Plan) -> None:
    assert "secret" not in repr(plan)


def test_development_adds_its_number_its_domains_and_simulated_phones(plan: Plan) -> None:
    for before, ways in ((Plan(), ["simulated"]), (plan, ["south", "east"])):
        made = for_development(before, TWO, "15550199")
        assert [trunk.name for trunk in made.ways("33")] == ways
        assert (made.owner("15550199"), made.tenant("127.0.0.1")) == (TWO, TWO)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[trunk]]\nname = x\n", "line 2"),
        ("[[trunk]]\nhost = 'a'\n", "line 1: Object missing required field `name`"),
        ("\n[[trunk]]\nname = 'a'\n\n[[trunk]]\nname='b'\nprot = 1\n", "line 7: Object contains"),
        ("[[trunk]]\nname='a'\nport=70000\n", "line 3: Expected `int` <= 65535"),
        ("[[trunk]]\nname='a'\n[[trunk]]\nname='a'\n", "line 4: there is a trunk a already"),
        ("[[trunk]]\nname='simulated'\n", "line 2: there is a trunk simulated"),
        ("[[trunk]]\nname='a'\nfrom_networks=['x']\n", "'x' does not appear to be"),
        ("[[trunk]]\nname='a'\nregister=true\n", "line 1: register needs host and username"),
        ("[[trunk]]\nname='a'\nsrtp=true\ntransport='udp'\n", "srtp needs transport tls"),
        ("[[trunk]]\nname='a'\ninbound_username='u'\n", "go together"),
        ("[[trunk]]\nname='a b'\n", "line 2: Expected `str` matching"),
        ("[[trunk]]\nname='a'\nhost='a\\r\\nb'\n", "line 3"),
        ("[numbers]\n1 = 'a'\nx = 'b'\n", "line 3: x is no phone number"),
        ("[numbers]\n1 = 2\n", "Expected `str`, got `int`"),
        ("[trunks]\n", "line 1: Object contains unknown field `trunks`"),
        ("[[rate]]\nprefix=''\nrate='-1'\n", "line 3: Expected `str` matching"),
        ("[applications.a]\ncalls = -1\n", "Expected `int` >= 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        written(tmp_path, text)
    assert says in str(raised.value)
    assert str(tmp_path / "plan.toml") in str(raised.value)


def test_a_plan_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_plan(tmp_path / "none.toml")
