"""Plans: what a row of `plans.yaml` gives a tenant, and how many tenants a cluster of it holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from catalogue.errors import Finding
from catalogue.names import cluster_stem
from catalogue.vocabulary import (
    Count,
    Entry,
    Extension,
    Figure,
    Label,
    Listed,
    Maybe,
    Mode,
    PlanName,
    Price,
    matching,
    unknown,
)

# Where each provider offers what: locations of the official document; a provider that is not here takes any region.
REGIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("timeweb", "database"): ("ru-1", "ru-3", "pl-1", "nl-1", "de-1", "us-2", "us-3"),
    ("timeweb", "storage"): ("ru-1",),
    ("neon", "database"): (
        *("aws-us-east-1", "aws-us-east-2", "aws-us-west-2", "aws-eu-central-1", "aws-eu-west-2"),
        *("aws-ap-southeast-1", "aws-ap-southeast-2", "aws-sa-east-1"),
    ),
}
# What the names of a provider's database plans begin with.
ENGINES: Mapping[str, str] = {"timeweb": "timeweb", "neon": "neon", "digitalocean": "managed"}
# Major versions that each provider makes.
VERSIONS: Mapping[str, tuple[int, ...]] = {"neon": (14, 15, 16, 17, 18), "digitalocean": (14, 15, 16, 17)}
# Compute units of Neon's autoscaling, and how long it may wait before it suspends; -1 is never, 0 its own default.
SMALLEST_COMPUTE, LARGEST_COMPUTE = Decimal("0.25"), Decimal(56)
LONGEST_SUSPENSION = 604_800
DEFAULT_VERSION = 15
# After a move away from the plan, the days for which what it left is kept.
DEFAULT_HOLD_DAYS = 7
HoldDays = Annotated[int, Field(ge=0, le=365)]


class Size(Entry):
    """What decides which preset a cluster gets, whatever its id in an account; GB = 2^30 bytes."""

    cpu: Count
    """virtual CPUs"""
    ram_gb: Count
    """memory in GB"""
    disk_gb: Count
    """disk in GB"""

    def __str__(self) -> str:
        return f"{self.cpu}/{self.ram_gb}/{self.disk_gb}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The size that is written so: `8/16/220`."""
        cpu, ram_gb, disk_gb = map(int, text.split("/"))
        return cls(cpu=cpu, ram_gb=ram_gb, disk_gb=disk_gb)


SizeText = Annotated[str, matching(r"[1-9]\d{0,5}(/[1-9]\d{0,5}){2}", "is no size: write vCPU/GB RAM/GB disk")]


class Connections(Entry):
    """A cluster's connection budget: all it takes, what is kept for us, and the most one tenant gets."""

    cap: Count = 100
    """connections that the cluster takes in all"""
    reserve: Annotated[int, Field(ge=0)] = 5
    """what of them is kept for tenantry and the operator"""
    pool: Count = 20
    """the most that one tenant gets"""

    @property
    def budget(self) -> int:
        """What all tenants of a cluster have together, and a pooler's own total."""
        return self.cap - self.reserve


class Backups(Entry):
    """What the plan promises; `keep` counts copies, and days where the interval is `day`."""

    interval: Literal["none", "day"] = "none"
    """how often the provider copies the cluster"""
    keep: Annotated[int, Field(ge=0, le=99)] = 0
    """copies that are kept"""
    point_in_time: bool = False
    """whether the plan promises to go back to any moment"""
    offsite: bool = False
    """whether the plan promises a copy in a second store"""


Bound = Annotated[int, Field(ge=1)]


class Quotas(Entry):
    """What a Neon project may use in a billing period; a bound that is not given is the account's."""

    active_time_seconds: Bound | None = None
    """seconds for which its computes are awake"""
    compute_time_seconds: Bound | None = None
    """seconds of a compute unit"""
    written_data_bytes: Bound | None = None
    """bytes written"""
    data_transfer_bytes: Bound | None = None
    """bytes sent out"""
    logical_size_bytes: Bound | None = None
    """bytes that its largest branch holds"""


class Compute(Entry):
    """Autoscaling of a Neon project, in compute units of 1 vCPU and 4 GB, and when it goes to sleep."""

    min_cu: Figure
    """the least, like `"0.25"`"""
    max_cu: Figure
    """the most"""
    suspend_seconds: Annotated[int, Field(ge=-1, le=LONGEST_SUSPENSION)] = 0
    """idle seconds until it sleeps; 0 is Neon's own default, -1 never"""


class Features(Entry):
    """What the platform offers on the plan; `branches` is enforced here, the others are told in the outputs."""

    real_time: bool = True
    """whether changes are pushed to clients"""
    branches: bool = True
    """whether tenants may have branches"""
    api_generation: bool = True
    """whether an API is made of the schema"""


class Limits(Entry):
    """What the platform database says a tenant may have."""

    max_databases: Count = 1
    """databases"""
    max_storage_mb: Count = 100
    """MB of data"""
    max_requests_per_day: Count = 10_000
    """statements that its users run a day"""


class DatabasePlan(Entry):
    """A row of `database:`; `name` is its key. `custom` plans take their size from the tenant's entry."""

    name: PlanName
    """the key of the row, `<engine>-<tier>`: the engine is `timeweb`, `neon` or `managed`"""
    provider: Literal["timeweb", "neon", "digitalocean"]
    """who runs the server"""
    mode: Mode
    """`shared`: several tenants on one cluster; `dedicated`: a cluster, or at Neon a project, for each tenant"""
    engine: Literal["postgres", "mysql", "redis", "mongodb"] = "postgres"
    """the database; only `postgres` is provisioned"""
    version: Count = DEFAULT_VERSION
    """major version; pinned for who is placed"""
    size: Size | None = None
    """decides which preset of the account is taken; without it the setting `timeweb:defaultPreset` does"""
    custom: bool = False
    """the tenant's entry names preset or size; dedicated plans only"""
    regions: Annotated[Listed[Label], Field(min_length=1)]
    """where the plan is sold; the first is taken where the tenant names none"""
    tenants_per_cluster: Count = 1
    """places on a shared cluster"""
    database_gb: Figure | None = None
    """disk that each tenant gets, in GB; required unless `custom`"""
    connections: Connections = Connections()
    """the cluster's connection budget"""
    pooled: bool = False
    """a pooler stands before the cluster: the tenants' limits together may exceed it"""
    node_size: Maybe[Label] = None
    """DigitalOcean's own word for the size of a cluster, like `db-s-1vcpu-2gb`; required there"""
    compute: Compute | None = None
    """Neon only, and required there"""
    quotas: Quotas = Quotas()
    """Neon only"""
    branches: Annotated[int, Field(ge=0)] = 0
    """branches that a tenant may have beside `main`; Neon only"""
    features: Features = Features()
    """what the platform offers on the plan"""
    limits: Limits = Limits()
    """what the platform database says a tenant may have"""
    statement_timeout_seconds: Count = 60
    """a tenant's statement is ended after so many seconds"""
    extensions: Listed[Extension] = ()
    """PostgreSQL extensions that a tenant's database has; trusted ones only"""
    backups: Backups = Backups()
    """what the plan promises"""
    hold_days: HoldDays = DEFAULT_HOLD_DAYS
    """days for which it is kept after its tenant has moved away from the plan"""
    price: Price | None = None
    """what it is sold for a month; `null`: not invoiced, its margin is unknown"""
    sample: bool = False
    """the price is an example: replace it by your own"""

    @property
    def short(self) -> str:
        """The name without its engine: `pro-plus` of `timeweb-pro-plus`."""
        return self.name.partition("-")[2]

    @property
    def on_cluster(self) -> bool:
        """Whether its databases are on clusters of ours: a Neon project is a server of its own."""
        return self.provider != "neon"

    @property
    def stem(self) -> str:
        """What its shared clusters are numbered under."""
        return cluster_stem(self.provider, self.name)

    @property
    def connection_limit(self) -> int:
        """A tenant's pool, and the limit of its login role."""
        return max(1, min(self.connections.pool, self.connections.budget // self.tenants_per_cluster))

    @property
    def capacity(self) -> int:
        """Tenants that a cluster takes: without a pooler no more than the sum of their limits allows."""
        if self.pooled:
            return self.tenants_per_cluster
        return min(self.tenants_per_cluster, self.connections.budget // self.connection_limit)

    def connections_of(self, tenants: int) -> int:
        """The most connections that so many tenants of one cluster can have open at once."""
        limits = tenants * self.connection_limit
        return min(limits, self.connections.budget) if self.pooled else limits


class StoragePlan(Entry):
    """A row of `storage:`; `name` is its key. Quota and class decide; `preset` is the vendor's word for them."""

    name: PlanName
    """the key of the row, `<engine>-<tier>`"""
    shape: Literal["timeweb", "s3"]
    """`timeweb`: a bucket of Timeweb's API; `s3`: a bucket of any S3-compatible store with an IAM API"""
    provider: Literal["timeweb", "s3"]
    """who runs the store; the same word as `shape`"""
    regions: Annotated[Listed[Label], Field(min_length=1)]
    """where the plan is sold; the first is taken where the tenant names none"""
    disk_gb: Count
    """the bucket's quota in GB"""
    preset: Maybe[Label] = None
    """what the vendor calls the size; quota and class decide"""
    storage_class: Literal["hot", "cold"] = "hot"
    """with the quota it decides the preset"""
    visibility: Literal["private", "public"] = "private"
    """whether everybody may read the bucket"""
    hold_days: HoldDays = DEFAULT_HOLD_DAYS
    """days for which it is kept after its tenant has moved away from the plan"""
    price: Price | None = None
    """what it is sold for a month; `null`: not invoiced, its margin is unknown"""
    sample: bool = False
    """the price is an example: replace it by your own"""


@dataclass(frozen=True)
class Plans:
    """All plans on offer, by section and name."""

    database: Mapping[str, DatabasePlan]
    storage: Mapping[str, StoragePlan]


def database_plan_findings(plan: DatabasePlan) -> Iterable[Finding]:
    """What is wrong with a plan as a whole."""
    if plan.engine != "postgres":
        yield ("engine",), f"{plan.engine} plans are not provisioned: only postgres is"
    yield from _provider_findings(plan)
    yield from _region_findings(plan, "database")
    yield from _size_findings(plan)
    yield from _connection_findings(plan)
    if (plan.backups.interval == "none") != (plan.backups.keep == 0):
        yield (
            ("backups",),
            "an interval and a number of copies to keep go together: `none` with 0, `day` with 1 or more",
        )


def storage_plan_findings(plan: StoragePlan) -> Iterable[Finding]:
    """What is wrong with a plan as a whole."""
    if plan.provider != plan.shape:
        yield ("provider",), f"plans of shape {plan.shape} are served by provider {plan.shape}, not {plan.provider}"
    yield from _region_findings(plan, "storage")


def _region_findings(plan: DatabasePlan | StoragePlan, section: str) -> Iterable[Finding]:
    offered = REGIONS.get((plan.provider, section), plan.regions)
    for index, region in enumerate(plan.regions):
        if region not in offered:
            yield ("regions", index), unknown(f"region of {plan.provider}", region, offered)


def _provider_findings(plan: DatabasePlan) -> Iterable[Finding]:
    engine = ENGINES[plan.provider]
    if plan.name.partition("-")[0] != engine:
        yield ("provider",), f"plans of provider {plan.provider} are called {engine}-<tier>, not {plan.name}"
    versions = VERSIONS.get(plan.provider, (plan.version,))
    if plan.version not in versions:
        made = ", ".join(map(str, versions))
        yield ("version",), f"{plan.provider} makes PostgreSQL {made}, not {plan.version}"
    yield from (_neon_findings if plan.provider == "neon" else _no_neon_findings)(plan)
    yield from (_managed_findings if plan.provider == "digitalocean" else _no_managed_findings)(plan)


def _managed_findings(plan: DatabasePlan) -> Iterable[Finding]:
    if plan.mode != "shared":
        yield ("mode",), "tenants share DigitalOcean's clusters, each with a database to itself: write shared"
    if plan.node_size is None:
        yield ("node_size",), "is missing: DigitalOcean's word for the cluster's size, like db-s-1vcpu-2gb"
    if plan.pooled:
        yield ("pooled",), "the poolers that are rendered stand before Timeweb's clusters only: remove the key"
    if plan.backups.keep:
        yield ("backups",), "DigitalOcean copies its clusters daily by itself, on no schedule of ours: remove the key"


def _no_managed_findings(plan: DatabasePlan) -> Iterable[Finding]:
    if plan.node_size is not None:
        yield ("node_size",), "is DigitalOcean's word for a size: remove the key"


def _neon_findings(plan: DatabasePlan) -> Iterable[Finding]:
    if plan.mode != "dedicated":
        yield ("mode",), "at Neon each tenant has a project of its own: write dedicated"
    for key in ("size", "custom", "pooled"):
        if getattr(plan, key):
            yield (key,), "a Neon project scales by its compute: remove the key"
    if plan.backups.keep:
        yield ("backups",), "Neon keeps a history of its own, which no schedule of ours changes: remove the key"
    if plan.compute is None:
        yield ("compute",), 'is missing: say how far it scales, like {min_cu: "0.25", max_cu: "2"}'
    elif not SMALLEST_COMPUTE <= plan.compute.min_cu <= plan.compute.max_cu <= LARGEST_COMPUTE:
        scale = f"min_cu {plan.compute.min_cu} and max_cu {plan.compute.max_cu}"
        yield ("compute",), f"{scale} must rise, within {SMALLEST_COMPUTE} and {LARGEST_COMPUTE}"
    if plan.branches and not plan.features.branches:
        yield ("branches",), "the plan's features have no branches: write 0 or remove the key"


def _no_neon_findings(plan: DatabasePlan) -> Iterable[Finding]:
    given = {"compute": plan.compute, "quotas": plan.quotas.model_fields_set, "branches": plan.branches}
    for key, value in given.items():
        if value:
            yield (key,), f"only Neon's projects have {key}: remove the key"


def _size_findings(plan: DatabasePlan) -> Iterable[Finding]:
    if plan.mode == "dedicated" and plan.tenants_per_cluster != 1:
        yield ("tenants_per_cluster",), "a dedicated cluster serves one tenant: write 1 or remove the key"
    if plan.custom:
        if plan.mode == "shared":
            yield ("custom",), "a shared cluster has no tenant whose entry could name its size: use mode dedicated"
        if plan.size is not None:
            yield ("size",), "a custom plan takes its size from the tenant's entry: remove size, or custom"
        return
    if not plan.on_cluster:
        return
    if plan.database_gb is None:
        yield ("database_gb",), "say how many GB each database gets; only custom plans leave that open"
    elif plan.size is not None:
        needed = plan.tenants_per_cluster * plan.database_gb
        if needed > plan.size.disk_gb:
            each = f"{plan.tenants_per_cluster} x {plan.database_gb} GB"
            yield ("database_gb",), f"{each} = {needed} GB exceed the disk of {plan.size.disk_gb} GB"


def _connection_findings(plan: DatabasePlan) -> Iterable[Finding]:
    connections = plan.connections
    if connections.pool + connections.reserve > connections.cap:
        yield (
            ("connections",),
            f"pool {connections.pool} + reserve {connections.reserve} exceed the cap of {connections.cap} connections",
        )
    if plan.pooled and plan.mode == "dedicated":
        yield ("pooled",), "a dedicated cluster shares its connections with nobody: write false or remove the key"
    if plan.pooled and connections.reserve == 0:
        yield (
            ("connections", "reserve"),
            "a full pooler takes all the others: keep at least 1 connection for us",
        )
