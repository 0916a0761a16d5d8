"""What the Graph API means by its error codes."""

from collections.abc import Mapping
from typing import Any

from tertulia.carriers.http import shortened, text_at
from tertulia.model.message_errors import Code
from tertulia.model.sending import Problem

NOT_LET_IN = frozenset({"0", "190"})
"""The token is no good (any more)."""
TOO_MUCH = frozenset(
    {"4", "17", "32", "613", "80006", "80007", "130429", "131048", "131056", "133016"}
)  # fmt: skip
"""Too many messages, calls, or messages to one person."""
FOR_NOW = frozenset({"1", "2", "1200", "131000", "131016", "131057", "133004"})
"""Something of theirs is out of order."""
_CODES: Mapping[str, Code] = {
    "10": Code.FACILITY, "100": Code.INVALID, "200": Code.FACILITY, "368": Code.ACCOUNT_BARRED,
    "551": Code.ABSENT, "130429": Code.THROTTLED, "130472": Code.SPAM, "130497": Code.BLOCKED,
    "131005": Code.FACILITY, "131008": Code.MISSING, "131009": Code.INVALID,
    "131021": Code.RECIPIENT, "131026": Code.UNREACHABLE, "131030": Code.NOT_LISTED,
    "131031": Code.ACCOUNT_BARRED, "131042": Code.QUOTA, "131045": Code.SENDER,
    "131047": Code.WINDOW, "131048": Code.SPAM, "131049": Code.SPAM, "131050": Code.BARRED,
    "131051": Code.UNPROCESSABLE, "131052": Code.RESOURCE, "131053": Code.RESOURCE,
    "131056": Code.THROTTLED,
}  # fmt: skip
_SUBCODES: Mapping[str, Code] = {
    "2018001": Code.STRANGER, "2018027": Code.THROTTLED, "2018065": Code.WINDOW,
    "2018108": Code.BARRED, "2018278": Code.WINDOW, "1545041": Code.UNREACHABLE,
}  # fmt: skip
_TEMPLATES = range(132_000, 132_100)


def problem(error: dict[str, Any]) -> Problem:
    """Of an `error`, or of one of the `errors` of a status."""
    code = text_at(error, "code")
    return Problem(_our_code(code, text_at(error, "error_subcode")), _reason(error, code))


def _our_code(code: str, subcode: str) -> Code:
    if subcode in _SUBCODES:
        return _SUBCODES[subcode]
    if code.isdecimal() and len(code) < 9 and int(code) in _TEMPLATES:
        return Code.TEMPLATE
    return _CODES.get(code, Code.UNKNOWN)


def _reason(error: dict[str, Any], code: str) -> str:
    said = text_at(error, "message") or text_at(error, "title")
    details = text_at(error, "error_data", "details")
    text = ": ".join(each for each in (said, details) if each) or "no reason was given"
    return shortened(f"{text} ({code})" if code else text)
