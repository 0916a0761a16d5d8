"""The proof: everything is caused, and seen at every place."""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

from tests.system.conftest import Plant
from tests.system.proof import client_scenes, message_scenes, phone_scenes
from tests.system.proof.places import fleeting, of_history, of_sessions
from tests.system.proof.venue import Venue, venue
from tests.system.proof.verdict import Row, Seen, rows, summary, table
from tests.system.tones import Samples

from tertulia.model.events.registry import Reach

ARRIVED_WITHIN = 20.0
"""Seconds until the last event is everywhere; generous, since the machine may be busy."""
_TICK = 0.2


class Proof(NamedTuple):
    rows: list[Row]
    faults: list[str]

    def __str__(self) -> str:
        return "\n".join((table(self.rows), "", *self.faults, summary(self.rows)))


async def prove(plant: Plant, folder: Path, voice: Samples) -> Proof:
    """`voice` says client_scenes.SENTENCE; `folder` is for scratch.

    Raises AssertionError: a scene went otherwise than it should.
    """
    async with venue(plant, folder) as where:
        await client_scenes.play(where, voice)
        await phone_scenes.play(where)
        await message_scenes.play(where)
        proof = await _settled(where)
        await where.hall.diary.check()
        return proof


async def _settled(where: Venue) -> Proof:
    """Once everything has arrived, or time is over."""
    deadline = time.monotonic() + ARRIVED_WITHIN
    while True:
        proof = await _look(where)
        if not proof.faults or time.monotonic() > deadline:
            return proof
        await asyncio.sleep(_TICK)


async def _look(where: Venue) -> Proof:
    """As it is now."""
    diary = where.hall.diary
    await diary.read()
    names = {str(each.event.conversation_id) for each in diary.entries if each.event.id}
    arrivals = [arrival for phone in where.hall.phones for arrival in phone.arrivals]
    seen = Seen(
        log=list(diary.entries), webhook=where.ledger.sights, sessions=list(of_sessions(arrivals)),
        history=await of_history(where.hall.caller, names), since=where.since,
        notices=[members for _, members in where.program.told],
        fleeting={Reach.WEBHOOK: where.ledger.fleeting, Reach.SESSION: fleeting(arrivals)},
    )  # fmt: skip
    found = rows(seen)
    faults = [f"{row.type}: {each}" for row in found for each in row.faults]
    faults += [f"webhook: {each}" for each in where.ledger.faults]
    return Proof(found, faults)
