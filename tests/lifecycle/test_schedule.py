"""When a backup is due, and which may go: tables of moments."""

from datetime import UTC, datetime, timedelta

import pytest

from catalogue.load import load_fleet
from catalogue.plan import Backups
from components.settings import PROJECT
from lifecycle.manifest import moment, new_id
from lifecycle.schedule import Promise

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
PROMISED = {
    "timeweb-free": (None, 7),
    "timeweb-pro": (DAY, 7),
    "timeweb-pro-plus": (HOUR, 14),
    "timeweb-business": (HOUR, 30),
    "timeweb-enterprise": (HOUR, 30),
}


def test_every_plan_promises_what_it_is_sold_with() -> None:
    """A46, A47, G14: any moment is met by a dump an hour; enterprise gets at least what business gets."""
    plans = load_fleet(PROJECT).plans.database
    found = {name: Promise.of(plans[name].backups) for name in PROMISED}
    assert {name: (promise.every, promise.keep.days) for name, promise in found.items()} == PROMISED


@pytest.mark.parametrize(
    ("every", "newest", "due"),
    [
        (None, None, False),
        (DAY, None, True),
        (DAY, NOON - 12 * HOUR, False),
        (DAY, NOON - 12 * HOUR - MINUTE, True),
        (HOUR, NOON, False),
        (HOUR, NOON - MINUTE, True),
        (DAY, NOON + DAY, False),
    ],
)
def test_a_tenant_is_due_once_in_each_slot(every: timedelta | None, newest: datetime | None, due: bool) -> None:  # noqa: FBT001  a column of the table
    assert Promise(every, 7 * DAY).is_due(newest, NOON) is due


def test_hourly_runs_that_come_late_skip_no_slot_and_double_none() -> None:
    """Design rule 9: a week under a clock that the test holds."""
    taken: list[datetime] = []
    promise = Promise.of(Backups(interval="day", keep=7))
    for minutes in range(0, 7 * 24 * 60, 61):
        now = NOON + minutes * MINUTE
        if promise.is_due(taken[-1] if taken else None, now):
            taken.append(now)
    assert [each.date() for each in taken] == [(NOON + number * DAY).date() for number in range(len(taken))]


def test_what_is_older_than_the_plan_keeps_goes_but_never_the_last_good_one() -> None:
    promise = Promise(DAY, 7 * DAY)
    moments = {f"b-{age:02}": NOON - age * DAY for age in range(12)}
    # As ids do, these sort by their moment.
    moments = {f"b-{99 - age}": NOON - age * DAY for age in range(12)}
    assert promise.expired(moments, set(moments), set(), NOON) == ["b-88", "b-89", "b-90", "b-91"]
    assert promise.expired(moments, set(moments), {"b-89"}, NOON) == ["b-88", "b-90", "b-91"]
    assert promise.expired({"b-1": NOON - 99 * DAY}, {"b-1"}, set(), NOON) == []
    broken = {"b-1": NOON - 99 * DAY, "b-2": NOON - 98 * DAY, "b-3": NOON - 2 * DAY, "b-4": NOON - HOUR}
    assert promise.expired(broken, {"b-1"}, set(), NOON) == ["b-2", "b-3"], (
        "left-overs, once nobody writes them any more"
    )


def test_ids_sort_by_their_moment_and_are_not_the_same_twice() -> None:
    ids = [new_id(NOON + number * timedelta(seconds=1)) for number in range(20)]
    assert sorted(ids) == ids
    assert len({new_id(NOON) for _ in range(20)}) > 10
    assert moment(ids[3]) == NOON + timedelta(seconds=3)
