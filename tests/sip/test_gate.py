"""What strangers may ask, and who is locked out."""

from tertulia.protocols.sip.flow import Flow
from tertulia.sip.counts import Counts
from tertulia.sip.gate import BURST, FAILURES, FIRST_SECONDS, KNOWN_BURST, PROBE_BURST, Gate


def flow(host: str = "9.9.9.9", port: int = 5060) -> Flow:
    return Flow("udp", ("9.0.0.1", 5060), (host, port))


def admitted(gate: Gate, count: int, *, method: str = "INVITE", host: str = "9.9.9.9") -> int:
    return sum(gate.admits(flow(host, 1024 + index), method, 0.0) for index in range(count))


def test_a_source_may_ask_so_much_by_all_its_ports_together() -> None:
    gate = Gate(Counts())
    assert admitted(gate, 500) == BURST
    assert admitted(gate, 500, host="9.9.9.8") == BURST
    assert gate.admits(flow(), "REGISTER", 10.0)


def test_probes_are_answered_sparingly() -> None:
    gate = Gate(Counts())
    assert admitted(gate, 100, method="OPTIONS") == PROBE_BURST
    assert admitted(gate, 1) == 1


def test_who_is_known_may_ask_more() -> None:
    gate = Gate(Counts())
    gate.know(flow(), 0.0)
    assert sum(gate.admits(flow(), "INVITE", 0.0) for _ in range(1000)) == KNOWN_BURST
    gate.forget(flow())
    assert not gate.knows(flow())


def test_who_guesses_is_locked_out_for_longer_and_longer() -> None:
    counts = Counts()
    gate = Gate(counts)
    now = 0.0
    for expected in (FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS):
        for _ in range(FAILURES):
            assert gate.admits(flow(), "REGISTER", now)
            gate.failed("9.9.9.9", now)
        assert not gate.admits(flow(port=9), "REGISTER", now + expected - 1)
        assert gate.admits(flow("9.9.9.8"), "REGISTER", now)
        now += expected
    assert counts["lock_outs"] == 3
    assert gate.admits(flow(), "REGISTER", now)


def test_somebody_known_is_not_locked_out_with_its_neighbours() -> None:
    gate = Gate(Counts())
    gate.know(flow(port=7777), 0.0)
    for _ in range(FAILURES):
        gate.failed("9.9.9.9", 0.0)
    assert gate.admits(flow(port=7777), "INVITE", 1.0)
    assert not gate.admits(flow(port=7778), "INVITE", 1.0)


def test_old_failures_are_forgiven() -> None:
    gate = Gate(Counts())
    for day in range(FAILURES * 3):
        gate.failed("9.9.9.9", day * 86_400.0)
        assert not gate.is_locked("9.9.9.9", day * 86_400.0)
