"""Several nodes as an operator has them: `tertulia dev` three times, on one PostgreSQL and one bus.

All have the keys of one development application, and a TCP balancer stands in front of them.
"""

import random
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
import psutil
from tests import nats, postgres
from tests.nats import NatsServer
from tests.postgres import PostgresServer
from tests.system.balancer import Balancer
from tests.system.tree import Tree, is_over, is_ready, until
from tests.system.wire import Wire

from tertulia import devkit
from tertulia.settings import Data, Settings

SECRET = "the nodes of the tests know this"
STARTS = 3
"""A port that was free may be taken a moment later: then others are tried."""
PORTS = range(10_000, 32_000)
"""Below those that the system gives to connections, one of which might have taken a node's port
while that node is away."""


class ClusterNode:
    """`settings`: of all nodes, as variables of the environment."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.http, self.https, self.sip = _free_ports(3)
        self.store_wire: Wire | None = None
        """Its own line to PostgreSQL, where there is one."""
        self.bus_wire: Wire | None = None
        self._settings = dict(settings)
        self.tree = self._tree()

    def wire(self, database: PostgresServer, url: str, bus: NatsServer | None) -> None:
        """Give it lines of its own, before it is started."""
        self.store_wire = Wire(str(database.socket_folder / ".s.PGSQL.5432"))
        place = f"127.0.0.1:{self.store_wire.port}/{urlsplit(url).path.strip('/')}"
        self._settings["TERTULIA_STORE__URL"] = f"postgres://{postgres.USER}@{place}"
        if bus is not None:
            self.bus_wire = Wire(("127.0.0.1", bus.port))
            self._settings["TERTULIA_BUS__URL"] = f"nats://127.0.0.1:{self.bus_wire.port}"
        self.tree = self._tree()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def data(self) -> Path:
        return self.tree.data

    def spawn(self) -> None:
        self.tree.spawn()

    def ready(self) -> None:
        """Wait for it; where another program was faster at one of its ports, with others."""
        for left in reversed(range(STARTS)):
            until(
                f"{self.name} ready",
                lambda: self._has_ended() or is_ready(self.url),
            )
            if not self._has_ended():
                return
            assert left and "in use" in self.tree.told(), self.tree.told()
            self.http, self.https, self.sip = _free_ports(3)
            self.tree = self._tree()
            self.spawn()

    def start(self) -> None:
        """Again, on the same ports."""
        self.spawn()
        until(f"{self.name} ready", lambda: is_ready(self.url))

    def kill(self) -> None:
        """SIGKILL everything."""
        self.tree.kill()

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        assert self.tree.terminate() == 0, self.tree.told()

    def pause(self) -> None:
        """SIGSTOP everything."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Leave nothing running, whatever has happened."""
        self.tree.end()
        for wire in (self.store_wire, self.bus_wire):
            if wire is not None:
                wire.close()

    def _signal(self, number: int) -> None:
        supervisor = psutil.Process(self.tree.supervisor.pid)
        for process in (supervisor, *supervisor.children(recursive=True)):
            if not is_over(process):
                process.send_signal(number)

    def _has_ended(self) -> bool:
        return self.tree.supervisor.poll() is not None

    def _tree(self) -> Tree:
        ports = (
            "--http-port", str(self.http), "--https-port", str(self.https),
            "--sip-port", str(self.sip), "--sip-tls-port", "0",
        )  # fmt: skip
        own = {"TERTULIA_CLUSTER__NODE": self.name, "TERTULIA_CLUSTER__URL": self.url}
        return Tree(self.folder, *ports, environment=self._settings | own)


class Cluster:
    """Nodes, what they stand on, and what stands in front of them."""

    def __init__(
        self, folder: Path, nodes: list[ClusterNode], database: PostgresServer, url: str,
        bus: NatsServer | None,
    ) -> None:  # fmt: skip
        self.nodes = nodes
        self.database = database
        self.url = url
        """Of the database."""
        self.bus = bus
        """None: PostgreSQL is the bus too."""
        self.http = Balancer([node.http for node in nodes])
        self.https = Balancer([node.https for node in nodes])
        self.dev_json = folder / "dev.json"
        """As a single server writes it, with the addresses of the balancers."""

    def node_of(self, application_id: str) -> ClusterNode | None:
        """Where it is at home."""
        name = self.database.run(_home(self.url, application_id))
        return next((node for node in self.nodes if node.name == name), None)

    def told(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {node.name}\n{node.tree.told()}" for node in self.nodes)

    def describe(self) -> None:
        document = msgspec.structs.replace(
            self.nodes[0].tree.document(),
            api_url=self.http.url, ws_url=self.http.url, inspector_url=f"{self.http.url}/inspect",
            api_url_tls=self.https.url.replace("http:", "https:"),
        )  # fmt: skip
        devkit.write_document(document, self.dev_json.parent)

    def close(self) -> None:
        for balancer in (self.http, self.https):
            balancer.close()


@contextmanager
def running(
    folder: Path, *, count: int = 3, has_bus: bool = True, is_durable: bool = False,
    is_wired: bool = False, settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:  # fmt: skip
    """A cluster that is ready; nothing of it is left at the end. `settings`: of all nodes, as
    variables of the environment. Without `has_bus` PostgreSQL carries the words between nodes.
    `is_wired`: each node has lines of its own to PostgreSQL and to the bus."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running(durable=is_durable))
        bus = stack.enter_context(nats.running()) if has_bus else None
        url = database.new_database()
        shared = {
            "TERTULIA_STORE__URL": url,
            "TERTULIA_BUS__URL": bus.url if bus is not None else "",
            "TERTULIA_CLUSTER__SECRET": SECRET, "TERTULIA_CLUSTER__DRAIN_S": "1",
            **(settings or {}),
        }  # fmt: skip
        nodes = [_node(folder / f"n{number}", shared) for number in range(1, count + 1)]
        _share_identity(nodes)
        for node in nodes:
            stack.callback(node.end)
            if is_wired:
                node.wire(database, url, bus)
            node.spawn()
        for node in nodes:
            node.ready()
            until("simulated phones", (node.data / "phones.json").exists)
        cluster = Cluster(folder, nodes, database, url, bus)
        stack.callback(cluster.close)
        cluster.describe()
        yield cluster


def _node(folder: Path, settings: Mapping[str, str]) -> ClusterNode:
    folder.mkdir()
    return ClusterNode(folder, folder.name, settings)


def _share_identity(nodes: list[ClusterNode]) -> None:
    """The same application, keys, account and certificate for all: of an empty data folder each."""
    first = nodes[0].data
    first.mkdir(mode=0o700)
    devkit.prepare(Settings(data=Data(str(first))))
    for node in nodes[1:]:
        shutil.copytree(first, node.data)


def _free_ports(count: int) -> list[int]:
    """Of TCP and UDP on loopback, at this moment."""
    with ExitStack() as stack:
        ports = random.SystemRandom().sample(PORTS, len(PORTS))
        return list(islice((port for port in ports if _is_free(port, stack)), count))


def _is_free(port: int, stack: ExitStack) -> bool:
    """If so it is taken until the stack ends."""
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            stack.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


async def _home(url: str, application_id: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        name: str | None = await connection.fetchval(
            "SELECT node FROM tertulia.homes WHERE application = $1", application_id
        )
        return name
    finally:
        await connection.close()
