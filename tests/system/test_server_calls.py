"""Calls to the application with real audio: by its own server's script, and by the house line."""

import asyncio
import time

import pytest
from tests.system.conftest import Plant
from tests.system.hall import hall
from tests.system.program import Program
from tests.system.softphone import Softphone
from tests.system.speakers import needs_speech

pytestmark = [pytest.mark.system, needs_speech]

NUMBER = "447700900000"
LET_IN_SECONDS = 5.0
"""After which a client gives up (wire-clients 4.4)."""


async def call_the_application(phone: Softphone) -> str:
    """Knock, as clients do once their media path is open; the conversation that it comes into."""
    await phone.open()
    channel = {"type": "app", "id": phone.leg, "to": {"type": "phone", "number": NUMBER}}
    known = len(phone.arrivals)
    asked = time.monotonic()
    knocking = await phone.must("POST", "/knocking", {"channel": channel})
    payload = (await phone.event("member:joined", after=known)).payload
    assert time.monotonic() - asked < LET_IN_SECONDS
    assert payload["body"]["channel"]["id"] == phone.leg
    assert payload["body"]["channel"]["knocking_id"] == knocking["id"]
    phone.member = payload["body"]["member_id"]
    return str(payload["cid"])


def test_the_house_says_back_what_it_hears(plant: Plant) -> None:
    async def session() -> None:
        async with hall(plant) as here:
            anne = await here.phone("anne")
            await call_the_application(anne)
            async with asyncio.timeout(10):  # as the published client's programs expect
                while (media := await anne.event("member:media")).payload["from"] == anne.member:
                    anne.arrivals.remove(media)
            assert media.payload["body"]["audio"] is True
            await anne.hears_something()  # the greeting
            await here.diary.see("audio:say:done")
            anne.tone(700)
            await anne.hears(700)
            anne.tone(0)
            await anne.hears_silence()
            house = (await here.diary.see("leg:status:update", type="websocket")).body["leg_id"]
            await anne.must("PUT", f"/legs/{anne.leg}", {"action": "hangup"})
            for leg in (anne.leg, house):
                await here.diary.see("member:left", leg=leg)
            await here.diary.check()

    asyncio.run(session())


@pytest.mark.parametrize("slow", [0.0, 4.0])
def test_a_script_is_heard_and_its_keys_are_told(plant: Plant, slow: float) -> None:
    async def session() -> None:
        async with Program.serving() as program:
            program.slow = slow
            program.says["/answer"] = [
                {"action": "talk", "text": "Press a key", "bargeIn": True, "loop": 0},
                {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 2},
                 "eventUrl": [f"{program.url}/keys"]},
            ]  # fmt: skip
            program.says["/keys"] = [{"action": "conversation", "name": "hall"}]
            urls = {
                "TERTULIA_DEV__ANSWER_URL": f"{program.url}/answer",
                "TERTULIA_DEV__EVENT_URL": f"{program.url}/event",
            }
            async with hall(plant, **urls) as here:
                ben = await here.guest("ben")
                anne = await here.phone("anne")
                own = await call_the_application(anne)
                await anne.hears_something()
                for digit in "42":
                    await anne.press(digit)
                told = await program.has_told("/keys")
                assert told["dtmf"] == {"digits": "42", "timed_out": False}
                assert (told["uuid"], told["conversation_uuid"]) == (anne.leg, own)
                await here.diary.see("rtc:transfer", leg=anne.leg)
                anne.tone(700)
                await ben.hears(700)
                await anne.must("PUT", f"/legs/{anne.leg}", {"action": "hangup"})
                done = await program.has_told("/event", status="completed", uuid=anne.leg)
                assert done["conversation_uuid"] == here.conversation
                statuses = [each["status"] for each in program.of("/event") if "direction" in each]
                assert statuses == ["started", "answered", "completed"]
                await here.diary.check()

    asyncio.run(session())
