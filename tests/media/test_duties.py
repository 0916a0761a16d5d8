"""Duties: what a tick has time for."""

from tertulia.media.duties import Duties


class Watch:
    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[int] = []

    def duties(self) -> Duties:
        return Duties(lambda: self.now, budget=0.004)

    def give(self, duties: Duties, count: int, seconds: float = 0.001) -> None:
        def job(number: int) -> None:
            self.now += seconds
            self.done.append(number)

        for number in range(count):
            duties.do(lambda number=number: job(number))  # type: ignore[misc]


def test_a_budget_is_spent_and_the_rest_waits_in_order() -> None:
    watch = Watch()
    duties = watch.duties()
    watch.give(duties, 10)
    assert (watch.done, len(duties)) == ([0, 1, 2, 3], 6)
    duties.renew()
    assert watch.done == list(range(8))
    watch.give(duties, 1)
    assert len(duties) == 3
    duties.finish()
    assert len(watch.done) == 11


def test_time_to_spare_is_used_beyond_the_budget() -> None:
    watch = Watch()
    duties = watch.duties()
    watch.give(duties, 20)
    duties.renew(watch.now + 0.01)
    assert len(watch.done) == 14
    watch.now += 0.02
    duties.renew(watch.now - 0.001)  # a long tick: the budget is left
    assert len(watch.done) == 18


def test_what_comes_while_there_is_time_is_done_at_once() -> None:
    watch = Watch()
    duties = watch.duties()
    duties.renew(0.1)
    watch.give(duties, 50)
    assert len(watch.done) == 50
