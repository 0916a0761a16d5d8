"""Carriers of messages as the hub makes them of a plan."""

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.carriers.far_http import GatewayApi, HttpFar
from tests.contracts.message_carrier import Ears, sending

from tertulia.app import whereabouts
from tertulia.app.chance import SystemClock
from tertulia.app.messaging import MessagePorts, message_plan
from tertulia.app.whereabouts import Whereabouts
from tertulia.carriers.accounts import ViberAccount
from tertulia.carriers.plan import Plan
from tertulia.ports.messaging import OutOfReach
from tertulia.services.strangers import Unknown
from tertulia.settings import Data, Messaging, Settings, SettingsError

KINDS = {
    "simulated-sms": "smpp", "simulated-whatsapp": "whatsapp", "simulated-messenger": "messenger",
    "simulated-viber": "viber", "simulated-mms": "http", "simulated-rcs": "http",
    "simulated-email": "http",
}  # fmt: skip


def settings(folder: Path, **messaging: str | bool) -> Settings:
    return replace(Settings(), data=Data(str(folder)), messaging=replace(Messaging(), **messaging))


def test_in_development_every_channel_has_its_simulated_carrier(tmp_path: Path) -> None:
    async def scenario() -> None:
        made = settings(tmp_path)
        ports = MessagePorts(made, message_plan(made, dev=True), SystemClock(), dev=True)
        assert {name: each.kind for name, each in ports.carriers.items()} == KINDS
        assert list(ports.doors) == list(KINDS)[1:]
        assert ports.messaging.unknown is Unknown.WEBHOOK
        await ports.start(Ears())
        with pytest.raises(OutOfReach):
            await ports.carriers["simulated-mms"].submit(sending("mms"))
        await ports.close()

    asyncio.run(scenario())


def test_elsewhere_only_what_the_plan_says(tmp_path: Path) -> None:
    assert message_plan(settings(tmp_path), dev=False) == Plan()
    simulated = message_plan(settings(tmp_path, simulated=True), dev=False)
    assert [each.name for each in simulated.carriers] == list(KINDS)
    assert simulated.home is None
    path = tmp_path / "messaging.toml"
    path.write_text('[[carrier]]\nkind = "viber"\nname = "bot"\ntoken = "t"\n')
    plan = message_plan(settings(tmp_path, plan=str(path)), dev=False)
    assert plan.carriers == (ViberAccount(name="bot", token="t"),)
    path.write_text('[[carrier]]\nkind = "fax"\n')
    with pytest.raises(SettingsError, match="fax"):
        message_plan(settings(tmp_path, plan=str(path)), dev=False)


@pytest.mark.parametrize("simulated", [True, False])
def test_loopback_is_reached_where_carriers_are_simulated(tmp_path: Path, simulated: bool) -> None:
    async def scenario() -> None:
        far = HttpFar(GatewayApi())
        await far.listen()
        where = Whereabouts(0, os.getpid(), http=far.port)
        whereabouts.note(tmp_path / whereabouts.PHONES, where)
        made = settings(tmp_path, simulated=simulated)
        plan = Plan((GatewayApi().account(),))
        ports = MessagePorts(made, plan, SystemClock())
        carrier = ports.carriers["gate"]
        if simulated:
            assert await carrier.submit(sending("mms")) == ["ref.1"]
        else:
            with pytest.raises(OutOfReach, match="not permitted"):
                await carrier.submit(sending("mms"))
        await ports.close()
        await far.goes()

    asyncio.run(scenario())
