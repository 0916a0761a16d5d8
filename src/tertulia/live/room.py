"""The room put together: what a hub needs of live sessions."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tertulia.live.catchup import CatchUp
from tertulia.live.delivery import Delivery
from tertulia.live.desk import Desk
from tertulia.live.doorway import Doorway
from tertulia.live.presence import Attendance
from tertulia.live.reception import Reception
from tertulia.live.sessions import Sessions, Visitor
from tertulia.ports import Clock, Directory, EventLog, Ids, SessionLedger
from tertulia.services.conversations import Conversations
from tertulia.services.users import Users
from tertulia.settings import Settings


class Surroundings(Struct, frozen=True):
    """What the room needs from outside of it."""

    log: EventLog
    directory: Directory
    ledger: SessionLedger
    clock: Clock
    ids: Ids
    monotonic: Callable[[], float]
    conversations: Conversations
    users: Users
    identify: Callable[[str], Awaitable[Visitor]]
    """Whom a token speaks for, if it may open sessions. Raises rows of the error table."""


class Live:
    def __init__(self, around: Surroundings, settings: Settings) -> None:
        attendance = Attendance()
        limits = settings.sessions
        self.delivery = Delivery(around.log, attendance, outstanding_max=limits.outstanding)
        self.sessions = Sessions(
            ledger=around.ledger, attendance=attendance, cursor=lambda: self.delivery.cursor,
            clock=around.clock, ids=around.ids, limits=limits,
        )  # fmt: skip
        catch_up = CatchUp(around.log, around.conversations, lambda: self.delivery.cursor)
        reception = Reception(
            sessions=self.sessions, catch_up=catch_up, directory=around.directory,
            users=around.users, reached=self.delivery.reached, limits=limits,
            api_key=settings.account.api_key,
        )  # fmt: skip
        self.doorway = Doorway(
            reception, self.sessions, around.identify, clock=around.clock, ids=around.ids,
            now=around.monotonic, limits=limits,
        )  # fmt: skip
        self.desk = Desk(self.sessions)

    async def start(self) -> None:
        """Follow the log from here on, and let back in who was there before."""
        await self.delivery.start()
        self.sessions.restore()
        self.doorway.open()

    async def close(self) -> None:
        await self.doorway.close()
        await self.delivery.close()
