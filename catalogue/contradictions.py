"""What of an edit a placed section cannot become where it is: another region, provider, engine version or cluster."""

from collections.abc import Iterator
from typing import Protocol

from catalogue.plan import DatabasePlan, StoragePlan


class Pinned(Protocol):
    """What a placed section is held to."""

    @property
    def plan(self) -> str: ...  # noqa: D102 - as in `Placed`
    @property
    def region(self) -> str: ...  # noqa: D102 - as in `Placed`
    @property
    def provider(self) -> str: ...  # noqa: D102 - as in `Placed`
    @property
    def mode(self) -> str | None: ...  # noqa: D102 - as in `Placed`
    @property
    def version(self) -> int | None: ...  # noqa: D102 - as in `Placed`


Contradiction = tuple[str, str, object, object]
"""The key to point at, what is pinned, its pinned and its wanted value."""


def contradictions(placed: Pinned, plan: DatabasePlan | StoragePlan, region: str | None) -> Iterator[Contradiction]:
    """What of a wanted plan and region (None: as placed) the section cannot become where it is."""
    if placed.provider != plan.provider:
        yield "plan", "provider", placed.provider, plan.provider
    if isinstance(plan, DatabasePlan):
        yield from _database_contradictions(placed, plan)
    wanted = wanted_region(placed, plan, region)
    if placed.region != wanted:
        yield "region" if region else "plan", "region", placed.region, wanted


def wanted_region(placed: Pinned, plan: DatabasePlan | StoragePlan, region: str | None) -> str:
    """Where a placed section is to be. A plan that is sold elsewhere now leaves those alone who are on it."""
    stays = placed.region in plan.regions or placed.plan == plan.name
    return region or (placed.region if stays else plan.regions[0])


def _database_contradictions(placed: Pinned, plan: DatabasePlan) -> Iterator[Contradiction]:
    if placed.mode != plan.mode:
        yield "plan", "mode", placed.mode, plan.mode
    elif plan.mode == "shared" and placed.plan != plan.name:
        # Another shared plan lives on other clusters: this is no change of size.
        yield "plan", "shared plan", placed.plan, plan.name
    if placed.version != plan.version:
        yield "plan", f"{plan.engine} version", placed.version, plan.version
