"""Signatures of requests by their parameters (`sig`), as clients of the older SMS API make them:
the parameters in order of their names, hashed with a secret that both sides know."""

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE = "sig"
_DIGESTS = ("md5", "sha1", "sha256", "sha512")
_SAYS_NONE = (
    "account-ref", "body", "callback", "client-ref", "content-id", "entity-id", "message-class",
    "protocol-id", "sig", "status-report-req", "trusted-number", "ttl", "type", "udh",
)  # fmt: skip
"""COMPAT: the Python SDK signs `None` for each of these that it does not send."""


def is_signed(parameters: Mapping[str, str], secret: str) -> bool:
    """Whether `sig` among the parameters is of the others: by any of the HMACs, or by the hash of
    the parameters with the secret behind them. Nothing is signed without a secret."""
    given = parameters.get(SIGNATURE, "").lower().encode()
    if not secret or not given:
        return False
    sent = {name: value for name, value in parameters.items() if name != SIGNATURE}
    texts = (_text(sent), _text({**dict.fromkeys(_SAYS_NONE, "None"), **sent}))
    made = [each for text in texts for each in _signatures(text, secret.encode())]
    return any([hmac.compare_digest(given, each) for each in made])


def _text(parameters: Mapping[str, str]) -> bytes:
    """Nothing in a value looks like the border between two."""
    return "".join(
        f"&{name}={parameters[name].replace('&', '_').replace('=', '_')}"
        for name in sorted(parameters)
    ).encode()


def _signatures(text: bytes, secret: bytes) -> list[bytes]:
    made = [hmac.new(secret, text, name).hexdigest() for name in _DIGESTS]
    made.append(hashlib.md5(text + secret, usedforsecurity=False).hexdigest())
    return [each.encode() for each in made]
