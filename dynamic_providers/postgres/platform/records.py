"""One tenant's record in the platform database: its row, its permissions, and the SQL that keeps them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import Field, StringConstraints

from dynamic_providers.base import Inputs
from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.postgres.platform import schema

PlanType = Literal["free", "pro", "team", "enterprise"]
Status = Literal["creating", "active", "suspended", "deleted"]
Role = Literal["owner", "admin", "developer", "viewer"]
Text = Annotated[str, Field(min_length=1)]


class Record(Inputs):
    """What is recorded of a tenant. `permissions` maps a user to a role; `reference` is `pulumi:<base stack>/<tenant>`.

    The reference is the mark as well: a row that carries another one is another stack's.
    """

    tenant: Text
    name: Text
    reference: Annotated[str, StringConstraints(pattern=r"^pulumi:[A-Za-z0-9_.-]+/[a-z0-9-]+$")]
    plan_type: PlanType = "free"
    user_id: str | None = None
    organization_id: str | None = None
    status: Status = "active"
    limits: Mapping[str, int]
    billing_email: str | None = None
    permissions: Mapping[str, Role] = {}
    granted_by: str | None = None


@dataclass(frozen=True)
class Row:
    """A row of platform_tenants with its permissions, as far as they are ours to keep."""

    reference: str
    name: str
    plan_type: PlanType
    user_id: str | None
    organization_id: str | None
    status: Status
    limits: Mapping[str, Any]
    billing_email: str | None
    permissions: Mapping[str, Role]
    granted_by: str | None


_FIND = """
SELECT connection_string AS reference, name, plan_type, user_id, organization_id, status, limits, billing_email,
    (SELECT coalesce(jsonb_object_agg(held.user_id, held.role), '{}') FROM public.tenant_permissions AS held
     WHERE held.tenant_id = kept.id) AS permissions,
    (SELECT CASE WHEN count(DISTINCT held.granted_by) = 1 AND count(held.granted_by) = count(*)
                 THEN min(held.granted_by) END
     FROM public.tenant_permissions AS held WHERE held.tenant_id = kept.id) AS granted_by
FROM public.platform_tenants AS kept WHERE id = %s
"""
_KEEP = """
INSERT INTO public.platform_tenants AS kept
    (id, connection_string, name, plan_type, user_id, organization_id, status, limits, billing_email)
VALUES (%(tenant)s, %(reference)s, %(name)s, %(plan_type)s, %(user_id)s, %(organization_id)s, %(status)s, %(limits)s,
    %(billing_email)s)
ON CONFLICT (id) DO UPDATE SET (connection_string, name, plan_type, user_id, organization_id, status, limits,
    billing_email) = (excluded.connection_string, excluded.name, excluded.plan_type, excluded.user_id,
    excluded.organization_id, excluded.status, excluded.limits, excluded.billing_email)
WHERE kept.connection_string = ANY (%(known)s)
RETURNING id
"""
_WITHDRAW = "DELETE FROM public.tenant_permissions WHERE tenant_id = %(tenant)s AND user_id <> ALL (%(users)s)"
_GRANT = """
INSERT INTO public.tenant_permissions AS held (tenant_id, user_id, role, granted_by)
SELECT %(tenant)s, key, value, %(granted_by)s FROM jsonb_each_text(%(permissions)s)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by
WHERE (held.role, held.granted_by) IS DISTINCT FROM (excluded.role, excluded.granted_by)
"""
_END = """
UPDATE public.platform_tenants SET status = 'deleted' WHERE id = %(tenant)s AND connection_string = %(reference)s
RETURNING id
"""


def record_name(tenant: str) -> str:
    """The resource's name in the state."""
    return f"{tenant}-record"


def keep(connection: psycopg.Connection, want: Record, known: Collection[str]) -> None:
    """Makes the record as wanted, or takes over the one that carries a reference of `known`; the schema comes first.

    Raises AmbiguousMarkError where the row is another stack's.
    """
    schema.ensure(connection)
    values = {
        **want.model_dump(),
        "limits": Jsonb(dict(want.limits)),
        "permissions": Jsonb(dict(want.permissions)),
        "users": list(want.permissions),
        "known": list(known),
    }
    if connection.execute(_KEEP, values).fetchone() is None:
        found = find(connection, want.tenant)
        raise AmbiguousMarkError(
            f"the platform's record of {want.tenant} belongs to {found.reference if found else 'another'} and not to"
            f" {want.reference}, so it is left alone: give the tenant another id, or each stack a platform database"
        )
    connection.execute(_WITHDRAW, values)
    connection.execute(_GRANT, values)


def find(connection: psycopg.Connection, tenant: str) -> Row | None:
    """The record as it is; None where there is none, or no schema."""
    if not schema.is_there(connection):
        return None
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(_FIND, [tenant]).fetchone()


def end(connection: psycopg.Connection, tenant: str, reference: str) -> None:
    """The tenant is gone: its record stays as `deleted` with its usage, its permissions go. An absent one is done."""
    if not schema.is_there(connection):
        return
    words = {"tenant": tenant, "reference": reference, "users": []}
    if connection.execute(_END, words).fetchone() is not None:
        connection.execute(_WITHDRAW, words)
