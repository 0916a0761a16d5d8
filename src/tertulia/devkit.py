"""The development identity: an application with keys, an account, a local certificate authority.

Everything lies under the data directory, secrets readable by their owner only, and is made once:
a restart finds the same identity. `dev.json` is a contract: tests and tools read it.
"""

import datetime
import ipaddress
import os
import secrets
import ssl
from pathlib import Path
from uuid import uuid4

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.model.state import Application, Capability, Webhook
from tertulia.protocols.jwt import load_private_key, load_public_key
from tertulia.settings import AccountSettings, Settings

APPLICATION_NUMBER = "15550199"
LOOPBACK = ("127.0.0.0/8", "::1/128")
_DAYS = 825
"""The longest life of a server certificate that common clients accept."""


class RsaSmith:
    """Makes and checks RSA-2048 keys in PEM; private ones PKCS8, as the published SDKs expect."""

    def new_pair(self) -> tuple[str, str]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private.decode(), _public_pem(key)

    def is_public_key(self, text: str) -> bool:
        try:
            return load_public_key(text).key_size >= 2048
        except ValueError:
            return False


class Identity(Struct, frozen=True):
    """Who develops here: kept in `identity.json`."""

    application_id: ApplicationId
    api_key: str
    api_secret: str
    signature_secret: str


def ensure_account(settings: Settings) -> Settings:
    """Settings with the account filled in: as set, else as kept, else made now."""
    identity = _identity(settings.data.path)
    given = settings.account
    account = AccountSettings(
        api_key=given.api_key or identity.api_key,
        api_secret=given.api_secret or identity.api_secret,
        signature_secret=given.signature_secret or identity.signature_secret,
    )
    return replace(settings, account=account)


def for_development(settings: Settings) -> Settings:
    """What development allows beyond the defaults: webhooks to this machine."""
    networks = [*settings.webhooks.allow_networks, *LOOPBACK]
    return replace(settings, webhooks=replace(settings.webhooks, allow_networks=networks))


def development_application(settings: Settings, now: Instant) -> Application:
    """The application of `dev`, with the webhooks that were asked for."""
    path = settings.data.path
    key_file = path / "private.key"
    if not key_file.exists():
        _write_secret(key_file, RsaSmith().new_pair()[0])
    public_key = _public_pem(load_private_key(key_file.read_text()))
    return Application(
        id=_identity(path).application_id, name="development", public_key=public_key,
        created_at=now, capabilities=_capabilities(settings),
    )  # fmt: skip


def renewed(known: Application, wanted: Application) -> Application:
    """The stored application with the keys on disk; asked-for webhooks win over stored ones."""
    capabilities = {**known.capabilities, **wanted.capabilities}
    return replace(known, public_key=wanted.public_key, capabilities=capabilities)


def server_ssl_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def ensure_certificate(settings: Settings) -> tuple[Path, Path]:
    """Certificate and key of the https listener, signed by a local authority `ca.pem`.

    Made again when it is about to expire or does not name the host that is served.
    """
    path = settings.data.path
    certificate, key = path / "server.pem", path / "server.key"
    names = sorted({"localhost", "127.0.0.1", "::1", settings.http.host})
    if not _is_good(certificate, names) or not key.exists() or not (path / "ca.pem").exists():
        _issue(path, certificate, key, names)
    return certificate, key


def application_id(settings: Settings) -> ApplicationId:
    """Of the development application."""
    return _identity(settings.data.path).application_id


class DevDocument(Struct, frozen=True):
    """`dev.json`."""

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
    sip: str
    rtc_port: int
    application_number: str
    inspector_url: str
    pid: int


def dev_document(settings: Settings, *, http_port: int, https_port: int, pid: int) -> DevDocument:
    path = settings.data.path.absolute()
    host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    url = f"http://{host}:{http_port}"
    return DevDocument(
        api_url=url, api_url_tls=f"https://{host}:{https_port}", ws_url=url, ws_path="/v2/rtc",
        application_id=_identity(path).application_id, private_key_file=str(path / "private.key"),
        api_key=settings.account.api_key, api_secret=settings.account.api_secret,
        signature_secret=settings.account.signature_secret, ca_file=str(path / "ca.pem"),
        sip=f"{host}:{settings.sip.port}", rtc_port=settings.rtc.port,
        application_number=APPLICATION_NUMBER, inspector_url=f"{url}/inspect", pid=pid,
    )  # fmt: skip


def write_dev_document(settings: Settings, document: DevDocument) -> Path:
    """Whole or not at all: readers poll for it."""
    target = settings.data.path / "dev.json"
    draft = target.with_suffix(".part")
    draft.unlink(missing_ok=True)
    _write_secret(draft, msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    draft.replace(target)
    return target


def screen(document: DevDocument, data: Path) -> str:
    """What `dev` prints: to be copied from."""
    return f"""Tertulia is ready.

  REST            {document.api_url}
  REST over TLS   {document.api_url_tls}
  application id  {document.application_id}
  private key     {document.private_key_file}
  account         {document.api_key} (secret in {data / "dev.json"})

  A token:        tertulia token --data {data}
  Python SDK:     export REQUESTS_CA_BUNDLE={document.ca_file}
  Try it:         curl -s {document.api_url}/v1/users \\
                    -H "Authorization: Bearer $(tertulia token --data {data})"
"""


def _identity(path: Path) -> Identity:
    file = path / "identity.json"
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Identity)
    path.mkdir(parents=True, exist_ok=True)
    made = Identity(
        application_id=ApplicationId(str(uuid4())), api_key=secrets.token_hex(4),
        api_secret=secrets.token_urlsafe(16), signature_secret=secrets.token_urlsafe(48),
    )  # fmt: skip
    _write_secret(file, msgspec.json.encode(made).decode())
    return made


def _capabilities(settings: Settings) -> dict[str, Capability]:
    found = {}
    if settings.dev.event_url:
        event_url = Webhook(settings.dev.event_url, "POST")
        found["rtc"] = Capability(webhooks={"event_url": event_url})
        found["voice"] = Capability(webhooks={"event_url": event_url})
    if settings.dev.answer_url:
        voice = found.get("voice", Capability())
        answer_url = Webhook(settings.dev.answer_url, "GET")
        found["voice"] = Capability(webhooks={**(voice.webhooks or {}), "answer_url": answer_url})
    return found


def _is_good(certificate: Path, names: list[str]) -> bool:
    if not certificate.exists():
        return False
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    named = {str(name.value) for name in extension.value}
    return loaded.not_valid_after_utc > soon and set(names) <= named


def _issue(path: Path, certificate: Path, key: Path, names: list[str]) -> None:
    authority_key, authority = _authority(path)
    own = ec.generate_private_key(ec.SECP256R1())
    signed = (
        _certificate("Tertulia development server", authority.subject, own.public_key())
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    _write_secret(key, _private_pem(own))
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))


def _authority(path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, file = path / "ca.key", path / "ca.pem"
    if key_file.exists() and file.exists():
        key = load_pem_private_key(key_file.read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key, x509.load_pem_x509_certificate(file.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    title = "Tertulia development authority"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    authority = (
        _certificate(title, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_secret(key_file, _private_pem(key))
    file.write_bytes(authority.public_bytes(Encoding.PEM))
    return key, authority


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
    encipher_only=False, decipher_only=False,
)  # fmt: skip


def _certificate(
    title: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return raw.decode()


def _write_secret(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
