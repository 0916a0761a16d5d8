import json
from typing import Any

import pytest

from tertulia.model import errors
from tertulia.protocols.http1 import HttpError, Response
from tertulia.web.problems import internal_error, problem, protocol_problem


def body(response: Response) -> Any:
    assert response.content_type == "application/json"
    return json.loads(response.body)


def test_both_error_styles_in_one_body() -> None:
    response = problem(errors.UserNotFound(), "abc")
    assert response.status == 404
    assert response.headers == ()
    sentence = "User does not exist, or you do not have access."
    assert body(response) == {
        "title": "Not found.",
        "type": "urn:tertulia:error:user:error:not-found",
        "code": "user:error:not-found",
        "detail": sentence,
        "description": sentence,
        "error": {},
        "instance": "abc",
    }


def test_wrong_parameters_are_named() -> None:
    response = problem(errors.ValidationFailed.of("state", "must be a string"), "abc")
    assert response.status == 400
    assert body(response)["invalid_parameters"] == [
        {"name": "state", "reason": '"state" must be a string'}
    ]


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.InvalidToken(), 401, (("WWW-Authenticate", "Bearer"),)),
        (errors.ExpiredToken(), 401, (("WWW-Authenticate", "Bearer"),)),
        (errors.TooManyRequests(retry_after=0.0), 429, (("Retry-After", "1"),)),
        (errors.TooManyRequests(retry_after=2.1), 429, (("Retry-After", "3"),)),
        (errors.Unavailable("/var/lib/log: disk full"), 503, (("Retry-After", "1"),)),
        (errors.MethodNotAllowed(allowed=("GET", "HEAD")), 405, (("Allow", "GET, HEAD"),)),
        (errors.RangeNotSatisfiable(5), 416, (("Content-Range", "bytes */5"),)),
        (errors.Forbidden(), 403, ()),
    ],
)
def test_what_to_do_next_is_in_the_headers(
    error: errors.Rejected | errors.Unavailable, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    response = problem(error, "abc")
    assert (response.status, response.headers) == (status, headers)


def test_what_a_failing_port_said_stays_inside() -> None:
    response = problem(errors.Unavailable("/var/lib/log: disk full"), "abc")
    assert body(response)["code"] == "system:error:unavailable"
    assert b"disk" not in response.body


@pytest.mark.parametrize("status", [400, 408, 413, 414, 431, 501, 503, 505])
def test_protocol_errors_have_the_same_form(status: int) -> None:
    response = protocol_problem(HttpError(status, "Why."), "abc")
    assert response.status == status
    answer = body(response)
    assert (answer["detail"], answer["instance"]) == ("Why.", "abc")
    assert set(answer) == set(body(problem(errors.NotFound(), "abc")))


def test_a_body_too_large_is_one_error_wherever_it_is_found() -> None:
    early = body(protocol_problem(HttpError(413, "."), ""))
    late = body(problem(errors.BodyTooLarge(), ""))
    assert (early["code"], early["title"]) == (late["code"], late["title"])


def test_a_bug_is_told_by_its_instance_alone() -> None:
    response = internal_error("abc")
    assert response.status == 500
    answer = body(response)
    assert (answer["code"], answer["instance"]) == ("system:error:internal-error", "abc")
