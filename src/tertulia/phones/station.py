"""The SIP side of the simulated phones: a user agent of their own, on loopback only."""

from collections.abc import Callable
from itertools import count

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.signals import AnySignal
from tertulia.protocols.sip.verbs import AnyVerb
from tertulia.settings import Settings, Sip
from tertulia.sip.shell import Shell

HOST = "127.0.0.1"


class Station:
    """Make it on the loop; from `open` to `close`. `heard` gets what happens to calls, in order;
    what it tells then is done after it."""

    def __init__(self, heard: Callable[[AnySignal], None], *, port: int, calls: int) -> None:
        """At a port, 0 for any that is free."""
        self._names = count(1)
        self._shell = Shell(
            Settings(sip=Sip(host=HOST, port=port, max_calls=calls)),
            hear=heard, is_trusted=lambda host: host == HOST, lost=lambda flow: None,
            name_call=self.name, credentials=lambda call, realm: None, hosts={HOST},
        )  # fmt: skip

    async def open(self) -> None:
        """Raises OSError."""
        await self._shell.transports.open(HOST, None)

    async def close(self) -> None:
        """What was told is sent, if the peers take it."""
        await self._shell.close()

    @property
    def port(self) -> int:
        return self._shell.transports.port

    def name(self) -> str:
        """For a call."""
        return f"phone-{next(self._names)}"

    def tell(self, verb: AnyVerb) -> None:
        self._shell.tell(verb)

    def flow(self, address: tuple[str, int]) -> Flow | None:
        """The way to somebody, by UDP."""
        return self._shell.transports.flow("udp", address, address[0])
