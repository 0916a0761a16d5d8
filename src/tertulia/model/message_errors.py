"""What can go wrong with a message of a messaging channel: the numbers of the message API, and
those of the older receipts of short messages (wire: the published lists of errors)."""

from enum import StrEnum
from typing import NamedTuple

from tertulia.model.sending import Problem


class Code(StrEnum):
    """For a Problem."""

    THROTTLED = "1000"
    MISSING = "1010"
    INVALID = "1020"
    TAG = "1021"
    TEMPLATE = "1022"
    INTERNAL = "1030"
    UNPROCESSABLE = "1040"
    BARRED = "1050"
    ACCOUNT_BARRED = "1060"
    QUOTA = "1070"
    TOO_LONG = "1090"
    COMMUNICATION = "1100"
    SENDER = "1120"
    TTL = "1130"
    FACILITY = "1140"
    NOT_LISTED = "1160"
    RECIPIENT = "1170"
    ABSENT = "1180"
    GONE = "1190"
    PORTABILITY = "1200"
    SPAM = "1210"
    BUSY = "1220"
    NETWORK = "1230"
    ILLEGAL_NUMBER = "1240"
    UNROUTABLE = "1250"
    UNREACHABLE = "1260"
    AGE = "1270"
    BLOCKED = "1280"
    FUNDS = "1290"
    STRANGER = "1300"
    DEVICE = "1310"
    REPEATED = "1320"
    UNKNOWN = "1330"
    WINDOW = "1340"
    FEE = "1350"
    EXPIRED = "1360"
    ACCESS = "1370"
    RESOURCE = "1380"


class MessageError(NamedTuple):
    title: str
    detail: str
    receipt: str = "99"
    """Its number in a delivery receipt (`err-code`)."""


TABLE: dict[str, MessageError] = {
    Code.THROTTLED: MessageError("Throttled", "More was sent than is allowed; wait, and try again"),
    Code.MISSING: MessageError("Missing params", "A mandatory parameter is missing", "10"),
    Code.INVALID: MessageError("Invalid params", "The value of a parameter is invalid", "10"),
    Code.TAG: MessageError("Invalid tag", "The value of the tag is invalid", "10"),
    Code.TEMPLATE: MessageError("Invalid template", "The template or its filling is none", "10"),
    Code.INTERNAL: MessageError("Internal error", "The platform could not process the message"),
    Code.UNPROCESSABLE: MessageError("Invalid message", "The message cannot be processed", "10"),
    Code.BARRED: MessageError("Number barred", "The number may not receive messages", "9"),
    Code.ACCOUNT_BARRED: MessageError("Partner account barred", "The account may not send"),
    Code.QUOTA: MessageError("Partner quota exceeded", "The account has not enough credit"),
    Code.TOO_LONG: MessageError("Message too long", "It is longer than is carried", "10"),
    Code.COMMUNICATION: MessageError("Communication Failed", "The carrier is out of reach", "8"),
    Code.SENDER: MessageError("Illegal Sender Address", "The sender was not accepted"),
    Code.TTL: MessageError("Invalid TTL", "The time to live is invalid", "10"),
    Code.FACILITY: MessageError("Facility not allowed", "The channel has no such facility"),
    Code.NOT_LISTED: MessageError("Non White-listed Destination", "Messages to it are not allowed"),
    Code.RECIPIENT: MessageError("Invalid or Missing Msisdn Param", "The recipient is none", "1"),
    Code.ABSENT: MessageError("Absent Subscriber Temporary", "The recipient is away for now", "2"),
    Code.GONE: MessageError("Absent Subscriber Permanent", "The number is not in use now", "3"),
    Code.PORTABILITY: MessageError("Portability Error", "Its carrier has changed", "5"),
    Code.SPAM: MessageError("Anti-Spam Rejection", "The carrier took it for spam", "6"),
    Code.BUSY: MessageError("Handset Busy", "The handset could not take it at that time", "7"),
    Code.NETWORK: MessageError("Network Error", "The carrier's network has failed", "8"),
    Code.ILLEGAL_NUMBER: MessageError("Illegal Number", "The recipient wants no messages", "9"),
    Code.UNROUTABLE: MessageError("Unroutable", "No carrier goes to this recipient", "11"),
    Code.UNREACHABLE: MessageError("Destination unreachable", "It could not be delivered", "12"),
    Code.AGE: MessageError("Subscriber Age Restriction", "The recipient is too young for it", "13"),
    Code.BLOCKED: MessageError("Number Blocked by Carrier", "The carrier has blocked it", "14"),
    Code.FUNDS: MessageError("Pre-Paid - Insufficient funds", "The recipient lacks credit", "15"),
    Code.STRANGER: MessageError("Not part of the provider network", "Nobody there by that address"),
    Code.DEVICE: MessageError("Not suitable device", "The recipient's device cannot take it"),
    Code.REPEATED: MessageError("Message already sent", "It was sent before"),
    Code.UNKNOWN: MessageError("Unknown", "The carrier gave no reason that is known", "1"),
    Code.WINDOW: MessageError("Outside of the allowed window", "It is too late for an answer"),
    Code.FEE: MessageError("Phone matching fee not paid", "Numbers cannot be matched to accounts"),
    Code.EXPIRED: MessageError("TTL was activated", "It was not delivered within its time to live"),
    Code.ACCESS: MessageError("Expired access Token", "The carrier's access token is not good"),
    Code.RESOURCE: MessageError("Invalid resource", "What is at the address of the media is none"),
}  # fmt: skip
"""By code. COMPAT: the titles are those of the published list; programs show them."""
_UNLISTED = TABLE[Code.UNKNOWN]


def error_of(problem: Problem) -> MessageError:
    """One that is not listed is an unknown error."""
    return TABLE.get(problem.code, _UNLISTED)


def told(problem: Problem, instance: str) -> dict[str, str]:
    """The `error` of a status webhook.

    COMPAT: `title` is the number, and it stands behind the `#` of `type`: programs read either.
    """
    error = error_of(problem)
    return {
        "type": f"urn:tertulia:error:messages#{problem.code}", "title": problem.code,
        "detail": f"{error.title} - {problem.reason or error.detail}", "instance": instance,
    }  # fmt: skip
