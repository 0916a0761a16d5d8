"""The error table: everything the domain can refuse, with the code and status of the wire.

A subclass of Rejected is a row (wire-api 1.8); its docstring is the default sentence. It becomes
problem JSON in web/problems.py and nowhere else. Unavailable means that a port failed and the
caller may try again. Anything that is neither is a bug: it ends its own task and is logged once.
"""

from typing import ClassVar

from msgspec import Struct


class Parameter(Struct, frozen=True):
    """One wrong parameter: its name on the wire, and why, in the wording of the compatible API."""

    name: str
    reason: str


class TertuliaError(Exception):
    """A failure that a caller may act on."""


class Unavailable(TertuliaError):
    """The service cannot store anything right now; nothing was changed. Try again."""


class Rejected(TertuliaError):
    """The request cannot be carried out."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "http:error:validation-fail"
    title: ClassVar[str] = "Bad request."

    def __init__(self, detail: str = "", *, parameters: tuple[Parameter, ...] = ()) -> None:
        self.detail = detail or (type(self).__doc__ or "").partition("\n")[0]
        self.parameters = parameters
        super().__init__(" ".join((self.detail, *(each.reason for each in parameters))))


class ValidationFailed(Rejected):
    """Input validation failure."""

    @classmethod
    def of(cls, name: str, reason: str) -> "ValidationFailed":
        """The common case of one wrong parameter; `reason` follows the quoted name."""
        return cls(parameters=(Parameter(name, f'"{name}" {reason}'),))


class InvalidCursor(Rejected):
    """The cursor is not one that this list gave out."""

    code = "paginator-builder:error:invalid-cursor"


class InvalidToken(Rejected):
    """The token is missing, malformed or not signed by the application."""

    status = 401
    code = "system:error:invalid-token"
    title = "Unauthorized."


class ExpiredToken(InvalidToken):
    """The token has expired."""

    code = "system:error:expired-token"


class Forbidden(Rejected):
    """The token does not grant this."""

    status = 403
    code = "system:error:permission"
    title = "Forbidden."


class NotFound(Rejected):
    """There is nothing at this address."""

    status = 404
    code = "http:error:not-found"
    title = "Not found."


class ConversationNotFound(NotFound):
    """Conversation does not exist, or you do not have access."""

    code = "conversation:error:not-found"


class MemberNotFound(NotFound):
    """Member does not exist, or you do not have access."""

    code = "conversation:error:member-not-found"


class EventNotFound(NotFound):
    """Event does not exist, or you do not have access."""

    code = "event:error:not-found"


class UserNotFound(NotFound):
    """User does not exist, or you do not have access."""

    code = "user:error:not-found"


class MediaNotFound(NotFound):
    """The media file does not exist, or you do not have access."""

    code = "media:error:not-found"


class MessageNotFound(NotFound):
    """The message does not exist, or you do not have access."""

    code = "message:error:not-found"


class InvalidMessageState(Rejected):
    """The message is not one with which that can be done."""

    code = "message:error:invalid-state"
    title = "Invalid state."


class LegNotFound(NotFound):
    """The leg does not exist, or you do not have access."""

    code = "leg:error:not-found"


class Unprocessable(ValidationFailed):
    """The value of one or more parameters is invalid."""

    # COMPAT: of the message API, which answers 422, and numbers its errors behind a `#`
    # (model/message_errors.py)
    status = 422
    code = "messages#1020"
    title = "Invalid params"


class IllegalSender(Unprocessable):
    """The sender is none that the channel takes."""

    code = "messages#1120"
    title = "Illegal Sender Address"


class IllegalRecipient(Unprocessable):
    """The recipient is missing, or none that the channel reaches."""

    code = "messages#1170"
    title = "Invalid or Missing Msisdn Param"


class TooManyLegs(Rejected):
    """There are as many open legs as there may be."""

    status = 429
    code = "leg:error:max-open-legs"
    title = "Too many legs."


class KnockingNotFound(NotFound):
    """The knocking does not exist, or you do not have access."""

    code = "knocking:error:not-found"


class LegOver(Rejected):
    """The leg has ended, or is not at a point where this can be done."""

    status = 409
    code = "leg:error:invalid-state"
    title = "Invalid state."


class CallNotFound(NotFound):
    """Call does not exist, or you do not have access."""

    code = "call:error:not-found"


# COMPAT: to a call that is over the compatible service answers 404, and 400 to one that is not so
# far yet: callers take the first for done, and try again after the second.


class CallOver(NotFound):
    """The call has ended."""

    code = "call:error:over"


class CallNotReady(Rejected):
    """The call is not at a point where this can be done."""

    code = "call:error:invalid-state"


class NothingSounds(NotFound):
    """Nothing of that kind is going on there."""

    code = "audio:error:not-found"


class SessionNotFound(NotFound):
    """Session does not exist, or you do not have access."""

    code = "session:error:not-found"


class InvalidUser(Rejected):
    """The token names no user of the application."""

    status = 401
    code = "user:error:invalid-user"
    title = "Unauthorized."


class InvalidSession(Rejected):
    """The session is another user's."""

    status = 403
    code = "session:error:invalid"
    title = "Forbidden."


class TooManySessions(Rejected):
    """The user has the maximum number of open sessions."""

    status = 429
    code = "session:error:max-open-sessions"
    title = "Too many sessions."


class ApplicationNotFound(NotFound):
    """Application does not exist, or you do not have access."""

    code = "application:error:not-found"


class MethodNotAllowed(Rejected):
    """The method is not allowed here."""

    status = 405
    code = "http:error:method-not-allowed"
    title = "Method not allowed."

    def __init__(self, detail: str = "", *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(detail or f"Allowed here: {', '.join(allowed)}.")
        self.allowed = allowed


class NotAcceptable(Rejected):
    """Answers are application/json."""

    status = 406
    code = "http:error:not-acceptable"
    title = "Not acceptable."


class DuplicateConversationName(Rejected):
    """A conversation with this name exists in the application."""

    status = 409
    code = "conversation:error:duplicate-name"
    title = "Conflict."


class DuplicateUserName(Rejected):
    """A user with this name exists in the application."""

    status = 409
    code = "user:error:duplicate-name"
    title = "Conflict."


class EpochOver(Rejected):
    """The position is of another store, which this one has replaced."""

    status = 409
    code = "stream:error:epoch-over"
    title = "Conflict."

    def __init__(self, detail: str = "", *, epoch: str = "") -> None:
        super().__init__(detail)
        self.epoch = epoch
        """The current one."""


class BodyTooLarge(Rejected):
    """The request body is larger than this route takes."""

    status = 413
    code = "http:error:payload-too-large"
    title = "Payload too large."


class MediaQuotaReached(BodyTooLarge):
    """The media files of the application take all the room that they may."""

    code = "media:error:quota-reached"


class UnsupportedMediaType(Rejected):
    """The body must be application/json."""

    status = 415
    code = "http:error:unsupported-media-type"
    title = "Unsupported media type."


class RangeNotSatisfiable(Rejected):
    """The range lies behind the end."""

    status = 416
    code = "http:error:range-not-satisfiable"
    title = "Range not satisfiable."

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


# COMPAT: the member conflicts are declared with status 400 although titled "Conflict."
# (wire-api 1.8 and 8 #21): the declared status is what callers switch on.


class MemberAlreadyJoined(Rejected):
    """The user is already a joined member of the conversation."""

    code = "conversation:error:member-already-joined"
    title = "Conflict."


class MemberAlreadyInvited(Rejected):
    """The user is already invited to the conversation."""

    code = "conversation:error:member-already-invited"
    title = "Conflict."


class InvalidMemberState(Rejected):
    """The member's state does not allow this."""

    code = "conversation:error:invalid-member-state"
    title = "Conflict."


class TooManyMembers(Rejected):
    """The conversation has the maximum number of members."""

    code = "conversation:error:maximum-number-of-members"
    title = "Conflict."


class CustomDataTooLarge(Rejected):
    """The custom data is larger than allowed."""

    code = "custom-data:error:max-data-sum-limit-exceeded"


class SearchTooBroad(Rejected):
    """The search takes too long: ask for rarer words, or in one conversation."""

    code = "search:error:too-broad"


class SearchMissing(Rejected):
    """This server cannot search: the SQLite of its host was built without FTS5."""

    status = 501
    code = "http:error:not-implemented"
    title = "Not implemented."


class TooManyRequests(Rejected):
    """The application sends more requests than its rate allows."""

    status = 429
    code = "http:error:too-many-requests"
    title = "Too many requests."

    def __init__(self, detail: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
