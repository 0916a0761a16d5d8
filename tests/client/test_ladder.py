"""A call's moments as lines of a ladder, and how its INVITE was answered."""

import pytest

from tertulia.client.ladder import Answer, Moment, answer, heading, row

BEGAN = Moment("2026-03-01T10:00:00.000Z", "event", "", "").seconds


def moment(lane: str, text: str, detail: str = "") -> Moment:
    return Moment("2026-03-01T10:00:01.250Z", lane, text, detail)


def sip(*lines: str) -> list[Moment]:
    return [moment("sip", line, "udp:127.0.0.1:5060") for line in lines]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (sip("> INVITE sip:1@h:5;transport=udp SIP/2.0")[0], "──▶ INVITE sip:1@h:5"),
        (sip("< BYE sip:us@h SIP/2.0")[0], "◀── BYE sip:us@h"),
        (sip("< SIP/2.0 486 Busy Here")[0], "◀── 486 Busy Here"),
        (sip("> what is this")[0], "──▶ what is this"),
        (moment("script", "talk", "Hello"), "│             talk: Hello"),
        (moment("webhook", "POST http://h/e"), "│             │        POST http://h/e"),
        (
            moment("event", "leg:status:update ringing"),
            "│             │        │          leg ringing",
        ),
        (
            moment("event", "detection", "human, 90 %"),
            "│             │        │          detected: human, 90 %",
        ),
    ],
)
def test_a_moment_is_a_line_in_its_column(given: Moment, words: str) -> None:
    assert row(given, BEGAN) == f"   1.250  {words}"


def test_the_heading_stands_over_the_columns() -> None:
    line = row(moment("event", "x"), BEGAN)
    assert heading().index("Events") == line.index("x")
    assert heading().index("SIP") == line.index("│")


def test_a_line_fits_the_terminal_and_obeys_nobody() -> None:
    hostile = moment("script", "talk", "\x1b[2J" + "long " * 50)
    line = row(hostile, BEGAN, 60)
    assert len(line) == 60 and "\x1b" not in line


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (["> INVITE sip:1@h SIP/2.0", "< SIP/2.0 180 Ringing"], None),
        (["< SIP/2.0 486 Busy Here", "> ACK sip:1@h SIP/2.0"], Answer(486, "Busy Here")),
        (
            ["> CANCEL sip:1@h SIP/2.0", "< SIP/2.0 200 OK", "< SIP/2.0 487 Terminated",
             "> ACK sip:1@h SIP/2.0"],
            Answer(487, "Terminated"),
        ),
        (
            ["< SIP/2.0 407 Proxy Authentication Required", "> ACK sip:1@h SIP/2.0",
             "> INVITE sip:1@h SIP/2.0", "< SIP/2.0 200 OK", "> ACK sip:1@h SIP/2.0",
             "> INVITE sip:1@h SIP/2.0", "< SIP/2.0 491 Request Pending", "> ACK sip:1@h SIP/2.0"],
            Answer(200, "OK"),
        ),
        (["< INVITE sip:us@h SIP/2.0", "> SIP/2.0 200 OK", "< ACK sip:us@h SIP/2.0"], None),
    ],
)  # fmt: skip
def test_how_an_invite_was_answered(lines: list[str], expected: Answer | None) -> None:
    assert answer([*sip(*lines), moment("event", "member:left")]) == expected
