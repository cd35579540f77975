"""The contract of the stack outputs: `tenants` maps a tenant's id to these values; nothing else is read."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class _Output(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class CostOutput(_Output):
    """Major units as decimal text, e.g. `6.38` RUB."""

    amount: str
    """major units as decimal text, like `6.38`"""
    currency: str
    """ISO 4217"""


class BackupOutput(_Output):
    """What the provider's own schedule keeps; `note` tells the tenant what is left to it."""

    interval: str
    """`none` or `day`"""
    copies: int
    """copies that are kept"""
    note: str
    """what is left to the tenant, or made beside"""


class BranchOutput(_Output):
    """A branch of a Neon project beside `main`; `host` is empty where it has no endpoint."""

    branch_id: str
    """Neon's id of it"""
    parent: str
    """branch it started from"""
    host: str | None = None
    """where to connect, with the tenant's login as it was when the branch was made"""
    port: int | None = None
    """where to connect"""
    expires: str | None = None
    """day on which it goes"""


class FeaturesOutput(_Output):
    """What the platform offers on the plan."""

    real_time: bool
    """whether changes are pushed to clients"""
    branches: bool
    """whether the tenant may have branches"""
    api_generation: bool
    """whether an API is made of the schema"""


class DatabaseOutput(_Output):
    """`password`, `databaseUrl` and `directUrl` are secrets: `[secret]` unless they are asked for."""

    plan: str
    """plan"""
    provider: str
    """who runs the cluster"""
    mode: Literal["shared", "dedicated"]
    """whether others are on the server"""
    region: str
    """where the cluster is"""
    cluster: str | None
    """its name in placements.yaml; `null` for a Neon project"""
    cluster_id: str
    """the provider's id of the cluster or project"""
    host: str
    """where to connect"""
    port: int
    """where to connect"""
    database: str
    """the database's name"""
    # `schema` is a name pydantic's base class still occupies.
    schema_name: str
    """the tenant's schema"""
    login: str
    """the tenant's role"""
    connection_limit: int
    """connections that the role may open"""
    backups: BackupOutput
    """what the provider's own schedule keeps"""
    status: Literal["creating", "active", "suspended"]
    """whether the tenant may log in"""
    branch: str
    """the branch that the URLs lead to"""
    branches: Mapping[str, BranchOutput] = {}
    """further branches, by name"""
    created_at: str | None = None
    """when the provider made it, as far as it tells"""
    features: FeaturesOutput
    """what the platform offers on the plan"""
    sslmode: str
    """how the server itself is to be reached"""
    ca: str | None = None
    """PEM of the authority that signed the server's certificate, where it is not a public one"""
    monthly_cost: CostOutput | None
    """the tenant's equal share of its cluster's price; `null` where no source states one"""
    password: str
    """the role's password"""
    database_url: str
    """what the tenant gets"""
    direct_url: str
    """past a pooler; for the operator only"""

    model_config = ConfigDict(
        alias_generator=lambda field: {"schema_name": "schema"}.get(field, to_camel(field)),
    )


class StorageOutput(_Output):
    """`accessKey` and `secretKey` are secrets: `[secret]` unless they are asked for."""

    plan: str
    """plan"""
    provider: str
    """who runs the store"""
    region: str
    """where the bucket is"""
    bucket: str
    """its name"""
    bucket_id: str
    """the provider's id of it"""
    endpoint: str
    """S3 endpoint, path style"""
    s3_endpoint: str
    """S3 endpoint with the bucket"""
    user: str
    """the storage user"""
    disk_gb: int
    """the quota"""
    monthly_cost: CostOutput | None
    """what the bucket costs; `null` where no source states a price"""
    access_key: str
    """the storage user's key"""
    secret_key: str
    """its secret"""


class OtherOutput(_Output):
    """The generations that do not serve while the tenant moves: coming and empty, or closed and held."""

    database: DatabaseOutput | None = None
    """the other generation of the database; `null` where it does not move"""
    storage: StorageOutput | None = None
    """the other generation of the bucket; `null` where it does not move"""


class TenantOutputs(_Output):
    """One tenant as it stands: services with provider ids, endpoints, plan, cell and monthly cost."""

    name: str
    """the tenant's name"""
    state: Literal["trial", "active", "suspended", "terminated"]
    """the wanted state that was applied"""
    cell: int
    """the cell it is in"""
    database: DatabaseOutput | None = None
    """the database; `null` where it has none"""
    storage: StorageOutput | None = None
    """the bucket; `null` where it has none"""
    other: OtherOutput | None = None
    """what does not serve, while the tenant moves; `null` otherwise"""


def parse_tenants(tenants: object) -> dict[str, TenantOutputs]:
    """The stack output `tenants`, typed. Raises `pydantic.ValidationError` where a key is missing or unknown."""
    return TypeAdapter(dict[str, TenantOutputs]).validate_python(tenants)
