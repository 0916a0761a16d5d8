"""One of several nodes."""

from tertulia.services.stewards import one_of


def test_something_that_one_does_for_all_is_done_by_one() -> None:
    nodes = [f"node-{number}" for number in range(5)]
    before = {what: one_of(nodes, what) for what in map(str, range(100))}
    assert set(before.values()) == set(nodes)
    for what, node in before.items():
        left = [each for each in nodes if each != nodes[0]]
        assert one_of(left, what) == (node if node != nodes[0] else one_of(left, what))
        assert one_of(reversed(nodes), what) == node
