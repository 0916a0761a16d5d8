"""The bus of a node, as its settings say."""

from hashlib import sha256
from importlib import import_module
from typing import Any

from tertulia.ports.cluster import Bus
from tertulia.settings import Settings, SettingsError

_EXTRAS = {"nats": ("nats", "bus.url: NATS"), "notify": ("asyncpg", "store.url: PostgreSQL")}
"""What a module of ours needs, and what the setting asks for by that."""


async def open_bus(settings: Settings) -> Bus:
    """Over NATS, or else over the store's PostgreSQL; also while they are down. On NATS servers
    that others use too, those hear each other who have the same secret. Raises SettingsError."""
    bus: Bus
    try:
        if settings.bus.url:
            realm = sha256(b"tertulia bus " + settings.cluster.secret.encode()).hexdigest()[:12]
            bus = await _of_extra("nats").NatsBus.open(settings.bus.url, realm=realm)
        elif settings.store.url:
            bus = await _of_extra("notify").NotifyBus.open(settings.store.url)
        else:
            raise SettingsError("cluster.node: several nodes need store.url")
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return bus


def _of_extra(name: str) -> Any:
    package, asked = _EXTRAS[name]
    try:
        return import_module(f"tertulia.bus.{name}")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        extra = "postgres" if package == "asyncpg" else package
        raise SettingsError(f"{asked} needs the extra: pip install 'tertulia[{extra}]'") from None
