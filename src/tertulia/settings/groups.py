"""The groups of settings: every field with its type, its default and its sentence."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import fields


def _text(description: str) -> Meta:
    return Meta(description=description)


def _whole(least: int, most: int, description: str) -> Meta:
    return Meta(ge=least, le=most, description=description)


def _seconds(description: str) -> Meta:
    return Meta(ge=0.001, le=31 * 86_400, description=description)


def _port(description: str) -> Meta:
    return _whole(0, 65_535, f"{description} 0 takes any that is free.")


class Data(Struct, frozen=True):
    """Where everything is kept."""

    dir: Annotated[
        str, _text("Folder of the database, keys and certificates; made if missing.")
    ] = ".tertulia"

    @property
    def path(self) -> Path:
        """Absolute."""
        return Path(self.dir).expanduser().absolute()


class Store(Struct, frozen=True):
    """Where events, and what they lead to, are kept."""

    url: Annotated[
        str,
        _text(
            "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the extra `postgres`; empty keeps"
            " them in the folder of data. Parts do not show it, but a command line does."
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("postgres://", "postgresql://")):
            raise ValueError("url is empty, or starts with postgres://")

    def __repr__(self) -> str:
        return f"Store({'…' if self.url else ''})"


class Cluster(Struct, frozen=True):
    """One of several nodes on one store. All of them have the same [store], [bus], [account]."""

    node: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9-]{0,40}$",
            description="Name of this node, unlike any other's: a-z, 0-9, -. Empty: there is only"
            " one. Needs store.url.",
        ),
    ] = ""
    url: Annotated[
        str, _text("Where other nodes reach the http port of this one: http://10.0.0.2:8080.")
    ] = ""
    secret: Annotated[str, _text("By which nodes know each other; the same everywhere.")] = ""
    lease_s: Annotated[
        float,
        Meta(
            ge=1,
            le=60,
            description="Seconds after the last sign of life that others take over its"
            " applications.",
        ),
    ] = 2.5
    drain_s: Annotated[
        float, _seconds("For calls to end by themselves when a node is told to end.")
    ] = 20.0

    def __post_init__(self) -> None:
        if self.node and not (self.url.startswith("http://") and len(self.secret) >= 16):
            raise ValueError("a node needs a url (http://…) and a secret of 16 characters or more")

    def __repr__(self) -> str:
        return f"Cluster({self.node!r}, …)"


class Bus(Struct, frozen=True):
    """What carries words between nodes."""

    url: Annotated[
        str,
        _text(
            "nats://HOST:PORT, several joined by commas, with the extra `nats`; empty: the store's"
            " PostgreSQL carries them."
        ),
    ] = ""

    def __post_init__(self) -> None:
        schemes = ("nats://", "tls://")
        if self.url and not all(each.startswith(schemes) for each in self.url.split(",")):
            raise ValueError("url is empty, or starts with nats:// or tls://")

    def __repr__(self) -> str:
        return f"Bus({'…' if self.url else ''})"


class Http(Struct, frozen=True):
    """The listeners for REST and sessions."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, _port("Port for http.")] = 8080
    https_port: Annotated[
        int, _port("Port for https; served in development mode and when a certificate is set.")
    ] = 8443
    certificate: Annotated[str, _text("PEM file of the certificate chain for https.")] = ""
    certificate_key: Annotated[str, _text("PEM file of the certificate's private key.")] = ""
    public_url: Annotated[
        str, _text("Start of links in answers; empty means as the caller addressed us.")
    ] = ""
    max_connections: Annotated[
        int, _whole(1, 1_000_000, "Connections open at once; one more is answered 503.")
    ] = 10_000
    body_limit: Annotated[
        int, _whole(65_536, 1 << 30, "Octets of a request's body; a longer one is answered 413.")
    ] = 1_048_576

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("certificate and certificate_key go together")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url must start with http:// or https://")


class Sip(Struct, frozen=True):
    """The SIP user agent."""

    host: Annotated[str, _text("Address to listen on; empty means that of http.")] = ""
    host6: Annotated[str, _text("IPv6 address to listen on as well; empty means none.")] = ""
    port: Annotated[int, _port("Port for SIP over UDP and TCP.")] = 5060
    tls_port: Annotated[
        int, _port("Port for SIP over TLS where there is https; any that is free if port is 0.")
    ] = 5061
    external_address: Annotated[
        str, _text("Address by which the internet reaches this machine, if it is behind a NAT.")
    ] = ""
    domain: Annotated[
        str, _text("Softphones of an application are NAME@ID.domain; NAME@ID without one.")
    ] = ""
    digests: Annotated[
        tuple[Literal["SHA-256", "MD5"], ...],
        Meta(min_length=1, description="How softphones may show who they are, best first."),
    ] = ("SHA-256", "MD5")
    plan: Annotated[
        str, _text("File of trunks, numbers and caps, TOML; empty means none, or the simulated.")
    ] = ""
    simulated: Annotated[
        bool, _text("Start simulated phones, to be called and to call; development always does.")
    ] = False
    simulated_port: Annotated[int, _port("Port of the simulated phones, on loopback.")] = 0
    phones: Annotated[
        str, _text("Folder of call files: NUMBER.toml says what that simulated phone does.")
    ] = ""
    max_calls: Annotated[int, _whole(1, 1_000_000, "Calls at once; one more is a 503.")] = 4096
    max_connections: Annotated[
        int, _whole(1, 1_000_000, "TCP and TLS connections open at once; one more is closed.")
    ] = 10_000

    @property
    def phones_path(self) -> Path | None:
        """Absolute; None without one."""
        return Path(self.phones).expanduser().absolute() if self.phones else None

    def __post_init__(self) -> None:
        if self.host6:
            ipaddress.IPv6Address(self.host6)
        if self.external_address:
            ipaddress.ip_address(self.external_address)


class Rtc(Struct, frozen=True):
    """WebRTC media."""

    host: Annotated[str, _text("IPv4 address to bind.")] = "0.0.0.0"
    host6: Annotated[str, _text("IPv6 address to bind where there is one; empty binds none.")] = (
        "::"
    )
    port: Annotated[
        int, _port("UDP port for all WebRTC legs; each further worker takes the next one.")
    ] = 8189
    addresses: Annotated[
        tuple[str, ...],
        _text("Addresses that clients are told; empty means those of this machine's interfaces."),
    ] = ()
    phone_ports: Annotated[
        str, _text("UDP ports for phones, two a leg, as in 40000-49999; 0 takes any that are free.")
    ] = "0"
    phone_codecs: Annotated[
        tuple[Literal["PCMU", "PCMA", "G722", "opus"], ...],
        Meta(min_length=1, description="Codecs for phones, in the order in which we offer them."),
    ] = ("PCMU", "PCMA", "G722", "opus")
    workers: Annotated[
        int, _whole(0, 256, "Media processes; 0 means one in development, else one a core.")
    ] = 0

    @property
    def phone_range(self) -> tuple[int, int]:
        """First and last; twice 0 for any."""
        return _range(self.phone_ports)

    def __post_init__(self) -> None:
        _range(self.phone_ports)
        ipaddress.IPv4Address(self.host)
        if self.host6:
            ipaddress.IPv6Address(self.host6)
        for address in self.addresses:
            if ipaddress.ip_address(address).is_unspecified:
                raise ValueError(f"clients cannot reach {address}")


def _range(ports: str) -> tuple[int, int]:
    """Raises ValueError."""
    if ports == "0":
        return 0, 0
    first, _, last = ports.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) < int(last) <= 65_535):
        raise ValueError("phone_ports is 0, or the first and the last as in 40000-49999")
    return int(first), int(last)


class Account(Struct, frozen=True):
    """The credentials of the account that owns all applications. Empty ones are made and kept."""

    api_key: Annotated[
        str, _text("User name for /v2/applications; when empty, made once and kept.")
    ] = ""
    api_secret: Annotated[
        str, _text("Password for /v2/applications; when empty, made once and kept.")
    ] = ""
    signature_secret: Annotated[
        str, _text("Signs every webhook; when empty, made once and kept.")
    ] = ""

    def __post_init__(self) -> None:
        if ":" in self.api_key:
            raise ValueError("api_key must not hold a colon, which ends it in an HTTP header")

    def __repr__(self) -> str:
        return f"Account(api_key={self.api_key!r}, …)"


class Limits(Struct, frozen=True):
    """What one application may use."""

    requests_per_second: Annotated[
        int, _whole(0, 1_000_000, "Requests a second that may go on for ever; 0 sets no limit.")
    ] = 1000
    burst: Annotated[
        int, _whole(1, 1_000_000, "Requests that may come at once after a quiet time.")
    ] = 2000
    streams: Annotated[
        int, _whole(1, 100_000, "Event streams and waiting polls open at once; one more is a 429.")
    ] = 100
    legs: Annotated[int, _whole(1, 100_000, "Legs open at once; one more is a 429.")] = 2000
    legs_per_user: Annotated[
        int, _whole(1, 100_000, "Legs of one user open at once; one more is a 429.")
    ] = 20


class Sessions(Struct, frozen=True):
    """Live sessions of client SDKs."""

    per_user: Annotated[
        int, _whole(1, 10_000, "Sessions of one user that may be connected at once.")
    ] = 20
    max_sockets: Annotated[
        int, _whole(1, 1_000_000, "Session sockets open at once; one more is answered 503.")
    ] = 20_000
    resume_window_s: Annotated[
        float, _seconds("How long a session that lost its connection can be resumed.")
    ] = 900.0
    ping_interval_s: Annotated[float, _seconds("Between two heartbeats.")] = 25.0
    ping_timeout_s: Annotated[
        float, _seconds("For the answer to a heartbeat; then the connection is cut.")
    ] = 20.0
    buffer: Annotated[
        int,
        _whole(65_536, 1 << 30, "Octets waiting for a slow session; with more it is cut."),
    ] = 4_194_304
    outstanding: Annotated[
        int,
        _whole(100, 1_000_000, "Events sent and not acknowledged; with more it is cut."),
    ] = 10_000
    create_users: Annotated[
        bool, _text("Create the user that a valid token names; development mode always does.")
    ] = False


class Webhooks(Struct, frozen=True):
    """How events are sent to applications."""

    first_retry_s: Annotated[
        float, _seconds("Wait before the second attempt; doubled from one attempt to the next.")
    ] = 5.0
    max_retry_s: Annotated[float, _seconds("The longest wait between two attempts.")] = 900.0
    window_s: Annotated[
        float, _seconds("How long an event is tried before it becomes a dead letter.")
    ] = 86_400.0
    connect_timeout_s: Annotated[float, _seconds("For connecting, with TLS.")] = 5.0
    total_timeout_s: Annotated[
        float, _seconds("For an attempt, from connecting to the end of the answer.")
    ] = 10.0
    allow_networks: Annotated[
        tuple[str, ...],
        _text("Private networks that webhooks may reach, as CIDR; development adds loopback."),
    ] = ()
    in_flight: Annotated[int, _whole(1, 100_000, "Attempts under way at once.")] = 1024
    per_application: Annotated[
        int, _whole(1, 100_000, "Attempts under way at once for one application.")
    ] = 128
    per_endpoint: Annotated[
        int, _whole(1, 100_000, "Attempts under way at once to one address.")
    ] = 64
    attempts_kept: Annotated[
        int, _whole(1_000, 100_000_000, "Attempts that can be listed; the oldest go first.")
    ] = 200_000

    def __post_init__(self) -> None:
        if self.max_retry_s < self.first_retry_s:
            raise ValueError("max_retry_s must not be less than first_retry_s")
        if self.total_timeout_s < self.connect_timeout_s:
            raise ValueError("total_timeout_s must not be less than connect_timeout_s")
        for network in self.allow_networks:
            ipaddress.ip_network(network)


class Media(Struct, frozen=True):
    """Files that are sent with events."""

    upload_limit: Annotated[
        int, _whole(1_024, 1 << 30, "Octets of one file; a larger one is answered 413.")
    ] = 10_485_760
    quota: Annotated[
        int, _whole(0, 1 << 50, "Octets of all files of one application; 0 sets no limit.")
    ] = 10_737_418_240
    download_limit: Annotated[
        int, _whole(1_024, 1 << 40, "Octets of a file that is fetched to be played.")
    ] = 52_428_800
    download_timeout_s: Annotated[float, _seconds("For fetching such a file.")] = 30.0
    download_cache: Annotated[
        int, _whole(0, 1 << 50, "Octets of such files that are kept to be played again.")
    ] = 536_870_912


class Messaging(Struct, frozen=True):
    """Messages by SMS and chat channels."""

    plan: Annotated[
        str, _text("File of carriers and numbers, TOML; empty means none, or the simulated.")
    ] = ""
    simulated: Annotated[
        bool, _text("Add simulated carriers where the plan has none; development always does.")
    ] = False
    unknown: Annotated[
        Literal["webhook", "conversation", "ignore"],
        _text(
            "A message from an unknown address: conversation opens one unless the inbound webhook"
            " names one, webhook does so only without a webhook, ignore never."
        ),
    ] = "webhook"


class Speech(Struct, frozen=True):
    """Speech synthesis and recognition, by engines of the extra `speech` or of the host."""

    synthesis: Annotated[
        Literal["auto", "piper", "espeak", "none"],
        _text("What speaks: piper, espeak, none, or auto for piper and espeak for its languages."),
    ] = "auto"
    voice: Annotated[
        str, _text("A voice of piper, NAME.onnx beside NAME.onnx.json; empty means the extra's.")
    ] = ""
    recognition: Annotated[
        Literal["auto", "whisper", "sphinx", "none"],
        _text("What recognises: whisper, sphinx, none, or auto for the first that is installed."),
    ] = "auto"
    recognition_model: Annotated[
        str, _text("Folder of a Whisper model for CTranslate2; empty means the extra's, English.")
    ] = ""
    workers: Annotated[
        int, _whole(0, 256, "Engines that speak, and as many that recognise; 0: half the cores.")
    ] = 0
    idle_s: Annotated[float, _seconds("An engine that nobody needed for so long is ended.")] = 300.0
    patience_s: Annotated[
        float,
        _seconds("For one sentence, or half a minute of sound; then the engine is restarted."),
    ] = 30.0
    waiting: Annotated[
        int, _whole(0, 100_000, "Texts or recordings that may wait for an engine of their kind.")
    ] = 100
    text_limit: Annotated[
        int, _whole(1, 1_000_000, "Characters of one text; a longer one is not said.")
    ] = 10_000


class Wire(Struct, frozen=True):
    """Readings of the compatible API where clients differ."""

    v1_events: Annotated[
        Literal["auto", "array", "object"],
        _text("_embedded in the /v1 list of events: array, object, or auto to suit the client."),
    ] = "auto"


class Inspector(Struct, frozen=True):
    """The page at /inspect, on which a person sees what happens."""

    enabled: Annotated[bool, _text("Serve it; who looks must know an application's key.")] = True


class Log(Struct, frozen=True):
    """What is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _text("The least that is written: debug, info, warning or error."),
    ] = "info"
    json: Annotated[bool, _text("One JSON object a line instead of text.")] = False


class Dev(Struct, frozen=True):
    """The application of development mode; without effect in `tertulia serve`."""

    event_url: Annotated[str, _text("Its rtc and voice event webhook.")] = ""
    answer_url: Annotated[str, _text("Its voice answer webhook.")] = ""
    number: Annotated[
        str, Meta(pattern=r"^\d{3,15}$", description="The phone number that belongs to it.")
    ] = "15550199"

    def __post_init__(self) -> None:
        for url in (self.event_url, self.answer_url):
            if url and not url.startswith(("http://", "https://")):
                raise ValueError("event_url and answer_url must start with http:// or https://")


class Settings(Struct, frozen=True):
    """All groups. `Settings()` is the defaults."""

    data: Data = Data()
    store: Store = Store()
    cluster: Cluster = Cluster()
    bus: Bus = Bus()
    http: Http = Http()
    sip: Sip = Sip()
    rtc: Rtc = Rtc()
    account: Account = Account()
    limits: Limits = Limits()
    sessions: Sessions = Sessions()
    webhooks: Webhooks = Webhooks()
    media: Media = Media()
    messaging: Messaging = Messaging()
    speech: Speech = Speech()
    wire: Wire = Wire()
    inspector: Inspector = Inspector()
    log: Log = Log()
    dev: Dev = Dev()


GROUPS: dict[str, type[Struct]] = {field.name: field.type for field in fields(Settings)}
