"""From a message to the Cloud API's words for it."""

from typing import Any

from tertulia.carriers.accounts import plain
from tertulia.carriers.saying import answered, extra, file_name, member, unsayable
from tertulia.model.message_errors import Code
from tertulia.model.sending import Content, Order, Problem
from tertulia.ports.messaging import Declined

_OWN = frozenset({"messaging_product", "recipient_type", "to", "context"})


def message(order: Order) -> dict[str, Any]:
    """The body of the request. Raises Declined for what cannot be said so."""
    content = order.content
    told: dict[str, Any] = {
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": plain(order.to),
    }  # fmt: skip
    ref = answered(content)
    if ref and content.message_type != "reaction":
        told["context"] = {"message_id": ref}
    return {**told, **_body(content)}


def _body(content: Content) -> dict[str, Any]:
    kind = content.message_type
    if kind == "text":
        return {"type": "text", "text": {"body": content.text}}
    if kind in ("image", "audio", "video", "sticker"):
        return {"type": kind, kind: _file(member(content))}
    if kind in ("file", "vcard"):
        return {"type": "document", "document": _document(member(content), kind)}
    if kind == "template":
        return {"type": "template", "template": _template(content)}
    if kind == "location":
        return {"type": "location", "location": _location(member(content))}
    if kind == "reaction":
        return {"type": "reaction", "reaction": _reaction(content)}
    if kind == "contacts":
        return {"type": "contacts", "contacts": content.members.get("contacts")}
    if kind == "custom":
        custom = member(content)
        return {name: value for name, value in custom.items() if name not in _OWN}
    raise unsayable(content)


def _file(file: dict[str, Any]) -> dict[str, Any]:
    told = {"link": file.get("url"), "id": file.get("id"), "caption": file.get("caption")}
    return {name: value for name, value in told.items() if value}


def _document(file: dict[str, Any], kind: str) -> dict[str, Any]:
    name = file_name(file)
    if kind == "vcard" and not name.endswith(".vcf"):
        name = "contact.vcf"
    return {**_file(file), **({"filename": name} if name else {})}


def _template(content: Content) -> dict[str, Any]:
    template = member(content)
    own = extra(content, "whatsapp") or template
    language = {
        "policy": own.get("policy") or "deterministic", "code": own.get("locale") or "en_US",
    }  # fmt: skip
    name = str(template.get("name", "")).rpartition(":")[2]
    told: dict[str, Any] = {"name": name, "language": language}
    components = template.get("components")
    parameters = template.get("parameters")
    if isinstance(components, list):
        told["components"] = components
    elif isinstance(parameters, list) and parameters:
        listed = [_parameter(each) for each in parameters]
        told["components"] = [{"type": "body", "parameters": listed}]
    return told


def _parameter(given: object) -> object:
    """Older clients wrap a text in an object, `{"default": "text"}`."""
    if isinstance(given, dict):
        return {"type": "text", "text": given["default"]} if "default" in given else given
    return {"type": "text", "text": str(given)}


def _location(place: dict[str, Any]) -> dict[str, Any]:
    told = {
        "longitude": place.get("longitude", place.get("long")),
        "latitude": place.get("latitude", place.get("lat")),
        "name": place.get("name"), "address": place.get("address"),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _reaction(content: Content) -> dict[str, Any]:
    reaction = member(content)
    ref = answered(content)
    if not ref:
        raise Declined(Problem(Code.INVALID, "a reaction needs the message that it is to"))
    is_taken_back = reaction.get("action") == "unreact"
    return {"message_id": ref, "emoji": "" if is_taken_back else reaction.get("emoji", "")}
