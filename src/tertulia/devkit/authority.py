"""A local certificate authority, and the certificate that it signs for this server.

Programs trust the authority's file; it stays the same while certificates and hosts change.
"""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from tertulia.devkit import files
from tertulia.model.instant import Instant

DAY = timedelta(days=1)
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825
"""The most that Apple's systems accept, also from an authority of one's own."""
AUTHORITY_FILE = "ca.pem"
"""In the data folder: what clients trust."""
SPARE = 7 * DAY
"""A certificate that ends sooner is made anew."""
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")

_Usages = dict[str, bool]
_NO_USAGE: _Usages = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip


class ServerFiles(Struct, frozen=True):
    """PEM files: what clients trust, and what the server shows."""

    authority: Path
    certificate: Path
    key: Path


class _Pair(Struct, frozen=True):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_certificate(folder: Path, host: str, *, now: Instant) -> ServerFiles:
    """Files in `folder` of a certificate for the local names and `host`."""
    moment = datetime.fromtimestamp(now // 1000, UTC)
    paths = ServerFiles(folder / AUTHORITY_FILE, folder / "server.pem", folder / "server.key")
    authority = _load(paths.authority, folder / "ca.key")
    if authority is None or _ends_soon(authority.certificate, moment):
        authority = _make_authority(moment)
        _save(authority, paths.authority, folder / "ca.key")
    hosts = sorted({*LOCAL_HOSTS, host} - {"", "0.0.0.0", "::"})
    server = _load(paths.certificate, paths.key)
    if server is None or not _serves(server.certificate, authority, hosts, moment):
        _save(_make_certificate(authority, hosts, moment), paths.certificate, paths.key)
    return paths


def server_ssl_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """For an https listener: TLS 1.2 and newer, HTTP/1.1.

    Raises:
        OSError: a file is missing, or (ssl.SSLError) not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _make_authority(moment: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # A number in the name tells authorities of different folders apart in a trust store.
    serial = x509.random_serial_number()
    name = _name(f"Tertulia local authority {serial % 0x10000:04x}")
    usages = _NO_USAGE | {"key_cert_sign": True, "crl_sign": True}
    builder = _builder(name, name, key.public_key(), serial, (moment, AUTHORITY_DAYS))
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .sign(key, SHA256())
    )
    return _Pair(certificate, key)


def _make_certificate(authority: _Pair, hosts: list[str], moment: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, serial = authority.certificate.subject, x509.random_serial_number()
    usages = _NO_USAGE | {"digital_signature": True}
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = _builder(
        _name("Tertulia"), issuer, key.public_key(), serial, (moment, CERTIFICATE_DAYS)
    )
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(issuer_key, critical=False)
        .add_extension(names, critical=False)
        .sign(authority.key, SHA256())
    )
    return _Pair(certificate, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    life: tuple[datetime, int],
) -> x509.CertificateBuilder:
    moment, days = life
    # A day back, for clients whose clock is behind. The whole life is `days`, which they may limit.
    return (
        x509.CertificateBuilder(issuer, subject, key, serial)
        .not_valid_before(moment - DAY)
        .not_valid_after(moment + (days - 1) * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    address = _address(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _serves(
    certificate: x509.Certificate, authority: _Pair, hosts: list[str], moment: datetime
) -> bool:
    if _ends_soon(certificate, moment):
        return False
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return all(_general_name(host) in names for host in hosts)


def _ends_soon(certificate: x509.Certificate, moment: datetime) -> bool:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begins <= moment <= ends - SPARE


def _load(certificate: Path, key: Path) -> _Pair | None:
    """None when a file is missing or spoilt, or they do not go together."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    return _Pair(found, private) if found.public_key() == private.public_key() else None


def _save(pair: _Pair, certificate: Path, key: Path) -> None:
    private = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files.write(key, private, mode=files.SECRET)
    files.write(certificate, pair.certificate.public_bytes(Encoding.PEM), mode=files.PUBLIC)
