"""The room put together: what a hub needs of live sessions."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tertulia.live.catchup import CatchUp
from tertulia.live.delivery import Delivery
from tertulia.live.desk import Desk, SharedDesk
from tertulia.live.doorway import Doorway
from tertulia.live.neighbours import Neighbours, Nobody, Shared
from tertulia.live.presence import Attendance
from tertulia.live.reception import Reception
from tertulia.live.sessions import Sessions, Visitor
from tertulia.model.event import Event
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
    shared: Shared | None = None
    """With other nodes, if there are any; then the ledger is the shared one."""


class Live:
    def __init__(self, around: Surroundings, settings: Settings) -> None:
        attendance = Attendance()
        limits = settings.sessions
        self.delivery = Delivery(around.log, attendance, outstanding_max=limits.outstanding)
        self.sessions = Sessions(
            ledger=around.ledger, attendance=attendance, cursor=lambda: self.delivery.cursor,
            clock=around.clock, ids=around.ids, limits=limits,
        )  # fmt: skip
        self.desk: Desk | SharedDesk = Desk(self.sessions)
        self._neighbours: Neighbours | Nobody = Nobody()
        if around.shared is not None:
            self._neighbours = Neighbours(
                around.shared, self.sessions, limits, self.delivery.announce
            )
            self.desk = SharedDesk(around.shared.ledger, self._neighbours)
        catch_up = CatchUp(around.log, around.conversations, lambda: self.delivery.cursor)
        reception = Reception(
            sessions=self.sessions, neighbours=self._neighbours, catch_up=catch_up,
            directory=around.directory,
            users=around.users, reached=self.delivery.reached, limits=limits,
            api_key=settings.account.api_key,
        )  # fmt: skip
        self.doorway = Doorway(
            reception, self.sessions, around.identify, clock=around.clock, ids=around.ids,
            now=around.monotonic, limits=limits,
        )  # fmt: skip

    def announce(self, event: Event) -> None:
        """Tell all who are there now of an event that is not kept, here and elsewhere."""
        self.delivery.announce(event)
        self._neighbours.announce(event)

    @property
    def taken_over(self) -> int:
        """Sessions that other nodes had before, since the start."""
        return self._neighbours.taken_over

    async def start(self) -> None:
        """Follow the log from here on, and let back in who was there before."""
        await self.delivery.start()
        self.sessions.restore()
        await self._neighbours.start()
        self.doorway.open()

    async def close(self) -> None:
        await self.doorway.close()
        await self._neighbours.close()
        await self.delivery.close()
