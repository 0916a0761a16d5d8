"""A journal whose store was put back to an earlier state, and gets a new epoch.

Up to the newest position that the store still has, its events are those of before: what the journal
knows of these stays, so webhooks go on from there.
"""

from tertulia.dispatch.records import ReplayState
from tertulia.dispatch.tables import Step, Tables
from tertulia.model.ids import Position

_STEPS = (
    "UPDATE webhook_progress SET cursor = $1, waiting_since = NULL WHERE cursor > $1",
    "DELETE FROM webhook_held WHERE position > $1",
    "DELETE FROM webhook_dead_letters WHERE position > $1",
    f"UPDATE webhook_replays SET state = '{ReplayState.BROKEN_OFF}'"
    " WHERE state = 'waiting' AND conversation_id IS NULL AND after > $1",
)
_SET = "UPDATE webhook_epoch SET epoch = $1"


async def renew(tables: Tables, *, epoch: str, former: str, head: Position) -> bool:
    """Whether the journal was of the former epoch; one that was not is left as it is, and is
    forgotten when the dispatcher starts. `head`: the newest position that the store has.

    Raises Unavailable.
    """
    found = await tables.fetch("SELECT epoch FROM webhook_epoch")
    if not found or found[0]["epoch"] != former:
        return False
    steps = [*(Step(sql, [(head,)]) for sql in _STEPS), Step(_SET, [(epoch,)])]
    await tables.write({}, lambda _: steps)
    return True
