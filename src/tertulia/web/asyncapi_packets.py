"""What client and server say on a session socket beside events, for the AsyncAPI description.

The packets are those of wire-clients 1.2 to 1.4 and 6; refusals are rows of the error table.
"""

import re
from typing import Any

from msgspec import Struct

from tertulia.model.errors import (
    ExpiredToken,
    Forbidden,
    InvalidSession,
    InvalidToken,
    InvalidUser,
    Rejected,
    TooManySessions,
)

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TOKEN: Schema = {"type": "string", "description": "A JWT of the application, with `sub`."}

PATH = "/v2/rtc"
FRAMES = """\
Engine.IO 4 with Socket.IO inside, over a websocket only; each packet is one text message. The \
same is served at `/rtc`, and Engine.IO 3 at both.

- The server opens with `0{"sid":…,"pingInterval":…,"pingTimeout":…}`; the client asks for the \
namespace with `40` and gets `40{"sid":…}`. In Engine.IO 3 the server sends `40` unasked.
- A message of this description is `42["<name>",<payload>]`: its name, then its payload, in which \
the name does not stand again.
- To a session with `acknowledge_events=true`, an event that is kept comes as \
`42<number>["<name>",<payload>]`, and so does `session:success`. The client answers \
`43<number>[]`. The number is the event's position in the log; what is not acknowledged comes \
again in the `pending_events` of the next `session:success`.
- In Engine.IO 4 the server sends `2` and the client answers `3`; in Engine.IO 3 it is the other \
way round.
- `41` from the server means that the session is over: its token has expired, or it was ended or \
refused. Where a connection ends without it, the session can be resumed by its `session_id`.
"""
HANDSHAKE: Schema = {
    "type": "object",
    "properties": {
        "EIO": {"enum": ["3", "4"], "description": "Generation of Engine.IO."},
        "transport": {"const": "websocket"},
        "token": {**_TOKEN, "description": "Where it is left out, `session:login` has to say it."},
        "session_id": {**_TEXT, "description": "The session to resume."},
        "session_version": {**_TEXT, "description": "From 0.0.3 on, invitations carry an offer."},
        "acknowledge_events": {"enum": ["true", "false"], "default": "false"},
        "SDK_name": {**_TEXT, "description": "Tells which types of events the client can parse."},
    },
    "required": ["EIO", "transport"],
}
"""The query. A reconnection tells only token and session: the others are remembered."""


class Packet(Struct, frozen=True):
    """A message on the socket that is no event."""

    name: str
    summary: str
    body: Schema
    is_numbered: bool = False

    @property
    def class_name(self) -> str:
        return "".join(word.capitalize() for word in re.split(r"[:\-]", self.name))


class Asking(Struct, frozen=True):
    """What a client may say, and what the server may say to it."""

    operation: str
    packet: Packet
    replies: tuple[Packet, ...]


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


_NOTHING = _object({})


def _refusal(row: type[Rejected]) -> Packet:
    return Packet(row.code, (row.__doc__ or "").partition("\n")[0], _NOTHING)


SUCCESS = Packet(
    "session:success",
    "The session is open or resumed. Nothing comes before this.",
    _object(
        {
            "id": {**_TEXT, "description": "Of the session, `SES-…`."},
            "user_id": _TEXT,
            "name": {**_TEXT, "description": "Of the user."},
            "api_key": _TEXT,
            "pending_events": {
                "type": "array",
                "description": "What the session is owed, in order; absent when that is nothing.",
                "items": {"$ref": "#/components/schemas/session.pending"},
            },
        },
        "id", "user_id", "name", "api_key",
    ),
    is_numbered=True,
)  # fmt: skip
RENEWED = Packet("session:update-token:success", "The session goes on with the token.", _NOTHING)
LOGGED_OUT = Packet("session:logged-out", "The client has ended the session.", _NOTHING)
TERMINATED = Packet("session:terminated", "The session was ended by REST; `41` follows.", _NOTHING)
UNAVAILABLE = Packet("system:error:unavailable", "The server cannot do it right now.", _NOTHING)
INVALID_EVENT = Packet(
    "system:error:invalid-event", "What the client said means nothing here.",
    _object({"type": {**_TEXT, "description": "The name that it said."}}, "type"),
)  # fmt: skip
REFUSED_TOKEN = tuple(map(_refusal, (InvalidToken, ExpiredToken, Forbidden)))
INVALID_SESSION = _refusal(InvalidSession)
REFUSED_LOGIN = (
    *REFUSED_TOKEN, _refusal(InvalidUser), INVALID_SESSION, _refusal(TooManySessions),
)  # fmt: skip

GREETINGS = (SUCCESS, *REFUSED_LOGIN)
"""One of these answers the handshake, when that carries a token, or the login."""
TOLD = (*GREETINGS, RENEWED, LOGGED_OUT, TERMINATED, UNAVAILABLE, INVALID_EVENT)

ASKED = (
    Asking(
        "logIn",
        Packet(
            "session:login", "Open or resume a session, where the handshake had no token.",
            _object(
                {
                    "token": _TOKEN, "session_id": _TEXT, "session_version": _TEXT,
                    "SDK_name": _TEXT,
                },
                "token",
            ),
        ),
        (*GREETINGS, INVALID_EVENT),
    ),
    Asking(
        "updateToken",
        Packet(
            "session:update-token", "Go on with a new token.", _object({"token": _TOKEN}, "token")
        ),
        (RENEWED, *REFUSED_TOKEN, INVALID_SESSION, UNAVAILABLE, INVALID_EVENT),
    ),
    Asking(
        "logOut",
        Packet("session:logout", "End the session: it cannot be resumed.", _NOTHING),
        (LOGGED_OUT, INVALID_EVENT),
    ),
)  # fmt: skip


ALL = (*TOLD, *(asking.packet for asking in ASKED))

NUMBERED: Schema = {"x-ack": {"args": []}}
"""Of a message that a session acknowledges; it does so without arguments."""


def message(packet: Packet) -> Schema:
    """The message object. The `tid` of what a client asks comes back as `rid` of what answers."""
    is_told = packet in TOLD
    payload = {
        "type": "object",
        "properties": {"rid" if is_told else "tid": _TEXT, "body": packet.body},
        "required": ["body"] if is_told or packet.body["required"] else [],
    }
    return {
        "name": packet.name,
        "title": packet.class_name,
        "summary": packet.summary,
        "tags": [{"name": "session"}],
        "payload": payload,
        **(NUMBERED if packet.is_numbered else {}),
    }
