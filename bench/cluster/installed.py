"""What is measured: one server on SQLite, or nodes on a durable PostgreSQL with a bus between them.

PostgreSQL and NATS are those of the tests, from wheels; everything is on this machine.
"""

import base64
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import psutil
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from tests.system import cluster
from tests.system.cluster import Cluster, ClusterNode

from bench.places import Failed, Skipped
from bench.processes import cpu_seconds, tree
from bench.product import ENVIRONMENT, product
from bench.rest import Rest
from bench.tokens import Issuer
from tertulia.devkit import DevDocument

NATS, NOTIFY = "NATS", "LISTEN/NOTIFY"
DATABASE = "PostgreSQL"
SPREAD_WITHIN = 30.0
"""Seconds for each node to have an application at home."""
FLUSHED, SURELY_FLUSHED = 1.1, 10.5
"""Seconds after which a process of PostgreSQL reports what it has counted, with its next work; and
without any."""
PARTS = ("hub", "dispatcher")


class Node(NamedTuple):
    name: str
    port: int
    parts: dict[str, psutil.Process]


class Application(NamedTuple):
    issuer: Issuer

    @property
    def id(self) -> str:
        return self.issuer.application_id

    @property
    def token(self) -> str:
        return self.issuer.application_token()

    def at(self, node: Node) -> Rest:
        """Its REST, asked there."""
        return Rest(node.port, self.token)


class Installation:
    """`cluster`: None for the server on SQLite."""

    def __init__(
        self, nodes: list[Node], application: Application, cluster: Cluster | None = None
    ) -> None:
        self.nodes = nodes
        self.application = application
        self.cluster = cluster

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by process: `n1 hub`, …, PostgreSQL as a whole, NATS."""
        spent = {
            f"{node.name} {name}": cpu_seconds([process])
            for node in self.nodes for name, process in node.parts.items()
        }  # fmt: skip
        if self.cluster is not None:
            for process in psutil.Process().children():
                if process.name() == "postgres":
                    spent[DATABASE] = cpu_seconds(tree(process)) + _of_ended(process)
                elif process.name() == "nats-server":
                    spent[NATS] = cpu_seconds([process])
        return spent

    def home(self, application: Application) -> Node:
        """Raises Failed when it is nowhere."""
        found = self._cluster.node_of(application.id)
        for node in self.nodes:
            if found is not None and node.name == found.name:
                return node
        raise Failed(f"the application is at home at {found}")

    def others(self, home: Node) -> list[Node]:
        return [node for node in self.nodes if node.name != home.name]

    def spread(self) -> dict[str, Application]:
        """One application for each node, at home there."""
        found = [self.application]
        found += [self._make(number) for number in range(1, len(self.nodes))]
        deadline = time.monotonic() + SPREAD_WITHIN
        while True:
            homes: dict[str, Application] = {}
            for application in found:
                home = self._cluster.node_of(application.id)
                homes |= {home.name: application} if home is not None else {}
            if len(homes) == len(self.nodes):
                return homes
            if time.monotonic() > deadline:
                raise Failed(f"all applications are at home at {', '.join(homes)}")
            time.sleep(0.1)

    def ask(self, sql: str, *values: object) -> Any:
        """One value of the database. Committed as one transaction."""
        return self._cluster.database.run(_value(self._cluster.url, sql, values))

    @property
    def _cluster(self) -> Cluster:
        if self.cluster is None:
            raise Failed("there is no cluster")
        return self.cluster

    def _make(self, number: int) -> Application:
        """One more of the account, with the key of the first."""
        document = self._cluster.nodes[0].tree.document()
        key = Path(document.private_key_file).read_bytes()
        body = {"name": f"application {number}", "keys": {"public_key": _public(key)}}
        login = base64.b64encode(f"{document.api_key}:{document.api_secret}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.nodes[0].port}/v2/applications",
            data=msgspec.json.encode(body),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            made = msgspec.json.decode(answer.read())
        return Application(Issuer(made["id"], key))


@contextmanager
def single(place: Path) -> Iterator[Installation]:
    """One server on SQLite."""
    with product(place / "data") as server:
        node = Node("sqlite", server.port, _parts(server.process))
        yield Installation([node], Application(server.issuer))


@contextmanager
def nodes(place: Path, count: int, *, bus: str = NATS) -> Iterator[Installation]:
    """`bus`: NATS or NOTIFY."""
    try:
        with cluster.running(
            place, count=count, has_bus=bus == NATS, is_durable=True, settings=ENVIRONMENT
        ) as running:
            yield Installation(*_of(running), running)
    except pytest.skip.Exception as reason:
        raise Skipped(str(reason)) from reason
    except pytest.fail.Exception as reason:
        raise Failed(str(reason)) from reason


def node_of(node: ClusterNode) -> Node:
    """Again, after it was started again."""
    process = psutil.Process(node.tree.supervisor.pid)
    return Node(node.name, node.http, _parts(process))


def _of(running: Cluster) -> tuple[list[Node], Application]:
    document = msgspec.json.decode(running.dev_json.read_bytes(), type=DevDocument)
    key = Path(document.private_key_file).read_bytes()
    nodes = [node_of(node) for node in running.nodes]
    return nodes, Application(Issuer(document.application_id, key))


def _parts(supervisor: psutil.Process) -> dict[str, psutil.Process]:
    return {
        name: process
        for process in supervisor.children() for name in PARTS if name in process.cmdline()
    }  # fmt: skip


def _of_ended(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.children_user + times.children_system)


def _public(private_key: bytes) -> str:
    key = load_pem_private_key(private_key, password=None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def _value(url: str, sql: str, values: tuple[object, ...]) -> Any:
    connection = await asyncpg.connect(url, server_settings={"search_path": "tertulia"})
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()
