"""How full the shared clusters are."""

from dataclasses import dataclass

from catalogue.placement import Placements, taken
from catalogue.plan import DatabasePlan, Plans


@dataclass(frozen=True)
class Occupancy:
    """How full a shared cluster is; `open` is the most connections its tenants can have, of the `cap` it takes."""

    cluster: str
    tenants: int
    places: int
    open: int
    cap: int
    reserve: int
    pooled: bool


def tightest(placements: Placements, plans: Plans) -> Occupancy | None:
    """The shared cluster nearest to its capacity; None without shared clusters.

    A cluster's capacity is what its plan promises or its connection budget allows, whichever is less.
    """
    served = taken(placements.tenants)
    shared = (
        _occupancy(name, served[name], plans.database[cluster.plan])
        for name, cluster in sorted(placements.clusters.items())
        if cluster.mode == "shared" and cluster.plan in plans.database
    )
    return max(shared, key=lambda found: found.tenants / found.places, default=None)


def _occupancy(cluster: str, tenants: int, plan: DatabasePlan) -> Occupancy:
    return Occupancy(
        cluster=cluster,
        tenants=tenants,
        places=plan.capacity,
        open=plan.connections_of(tenants),
        cap=plan.connections.cap,
        reserve=plan.connections.reserve,
        pooled=plan.pooled,
    )
