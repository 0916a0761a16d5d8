"""A POST that the published Python SDK sends again, because the line dropped, has one effect.

It resends with the same token: same `jti`, path and body inside a minute are one request.
"""

import datetime
import http.client
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.clients.conftest import DevServer
from vonage import Auth, HttpClientOptions, Vonage
from vonage_users import ListUsersFilter, User

pytestmark = [pytest.mark.clients, pytest.mark.system]


class Attempt(NamedTuple):
    """A request that reached the server, and the status of its answer."""

    authorization: str
    body: bytes
    status: int


class DroppingProxy(ThreadingHTTPServer):
    """Passes requests on, and drops the line instead of giving the first answer of each kind."""

    def __init__(self, upstream: str, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.upstream = urlsplit(upstream).netloc
        self.attempts: list[Attempt] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)


class _Passage(BaseHTTPRequestHandler):
    server: DroppingProxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = self._pass_on(body)
        attempts = self.server.attempts
        attempts.append(Attempt(self.headers["Authorization"], body, status))
        if len(attempts) == 1:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        line = http.client.HTTPConnection(self.server.upstream, timeout=10)
        try:
            names = ("Authorization", "Content-Type", "Accept", "User-Agent")
            headers = {name: self.headers[name] for name in names}
            line.request("POST", self.path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test looks at the attempts."""


def _certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that is its own authority, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dropping proxy")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    usage = {
        "digital_signature": True, "key_cert_sign": True, "crl_sign": True,
        "content_commitment": False, "key_encipherment": False, "data_encipherment": False,
        "key_agreement": False, "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "proxy.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def proxy(
    server: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DroppingProxy]:
    certificate = _certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with DroppingProxy(server.api_url, certificate) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def test_a_dropped_line_makes_one_user(
    server: DevServer, proxy: DroppingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = Auth(application_id=server.application_id, private_key=server.private_key_file)
    through = f"127.0.0.1:{proxy.server_address[1]}"
    # No name: a second user would not be refused as a duplicate, it would be there.
    user = Vonage(auth, HttpClientOptions(api_host=through)).users.create_user(
        User(display_name="made once")
    )

    first, second = proxy.attempts
    assert first == second, "the SDK resends the same request and must get the same answer"
    assert first.status == 201

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    direct = Vonage(auth, HttpClientOptions(api_host=server.api_url_tls.removeprefix("https://")))
    found, _ = direct.users.list_users(ListUsersFilter(page_size=100, order="desc"))
    assert [one.id for one in found if one.display_name == "made once"] == [user.id]
