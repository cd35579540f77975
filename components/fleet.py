"""The fleet of one cell: which cluster, database and bucket the stack declares, and what it exports of each tenant."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import pulumi
import pulumi_aws as aws

from billing.money import Money
from catalogue.errors import CatalogueError
from catalogue.load import Fleet, load_fleet
from catalogue.placement import MOVING, ClusterPlacement, Other, Placed
from catalogue.plan import DatabasePlan, Size
from catalogue.tenant import StorageSection, Tenant
from components.dedicated_database import DedicatedDatabase
from components.neon_database import NeonDatabase
from components.platform import RecordArgs, declare_record
from components.pooler import PoolerAddress
from components.s3_storage import S3Storage, s3_provider
from components.settings import REQUIRED, SOURCES, Settings, SettingsError
from components.shared_database import SharedDatabase
from components.storage import StorageArgs
from components.tenant_schema import TenantDatabaseArgs
from components.timeweb_cluster import TimewebCluster, TimewebClusterArgs
from components.timeweb_storage import TimewebStorage

if TYPE_CHECKING:
    import pulumi_digitalocean as do

    from components.database_managed import ManagedCluster

# DigitalOcean's SDK takes as long to load as Pulumi itself, so it is loaded with the first managed tenant.

Details = Mapping[str, Any]
Generations = tuple[Details | None, Details | None]
"""The details of the generation that serves, and of the other one."""


def read_fleet(settings: Settings, today: date | None = None) -> Fleet:
    """The catalogue. Its problems end the program as sentences, without a traceback."""
    try:
        return load_fleet(settings.fleet, today=today)
    except CatalogueError as error:
        raise SettingsError(str(error)) from error


def declare(fleet: Fleet, settings: Settings, today: date) -> dict[str, Any]:
    """Declare the cell's part of the fleet as of a day, and answer its `tenants` output, a plain nested map."""
    cell = _Cell(fleet, settings, today)
    tenants = {tenant.id: cell.declare_tenant(tenant) for tenant in cell.tenants}
    cell.declare_empty_clusters()
    return tenants


@dataclass
class _Cell:
    """One cell of a fleet while it is declared: its lanes, its shared clusters, its S3 store, each made once."""

    fleet: Fleet
    settings: Settings
    today: date
    _clusters: dict[str, TimewebCluster] = field(default_factory=dict)
    _managed: "dict[str, ManagedCluster]" = field(default_factory=dict)

    @cached_property
    def tenants(self) -> list[Tenant]:
        """The cell's declared tenants, by id."""
        placed = self.fleet.placements.tenants
        members = [tenant for name, tenant in sorted(self.fleet.tenants.items()) if tenant.declared and name in placed]
        return [tenant for tenant in members if placed[tenant.id].cell == self.settings.cell]

    def declare_tenant(self, tenant: Tenant) -> dict[str, Any]:
        """Declare what a tenant has, and answer its outputs."""
        outputs = {"name": tenant.name, "state": tenant.state.value, "cell": self.settings.cell}
        sections = {"database": self._database, "storage": self._storage}
        details = {name: declare_section(tenant) for name, declare_section in sections.items()}
        serving = {name: found for name, (found, _) in details.items() if found is not None}
        other = {name: found for name, (_, found) in details.items() if found is not None}
        if self.settings.platform:
            self._record(tenant, serving.get("database"))
        return outputs | serving | ({"other": other} if other else {})

    def _database(self, tenant: Tenant) -> Generations:
        placement = self.fleet.placements.tenants[tenant.id]
        placed, other = placement.database, placement.database_other
        if tenant.database is None or placed is None or placed.plan in self.settings.leave_out:
            return None, None
        serving = self._database_generation(tenant, placed, Standing.serving(tenant, other), None)
        if other is None or other.plan in self.settings.leave_out:
            return serving, None
        # The login comes along with its password: only host, port and database change for the tenant.
        password = serving["password"] if other.role in MOVING else None
        return serving, self._database_generation(tenant, other, Standing.other(tenant, other), password)

    def _database_generation(
        self, tenant: Tenant, placed: Placed, standing: "Standing", password: pulumi.Input[str] | None
    ) -> Details:
        plan = self.fleet.plans.database[placed.plan]
        placement = self.fleet.placements.clusters.get(placed.cluster or "")
        args = TenantDatabaseArgs(
            tenant=tenant,
            plan=plan,
            placed=placed,
            settings=self.settings,
            today=self.today,
            cost=self._share(tenant, placed.cluster) if placed.cluster else None,
            blocked=standing.blocked,
            protect=standing.protect,
            serves=standing.serves,
            password=password,
            pooler=self._pooler(plan, placement) if placement else None,
        )
        return DATABASES[plan.provider, plan.mode](self, args)

    def _pooler(self, plan: DatabasePlan, placement: ClusterPlacement) -> PoolerAddress | None:
        """Where tenants of the cluster are sent: a plan that is pooled no more leaves its clusters their numbers."""
        try:
            return self.settings.pooler.address(placement.pooler) if plan.pooled else None
        except ValueError as error:
            raise SettingsError(str(error)) from error

    def _storage(self, tenant: Tenant) -> Generations:
        placement = self.fleet.placements.tenants[tenant.id]
        placed, other = placement.storage, placement.storage_other
        if tenant.storage is None or placed is None or placed.plan in self.settings.leave_out:
            return None, None
        serving = self._bucket(tenant, tenant.storage, placed, Standing.serving(tenant, other))
        if other is None or other.plan in self.settings.leave_out:
            return serving, None
        return serving, self._bucket(tenant, tenant.storage, other, Standing.other(tenant, other))

    def _bucket(self, tenant: Tenant, section: StorageSection, placed: Placed, standing: "Standing") -> Details:
        plan = self.fleet.plans.storage[placed.plan]
        args = StorageArgs(
            tenant=tenant,
            section=section,
            plan=plan,
            placed=placed,
            settings=self.settings,
            cost=self.fleet.prices.plan_monthly(plan),
            blocked=standing.blocked,
            protect=standing.protect,
        )
        return STORAGES[plan.shape](self, args)

    def _record(self, tenant: Tenant, database: Details | None) -> None:
        placed = self.fleet.placements.tenants[tenant.id].database
        plan = self.fleet.plans.database[placed.plan] if placed else None
        declare_record(RecordArgs(tenant, plan, self.settings.base_stack, database), self._lane(tenant.id))

    def lane(self, name: str) -> pulumi.ResourceOptions:
        """The options that put a component on its lane: dealt by name, whatever other tenants come or go."""
        return pulumi.ResourceOptions(providers=[self._lane(name)])

    def _lane(self, name: str) -> pulumi.ProviderResource:
        return self._lanes[zlib.crc32(name.encode()) % self.settings.lanes]

    @cached_property
    def _lanes(self) -> list[pulumi.ProviderResource]:
        """Several instances of the dynamic provider: one serves four operations at a time."""
        needed = dict.fromkeys(key for provider in sorted(self._providers) for key in REQUIRED.get(provider, ()))
        if lacking := [key for key in needed if key in self.settings.missing]:
            missing = ", ".join(f"{key} (or {SOURCES[key]})" for key in lacking)
            raise SettingsError(f"not set: {missing}; set it with `pulumi config set --secret`, or in the environment")
        return [
            pulumi.ProviderResource("pulumi-python", f"lane-{index}", dict(self.settings.lane_config))
            for index in range(self.settings.lanes)
        ]

    @cached_property
    def _providers(self) -> frozenset[str]:
        """Who runs what the cell's tenants and clusters have."""
        placements = self.fleet.placements.cell(self.settings.cell)
        placed = [part.provider for name in placements.tenants for part in self._parts(name)]
        return frozenset([*placed, *(cluster.provider for cluster in placements.clusters.values())])

    def _parts(self, tenant: str) -> list[Placed]:
        placement = self.fleet.placements.tenants[tenant]
        return [*placement.sections.values(), *placement.others.values()]

    @cached_property
    def s3(self) -> aws.Provider:
        """The S3-compatible store's provider, made when the first tenant needs it."""
        return s3_provider(self.settings)

    @cached_property
    def managed_databases(self) -> "do.Provider":
        """DigitalOcean's provider for clusters, made when the first one is needed."""
        from components.digitalocean import DATABASES as MANAGED_DATABASES  # noqa: PLC0415  see the head
        from components.digitalocean import digitalocean_provider  # noqa: PLC0415  as above

        return digitalocean_provider(self.settings, MANAGED_DATABASES)

    def timeweb_cluster(self, name: str) -> TimewebCluster:
        """A shared cluster, declared with its first tenant."""
        if name not in self._clusters:
            placement = self.fleet.placements.clusters[name]
            self._clusters[name] = TimewebCluster(
                TimewebClusterArgs(
                    name=name,
                    placement=placement,
                    plan=self.fleet.plans.database[placement.plan],
                    settings=self.settings,
                    protect=name in self._protected,
                ),
                self.lane(name),
            )
        return self._clusters[name]

    def managed_cluster(self, name: str) -> "ManagedCluster":
        """The same at DigitalOcean."""
        from components.database_managed import ManagedCluster, ManagedClusterArgs  # noqa: PLC0415  see the head

        if name not in self._managed:
            placement = self.fleet.placements.clusters[name]
            self._managed[name] = ManagedCluster(
                ManagedClusterArgs(
                    name=name,
                    placement=placement,
                    plan=self.fleet.plans.database[placement.plan],
                    settings=self.settings,
                    provider=self.managed_databases,
                    protect=name in self._protected,
                )
            )
        return self._managed[name]

    def declare_empty_clusters(self) -> None:
        """Shared clusters that have lost their last tenant stay, unprotected, until `place --drop-empty`."""
        for name, placement in self.fleet.placements.clusters.items():
            here = placement.mode == "shared" and placement.cell == self.settings.cell
            if here and placement.plan not in self.settings.leave_out:
                SHARED_CLUSTERS[placement.provider](self, name)

    @cached_property
    def _members(self) -> Mapping[str, list[str]]:
        """Declared tenants by the cluster that serves them, in order of their ids."""
        members: dict[str, list[str]] = defaultdict(list)
        for tenant in self.tenants:
            placed = self.fleet.placements.tenants[tenant.id].database
            if placed is not None and placed.cluster is not None:
                members[placed.cluster].append(tenant.id)
        return members

    @cached_property
    def _protected(self) -> frozenset[str]:
        """The clusters that hold data of a tenant that is protected there."""
        found: set[str] = set()
        for tenant in self.tenants:
            placement = self.fleet.placements.tenants[tenant.id]
            if placement.database is not None and Standing.serving(tenant, None).protect:
                found.add(str(placement.database.cluster))
            other = placement.database_other
            if other is not None and Standing.other(tenant, other).protect:
                found.add(str(other.cluster))
        return frozenset(found)

    def _share(self, tenant: Tenant, cluster: str) -> Money | None:
        """The tenant's equal share of its cluster's price; shares sum to the price. None where it is not served."""
        placement = self.fleet.placements.clusters[cluster]
        size = Size.parse(placement.size) if placement.size else self.fleet.plans.database[placement.plan].size
        if placement.preset:
            size = self.fleet.prices.database_size(placement.preset)
        priced = size is not None and placement.provider == "timeweb"
        price = self.fleet.prices.database_monthly(size) if size and priced else None
        members = self._members[cluster]
        return price.split(len(members))[members.index(tenant.id)] if price and tenant.id in members else None


@dataclass(frozen=True)
class Standing:
    """How one generation of a section stands: closed to its tenant or not, deleted by a run or not, serving or not."""

    blocked: bool
    protect: bool
    serves: bool

    @classmethod
    def serving(cls, tenant: Tenant, other: Other | None) -> Self:
        """The one that serves is closed while its data is copied to the other."""
        frozen = other is not None and other.role == "frozen"
        return cls(blocked=tenant.blocked or frozen, protect=tenant.protected, serves=True)

    @classmethod
    def other(cls, tenant: Tenant, other: Other) -> Self:
        """The one that does not serve is always closed; it is protected if it has served, until it is dropped."""
        served = other.role == "held" or other.returns
        return cls(blocked=True, protect=tenant.protected and served, serves=False)


def _shared(cell: _Cell, args: TenantDatabaseArgs) -> Details:
    cluster = cell.timeweb_cluster(str(args.placed.cluster))
    return SharedDatabase(args, cluster, cell.lane(args.tenant.id)).details


def _managed(cell: _Cell, args: TenantDatabaseArgs) -> Details:
    from components.database_managed import ManagedDatabase  # noqa: PLC0415  see the head

    cluster = cell.managed_cluster(str(args.placed.cluster))
    return ManagedDatabase(args, cluster, cell.lane(args.tenant.id)).details


def _dedicated(cell: _Cell, args: TenantDatabaseArgs) -> Details:
    placement = cell.fleet.placements.clusters[str(args.placed.cluster)]
    return DedicatedDatabase(args, placement, cell.lane(args.tenant.id)).details


def _neon(cell: _Cell, args: TenantDatabaseArgs) -> Details:
    return NeonDatabase(args, cell.lane(args.tenant.id)).details


def _timeweb(cell: _Cell, args: StorageArgs) -> Details:
    return TimewebStorage(args, cell.lane(args.tenant.id)).details


def _s3(cell: _Cell, args: StorageArgs) -> Details:
    return S3Storage(args, pulumi.ResourceOptions(providers=[cell.s3])).details


# Which class serves which shape of plan: the only dispatch there is.
DATABASES: Mapping[tuple[str, str], Callable[[_Cell, TenantDatabaseArgs], Details]] = {
    ("timeweb", "shared"): _shared,
    ("timeweb", "dedicated"): _dedicated,
    ("neon", "dedicated"): _neon,
    ("digitalocean", "shared"): _managed,
}
# Who runs a shared cluster → how it is declared.
SHARED_CLUSTERS: Mapping[str, Callable[[_Cell, str], object]] = {
    "timeweb": _Cell.timeweb_cluster,
    "digitalocean": _Cell.managed_cluster,
}
STORAGES: Mapping[str, Callable[[_Cell, StorageArgs], Details]] = {"timeweb": _timeweb, "s3": _s3}
