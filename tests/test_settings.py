"""Settings: which source is stronger, and errors that name the setting and where it came from."""

from pathlib import Path
from typing import Any

import pytest

from tertulia.settings import (
    GROUPS,
    Account,
    Bus,
    Cluster,
    Settings,
    SettingsError,
    Store,
    load,
    reference,
)

REFERENCE = Path(__file__).parents[1] / "config.default.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tertulia.toml"


def test_nothing_given_is_the_defaults() -> None:
    settings = load()
    assert settings == Settings()
    assert (settings.http.port, settings.http.https_port) == (8080, 8443)
    assert (settings.sip.port, settings.rtc.port) == (5060, 8189)
    assert (settings.limits.requests_per_second, settings.limits.burst) == (1000, 2000)


def test_the_reference_file_is_what_the_code_says() -> None:
    text = reference()
    assert REFERENCE.read_text(encoding="utf-8") == text, (
        "write config.default.toml again: it is the text that tertulia.settings.reference() gives"
    )
    keys = {(group, key) for group, type_ in GROUPS.items() for key in type_.__struct_fields__}
    assert text.count(" = ") == len(keys)


def test_the_reference_file_changes_nothing() -> None:
    assert load(file=REFERENCE) == Settings()


def test_later_sources_are_stronger(file: Path) -> None:
    file.write_text("[http]\nport = 1\nhttps_port = 1\n[sip]\nport = 1\n")
    environment = {"TERTULIA_HTTP__PORT": "2", "TERTULIA_HTTP__HTTPS_PORT": "2", "PATH": "/bin"}
    settings = load(file=file, environment=environment, overrides={"http.port": 3})
    assert (settings.http.port, settings.http.https_port, settings.sip.port) == (3, 2, 1)


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load(environment={"TERTULIA_SIP__PORT": "7"}, overrides={"sip.port": None}).sip.port == 7


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("HTTP__PORT", "0", 0),
        ("HTTP__HOST", "::1", "::1"),
        ("HTTP__PUBLIC_URL", "https://example.org/a", "https://example.org/a"),
        ("LIMITS__REQUESTS_PER_SECOND", "0", 0),
        ("WEBHOOKS__FIRST_RETRY_S", "0.5", 0.5),
        ("WEBHOOKS__FIRST_RETRY_S", "7", 7.0),
        ("WEBHOOKS__ALLOW_NETWORKS", "10.0.0.0/8, ::1/128", ("10.0.0.0/8", "::1/128")),
        ("WEBHOOKS__ALLOW_NETWORKS", "", ()),
        ("RTC__ADDRESSES", "192.0.2.1, 2001:db8::1", ("192.0.2.1", "2001:db8::1")),
        ("RTC__HOST6", "", ""),
        ("RTC__WORKERS", "4", 4),
        ("LOG__JSON", "true", True),
        ("LOG__JSON", "0", False),
        ("LOG__LEVEL", "debug", "debug"),
        ("ACCOUNT__API_KEY", "12345678", "12345678"),
        ("DEV__NUMBER", "15550123", "15550123"),
    ],
)
def test_texts_become_values(variable: str, text: str, value: object) -> None:
    group, _, key = variable.lower().partition("__")
    settings = load(environment={f"TERTULIA_{variable}": text})
    assert getattr(getattr(settings, group), key) == value


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[http]\nprot = 1", "there is no setting http.prot"),
        ("[htpp]\nport = 1", r"there is no group of settings \[htpp\]"),
        ("port = 1", "port is not a group of settings"),
        ("[http]\nport = 65536", "http.port: Expected `int` <= 65535"),
        ("[http]\nport = true", "http.port: Expected `int`, got `bool`"),
        ("[http]\nport = [1]", "http.port: Expected `int`, got `array`"),
        ("[http]\nhost = 1", "http.host: Expected `str`, got `int`"),
        ("[http]\nhost = ''", "http.host"),
        ("[webhooks]\nallow_networks = ['10.0.0.1/8']", "webhooks: 10.0.0.1/8 has host bits set"),
        ("[http", "tertulia.toml: "),
    ],
)
def test_what_is_wrong_in_a_file(file: Path, toml: str, says: str) -> None:
    file.write_text(toml)
    with pytest.raises(SettingsError, match=says):
        load(file=file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load(file=tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("HTTP__PORT", "eighty", "TERTULIA_HTTP__PORT: http.port: Expected `int`"),
        ("HTTP__PORT", "-1", "http.port: Expected `int` >= 0"),
        ("HTTP__PROT", "1", "TERTULIA_HTTP__PROT: there is no setting http.prot"),
        ("PORT", "1", "TERTULIA_PORT: there is no setting port"),
        ("HTTP", "1", "TERTULIA_HTTP: there is no setting http"),
        ("HTTP__PORT__X", "1", "there is no setting http.port__x"),
        ("WIRE__V1_EVENTS", "list", "array, object, or auto"),
        ("LOG__LEVEL", "loud", "debug, info, warning or error"),
        ("LOG__JSON", "perhaps", "log.json: Expected `bool`"),
        ("WEBHOOKS__WINDOW_S", "0", "webhooks.window_s: Expected `float` >= 0.001"),
        ("WEBHOOKS__WINDOW_S", "nan", "webhooks.window_s"),
        ("WEBHOOKS__ALLOW_NETWORKS", "home", "webhooks: 'home'"),
        ("RTC__HOST", "everywhere", "rtc: .*'everywhere'"),
        ("RTC__HOST", "::", "rtc: .*'::'"),
        ("RTC__HOST6", "0.0.0.0", "rtc: .*'0.0.0.0'"),
        ("RTC__ADDRESSES", "example.org", "rtc: 'example.org'"),
        ("RTC__ADDRESSES", "0.0.0.0", "rtc: clients cannot reach 0.0.0.0"),
        ("RTC__PHONE_PORTS", "40000", "rtc: phone_ports is 0, or the first and the last"),
        ("RTC__PHONE_PORTS", "9-5", "rtc: phone_ports is 0, or the first and the last"),
        ("RTC__PHONE_PORTS", "5-65536", "rtc: phone_ports is 0, or the first and the last"),
        ("RTC__PHONE_CODECS", "G729", "rtc.phone_codecs"),
        ("RTC__WORKERS", "-1", "rtc.workers: Expected `int` >= 0"),
        ("DEV__NUMBER", "+1555", "dev.number"),
        ("DEV__EVENT_URL", "ftp://example.org", "dev: event_url and answer_url"),
        ("HTTP__PUBLIC_URL", "example.org", "http: public_url must start with"),
        ("HTTP__CERTIFICATE", "a.pem", "certificate and certificate_key go together"),
        ("ACCOUNT__API_KEY", "a:b", "account: api_key must not hold a colon"),
        ("STORE__URL", "mysql://db", "store: url is empty, or starts with postgres://"),
    ],
)
def test_what_is_wrong_in_the_environment(variable: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(environment={f"TERTULIA_{variable}": text})


@pytest.mark.parametrize(
    "overrides",
    [
        {"webhooks.first_retry_s": 10, "webhooks.max_retry_s": 5},
        {"webhooks.connect_timeout_s": 10, "webhooks.total_timeout_s": 5},
        {"http.port": "many"},
        {"http": 1},
        {"nothing.here": 1},
    ],
)
def test_what_is_wrong_on_the_command_line(overrides: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        load(overrides=overrides)


def test_secrets_are_not_shown() -> None:
    store = Store("postgres://me:hidden@db/tertulia")
    cluster = Cluster("n1", "http://n1:8080", "hidden-and-long-enough")
    bus = Bus("nats://me:hidden@bus:4222")
    account = Account("key", "hidden", "hidden")
    shown = repr(Settings(account=account, store=store, cluster=cluster, bus=bus))
    assert "key" in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    "overrides",
    [
        {"cluster.node": "n1"},
        {"cluster.node": "n1", "cluster.url": "http://n1:8080", "cluster.secret": "short"},
        {"cluster.node": "N 1", "cluster.url": "http://n1:8080", "cluster.secret": "x" * 16},
        {"cluster.node": "n1", "cluster.url": "n1:8080", "cluster.secret": "x" * 16},
        {"bus.url": "amqp://bus"},
        {"bus.url": "nats://one,http://other"},
        {"cluster.lease_s": 0},
    ],
)
def test_what_makes_no_node(overrides: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        load(overrides=overrides)


def test_the_data_folder_is_absolute() -> None:
    assert load(overrides={"data.dir": "x"}).data.path == Path.cwd() / "x"
