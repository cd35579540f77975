"""What can be done about one tenant in a database: make it as wanted, look at it, remove it. Knows SQL and no Pulumi.

A change is one transaction under a lock of the database, so that tenants made side by side do not trip over the rows
they share (the grants on the database and on schema public). Only the end of sessions stands outside of it: a login is
closed for good when the transaction that closed it is committed.
"""

import logging
from collections.abc import Collection
from dataclasses import replace

import psycopg

from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.marks import mark_in
from dynamic_providers.postgres.auth_uid import UID_COMMENT
from dynamic_providers.postgres.connection import (
    Address,
    DatabaseAbsentError,
    Limits,
    PostgresError,
    UnreachableError,
    transact,
)
from dynamic_providers.postgres.found import Found, damages, look
from dynamic_providers.postgres.inputs import LAYOUT, UNREADABLE, TenantSchemaInputs
from dynamic_providers.postgres.layout import block_statements, drop_owned_statement, drop_statements, statements
from dynamic_providers.postgres.names import AUTH_SCHEMA, EXTENSIONS_SCHEMA
from dynamic_providers.postgres.sessions import ask_sessions_to_end, end_sessions, take_lock
from dynamic_providers.postgres.verifier import scram_verifier

log = logging.getLogger(__name__)

# A look waits for nobody: what is not there now is damage.
LOOK_SECONDS = 5.0

# Databases, other than the one we are in, with something that belongs to roles of the tenant's: left by a tenant who
# visited the server's own databases, it would keep the roles from being dropped.
OTHER_DATABASES = """
SELECT DISTINCT datname::text FROM pg_shdepend JOIN pg_database ON pg_database.oid = dbid
WHERE refclassid = 'pg_authid'::regclass AND datname <> current_database()
AND refobjid IN (SELECT oid FROM pg_roles WHERE rolname = ANY (%s))
"""


def make(address: Address, want: TenantSchemaInputs, password: str, limits: Limits, *, marks: Collection[str]) -> None:
    """Makes the tenant, or whatever of it is there, as wanted; a blocked one is without sessions on return.

    `marks` are those by which a found role is known as ours; with "" an unmarked one is taken over too.

    Raises:
        AmbiguousMarkError: something of that name is there and is not ours.
        PostgresError: and its kinds; nothing was changed.

    """

    def change(connection: psycopg.Connection) -> None:
        take_lock(connection)
        found = look(connection, want)
        _refuse_foreign(address, want, found, marks)
        _refuse_extensions(address, want, found)
        _refuse_auth(address, found)
        if want.blocked and found.admin_acts_for_login:
            # An open transaction of the tenant's on its own role would hold up what follows.
            ask_sessions_to_end(connection, want.login)
        verifier = scram_verifier(want.login, password)
        connection.execute(statements(want, found, verifier, version=connection.info.server_version))
        if left := damages(look(connection, want), want):
            # A REVOKE that may not revoke is only a warning, so the outcome is looked at.
            raise PostgresError(
                f"{address}: {want.schema_name} cannot be made safe by {found.admin}, who must own the database and"
                f" have made its roles: {'; '.join(left)}"
            )

    transact(address, change, limits)
    if want.blocked:
        end_sessions(address, [want.login], limits)


def observe(address: Address, tenant: TenantSchemaInputs, limits: Limits) -> TenantSchemaInputs:
    """The tenant as it is. What is missing is damage, be it all: forgotten, it would come back with another password.

    A server that cannot be reached reads as damage too. An error here would end the refresh, and with it the repair of
    what stands in the way, the admin's login or the database; the update that follows the repair tells what is left.
    """

    def compare(connection: psycopg.Connection) -> TenantSchemaInputs:
        found = look(connection, tenant)
        damaged = damages(found, tenant)
        if found.can_login is False and found.sessions:
            damaged = (*damaged, "the blocked login has sessions")
        return tenant.model_copy(update=_differences(tenant, found, damaged))

    try:
        # Short as it is, it says nothing for others, who may come after what stands in the way is mended.
        brief = replace(limits, total=min(LOOK_SECONDS, limits.total), circuit=None)
        return transact(address, compare, brief, awaits_database=False)
    except (DatabaseAbsentError, UnreachableError) as error:
        return unreached(tenant, error)


def unreached(tenant: TenantSchemaInputs, error: PostgresError) -> TenantSchemaInputs:
    """The tenant as it is told where nobody could look."""
    log.warning("%s", error)
    return tenant.model_copy(update={"layout": f"damaged: {error}"})


def remove(address: Address, tenant: TenantSchemaInputs, limits: Limits) -> None:
    """Ends the tenant's sessions and drops all it owns, its schema and roles; a proven absent one is no error.

    What belongs to others and depends on the tenant's objects is never dropped along; it is a refusal.

    Raises:
        AmbiguousMarkError: something of that name is there and does not carry the mark.
        PostgresError: and its kinds.

    """
    try:
        found = transact(address, lambda connection: look(connection, tenant), limits, awaits_database=False)
    except DatabaseAbsentError:
        # Roles belong to the server and outlive the database.
        address = address.at(address.maintenance)
        found = transact(address, lambda connection: look(connection, tenant), limits)
    if found.is_absent(dedicated=tenant.dedicated):
        return
    _refuse_foreign(address, tenant, found, {tenant.mark})

    def block(connection: psycopg.Connection) -> list[str]:
        if found.admin_acts_for_login:
            ask_sessions_to_end(connection, tenant.login)
        if roles := _existing_roles(tenant, found):
            connection.execute(block_statements(roles, tenant.login, version=connection.info.server_version))
        return [row[0] for row in connection.execute(OTHER_DATABASES, [[tenant.owner, tenant.login]])]

    def drop_owned(connection: psycopg.Connection) -> None:
        connection.execute(drop_owned_statement(_existing_roles(tenant, found)))

    def drop(connection: psycopg.Connection) -> None:
        take_lock(connection)
        left = look(connection, tenant)
        _refuse_foreign(address, tenant, left, {tenant.mark})
        schema = None if tenant.dedicated else tenant.schema_name
        connection.execute(drop_statements(_existing_roles(tenant, left), schema))

    others = transact(address, block, limits)
    end_sessions(address, [tenant.login], limits)
    for database in others:
        transact(address.at(database), drop_owned, limits)
    transact(address, drop, limits)


def _existing_roles(tenant: TenantSchemaInputs, found: Found) -> list[str]:
    roles = {tenant.login: found.login_exists, tenant.owner: found.owner_exists}
    return [role for role, exists in roles.items() if exists]


def _refuse_foreign(address: Address, tenant: TenantSchemaInputs, found: Found, marks: Collection[str]) -> None:
    suspects = {
        f"role {tenant.owner}": (found.owner_exists, found.owner_comment),
        f"role {tenant.login}": (found.login_exists, found.login_comment),
    }
    # What our owner role owns is ours, whatever the tenant wrote on it.
    if not tenant.dedicated and not (found.owner_exists and found.schema_owner == tenant.owner):
        suspects[f"schema {tenant.schema_name}"] = (found.schema_owner is not None, found.schema_comment)
    for name, (exists, comment) in suspects.items():
        if exists and (mark := mark_in(comment)) not in marks:
            carries = f"carries the mark {mark}" if mark else "carries no mark"
            raise AmbiguousMarkError(
                f"{address}: {name} {carries} and not {tenant.mark}, so it is left alone:"
                " rename or drop it, or mark it by COMMENT if it is the tenant's"
            )


def _refuse_extensions(address: Address, want: TenantSchemaInputs, found: Found) -> None:
    if want.extensions and found.extensions_owner not in (None, found.admin):
        raise PostgresError(
            f"{address}: schema {EXTENSIONS_SCHEMA} belongs to {found.extensions_owner}; give it to {found.admin}"
        )
    if found.misplaced_extensions:
        raise PostgresError(
            f"{address}: {', '.join(found.misplaced_extensions)} is installed outside of schema {EXTENSIONS_SCHEMA};"
            f" move it there by ALTER EXTENSION … SET SCHEMA {EXTENSIONS_SCHEMA}"
        )


def _refuse_auth(address: Address, found: Found) -> None:
    if found.auth_owner not in (None, found.admin):
        raise PostgresError(
            f"{address}: schema {AUTH_SCHEMA} belongs to {found.auth_owner}, and the policies of tenants need one of"
            f" {found.admin}'s by that name: rename it, or give it to {found.admin}"
        )
    if found.uid_exists and not found.uid_is_right and found.uid_comment != UID_COMMENT:
        raise PostgresError(
            f"{address}: there is a function {AUTH_SCHEMA}.uid() that tenantry has not made, so it is left alone:"
            " rename it, with the policies that call it"
        )


def _differences(tenant: TenantSchemaInputs, found: Found, damaged: Collection[str]) -> dict[str, object]:
    """The input fields as found; what has no field of its own is told in `layout`."""
    timeout = found.statement_timeout or "0"
    return {
        "connection_limit": tenant.connection_limit if found.connection_limit is None else found.connection_limit,
        "statement_timeout_ms": int(timeout) if timeout.isdigit() else UNREADABLE,
        "extensions": tuple(name for name in tenant.extensions if name in found.extensions),
        "blocked": tenant.blocked if found.can_login is None else not found.can_login,
        "layout": f"damaged: {'; '.join(damaged)}" if damaged else LAYOUT,
    }
