"""What projects used: the seconds their computes ran, and what was put down for all other metrics."""

import calendar
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.simulators.neon import endpoints
from sandbox.simulators.neon.errors import BadRequestError, RangeError
from sandbox.simulators.neon.records import Project
from sandbox.simulators.neon.state import State

METRICS = (
    "compute_unit_seconds",
    "root_branch_bytes_month",
    "child_branch_bytes_month",
    "instant_restore_bytes_month",
    "public_network_transfer_bytes",
    "private_network_transfer_bytes",
    "extra_branches_month",
    "snapshot_storage_bytes_month",
)


@dataclass(frozen=True)
class Granularity:
    """How a time is rounded down, the step to the next frame, and how far back there are figures."""

    floor: Callable[[datetime], datetime]
    step: Callable[[datetime], timedelta]
    reach: timedelta


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return _hour(moment).replace(hour=0)


def _month(moment: datetime) -> datetime:
    return _day(moment).replace(day=1)


GRANULARITIES: Mapping[str, Granularity] = {
    "hourly": Granularity(_hour, lambda _: timedelta(hours=1), timedelta(hours=168)),
    "daily": Granularity(_day, lambda _: timedelta(days=1), timedelta(days=60)),
    "monthly": Granularity(
        _month, lambda start: timedelta(days=calendar.monthrange(start.year, start.month)[1]), timedelta(days=366)
    ),
}


@dataclass(frozen=True)
class Frame:
    """One time frame, in seconds since 1970, with the values of the metrics that were asked for."""

    begin: float
    end: float
    values: Mapping[str, int]


def frames(
    state: State, project: Project, begin: float, end: float, *, granularity: str, metrics: Sequence[str]
) -> list[Frame]:
    """What the project used in each frame it lived in; RangeError for a time without figures."""
    return [
        Frame(first, last, {name: _value(state, project, name, first, last) for name in metrics})
        for first, last in _bounds(state, begin, end, granularity)
        if last > project.created_at and first < (project.deleted_at or state.clock())
    ]


def require_known(metrics: Sequence[str]) -> None:
    """Refuse an unknown metric."""
    if unknown := [name for name in metrics if name not in METRICS]:
        raise BadRequestError(f"metrics: unknown value {unknown[0]}")


def active_seconds(state: State, project: Project, begin: float, end: float) -> float:
    """How long the project's computes ran in that time, deleted ones included."""
    return sum(seconds for seconds, _ in _runs(state, project, begin, end))


def compute_unit_seconds(state: State, project: Project, begin: float, end: float) -> float:
    """The same times the size of each: here computes never grow beyond their minimum."""
    return sum(seconds * units for seconds, units in _runs(state, project, begin, end))


def _runs(state: State, project: Project, begin: float, end: float) -> Iterator[tuple[float, float]]:
    for endpoint in state.endpoints.having("project_id", project.id):
        for run in endpoint.runs:
            seconds = min(end, endpoints.run_end(endpoint, run, state.clock())) - max(begin, run.begin)
            if seconds > 0:
                yield seconds, endpoint.compute.min_cu


def _value(state: State, project: Project, metric: str, begin: float, end: float) -> int:
    if metric == "compute_unit_seconds" and metric not in project.usage:
        return round(compute_unit_seconds(state, project, begin, end))
    return project.usage.get(metric, 0)


def _bounds(state: State, begin: float, end: float, granularity: str) -> Iterator[tuple[float, float]]:
    if granularity not in GRANULARITIES:
        raise BadRequestError(f"granularity must be one of {', '.join(GRANULARITIES)}")
    kind = GRANULARITIES[granularity]
    first, last = (kind.floor(datetime.fromtimestamp(each, UTC)) for each in (begin, end))
    now = datetime.fromtimestamp(state.clock(), UTC)
    if first > last or first < kind.floor(now - kind.reach):
        raise RangeError(f"{granularity} figures are kept for {kind.reach.days} days, and from must be before to")
    while first < last:
        following = first + kind.step(first)
        yield first.timestamp(), following.timestamp()
        first = following
