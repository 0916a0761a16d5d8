"""What a hub needs from the world."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from tertulia.ports import (
    Announcer,
    Clock,
    Directory,
    EventLog,
    Ids,
    MediaStore,
    SessionLedger,
    Workers,
)
from tertulia.ports.cluster import Alone, Bus, Homes
from tertulia.ports.messaging import CarrierDoor, MessageRecords
from tertulia.ports.search import SearchIndex
from tertulia.ports.sessions import SharedLedger
from tertulia.ports.speech import Speech
from tertulia.services.applications import KeySmith
from tertulia.services.calls import Patience
from tertulia.services.messaging import Messaging
from tertulia.services.sounds import Downloads
from tertulia.services.telephony import Telephony
from tertulia.services.voicehooks import Answers
from tertulia.web.rest.handsets import HandsetDesk
from tertulia.web.rest.inspector import DevelopmentKeys
from tertulia.web.rest.system import Health
from tertulia.web.rest.webhooks import WebhookDesk


class Store(EventLog, Directory, MessageRecords, Protocol):
    """One adapter serves all three: its rows change with its log."""


class Outside(Struct, frozen=True, kw_only=True):
    """The ports, and what the process knows of itself."""

    store: Store
    media: MediaStore
    search: SearchIndex
    ledger: SessionLedger
    workers: Workers
    telephony: Telephony
    speech: Speech
    downloads: Downloads
    answers: Answers
    scratch: Path
    """A folder for audio that is on its way; both processes of a machine see it."""
    announcer: Announcer
    clock: Clock
    monotonic: Callable[[], float]
    """Seconds."""
    ids: Ids
    smith: KeySmith
    desk: WebhookDesk
    health: Health
    homes: Homes = Alone()
    bus: Bus | None = None
    """To other nodes, if there may be any."""
    shared: SharedLedger | None = None
    """With other nodes: the ledger."""
    patience: Patience = Patience()
    messaging: Messaging = Messaging()
    doors: Mapping[str, CarrierDoor] = field(default_factory=dict)
    """Where carriers tell by requests, by name of the carrier."""
    house: bool = False
    """Whether the house itself answers calls that no application answers."""
    development: DevelopmentKeys | None = None
    """In development mode: what the inspector opens with."""
    phonebook: Callable[[], dict[str, str]] = dict
    """Who answers at the numbers of simulated phones, where there are any."""
    handsets: HandsetDesk | None = None
    """Those that are simulated, where there are any."""
