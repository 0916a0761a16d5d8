"""The development identity: an application with its keys, the account, the certificate."""

import time
import uuid
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.devkit import files
from tertulia.devkit.account import with_account
from tertulia.devkit.authority import ServerFiles, ensure_certificate
from tertulia.devkit.keys import ensure_private_key
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.model.state import Application, Capability, Webhook
from tertulia.settings import Settings, SettingsError

LOOPBACK = ("127.0.0.0/8", "::1/128")


class _Kept(Struct, frozen=True):
    """The content of `application.json`."""

    id: ApplicationId
    created_at: Instant


class Development(Struct, frozen=True):
    """What a development start has made or found."""

    settings: Settings
    """With credentials and everything else that development mode adds."""
    application: Application
    private_key: Path
    tls: ServerFiles


def prepare(settings: Settings) -> Development:
    """Make what is missing under the data folder.

    Raises:
        SettingsError: a kept file is not what was written, or cannot be.
    """
    data = settings.data.path
    return Development(
        development_settings(settings),
        development_application(settings),
        _private_key(data),
        ensure_certificate(data, settings.http.host, now=_now()),
    )


def development_settings(settings: Settings) -> Settings:
    """The settings with the account's credentials, and webhooks allowed to reach loopback."""
    webhooks = settings.webhooks
    networks = dict.fromkeys((*webhooks.allow_networks, *LOOPBACK))
    return replace(
        with_account(settings), webhooks=replace(webhooks, allow_networks=tuple(networks))
    )


def development_application(settings: Settings) -> Application:
    """The application of development mode, with the webhooks that the settings ask for."""
    kept = _kept(settings.data.path / "application.json")
    return Application(
        id=kept.id,
        name="development",
        public_key=ensure_private_key(_private_key(settings.data.path)),
        created_at=kept.created_at,
        capabilities=_capabilities(settings),
    )


def development_private_key(settings: Settings) -> str:
    """The private key of the development application, in PEM."""
    path = _private_key(settings.data.path)
    ensure_private_key(path)
    return path.read_text(encoding="ascii")


def renewed(known: Application, wanted: Application) -> Application:
    """The stored application with the keys on disk and the wanted webhooks, else as it was."""
    capabilities = dict(known.capabilities)
    for heading, capability in wanted.capabilities.items():
        old = capabilities.get(heading, Capability())
        webhooks = {**(old.webhooks or {}), **(capability.webhooks or {})}
        capabilities[heading] = replace(old, webhooks=webhooks)
    return replace(known, public_key=wanted.public_key, capabilities=capabilities)


def _capabilities(settings: Settings) -> dict[str, Capability]:
    dev = settings.dev
    voice: dict[str, Webhook] = {}
    if dev.answer_url:
        voice["answer_url"] = Webhook(dev.answer_url, http_method="GET")
    if dev.event_url:
        voice["event_url"] = Webhook(dev.event_url, http_method="POST")
    capabilities = {"voice": Capability(webhooks=voice)} if voice else {}
    if dev.event_url:
        event_url = Webhook(dev.event_url, http_method="POST")
        capabilities["rtc"] = Capability(webhooks={"event_url": event_url})
    return capabilities


def _kept(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        made = _Kept(ApplicationId(str(uuid.uuid4())), _now())
        files.write(path, msgspec.json.encode(made), mode=files.PUBLIC)
        return made
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _private_key(data: Path) -> Path:
    return data / "private.key"


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
