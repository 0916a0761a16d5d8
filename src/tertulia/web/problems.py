"""Every refusal as one body that carries both error styles of the wire (wire-api 1.8).

Readers of the problem form find title, type, code, detail, instance; readers of the older form
find code, description, error.
"""

import math

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.errors import (
    EpochOver,
    MethodNotAllowed,
    Parameter,
    RangeNotSatisfiable,
    Rejected,
    TooManyRequests,
    Unavailable,
)
from tertulia.protocols.http1 import HttpError, Response
from tertulia.web.answers import CORS, EPOCH_HEADER


class Problem(Struct, frozen=True, omit_defaults=True):
    title: str
    type: str
    """A name for the kind of error; nothing needs to be there."""
    code: str
    detail: str
    description: str
    """COMPAT: the older form's name for `detail`."""
    error: dict[str, str]
    """COMPAT: always empty, always there in the older form."""
    instance: str
    invalid_parameters: tuple[Parameter, ...] = ()


_PROTOCOL = {
    400: ("http:error:bad-request", "Bad request."),
    404: ("http:error:not-found", "Not found."),
    405: ("http:error:method-not-allowed", "Method not allowed."),
    408: ("http:error:request-timeout", "Request timeout."),
    413: ("http:error:payload-too-large", "Payload too large."),
    414: ("http:error:uri-too-long", "URI too long."),
    426: ("http:error:upgrade-required", "Upgrade required."),
    431: ("http:error:headers-too-large", "Request header fields too large."),
    501: ("http:error:not-implemented", "Not implemented."),
    503: ("system:error:unavailable", "Service unavailable."),
    505: ("http:error:version-not-supported", "HTTP version not supported."),
}
_RETRY_SOON = (("Retry-After", "1"),)


def problem(error: Rejected | Unavailable, instance: str) -> Response:
    """The answer to a request that the domain refused or could not carry out."""
    if isinstance(error, Unavailable):
        # What the port said is for the log: it may name files and addresses.
        return _protocol_problem(503, Unavailable.__doc__ or "", instance)
    body = _body(error.code, error.title, error.detail, instance, error.parameters)
    return Response(error.status, body, headers=_headers(error))


def protocol_problem(error: HttpError, instance: str) -> Response:
    """The answer to bytes that were no acceptable request."""
    return _readable(_protocol_problem(error.status, error.reason, instance))


def internal_error(instance: str) -> Response:
    """The answer to a request that met a bug: nothing of it is told but where to look."""
    detail = f"An unexpected error occurred; it is logged as {instance}."
    body = _body("system:error:internal-error", "Internal error.", detail, instance)
    return _readable(Response(500, body))


def _readable(response: Response) -> Response:
    """For answers that do not come by the pipeline: browsers may read them too."""
    return replace(response, headers=(*response.headers, *CORS))


def _protocol_problem(status: int, detail: str, instance: str) -> Response:
    code, title = _PROTOCOL[status]
    headers = _RETRY_SOON if status == 503 else ()
    return Response(status, _body(code, title, detail, instance), headers=headers)


def _headers(error: Rejected) -> tuple[tuple[str, str], ...]:
    if isinstance(error, TooManyRequests):
        return (("Retry-After", str(max(1, math.ceil(error.retry_after)))),)
    if isinstance(error, MethodNotAllowed):
        return (("Allow", ", ".join(error.allowed)),)
    if isinstance(error, RangeNotSatisfiable):
        return (("Content-Range", f"bytes */{error.size}"),)
    if isinstance(error, EpochOver):
        return ((EPOCH_HEADER, error.epoch),)
    if error.status == 401:
        return (("WWW-Authenticate", "Bearer"),)
    return ()


def _body(
    code: str, title: str, detail: str, instance: str, parameters: tuple[Parameter, ...] = ()
) -> bytes:
    return msgspec.json.encode(
        Problem(
            title=title,
            type=f"urn:tertulia:error:{code}",
            code=code,
            detail=detail,
            description=detail,
            error={},
            instance=instance,
            invalid_parameters=parameters,
        )
    )
