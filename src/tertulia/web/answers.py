"""Answers of handlers: a shape encoded, or nothing, with the headers every answer carries."""

import msgspec

from tertulia.protocols.http1 import Response

EPOCH_HEADER = "Tertulia-Epoch"
"""Which store the positions of an answer belong to."""

CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", f"Retry-After, {EPOCH_HEADER}"),
)
"""Browsers call from anywhere; no cookies are used, so any origin may (wire-clients 2.1)."""

PREFLIGHT = Response(
    status=204,
    headers=(
        *CORS,
        ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE"),
        ("Access-Control-Allow-Headers", "authorization, content-type, last-event-id"),
        ("Access-Control-Max-Age", "86400"),
    ),
)

_ENCODER = msgspec.json.Encoder()


def json(status: int, shape: object) -> Response:
    return Response(status=status, body=_ENCODER.encode(shape), headers=CORS)


def raw_json(status: int, body: bytes) -> Response:
    """For a body that is JSON already."""
    return Response(status=status, body=body, headers=CORS)


def nothing(status: int = 204) -> Response:
    return Response(status=status, headers=CORS)
