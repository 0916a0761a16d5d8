"""The four machines, one way through each at a time (RFC 3261 17, RFC 6026)."""

import pytest

from tertulia.protocols.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    TIMERS,
    Table,
    interval,
)

BEGINNINGS = {
    "INVITE client": (INVITE_CLIENT, "calling"),
    "client": (CLIENT, "trying"),
    "INVITE server": (INVITE_SERVER, "proceeding"),
    "server": (SERVER, "trying"),
}


def walk(machine: str, events: str) -> tuple[str, str]:
    """The last state, and everything done on the way."""
    table, state = BEGINNINGS[machine]
    plain: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {**table}  # type: ignore[dict-item]
    done: list[str] = []
    for event in events.split():
        state, actions = plain.get((state, event), (state, ()))
        done += actions
    return state, " ".join(done)


@pytest.mark.parametrize(
    ("machine", "events", "state", "done"),
    [
        ("INVITE client", "A A", "calling", "send 2A send 2A"),
        ("INVITE client", "A B", "terminated", "send 2A fail"),
        ("INVITE client", "1xx 1xx A B", "proceeding", "-A -B pass pass"),
        ("INVITE client", "2xx 2xx failure M", "terminated", "-A -B +M pass pass"),
        ("INVITE client", "1xx 2xx 2xx", "accepted", "-A -B pass +M pass pass"),
        ("INVITE client", "failure failure 2xx", "completed", "-A -B ack pass +D ack"),
        ("INVITE client", "1xx failure D", "terminated", "-A -B pass ack pass +D"),
        ("INVITE client", "lost", "terminated", "fail"),
        ("INVITE client", "1xx lost", "terminated", "-A -B pass fail"),
        ("client", "E E F", "terminated", "send 2E send 2E fail"),
        ("client", "1xx E E", "proceeding", "pass send cE send cE"),
        ("client", "1xx F", "terminated", "pass fail"),
        ("client", "2xx 2xx 1xx K", "terminated", "-E -F pass +K"),
        ("client", "lost", "terminated", "fail"),
        ("client", "2xx lost", "terminated", "-E -F pass +K"),
        ("INVITE server", "1xx request 1xx", "proceeding", "send send send"),
        ("INVITE server", "2xx request ack 2xx L", "terminated", "send +L pass send"),
        ("INVITE server", "failure request G", "completed", "send +G +H send send 2G"),
        ("INVITE server", "failure H", "terminated", "send +G +H"),
        ("INVITE server", "failure ack ack request", "confirmed", "send +G +H -G -H +I"),
        ("INVITE server", "failure ack I", "terminated", "send +G +H -G -H +I"),
        ("INVITE server", "failure 2xx", "completed", "send +G +H"),
        ("INVITE server", "lost", "terminated", "fail"),
        ("server", "request", "trying", ""),
        ("server", "1xx request", "proceeding", "send send"),
        ("server", "2xx request 2xx J", "terminated", "send +J send"),
        ("server", "lost", "terminated", ""),
    ],
)
def test_a_way_through_a_machine(machine: str, events: str, state: str, done: str) -> None:
    assert walk(machine, events) == (state, done)


@pytest.mark.parametrize("table", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER])
def test_every_state_is_left_and_every_timer_that_is_started_is_awaited(table: Table) -> None:
    left = {state for state, _ in table}
    for (state, _), (following, actions) in table.items():
        assert following in left | {"terminated"}
        for action in actions:
            if action[0] == "+":
                assert (following, action[1]) in table, (state, action)


def test_intervals_double_up_to_the_longest() -> None:
    seconds = interval("G", False)
    waits: list[float | None] = []
    while len(waits) < 6:
        waits.append(seconds)
        seconds = interval("G", False, seconds)
    assert waits == [0.5, 1, 2, 4, 4, 4]
    assert interval("A", False, 16.0) == 32.0


def test_reliable_transports_repeat_nothing() -> None:
    assert {name for name, span in TIMERS.items() if span.reliable is None} == {"A", "E", "G"}
    assert {name for name, span in TIMERS.items() if span.reliable == 0} == {"D", "I", "J", "K"}
