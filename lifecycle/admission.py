"""Who may run a statement for a tenant: what the platform database says, and the day's count that it keeps.

RefusedError of `lifecycle.errors` is the answer where nothing may run; the tenant's own database hears nothing of it.
"""

from dataclasses import dataclass
from datetime import date

import psycopg

from dynamic_providers.postgres.connection import Address, Limits, transact
from dynamic_providers.postgres.platform import schema
from dynamic_providers.postgres.platform.records import Role, Status
from lifecycle.errors import RefusedError

DENIED = "Access denied"
NO_DATABASE = "No database found for tenant: {tenant}"

_STANDING = """
SELECT kept.status, held.role
FROM public.platform_tenants AS kept
LEFT JOIN public.tenant_permissions AS held ON held.tenant_id = kept.id AND held.user_id = %(user)s
WHERE kept.id = %(tenant)s AND kept.connection_string = %(reference)s
"""
# One statement, so that no two runs count from the same figure: the second waits for the row and sees the first's.
_COUNT = """
WITH allowed AS (
    SELECT id, coalesce((limits ->> 'max_requests_per_day')::bigint, 10000) AS most
    FROM public.platform_tenants WHERE id = %(tenant)s AND status = 'active'
)
INSERT INTO public.tenant_usage AS used (tenant_id, date, api_requests, query_executions)
SELECT id, %(day)s, 1, 1 FROM allowed WHERE most >= 1
ON CONFLICT (tenant_id, date) DO UPDATE
SET api_requests = used.api_requests + 1, query_executions = used.query_executions + 1
WHERE used.api_requests < (SELECT most FROM allowed)
RETURNING api_requests
"""


@dataclass(frozen=True)
class Caller:
    """Somebody who wants to run a statement; `reference` is that of the tenant's record, `day` the day in UTC."""

    tenant: str
    reference: str
    user: str
    day: date


def role_of(platform: Address, caller: Caller, limits: Limits) -> Role:
    """The caller's role. Raises RefusedError, and PostgresError where the platform database does not answer."""

    def standing(connection: psycopg.Connection) -> tuple[Status, Role | None] | None:
        if not schema.is_there(connection):
            return None
        return connection.execute(_STANDING, vars(caller)).fetchone()

    status, role = transact(platform, standing, limits) or ("deleted", None)
    if status == "deleted":
        raise RefusedError(NO_DATABASE.format(tenant=caller.tenant))
    if role is None:
        raise RefusedError(DENIED)
    if status != "active":
        raise RefusedError(f"'{caller.tenant}' is {status}: no statement is run for it")
    return role


def count(platform: Address, caller: Caller, limits: Limits) -> None:
    """Counts one run of the day. Raises RefusedError, and counts nothing, where the day's are used up."""
    found = transact(platform, lambda connection: connection.execute(_COUNT, vars(caller)).fetchone(), limits)
    if found is None:
        raise RefusedError(f"'{caller.tenant}' has no run left on {caller.day}: max_requests_per_day of its plan")
