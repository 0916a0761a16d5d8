"""What phones do in calls, by SIP and RTP: they call, are called, press keys, are machines, and
have a line that is bad.
"""

import asyncio

from tests.system.office import OWN
from tests.system.proof.venue import Venue
from tests.system.simulated import (
    BAD_LINE,
    KEYPAD,
    MENU,
    OLD_KEYPAD,
    PRESSED,
    VOICEMAIL,
    are_of,
    calling,
)

INFORMED = 3
"""Keys that are pressed by SIP INFO; the others are of the audio."""
TALKED_S = 4
"""Of sound, so that something gets lost."""


async def play(venue: Venue) -> None:
    """All scenes, at the same time."""
    async with asyncio.TaskGroup() as tasks:
        for scene in (a_machine, a_machine_and_its_beep, keys_that_phones_press,
                      keys_that_a_menu_hears, a_bad_line):  # fmt: skip
            tasks.create_task(scene(venue))


async def a_machine(venue: Venue) -> None:
    leg = await venue.call(VOICEMAIL, machine_detection="continue")
    found = await venue.hall.diary.see("sip:machine", leg=leg)
    assert found.body["type"] == "machine" and 50 <= found.body["confidence"] <= 100
    await goodbye(venue, leg)


async def a_machine_and_its_beep(venue: Venue) -> None:
    advanced = {"behavior": "continue", "mode": "detect_beep"}
    leg = await venue.call(VOICEMAIL, advanced_machine_detection=advanced)
    for kind in ("machine", "beep_start"):
        await venue.hall.diary.see("sip:amd_machine", leg=leg, type=kind)
    await goodbye(venue, leg)


async def keys_that_phones_press(venue: Venue) -> None:
    """Two phones call in, one after the other, and hang up themselves."""
    diary = venue.hall.diary
    venue.program.says["/answer"] = [await venue.room()]
    for number in (KEYPAD, OLD_KEYPAD):
        since = await diary.read()
        async with calling(venue.hall.tree.data, number, OWN) as phone:
            await phone.until("ended 200")
        hangup = await diary.see("sip:hangup", since=since, direction="inbound")
        leg = hangup.body["channel"]["id"]
        assert hangup.body["reason"]["code"] == "LOCAL_HANGUP"
        await diary.see("member:left", leg=leg)
        keys = "".join(each.body["digit"] for each in diary.told("audio:dtmf", leg=leg))
        # of tones a machine that is busy may miss some
        assert keys == PRESSED or (number == OLD_KEYPAD and are_of(keys, PRESSED)), (number, keys)
        assert len(keys) > INFORMED


async def keys_that_a_menu_hears(venue: Venue) -> None:
    """It speaks, hears a key, and hangs up."""
    leg = await venue.call(MENU)
    await venue.hall.diary.see("audio:speaking:on", leg=leg)
    answer = await venue.hall.caller.call("PUT", f"/v1/calls/{leg}/dtmf", {"digits": "9"})
    assert answer.status == 200, answer
    hangup = await venue.hall.diary.see("sip:hangup", leg=leg)
    assert hangup.body["reason"]["code"] == "LOCAL_HANGUP"
    await venue.hall.diary.see("member:left", leg=leg)


async def a_bad_line(venue: Venue) -> None:
    leg = await venue.call(BAD_LINE)
    await venue.hall.diary.see("sip:answered", leg=leg)
    await asyncio.sleep(TALKED_S)
    quality = await goodbye(venue, leg)
    assert 0 < quality["packet_loss_perc"] < 15
    assert quality["jitter_max_var"] > 2


async def goodbye(venue: Venue, leg: str) -> dict[str, float]:
    """Hang up; what was measured."""
    await venue.hang_up(leg)
    quality: dict[str, float] = (await venue.hall.diary.see("sip:hangup", leg=leg)).body["quality"]
    await venue.hall.diary.see("member:left", leg=leg)
    return quality
