"""What a media worker is told, and what it reports: the whole of the link between the two.

A room is where legs hear each other, named by its conversation. Instants are wall-clock
milliseconds of the machine that heard it, as the log's are. Both sides say `VERSION` first.
"""

from msgspec import Struct

from tertulia.model.instant import Instant

VERSION = 2

FULL = "the media worker is full"
"""Of Refused: there is no room for another leg, whatever it is like."""


class Command(Struct, frozen=True, array_like=True, tag=True):
    """To a worker. Commands about the same leg are obeyed in their order."""


class Report(Struct, frozen=True, array_like=True, tag=True):
    """From a worker: an answer, or something that happened."""


# ── legs ──


WEBRTC, RTP = "webrtc", "rtp"
"""Kinds of media path: of a browser, or of a phone."""


class Answer(Command, frozen=True):
    """Take an offer: a new leg, or a new media path of a leg that is there. → Answered."""

    leg: str
    sdp: str
    kind: str = WEBRTC


class Offer(Command, frozen=True):
    """Make a leg that the other end is to answer, or, of an RTP leg that is there, offer its path
    anew. → Offered, later Accept."""

    leg: str
    kind: str = WEBRTC
    secure: bool = False
    """Of RTP: with SRTP by SDES (RFC 4568)."""


class Accept(Command, frozen=True):
    """An answer to what was offered. → Accepted, and Up. Of an RTP leg there may be several: an
    early one, then the final one, each in the place of the one before."""

    leg: str
    sdp: str


class Socket(Command, frozen=True):
    """A leg that is a websocket of an application's own server, which we connect to: audio as
    16-bit samples, 20 ms a binary message, both ways. → Up, or Refused; later perhaps Down."""

    leg: str
    url: str
    rate: int = 16_000
    """8000, 16000 or 24000."""
    greeting: str = "{}"
    """The first message: a JSON object."""
    headers: dict[str, str] = {}
    """Of the handshake."""


class Tell(Command, frozen=True):
    """Send a text message to the server of a websocket leg."""

    leg: str
    text: str


class Plain(Command, frozen=True):
    """A leg of unprotected RTP to and from one address. → Opened."""

    leg: str
    host: str
    port: int
    codec: str
    """`PCMU`, `PCMA` or `opus`."""
    payload_type: int
    dtmf_type: int | None = None


class Echo(Command, frozen=True):
    """A leg without a network: says back, after a while, what it hears. → Up."""

    leg: str
    delay_ms: int = 1000


class Join(Command, frozen=True):
    """Put a leg into a room, out of the one that it was in."""

    leg: str
    room: str


class Leave(Command, frozen=True):
    """Take a leg out of its room; it hears and says nothing until it joins again."""

    leg: str


class Hearing(Command, frozen=True):
    """Who hears whom. Muted: nobody hears the leg, which is not decoded. Earmuffed: it hears
    nobody. The lists name legs; None is everybody."""

    leg: str
    muted: bool = False
    earmuffed: bool = False
    can_hear: list[str] | None = None
    can_speak: list[str] | None = None


class Press(Command, frozen=True):
    """Send digits into a leg, as its negotiation allows: RFC 4733, else as tones."""

    leg: str
    digits: str


class Close(Command, frozen=True):
    """End a leg. → Closed."""

    leg: str


# ── audio ──


class Play(Command, frozen=True):
    """Let a leg, or all of a room, hear a file. → Playing, Played."""

    play: str
    path: str
    """A WAV, MP3 or Ogg file; for `raw`, 16-bit samples at 16 kHz which may still be written; for
    `tone`, the name of a tone: `ringback`, `busy`, `beep`, `hold`."""
    kind: str = "file"
    """`file`, `raw`, `tone`."""
    leg: str | None = None
    room: str | None = None
    level: float = 0.0
    """-1 to 1; 0 leaves the audio as it is."""
    loop: int = 1
    """0 is endless."""
    queue: bool = False
    """Wait for what is being played there; otherwise end it."""


class Ripe(Command, frozen=True):
    """A raw file is complete: it ends after so many octets. With an error, it ends at once."""

    play: str
    size: int
    error: str | None = None


class StopPlay(Command, frozen=True):
    """→ Played with `stopped`."""

    play: str


class Record(Command, frozen=True):
    """Record a room, or one leg. → Recording, Recorded."""

    record: str
    path: str
    """Without suffix: the worker adds `.wav` while it records, and that of the format."""
    leg: str | None = None
    room: str | None = None
    format: str = "mp3"
    """`mp3`, `wav`, `ogg`."""
    channels: int = 1
    """1: the mix. 2 (split): of a leg, its own voice left, what it hears right; of a room, the
    first two legs. More: a leg each, in the order of their joining."""
    multitrack: bool = False
    """A file for each leg, beside the mix."""
    beep_start: bool = False
    beep_stop: bool = False
    silence_ms: int = 0
    """End after so much silence; 0 does not."""
    end_key: str = ""
    limit_ms: int = 7_200_000


class StopRecord(Command, frozen=True):
    record: str


class Salvage(Command, frozen=True):
    """Finish a recording that the death of a worker has cut. → Recorded."""

    record: str
    path: str
    format: str = "mp3"


class Listen(Command, frozen=True):
    """Cut the next utterance out of a leg, for it to be recognised. → Listened."""

    listen: str
    leg: str
    path: str
    """Of the WAV file to be written: 16 kHz, one channel."""
    start_ms: int = 10_000
    silence_ms: int = 2_000
    limit_ms: int = 60_000
    sensitivity: int = 90
    """10 to 100: how soft a voice counts."""


class StopListen(Command, frozen=True):
    listen: str


class Detect(Command, frozen=True):
    """Judge from what a leg says first whether a person or a machine has answered. → Judged."""

    detect: str
    leg: str
    beep: bool = False
    """After a machine's greeting wait for its beep. → Beeped."""
    beep_ms: int = 45_000
    """For that beep to come, from the verdict on. One that was heard before counts as well."""


class StopDetect(Command, frozen=True):
    """No report of it comes any more."""

    detect: str


class Watch(Command, frozen=True):
    """Report the levels of a room's legs, ten times a second, or no more. → Levels."""

    room: str
    on: bool


# ── reports ──


class Hello(Report, frozen=True):
    """The first report of a connection."""

    version: int
    worker: str
    pid: int
    port: int
    """UDP port of WebRTC."""
    codecs: list[str]


class Load(Report, frozen=True):
    """Once a second: a sign of life."""

    legs: int
    rooms: int
    ticks: int
    """Since the start, as all counts."""
    late: int
    """Ticks that began more than half of their length late."""
    dropped: int
    """Frames thrown away because they came late."""
    busy: float
    """Share of the last second that the loop was at work, 0 to 1."""


class Answered(Report, frozen=True):
    leg: str
    sdp: str


class Offered(Report, frozen=True):
    leg: str
    sdp: str


class Accepted(Report, frozen=True):
    leg: str


class Opened(Report, frozen=True):
    leg: str
    host: str
    port: int


class Refused(Report, frozen=True):
    """An Answer, Offer, Accept or Plain came to nothing. A leg that was there stays as it was."""

    leg: str
    reason: str


class Up(Report, frozen=True):
    """The media path of a leg is open both ways: the first time, and after each new path."""

    leg: str
    codec: str
    remote: str
    """`address:port`."""


class Down(Report, frozen=True):
    """Nothing comes from a leg any more; it is there until it is closed."""

    leg: str
    reason: str
    """`timeout`: consent or packets ran out; `closed`: the client ended it; `failed`: no path."""


class Account(Struct, frozen=True, array_like=True):
    """What a leg has carried, and how well."""

    milliseconds: int
    """That its media path was open."""
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_lost: int
    jitter_min: float
    """Milliseconds, as the next."""
    jitter_max: float
    jitter_loss: float
    """Percent of packets that came too late to be played."""
    burst: float
    """Percent of the lost packets that were lost beside another."""
    flaws: int
    """Frames that had to be concealed."""
    round_trip: float
    """Milliseconds."""
    mos: float
    """1 to 5, by the E-model."""


class Closed(Report, frozen=True):
    """A leg is no more. `account` is None when its worker died."""

    leg: str
    account: Account | None


class Digit(Report, frozen=True):
    """A key was pressed on a leg: once a press, when it is let go."""

    leg: str
    digit: str
    milliseconds: int
    at: Instant
    as_tones: bool = False
    """In its audio, so that whoever hears the leg has heard them."""


class Speaking(Report, frozen=True):
    leg: str
    on: bool
    at: Instant


class Playing(Report, frozen=True):
    play: str
    at: Instant


class Played(Report, frozen=True):
    """At the last sample, or at once with an error."""

    play: str
    at: Instant
    stopped: bool = False
    error: str | None = None


class Recording(Report, frozen=True):
    """The first frame is being recorded."""

    record: str
    at: Instant


class Track(Struct, frozen=True, array_like=True):
    """A file of a recording."""

    path: str
    size: int
    """Octets."""
    leg: str | None = None
    """Whose alone it is."""


class Recorded(Report, frozen=True):
    record: str
    started: Instant
    ended: Instant
    tracks: list[Track]
    """The mix first; empty when there is an error."""
    reason: str = "stopped"
    """`stopped`, `silence`, `key`, `limit`, `left`, `salvaged`, `failed`."""
    error: str | None = None


class Interrupted(Report, frozen=True):
    """The worker of a recording died; what there is can be salvaged."""

    record: str


class Listened(Report, frozen=True):
    listen: str
    started: Instant
    ended: Instant
    size: int
    """Octets of the file; 0 when nobody spoke."""
    reason: str
    """`end_on_silence_timeout`, `max_duration`, `start_timeout`, `stopped`, `left`, `failed`."""


class Judged(Report, frozen=True):
    """Who has answered."""

    detect: str
    verdict: str
    """`human`, `machine`; `gone` when the leg ended before."""
    confidence: int
    """Per cent."""
    cause: str
    """Of a person `short_greeting`; of a machine `long_greeting`, `many_words`, `silence`, `music`,
    `tone`, `beep`; of either `limit`, which is a guess; `gone`."""
    at: Instant


class Beeped(Report, frozen=True):
    """A machine has begun to record, or has not by the end of the time for it. Of a leg that ends
    before, nothing is reported."""

    detect: str
    heard: bool
    hertz: int
    at: Instant


class Said(Report, frozen=True):
    """The server of a websocket leg has sent a text message that is none of ours to obey."""

    leg: str
    text: str


class Levels(Report, frozen=True):
    room: str
    legs: dict[str, float]
    """Decibels below full scale, 0 to -100."""


AnyCommand = (
    Answer | Offer | Accept | Plain | Socket | Tell | Echo | Join | Leave | Hearing | Press | Close
    | Play | Ripe | StopPlay | Record | StopRecord | Salvage | Listen | StopListen | Detect
    | StopDetect | Watch
)  # fmt: skip
AnyReport = (
    Hello | Load | Answered | Offered | Accepted | Opened | Refused | Up | Down | Closed | Digit
    | Speaking | Playing | Played | Recording | Recorded | Interrupted | Listened | Judged | Beeped
    | Said | Levels
)  # fmt: skip
