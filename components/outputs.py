"""The contract of the stack outputs: `tenants` maps a tenant's id to these values; nothing else is read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class CostOutput(_Output):
    """Major units as decimal text, e.g. `6.38` RUB."""

    amount: str
    currency: str


class BackupOutput(_Output):
    """What the provider's own schedule keeps; `note` tells the tenant what is left to it."""

    interval: str
    copies: int
    note: str


class DatabaseOutput(_Output):
    """`password`, `database_url` and `direct_url` are secrets: `[secret]` unless they are asked for."""

    plan: str
    provider: str
    mode: Literal["shared", "dedicated"]
    region: str
    cluster: str
    cluster_id: str
    host: str
    port: int
    database: str
    # `schema` is a name pydantic's base class still occupies.
    schema_name: str
    login: str
    connection_limit: int
    backups: BackupOutput
    monthly_cost: CostOutput | None
    password: str
    database_url: str
    direct_url: str

    model_config = ConfigDict(
        alias_generator=lambda field: {"schema_name": "schema"}.get(field, to_camel(field)),
    )


class StorageOutput(_Output):
    """`access_key` and `secret_key` are secrets: `[secret]` unless they are asked for."""

    plan: str
    provider: str
    region: str
    bucket: str
    bucket_id: str
    endpoint: str
    s3_endpoint: str
    user: str
    disk_gb: int
    monthly_cost: CostOutput | None
    access_key: str
    secret_key: str


class TenantOutputs(_Output):
    """One tenant as it stands: services with provider ids, endpoints, plan, cell and monthly cost."""

    name: str
    state: Literal["trial", "active", "suspended", "terminated"]
    cell: int
    database: DatabaseOutput | None = None
    storage: StorageOutput | None = None


def parse_tenants(tenants: object) -> dict[str, TenantOutputs]:
    """The stack output `tenants`, typed. Raises `pydantic.ValidationError` where a key is missing or unknown."""
    return TypeAdapter(dict[str, TenantOutputs]).validate_python(tenants)
