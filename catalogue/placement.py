"""Placement: which cell and cluster each database and bucket has, for good. Who is placed never moves."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from itertools import count

from catalogue.names import dedicated_cluster_name, shared_cluster_name
from catalogue.plan import DatabasePlan, Plans, StoragePlan
from catalogue.tenant import DatabaseSection, StorageSection, Tenant
from catalogue.vocabulary import Count, Entry, Label, Maybe, Mode, PlanName, TenantId

TENANTS_PER_CELL = 100


class ClusterPlacement(Entry):
    """A cluster and its pins; `tenant` is whom a dedicated one serves, `pooler` its number among the poolers."""

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


class Placed(Entry):
    """A placed section and its pins; buckets have no cluster, mode or version."""

    cell: Count
    """the cell it is in"""
    cluster: Maybe[Label] = None
    """the cluster a database is on; buckets have none"""
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


class TenantPlacement(Entry):
    """The placed sections of a tenant; all of them are in one cell."""

    database: Maybe[Placed] = None
    """where the database is"""
    storage: Maybe[Placed] = None
    """where the bucket is"""

    @property
    def sections(self) -> Mapping[str, Placed]:
        """What is placed, by section."""
        both = {"database": self.database, "storage": self.storage}
        return {name: placed for name, placed in both.items() if placed is not None}

    @property
    def cell(self) -> int | None:
        """The cell of all sections; None where nothing is placed."""
        return next((placed.cell for placed in self.sections.values()), None)


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
    served = Counter(placed.database.cluster for placed in placements.tenants.values() if placed.database)
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


Contradiction = tuple[str, str, object, object]
"""The key to point at, what is pinned, its pinned and its wanted value."""


def contradictions(placed: Placed, plan: DatabasePlan | StoragePlan, region: str | None) -> Iterator[Contradiction]:
    """What of a wanted plan and region (None: as placed) the section cannot become where it is."""
    if placed.provider != plan.provider:
        yield "plan", "provider", placed.provider, plan.provider
    if isinstance(plan, DatabasePlan):
        yield from _database_contradictions(placed, plan)
    # A plan that is sold elsewhere now leaves those alone who are on it.
    stays = placed.region in plan.regions or placed.plan == plan.name
    wanted = region or (placed.region if stays else plan.regions[0])
    if placed.region != wanted:
        yield "region" if region else "plan", "region", placed.region, wanted


def _database_contradictions(placed: Placed, plan: DatabasePlan) -> Iterator[Contradiction]:
    if placed.mode != plan.mode:
        yield "plan", "mode", placed.mode, plan.mode
    elif plan.mode == "shared" and placed.plan != plan.name:
        # Another shared plan lives on other clusters: this is no change of size.
        yield "plan", "shared plan", placed.plan, plan.name
    if placed.version != plan.version:
        yield "plan", f"{plan.engine} version", placed.version, plan.version


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
    """Plan and number in a shared cluster's name: (`pro-plus`, 2) of `shared-pro-plus-2`."""
    short, _, number = cluster.removeprefix("shared-").rpartition("-")
    return short, int(number)


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
        self._served = Counter(
            placed.database.cluster for placed in self._tenants.values() if placed.database and placed.database.cluster
        )
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
        database, storage = old.database, old.storage
        if tenant.database is not None:
            plan = self._plans.database[tenant.database.plan]
            database = _recorded(database, plan, tenant.database) or self._place_database(tenant, plan, cell)
            cell = database.cell
        if tenant.storage is not None:
            offer = self._plans.storage[tenant.storage.plan]
            storage = _recorded(storage, offer, tenant.storage) or _bucket(offer, tenant.storage, cell or self._room())
            cell = storage.cell
        if cell is None:
            return
        if old.cell is None:
            self._population[cell] += 1
        self._tenants[tenant.id] = TenantPlacement(database=database, storage=storage)
        if database is not None and (cluster := self._clusters[str(database.cluster)]).plan != database.plan:
            self._clusters[str(database.cluster)] = cluster.model_copy(update={"plan": database.plan})

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
        taken = {cluster.pooler for cluster in clusters.values()}
        free = (number for number in count(1) if number not in taken)
        return {name: clusters[name].model_copy(update={"pooler": next(free)}) for name in waiting}

    def _place_database(self, tenant: Tenant, plan: DatabasePlan, cell: int | None) -> Placed:
        region = (tenant.database.region if tenant.database else None) or plan.regions[0]
        pool = (plan.name, region, plan.version)
        name = self._free_place(pool, cell) if plan.mode == "shared" else None
        if name is None:
            name = self._new_cluster(tenant, plan, region, cell or self._room())
        self._served[name] += 1
        return Placed(
            cell=self._clusters[name].cell,
            cluster=name,
            plan=plan.name,
            region=region,
            provider=plan.provider,
            mode=plan.mode,
            version=plan.version,
        )

    def _new_cluster(self, tenant: Tenant, plan: DatabasePlan, region: str, cell: int) -> str:
        shared = plan.mode == "shared"
        number = self._newest[plan.short] + 1
        name = shared_cluster_name(plan.short, number) if shared else dedicated_cluster_name(tenant.id)
        cluster = ClusterPlacement(
            cell=cell,
            plan=plan.name,
            region=region,
            provider=plan.provider,
            mode=plan.mode,
            version=plan.version,
            tenant=None if shared else tenant.id,
        )
        self._clusters[name] = cluster
        if shared:
            self._offer(name, cluster)
        return name

    def _offer(self, name: str, cluster: ClusterPlacement) -> None:
        short, number = _shared_number(name)
        self._newest[short] = max(self._newest[short], number)
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


def _recorded(
    placed: Placed | None, plan: DatabasePlan | StoragePlan, section: DatabaseSection | StorageSection
) -> Placed | None:
    """A placed section with its wanted plan, where the plan changes in place; a refused edit changes nothing."""
    if placed is None or placed.plan == plan.name or any(contradictions(placed, plan, section.region)):
        return placed
    return placed.model_copy(update={"plan": plan.name})


def _bucket(plan: StoragePlan, section: StorageSection, cell: int) -> Placed:
    return Placed(cell=cell, plan=plan.name, region=section.region or plan.regions[0], provider=plan.provider)
