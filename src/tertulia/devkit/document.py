"""What a development start tells: dev.json for programs, the start screen for people."""

from ipaddress import IPv6Address
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tertulia.devkit import files
from tertulia.devkit.development import Development

WS_PATH = "/v2/rtc"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that are none to connect to."""


class Ports(NamedTuple):
    """As bound, after 0 has become a number."""

    http: int
    https: int
    sip: int
    rtc: int
    sip_tls: int = 0


class DevDocument(Struct, frozen=True):
    """The content of `dev.json`. Its names are a contract with tests and tools."""

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
    sip_tls: str
    rtc_port: int
    application_number: str
    inspector_url: str
    pid: int


def dev_document(development: Development, ports: Ports, *, pid: int) -> DevDocument:
    """How to reach this server, and as whom."""
    settings, account = development.settings, development.settings.account
    host = _reachable(settings.http.host)
    sip_host = _reachable(settings.sip.host or settings.http.host)
    api_url = f"http://{host}:{ports.http}"
    return DevDocument(
        api_url=api_url,
        api_url_tls=f"https://{host}:{ports.https}",
        ws_url=api_url,
        ws_path=WS_PATH,
        application_id=development.application.id,
        private_key_file=str(development.private_key),
        api_key=account.api_key,
        api_secret=account.api_secret,
        signature_secret=account.signature_secret,
        ca_file=str(development.tls.authority),
        sip=f"{sip_host}:{ports.sip}",
        sip_tls=f"{sip_host}:{ports.sip_tls}",
        rtc_port=ports.rtc,
        application_number=settings.dev.number,
        inspector_url=f"{api_url}/inspect",
        pid=pid,
    )


def write_document(document: DevDocument, data: Path) -> Path:
    """Put `dev.json` in place, in one step and for its owner only, since it holds secrets."""
    path = data / "dev.json"
    content = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    files.write(path, content, mode=files.SECRET)
    return path


def start_screen(document: DevDocument, *, token_command: str = "tertulia token") -> str:
    """What to copy from: addresses, identity, and a first request that works.

    `token_command` prints an application token. Secrets are named by their file, not shown.
    """
    curl = f'curl -H "Authorization: Bearer $({token_command})" {document.api_url}/v1/users'
    return f"""
  Tertulia is ready.

  REST            {document.api_url}
  REST, https     {document.api_url_tls}
  Inspector       {document.inspector_url}

  Application     {document.application_id}
  Private key     {document.private_key_file}
  Account key     {document.api_key}, with the secrets in dev.json beside the private key

  Try it:
    {curl}

  The Python SDK speaks https only; let it trust this server:
    export REQUESTS_CA_BUNDLE={quote(document.ca_file)}
"""


def _reachable(host: str) -> str:
    host = _ANY.get(host, host)
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host
