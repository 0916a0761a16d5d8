"""What all mappings of messages to a carrier's words need of a message."""

from typing import Any

from tertulia.model.message_errors import Code
from tertulia.model.sending import Content, Problem
from tertulia.ports.messaging import Declined


def answered(content: Content) -> str:
    """The carrier's id of the message that a content is about; empty when it is about none.

    It is `context.ref`; whoever hands a message over puts it there in place of our own id.
    """
    context = content.extras.get("context") or content.members.get("context")
    if not isinstance(context, dict):
        return ""
    ref = context.get("ref") or context.get("message_uuid") or ""
    return ref if isinstance(ref, str) else ""


def member(content: Content) -> dict[str, Any]:
    """The object that is named as the type is. Raises Declined."""
    found = content.members.get(content.message_type)
    if not isinstance(found, dict):
        raise unsayable(content)
    return found


def extra(content: Content, name: str) -> dict[str, Any]:
    """What is the channel's own; empty when there is none."""
    found = content.extras.get(name) or content.members.get(name)
    return found if isinstance(found, dict) else {}


def url_of(file: dict[str, Any]) -> str:
    url = file.get("url")
    return url if isinstance(url, str) else ""


def file_name(file: dict[str, Any]) -> str:
    """Its own, or the end of its address."""
    name = file.get("name") or file.get("filename")
    return str(name) if name else url_of(file).partition("?")[0].rpartition("/")[2]


def unsayable(content: Content) -> Declined:
    kind = content.message_type
    return Declined(Problem(Code.FACILITY, f"the channel has no messages of type {kind}"))
