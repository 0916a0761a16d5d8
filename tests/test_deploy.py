"""The examples in deploy/ say what the program knows, and agree with each other."""

import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tertulia.settings import Settings, load

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
NODES = ("n1", "n2", "n3")
END_SECONDS = 5.0
"""That a node needs beside its drain."""


def variables(file: str) -> dict[str, str]:
    lines = (DEPLOY / file).read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


@pytest.fixture
def compose() -> Any:
    text = (DEPLOY / "compose.yaml").read_text().replace(":?}", "}")
    return yaml.safe_load(Template(text).substitute(variables("compose.env.example")))


def settings_of(service: Any) -> Settings:
    return load(file=DEPLOY / "node.toml", environment=service["environment"])


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text.removesuffix("s"))


@pytest.fixture
def unit() -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "tertulia.service")
    return parser


def test_a_node_reads_its_settings() -> None:
    settings = load(file=DEPLOY / "node.toml", environment=variables("secrets.env"))
    assert settings.cluster.node == "n1" and settings.store.url and settings.bus.url
    assert all((settings.account.api_key, settings.account.api_secret))


def test_nodes_of_compose_are_one_cluster(compose: Any) -> None:
    nodes = [settings_of(compose["services"][name]) for name in NODES]
    assert [node.cluster.node for node in nodes] == list(NODES)
    for shared in ("store", "bus", "account"):
        assert len({getattr(node, shared) for node in nodes}) == 1, shared
    assert len({node.cluster.secret for node in nodes}) == 1
    for name, node in zip(NODES, nodes, strict=True):
        assert node.cluster.url == f"http://{name}:{node.http.port}"
        published = compose["services"][name]["ports"]
        wanted = [
            f"{node.sip.port}:{node.sip.port}/tcp", f"{node.sip.port}:{node.sip.port}/udp",
            f"{node.rtc.port}:{node.rtc.port}/udp",
            f"{node.rtc.phone_ports}:{node.rtc.phone_ports}/udp",
        ]  # fmt: skip
        assert published == wanted


def test_ports_of_one_machine_are_published_once(compose: Any) -> None:
    published = [port for each in compose["services"].values() for port in each.get("ports", ())]
    assert len(published) == len(set(published))


def test_what_compose_names_is_there(compose: Any) -> None:
    services, volumes = compose["services"], compose["volumes"]
    for service in services.values():
        assert "image" in service
        for needed in service.get("depends_on", ()):
            assert needed in services
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), volume
        if "build" in service:
            folder = DEPLOY / service["build"]["context"]
            assert (folder / service["build"]["dockerfile"]).exists()


def test_a_node_has_time_to_drain(compose: Any, unit: ConfigParser) -> None:
    drain = load(file=DEPLOY / "node.toml", environment=variables("secrets.env")).cluster.drain_s
    assert float(unit["Service"]["TimeoutStopSec"]) > drain + END_SECONDS
    for name in NODES:
        service = compose["services"][name]
        assert seconds(service["stop_grace_period"]) > settings_of(service).cluster.drain_s
        assert service["stop_signal"] == "SIGTERM"


def test_the_unit_starts_what_is_there(unit: ConfigParser) -> None:
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/tertulia")
    assert arguments == ["serve", "--config", "/etc/tertulia/node.toml"]
    settings = load(file=DEPLOY / "node.toml", environment=variables("secrets.env"))
    assert settings.data.dir == f"/var/lib/{service['StateDirectory']}"
    assert service["KillMode"] == "mixed", "the supervisor tells its parts in order"


def test_the_balancer_asks_every_node_of_compose(compose: Any) -> None:
    text = (DEPLOY / "haproxy.cfg").read_text()
    servers = re.findall(r"^ +server (\S+) (\S+):(\d+)$", text, re.MULTILINE)
    assert [name for name, _, _ in servers] == list(NODES)
    for name, host, port in servers:
        assert (host, int(port)) == (name, settings_of(compose["services"][name]).http.port)
    assert "option httpchk GET /readyz" in text


def test_the_image_copies_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    """With a program that exists: else that is all that it says."""
    text = (DEPLOY / "tertulia.service").read_text()
    copy = tmp_path / "tertulia.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "tertulia.service" in line]
    assert done.returncode == 0 and not told, done.stderr
