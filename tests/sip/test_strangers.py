"""What strangers may ask, and who is locked out."""

from tertulia.protocols.sip.flow import Flow
from tertulia.sip.counts import Counts
from tertulia.sip.strangers import (
    BURST,
    FAILURES,
    FIRST_SECONDS,
    KNOWN_BURST,
    PROBE_BURST,
    Strangers,
)


def flow(host: str = "9.9.9.9", port: int = 5060) -> Flow:
    return Flow("udp", ("9.0.0.1", 5060), (host, port))


def admitted(
    strangers: Strangers, count: int, *, method: str = "INVITE", host: str = "9.9.9.9"
) -> int:
    return sum(strangers.admits(flow(host, 1024 + index), method, 0.0) for index in range(count))


def test_a_source_may_ask_so_much_by_all_its_ports_together() -> None:
    strangers = Strangers(Counts())
    assert admitted(strangers, 500) == BURST
    assert admitted(strangers, 500, host="9.9.9.8") == BURST
    assert strangers.admits(flow(), "REGISTER", 10.0)


def test_probes_are_answered_sparingly() -> None:
    strangers = Strangers(Counts())
    assert admitted(strangers, 100, method="OPTIONS") == PROBE_BURST
    assert admitted(strangers, 1) == 1


def test_who_is_known_may_ask_more() -> None:
    strangers = Strangers(Counts())
    strangers.know(flow(), 0.0)
    assert sum(strangers.admits(flow(), "INVITE", 0.0) for _ in range(1000)) == KNOWN_BURST
    strangers.forget(flow())
    assert not strangers.knows(flow())


def test_who_guesses_is_locked_out_for_longer_and_longer() -> None:
    counts = Counts()
    strangers = Strangers(counts)
    now = 0.0
    for expected in (FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS):
        for _ in range(FAILURES):
            assert strangers.admits(flow(), "REGISTER", now)
            strangers.failed("9.9.9.9", now)
        assert not strangers.admits(flow(port=9), "REGISTER", now + expected - 1)
        assert strangers.admits(flow("9.9.9.8"), "REGISTER", now)
        now += expected
    assert counts["lock_outs"] == 3
    assert strangers.admits(flow(), "REGISTER", now)


def test_somebody_known_is_not_locked_out_with_its_neighbours() -> None:
    strangers = Strangers(Counts())
    strangers.know(flow(port=7777), 0.0)
    for _ in range(FAILURES):
        strangers.failed("9.9.9.9", 0.0)
    assert strangers.admits(flow(port=7777), "INVITE", 1.0)
    assert not strangers.admits(flow(port=7778), "INVITE", 1.0)


def test_old_failures_are_forgiven() -> None:
    strangers = Strangers(Counts())
    for day in range(FAILURES * 3):
        strangers.failed("9.9.9.9", day * 86_400.0)
        assert not strangers.is_locked("9.9.9.9", day * 86_400.0)
