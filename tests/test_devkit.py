"""The development kit: made once, found again, private where secret, and TLS that clients take."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from msgspec.structs import replace

from tertulia import devkit
from tertulia.devkit.authority import CERTIFICATE_DAYS
from tertulia.model.instant import Instant
from tertulia.model.state import Capability, Webhook
from tertulia.protocols import jwt
from tertulia.settings import Account, Settings, SettingsError, load

NOW = Instant(1_777_885_200_000)
SECRET_FILES = ("private.key", "ca.key", "server.key", "account.json", "dev.json")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(overrides={"data.dir": str(tmp_path / "data")})


def contents(settings: Settings) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in settings.data.path.iterdir()}


def test_everything_is_made_once(settings: Settings) -> None:
    first = devkit.prepare(settings)
    made = contents(settings)
    assert devkit.prepare(settings) == first
    assert contents(settings) == made


def test_secrets_are_their_owners(settings: Settings) -> None:
    umask = os.umask(0)
    try:
        development = devkit.prepare(settings)
        document = devkit.dev_document(development, devkit.Ports(1, 2, 3, 4, 6), pid=5)
        devkit.write_document(document, settings.data.path)
    finally:
        os.umask(umask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.data.path.iterdir()}
    assert {name: modes[name] for name in SECRET_FILES} == dict.fromkeys(SECRET_FILES, 0o600)
    assert modes["ca.pem"] == 0o644
    assert settings.data.path.stat().st_mode & 0o777 == 0o700


def test_the_keys_make_tokens_that_verify(settings: Settings) -> None:
    development = devkit.prepare(settings)
    pem = development.private_key.read_text()
    assert pem.startswith("-----BEGIN PRIVATE KEY-----\n")
    claims = {"application_id": development.application.id, "iat": NOW // 1000, "jti": "j"}
    token = jwt.mint(jwt.load_private_key(pem), claims)
    public_key = jwt.load_public_key(development.application.public_key)
    assert jwt.verify(token, public_key, now=NOW).application_id == development.application.id


def test_the_smith_knows_a_good_key() -> None:
    smith = devkit.RsaSmith()
    private, public = smith.new_pair()
    assert smith.is_public_key(public)
    assert not smith.is_public_key(private)
    assert not smith.is_public_key("ssh-rsa AAAA")


def test_credentials_that_are_set_stand_over_kept_ones(settings: Settings) -> None:
    kept = devkit.with_account(settings).account
    assert kept.api_key and kept.api_secret and kept.signature_secret
    assert devkit.with_account(settings).account == kept
    own = replace(settings, account=Account(api_secret="own"))
    assert devkit.with_account(own).account == replace(kept, api_secret="own")


def test_an_account_that_is_set_whole_makes_no_file(settings: Settings) -> None:
    whole = replace(settings, account=Account("key", "secret", "signs"))
    assert devkit.with_account(whole) == whole
    assert not settings.data.path.exists()


@pytest.mark.parametrize("name", ["account.json", "application.json", "private.key"])
def test_spoilt_files_are_named(settings: Settings, name: str) -> None:
    devkit.prepare(settings)
    (settings.data.path / name).write_text("spoilt")
    with pytest.raises(SettingsError, match=name.replace(".", r"\.")):
        devkit.prepare(settings)


def test_a_folder_that_cannot_be_written(settings: Settings) -> None:
    settings.data.path.write_text("a file is in the way")
    with pytest.raises(SettingsError):
        devkit.prepare(settings)


def test_development_lets_webhooks_reach_loopback(settings: Settings) -> None:
    own = replace(settings, webhooks=replace(settings.webhooks, allow_networks=("10.0.0.0/8",)))
    developed = devkit.development_settings(devkit.development_settings(own))
    assert developed.webhooks.allow_networks == ("10.0.0.0/8", "127.0.0.0/8", "::1/128")


def test_webhooks_that_are_asked_for(tmp_path: Path) -> None:
    urls = {"dev.event_url": "http://127.0.0.1:1/e", "dev.answer_url": "http://127.0.0.1:1/a"}
    settings = load(overrides={"data.dir": str(tmp_path), **urls})
    application = devkit.development_application(settings)
    event_url = Webhook("http://127.0.0.1:1/e", http_method="POST")
    assert application.event_url == event_url
    assert application.capabilities["voice"].webhooks == {
        "event_url": event_url,
        "answer_url": Webhook("http://127.0.0.1:1/a", http_method="GET"),
    }


def test_a_stored_application_keeps_what_was_not_asked_for(settings: Settings) -> None:
    wanted = devkit.development_application(settings)
    stored = replace(
        wanted,
        name="mine",
        public_key="old",
        capabilities={
            "rtc": Capability(webhooks={"event_url": Webhook("http://old")}, signed_callbacks=True),
            "messages": Capability(version="v1"),
        },
    )
    asked = {"rtc": Capability(webhooks={"event_url": Webhook("http://new")})}
    renewed = devkit.renewed(stored, replace(wanted, capabilities=asked))
    assert (renewed.name, renewed.public_key) == ("mine", wanted.public_key)
    assert renewed.capabilities == {
        "rtc": Capability(webhooks={"event_url": Webhook("http://new")}, signed_callbacks=True),
        "messages": Capability(version="v1"),
    }
    assert devkit.renewed(stored, wanted).capabilities == stored.capabilities


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_certificate_is_remade_only_when_it_must(tmp_path: Path) -> None:
    def made(host: str = "127.0.0.1", days: float = 0) -> tuple[bytes, bytes]:
        files = devkit.ensure_certificate(tmp_path, host, now=Instant(int(NOW + days * 86_400_000)))
        return files.authority.read_bytes(), files.certificate.read_bytes()

    authority, first = made()
    assert made() == made("localhost") == made("0.0.0.0", 800) == (authority, first)
    assert made(days=820)[0] == authority
    assert made(days=820)[1] != first
    _, second = made("chat.example.org")
    assert second != first
    assert made("chat.example.org")[1] == second
    assert made(days=3650)[0] != authority


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "server.pem", "server.key"])
@pytest.mark.parametrize("content", [None, b"", b"spoilt"])
def test_spoilt_certificates_are_remade(tmp_path: Path, name: str, content: bytes | None) -> None:
    devkit.ensure_certificate(tmp_path, "localhost", now=NOW)
    path = tmp_path / name
    path.unlink() if content is None else path.write_bytes(content)
    files = devkit.ensure_certificate(tmp_path, "localhost", now=NOW)
    certificate(files.certificate).verify_directly_issued_by(certificate(files.authority))
    devkit.server_ssl_context(files.certificate, files.key)


def test_a_certificate_of_another_authority_is_remade(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        devkit.ensure_certificate(tmp_path / folder, "localhost", now=NOW)
    for name in ("ca.pem", "ca.key"):
        (tmp_path / "one" / name).write_bytes((tmp_path / "two" / name).read_bytes())
    files = devkit.ensure_certificate(tmp_path / "one", "localhost", now=NOW)
    certificate(files.certificate).verify_directly_issued_by(certificate(files.authority))


def test_the_life_of_the_certificate(tmp_path: Path) -> None:
    made = certificate(devkit.ensure_certificate(tmp_path, "localhost", now=NOW).certificate)
    start = datetime.fromtimestamp(NOW // 1000, UTC) - timedelta(days=1)
    assert made.not_valid_before_utc == start
    assert made.not_valid_after_utc - start == timedelta(days=CERTIFICATE_DAYS)


def shake_hands(files: devkit.ServerFiles, host: str) -> ssl.SSLObject:
    """A TLS handshake in memory, with a client as strict as any; the client's end."""
    context = ssl.create_default_context(cafile=str(files.authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=host)
    server_context = devkit.server_ssl_context(files.certificate, files.key)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return client


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "chat.example.org"])
def test_clients_that_trust_the_authority_connect(settings: Settings, host: str) -> None:
    development = devkit.prepare(
        replace(settings, http=replace(settings.http, host="chat.example.org"))
    )
    client = shake_hands(development.tls, host)
    assert client.version() == "TLSv1.3"


def test_clients_that_ask_for_another_host_do_not(settings: Settings) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(devkit.prepare(settings).tls, "example.org")


def test_clients_that_trust_another_authority_do_not(settings: Settings, tmp_path: Path) -> None:
    other = devkit.ensure_certificate(tmp_path / "other", "localhost", now=NOW)
    own = devkit.prepare(settings).tls
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(msgspec.structs.replace(own, authority=other.authority), "localhost")


def document(settings: Settings) -> devkit.DevDocument:
    return devkit.dev_document(devkit.prepare(settings), devkit.Ports(1, 2, 3, 4, 6), pid=5)


def test_the_document_is_the_contract(settings: Settings) -> None:
    made = document(settings)
    path = devkit.write_document(made, settings.data.path)
    account = devkit.with_account(settings).account
    assert path == settings.data.path / "dev.json"
    assert msgspec.json.decode(path.read_bytes()) == {
        "api_url": "http://127.0.0.1:1",
        "api_url_tls": "https://127.0.0.1:2",
        "ws_url": "http://127.0.0.1:1",
        "ws_path": "/v2/rtc",
        "application_id": devkit.development_application(settings).id,
        "private_key_file": str(settings.data.path / "private.key"),
        "api_key": account.api_key,
        "api_secret": account.api_secret,
        "signature_secret": account.signature_secret,
        "ca_file": str(settings.data.path / "ca.pem"),
        "sip": "127.0.0.1:3",
        "sip_tls": "127.0.0.1:6",
        "rtc_port": 4,
        "application_number": "15550199",
        "inspector_url": "http://127.0.0.1:1/inspect",
        "pid": 5,
    }


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("chat.example.org", "chat.example.org"),
    ],
)
def test_addresses_are_ones_to_connect_to(settings: Settings, host: str, shown: str) -> None:
    made = document(replace(settings, http=replace(settings.http, host=host)))
    assert (made.api_url, made.sip) == (f"http://{shown}:1", f"{shown}:3")


def test_the_screen_can_be_copied_from_and_tells_no_secret(settings: Settings) -> None:
    made = document(settings)
    shown = devkit.start_screen(made, token_command="tertulia token --data 'a b'")
    for part in (made.api_url, made.api_url_tls, made.application_id, made.private_key_file,
                 f"export REQUESTS_CA_BUNDLE={made.ca_file}",
                 'curl -H "Authorization: Bearer $(tertulia token --data \'a b\')" '
                 "http://127.0.0.1:1/v1/users"):  # fmt: skip
        assert part in shown
    assert made.api_secret not in shown
    assert made.signature_secret not in shown
