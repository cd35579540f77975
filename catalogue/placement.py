"""Placement: which cell and cluster each database and bucket has. Who is placed moves only where `migrate:` asks.

A section that moves has two generations in the lock file, the serving one and another one whose role says how far the
move has come; `tenantry move` takes it from one role to the next.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from catalogue.contradictions import contradictions, wanted_region
from catalogue.names import cluster_vendor_name, dedicated_cluster_name, shared_cluster_name
from catalogue.plan import DatabasePlan, Plans, SizeText, StoragePlan
from catalogue.tenant import DatabaseSection, StorageSection, Tenant
from catalogue.vocabulary import Count, Day, Entry, Label, Maybe, Mode, PlanName, TenantId, Word

TENANTS_PER_CELL = 100

Role = Literal["next", "frozen", "held", "dropping"]
"""How far a move is, told of the generation that does not serve.

next      it is coming: declared, empty, closed; the serving one is as ever
frozen    as next, and the serving one is closed too: the data is copied and compared now
held      it has served and is closed; it keeps its data, protected, at least until `drop_after`
dropping  as held, but no longer protected: the next run that does not declare it deletes it
"""
MOVING: tuple[Role, ...] = ("next", "frozen")


class ClusterPlacement(Entry):
    """A cluster and its pins; `tenant` is whom a dedicated one serves, `pooler` its number among the poolers.

    `preset` and `size` are recorded for custom plans: on the way to another plan the entry does not say them any more.
    """

    cell: Count
    """the cell it is in: cell 1 is the base stack, cell 2 stack `<base>-2`"""
    plan: PlanName
    """plan that it was made for; with a dedicated one it follows the tenant's plan"""
    region: Label
    """pin"""
    provider: Label
    """pin"""
    mode: Mode
    """pin"""
    version: Count
    """pin: major version of the engine"""
    generation: Count = 1
    """counts the clusters that had this name"""
    tenant: Maybe[TenantId] = None
    """whom a dedicated cluster serves"""
    pooler: Maybe[Count] = None
    """number of the pooler before a pooled cluster, for good"""
    preset: Maybe[Count] = None
    """id of the preset that the entry of a custom plan named"""
    size: Maybe[SizeText] = None
    """size that the entry of a custom plan named: vCPU/GB RAM/GB disk"""


class Placed(Entry):
    """A placed section and its pins; buckets have no cluster, mode or version, Neon's projects no cluster."""

    cell: Count
    """the cell it is in"""
    cluster: Maybe[Label] = None
    """the cluster a database is on; buckets and Neon's projects have none"""
    generation: Count = 1
    """counts the moves; part of the names at the provider from the second on"""
    plan: PlanName
    """plan as of the last `tenantry place`"""
    region: Label
    """pin"""
    provider: Label
    """pin"""
    mode: Maybe[Mode] = None
    """pin; buckets have none"""
    version: Maybe[Count] = None
    """pin: major version of the engine; buckets have none"""


class Other(Placed):
    """The generation that does not serve, while a section moves; `frozen_at` is when the serving one was closed."""

    role: Role
    """`next` is coming, `frozen` is being copied to, `held` has served, `dropping` is about to go"""
    frozen_at: Maybe[Word] = None
    """instant since when the serving generation is closed"""
    drop_after: Maybe[Day] = None
    """first day on which what has served may be dropped"""

    @property
    def returns(self) -> bool:
        """Whether it has served before and is on its way back."""
        return self.role in MOVING and self.drop_after is not None


class TenantPlacement(Entry):
    """The placed sections of a tenant; all of them, and their other generations, are in one cell."""

    database: Maybe[Placed] = None
    """where the database is"""
    database_other: Maybe[Other] = None
    """its other generation, while it moves"""
    storage: Maybe[Placed] = None
    """where the bucket is"""
    storage_other: Maybe[Other] = None
    """its other generation, while it moves"""

    @property
    def sections(self) -> Mapping[str, Placed]:
        """What serves, by section."""
        both = {"database": self.database, "storage": self.storage}
        return {name: placed for name, placed in both.items() if placed is not None}

    @property
    def others(self) -> Mapping[str, Other]:
        """The other generations of the sections that move, by section."""
        both = {"database": self.database_other, "storage": self.storage_other}
        return {name: other for name, other in both.items() if other is not None}

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters on which the tenant takes a place: each generation takes its own."""
        both = (self.database, self.database_other)
        return tuple(placed.cluster for placed in both if placed is not None and placed.cluster is not None)

    @property
    def cell(self) -> int | None:
        """The cell of all sections; None where nothing is placed."""
        first = self.database or self.storage
        return None if first is None else first.cell


@dataclass(frozen=True)
class Placements:
    """The whole of `placements.yaml`."""

    clusters: Mapping[str, ClusterPlacement] = field(default_factory=dict)
    tenants: Mapping[str, TenantPlacement] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[int, ...]:
        """The numbers of all cells that hold something; cell 1, the stack itself, always exists."""
        clusters = {cluster.cell for cluster in self.clusters.values()}
        tenants = {tenant.cell for tenant in self.tenants.values() if tenant.cell is not None}
        return tuple(sorted({1} | clusters | tenants))

    def cell(self, number: int) -> "Placements":
        """What one cell holds."""
        return self._by_cell.get(number, Placements())

    @cached_property
    def _by_cell(self) -> Mapping[int, "Placements"]:
        clusters: dict[int, dict[str, ClusterPlacement]] = {number: {} for number in self.cells}
        tenants: dict[int, dict[str, TenantPlacement]] = {number: {} for number in self.cells}
        for name, cluster in self.clusters.items():
            clusters[cluster.cell][name] = cluster
        for name, tenant in self.tenants.items():
            if tenant.cell is not None:
                tenants[tenant.cell][name] = tenant
        return {number: Placements(clusters[number], tenants[number]) for number in self.cells}


def taken(tenants: Mapping[str, TenantPlacement]) -> Counter[str]:
    """The places that are taken on each cluster."""
    return Counter(cluster for placed in tenants.values() for cluster in placed.clusters)


def place(
    tenants: Mapping[str, Tenant],
    plans: Plans,
    previous: Placements,
    *,
    drop_empty: bool = False,
    cell_size: int = TENANTS_PER_CELL,
) -> Placements:
    """`previous` with a place for every section that has none, and without the tenants that are removed.

    The order of `tenants` does not matter. An empty shared cluster stays for the next tenant, unless `drop_empty`.
    Every plan must be in `plans`: the tenants have passed `load_fleet`.
    """
    board = _Board(tenants, plans, previous, cell_size)
    for tenant_id in sorted(tenants):
        if tenants[tenant_id].declared:
            board.settle(tenants[tenant_id])
    return board.placements(drop_empty=drop_empty)


def _shared_number(cluster: str) -> tuple[str, int]:
    """Stem and number in a shared cluster's name: (`pro-plus`, 2) of `shared-pro-plus-2`."""
    stem, _, number = cluster.removeprefix("shared-").rpartition("-")
    return stem, int(number)


Pool = tuple[str, str, int]
"""Plan, region and engine version: tenants of one pool may share a cluster."""


class _Board:
    """Who sits where while tenants are placed; every look-up is a heap's top: 100,000 tenants take seconds."""

    def __init__(self, tenants: Mapping[str, Tenant], plans: Plans, previous: Placements, cell_size: int) -> None:
        self._plans = plans
        self._cell_size = cell_size
        leaving = {tenant_id for tenant_id, tenant in tenants.items() if not tenant.declared}
        self._tenants = {name: placed for name, placed in previous.tenants.items() if name not in leaving}
        self._clusters = {name: cluster for name, cluster in previous.clusters.items() if cluster.tenant not in leaving}
        self._population = Counter(placed.cell for placed in self._tenants.values() if placed.cell is not None)
        self._served = taken(self._tenants)
        self._ids = tenants.keys()
        self._newest: Counter[str] = Counter()
        # Clusters that may have a free place, lowest cell and number first: of a pool, and of a pool within one cell.
        self._open: defaultdict[Pool, list[tuple[int, int, str]]] = defaultdict(list)
        self._open_in_cell: defaultdict[tuple[Pool, int], list[tuple[int, int, str]]] = defaultdict(list)
        cells = {cluster.cell for cluster in self._clusters.values()} | set(self._population)
        self._last_cell = max(cells, default=0)
        # A sorted list is a heap; cells that fill up are dropped when they come to the top.
        self._roomy = list(range(1, self._last_cell + 1))
        for name, cluster in self._clusters.items():
            if cluster.mode == "shared":
                self._offer(name, cluster)

    def settle(self, tenant: Tenant) -> None:
        """Place the tenant's sections that have no place, and record what changed of the others."""
        old = self._tenants.get(tenant.id, TenantPlacement())
        cell = old.cell
        found: dict[str, Placed | None] = dict(old)
        if tenant.database is not None:
            found |= self._database(tenant, tenant.database, old, cell)
            cell = found["database"].cell if found["database"] else cell
        if tenant.storage is not None:
            found |= self._storage(tenant, tenant.storage, old, cell)
            cell = found["storage"].cell if found["storage"] else cell
        if cell is None:
            return
        if old.cell is None:
            self._population[cell] += 1
        self._tenants[tenant.id] = TenantPlacement.model_validate(found)

    def placements(self, *, drop_empty: bool) -> Placements:
        """What came of it."""
        empty = {name for name, cluster in self._clusters.items() if not self._served[name]} if drop_empty else set()
        kept = {name: held for name, held in self._clusters.items() if name not in empty}
        return Placements(kept | self._poolers(kept), self._tenants)

    def _poolers(self, clusters: Mapping[str, ClusterPlacement]) -> dict[str, ClusterPlacement]:
        """Clusters of pooled plans that have no pooler yet, with the lowest free numbers."""
        pooled = {name for name, plan in self._plans.database.items() if plan.pooled and plan.mode == "shared"}
        without = [name for name, held in clusters.items() if held.plan in pooled and held.pooler is None]
        waiting = sorted(without, key=_shared_number)
        given = {cluster.pooler for cluster in clusters.values()}
        free = (number for number in count(1) if number not in given)
        return {name: clusters[name].model_copy(update={"pooler": next(free)}) for name in waiting}

    def _database(
        self, tenant: Tenant, section: DatabaseSection, old: TenantPlacement, cell: int | None
    ) -> Mapping[str, Placed | None]:
        plan, placed, other = self._plans.database[section.plan], old.database, old.database_other
        if placed is None:
            region = section.region or plan.regions[0]
            return {"database": self._place_database(tenant, plan, region, cell, 1)}
        if other is None and moves(tenant, section, placed, plan):
            region = wanted_region(placed, plan, section.region)
            generation = next_generation(tenant.id, placed.generation, self._ids)
            coming = self._place_database(tenant, plan, region, placed.cell, generation)
            return {"database": placed, "database_other": Other(**dict(coming), role="next")}
        if placed.cluster is not None and not any(contradictions(placed, plan, section.region)):
            self._record_cluster(placed.cluster, plan, section)
        return {"database": _recorded(placed, plan, section)}

    def _storage(
        self, tenant: Tenant, section: StorageSection, old: TenantPlacement, cell: int | None
    ) -> Mapping[str, Placed | None]:
        plan, placed, other = self._plans.storage[section.plan], old.storage, old.storage_other
        if placed is None:
            return {"storage": _bucket(plan, section.region or plan.regions[0], cell or self._room(), 1)}
        if other is None and moves(tenant, section, placed, plan):
            region = wanted_region(placed, plan, section.region)
            generation = next_generation(tenant.id, placed.generation, self._ids)
            coming = _bucket(plan, region, placed.cell, generation)
            return {"storage": placed, "storage_other": Other(**dict(coming), role="next")}
        return {"storage": _recorded(placed, plan, section)}

    def _place_database(
        self, tenant: Tenant, plan: DatabasePlan, region: str, cell: int | None, generation: int
    ) -> Placed:
        name = None
        if plan.on_cluster:
            pool = (plan.name, region, plan.version)
            name = self._free_place(pool, cell) if plan.mode == "shared" else None
            name = name or self._new_cluster(tenant, plan, region, cell or self._room(), generation)
            self._served[name] += 1
            cell = self._clusters[name].cell
        return Placed(
            cell=cell or self._room(),
            cluster=name,
            generation=generation,
            plan=plan.name,
            region=region,
            provider=plan.provider,
            mode=plan.mode,
            version=plan.version,
        )

    def _new_cluster(self, tenant: Tenant, plan: DatabasePlan, region: str, cell: int, generation: int) -> str:
        shared = plan.mode == "shared"
        number = self._newest[plan.stem] + 1
        own = cluster_vendor_name(dedicated_cluster_name(tenant.id), generation)
        name = shared_cluster_name(plan.stem, number) if shared else own
        cluster = ClusterPlacement(
            cell=cell,
            plan=plan.name,
            region=region,
            provider=plan.provider,
            mode=plan.mode,
            version=plan.version,
            generation=1 if shared else generation,
            tenant=None if shared else tenant.id,
        )
        self._clusters[name] = cluster
        if shared:
            self._offer(name, cluster)
        elif tenant.database is not None:
            self._record_cluster(name, plan, tenant.database)
        return name

    def _record_cluster(self, name: str, plan: DatabasePlan, section: DatabaseSection) -> None:
        """Note of a dedicated cluster what changes in place: its plan, and the size that only the entry says."""
        if plan.mode == "dedicated":
            size = str(section.size) if section.size else None
            noted = {"plan": plan.name, "preset": section.preset, "size": size}
            self._clusters[name] = self._clusters[name].model_copy(update=noted)

    def _offer(self, name: str, cluster: ClusterPlacement) -> None:
        stem, number = _shared_number(name)
        self._newest[stem] = max(self._newest[stem], number)
        pool = (cluster.plan, cluster.region, cluster.version)
        heappush(self._open[pool], (cluster.cell, number, name))
        heappush(self._open_in_cell[pool, cluster.cell], (cluster.cell, number, name))

    def _free_place(self, pool: Pool, own_cell: int | None) -> str | None:
        """The lowest cluster with a free place; a tenant that is placed looks in its own cell only, full or not."""
        offers = self._open[pool] if own_cell is None else self._open_in_cell[pool, own_cell]
        capacity = self._plans.database[pool[0]].capacity
        while offers:
            cell, _, name = offers[0]
            full = own_cell is None and self._population[cell] >= self._cell_size
            if self._served[name] < capacity and not full:
                return name
            heappop(offers)
        return None

    def _room(self) -> int:
        """The lowest cell with room for one more tenant, or a new one."""
        while self._roomy and self._population[self._roomy[0]] >= self._cell_size:
            heappop(self._roomy)
        if not self._roomy:
            self._last_cell += 1
            heappush(self._roomy, self._last_cell)
        return self._roomy[0]


def moves(
    tenant: Tenant, section: DatabaseSection | StorageSection, placed: Placed, plan: DatabasePlan | StoragePlan
) -> bool:
    """Whether the entry asks for a move. What is about to go does not move any more."""
    return section.migrate and tenant.protected and any(contradictions(placed, plan, section.region))


def next_generation(tenant: str, generation: int, ids: Container[str]) -> int:
    """The next number under which no other tenant's name would be taken at a provider."""
    following = generation + 1
    while f"{tenant}-{following}" in ids:
        following += 1
    return following


def _recorded(placed: Placed, plan: DatabasePlan | StoragePlan, section: DatabaseSection | StorageSection) -> Placed:
    """A placed section with its wanted plan, where the plan changes in place; a refused edit changes nothing."""
    if placed.plan == plan.name or any(contradictions(placed, plan, section.region)):
        return placed
    return placed.model_copy(update={"plan": plan.name})


def _bucket(plan: StoragePlan, region: str, cell: int, generation: int) -> Placed:
    return Placed(cell=cell, generation=generation, plan=plan.name, region=region, provider=plan.provider)
