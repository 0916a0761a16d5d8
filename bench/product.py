"""Tertulia in development mode, as its own process tree on a data directory."""

import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from msgspec import Struct

from bench.places import ROOT, Failed
from bench.processes import free_port, running, tree, wait_until
from bench.rest import Rest
from bench.tokens import Issuer

ENVIRONMENT = {
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    # This source tree, also where another version is installed.
    "PYTHONPATH": str(ROOT / "src"),
}
"""The benchmark measures the server, not its rate limit."""


class DevFile(Struct):
    """The part of dev.json that is used here."""

    application_id: str
    private_key_file: str


class Product(NamedTuple):
    process: psutil.Process
    port: int
    token: str
    issuer: Issuer
    ready_after: float
    """Seconds from spawn to the first 200 of /readyz."""

    def rest(self) -> Rest:
        return Rest(self.port, self.token)

    def processes(self) -> list[psutil.Process]:
        return tree(self.process)

    def hub(self) -> psutil.Process:
        """The process that listens for REST."""
        for process in self.processes():
            for connection in process.net_connections("tcp4"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port:
                    return process
        raise Failed("no process of the tree listens on the REST port")

    def dispatcher(self) -> psutil.Process | None:
        """The process that sends the webhooks, when it can be told from the others."""
        hub = self.hub()
        others = [process for process in self.processes()[1:] if process != hub]
        named = [process for process in others if "dispatch" in " ".join(process.cmdline())]
        return next(iter(named or others), None)


@contextmanager
def product(data: Path, *options: str) -> Iterator[Product]:
    """Tertulia, ready. `data` may be empty or from an earlier run."""
    port = free_port()
    command = [sys.executable, "-m", "tertulia", "dev", "--data", str(data)]
    command += ["--host", "127.0.0.1", "--http-port", str(port), "--https-port", "0"]
    command += ["--sip-port", "0", "--rtc-port", "0", *options]
    log = data.parent / f"{data.name}.log"
    with running(command, log=log, cwd=ROOT, env=ENVIRONMENT) as process:
        ready_after = wait_until(lambda: _is_ready(port), process, log)
        # The supervisor writes it when it has heard that the hub is ready.
        wait_until((data / "dev.json").exists, process, log)
        dev = msgspec.json.decode((data / "dev.json").read_bytes(), type=DevFile)
        key = (data / dev.private_key_file).read_bytes()
        issuer = Issuer(dev.application_id, key)
        yield Product(process, port, issuer.application_token(), issuer, ready_after)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
