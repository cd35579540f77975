"""Every wait has a way out."""

import pytest

from dynamic_providers.errors import DeadlineError, FailedStateError
from dynamic_providers.waiting import Pace, wait_until


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.slept.append(seconds)
        self.now += seconds

    @property
    def pace(self) -> Pace:
        """Looks every five seconds for twenty."""
        return Pace(poll=5, deadline=20, sleep=self.sleep, clock=lambda: self.now)


def test_it_looks_until_nothing_is_pending() -> None:
    time, states = Time(), iter(["starting", "starting", "started"])
    seen = wait_until(lambda: next(states), lambda s: "" if s == "started" else s, what="cluster 7", pace=time.pace)
    assert (seen, time.slept) == ("started", [5, 5])


def test_what_is_ready_is_not_waited_for() -> None:
    time = Time()
    wait_until(lambda: 1, lambda _: "", what="cluster 7", pace=time.pace)
    assert time.slept == []


def test_the_deadline_ends_it_with_the_last_reason_after_a_last_look() -> None:
    time, looks = Time(), []
    with pytest.raises(DeadlineError, match=r"^cluster 7 is not finished after 20 s: its state is 'starting'$"):
        wait_until(
            lambda: looks.append(time.now), lambda _: "its state is 'starting'", what="cluster 7", pace=time.pace
        )
    assert looks == [0, 5, 10, 15, 20]


def test_a_state_without_a_way_out_ends_it_at_once() -> None:
    time = Time()

    def pending(_seen: object) -> str:
        raise FailedStateError("cluster 7 is in state 'error'")

    with pytest.raises(FailedStateError):
        wait_until(lambda: 1, pending, what="cluster 7", pace=time.pace)
    assert time.slept == []
