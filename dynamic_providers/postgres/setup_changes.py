"""What can be done about what is set up in a tenant's place: make it as wanted, look at it, remove it. Knows no Pulumi.

First the access roles, in one transaction under the lock of the database, and the end of their sessions where they are
blocked: nothing that a tenant has done to its tables or its ledger can delay that. Then the migrations, each in its own
transaction, by a deputy: whoever is killed on the way has left whole migrations and the lines that tell of them.
"""

import logging
from collections.abc import Collection
from dataclasses import replace

import psycopg
from psycopg import sql

from dynamic_providers.admin_password import derive_access_password
from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.marks import mark_in
from dynamic_providers.postgres.access_roles import (
    DEVELOPER,
    HAS_SESSIONS,
    STANDING,
    SetupFound,
    TenantSetupInputs,
    damages,
    look,
    statements,
)
from dynamic_providers.postgres.changes import LOOK_SECONDS, OTHER_DATABASES
from dynamic_providers.postgres.connection import (
    Address,
    DatabaseAbsentError,
    Limits,
    PostgresError,
    UnreachableError,
    transact,
)
from dynamic_providers.postgres.deputy import deputy, end_deputy
from dynamic_providers.postgres.layout import membership_options
from dynamic_providers.postgres.ledger import migrate, read_ledger
from dynamic_providers.postgres.migration_set import Applied, MigrationSet, version_of
from dynamic_providers.postgres.sessions import ask_sessions_to_end, end_sessions, take_lock
from dynamic_providers.postgres.verifier import scram_verifier

log = logging.getLogger(__name__)

_BLOCK = "GRANT {roles} TO CURRENT_USER {options}; {closed}"
# What they made outside of the owner role is the tenant's all the same.
_HAND_OVER = "REASSIGN OWNED BY {roles} TO {owner}"
_GIVE_UP = "DROP OWNED BY {roles} RESTRICT"
_DROP = "DROP ROLE {roles}"


def set_up(
    address: Address,
    want: TenantSetupInputs,
    secret: str,
    limits: Limits,
    *,
    migrations: MigrationSet,
    marks: Collection[str],
) -> None:
    """Makes the access roles as wanted, then applies what the ledger lacks; blocked roles have no sessions on return.

    `secret` is what the roles' passwords are derived from; `marks` are those by which a found role is known as ours.

    Raises:
        AmbiguousMarkError: a role of that name is there and is not ours.
        LedgerError: what was applied is not what the set holds; the access roles are as wanted.
        PostgresError: and its kinds; migrations that were applied stay.

    """
    verifiers = {
        kind: scram_verifier(role, derive_access_password(secret, want.mark, role)) for kind, role in want.roles.items()
    }

    def change(connection: psycopg.Connection) -> tuple[Applied, ...] | None:
        take_lock(connection)
        found = look(connection, want)
        _refuse_foreign(address, found, marks)
        if not found.owner_exists:
            raise PostgresError(f"{address}: role {want.owner} is missing: run `tenantry up --refresh`")
        if want.blocked and found.admin_acts:
            ask_sessions_to_end(connection, *want.roles.values())
        end_deputy(connection, want.migrator)
        connection.execute(statements(want, found, verifiers, version=connection.info.server_version))
        # Sessions are ended when the roles are closed for good.
        if left := [each for each in damages(look(connection, want), want) if HAS_SESSIONS not in each]:
            raise PostgresError(f"{address}: the access roles of {want.base} cannot be made right: {'; '.join(left)}")
        return read_ledger(connection, want.schema_name)

    ledger = transact(address, change, limits)
    if want.blocked:
        end_sessions(address, list(want.roles.values()), limits)
    where = f"schema {want.schema_name} in {address}"
    if ledger is not None and not migrations.pending(ledger, where):
        return
    with deputy(address, want.migrator, [want.owner, want.login], limits) as own:
        migrate(own, want.schema_name, want.owner, migrations, limits, readers=[want.roles[DEVELOPER]])


def observe(address: Address, tenant: TenantSetupInputs, limits: Limits) -> TenantSetupInputs:
    """What is set up as it is: `version` is what the ledger tells, and what has no field is told in `standing`.

    What is missing, or cannot be reached, is damage and no absence, as it is of the tenant's schema.
    """

    def compare(connection: psycopg.Connection) -> TenantSetupInputs:
        found = look(connection, tenant)
        problems = damages(found, tenant)
        ledger = read_ledger(connection, tenant.schema_name)
        there = [role for role in found.roles.values() if role.exists]
        # One role that stands otherwise than all should is enough to show.
        others = [role for role in there if role.can_login == tenant.blocked]
        return tenant.model_copy(
            update={
                "version": version_of(ledger) if ledger is not None else "unreadable",
                "blocked": tenant.blocked != bool(others),
                "standing": f"damaged: {'; '.join(problems)}" if problems else STANDING,
            }
        )

    try:
        brief = replace(limits, total=min(LOOK_SECONDS, limits.total), lock=1, circuit=None)
        return transact(address, compare, brief, awaits_database=False)
    except (DatabaseAbsentError, UnreachableError) as error:
        return unreached(tenant, error)


def unreached(tenant: TenantSetupInputs, error: PostgresError) -> TenantSetupInputs:
    """What is set up, as it is told where nobody could look."""
    log.warning("%s", error)
    return tenant.model_copy(update={"standing": f"damaged: {error}"})


def remove(address: Address, tenant: TenantSetupInputs, limits: Limits) -> None:
    """Ends the access roles' sessions and drops the roles; tables, and what the roles have made, stay the tenant's.

    Raises:
        AmbiguousMarkError: a role of that name is there and does not carry the mark.
        PostgresError: and its kinds.

    """
    try:
        found = transact(address, lambda connection: look(connection, tenant), limits, awaits_database=False)
    except DatabaseAbsentError:
        # Roles belong to the server and outlive the database.
        address = address.at(address.maintenance)
        found = transact(address, lambda connection: look(connection, tenant), limits)
    _refuse_foreign(address, found, {tenant.mark})
    names = [role.name for role in found.roles.values() if role.exists]
    if found.left_behind:
        transact(address, lambda connection: end_deputy(connection, tenant.migrator), limits)
    if not names:
        return
    closed = [sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)) for name in names]
    roles = sql.SQL(", ").join(map(sql.Identifier, names))

    def run(connection: psycopg.Connection, *steps: str) -> None:
        words = {
            "roles": roles,
            "owner": sql.Identifier(tenant.owner),
            "closed": sql.SQL("; ").join(closed),
            "options": membership_options(connection.info.server_version),
        }
        connection.execute(sql.SQL("; ").join([sql.SQL(step).format(**words) for step in steps]))

    def block(connection: psycopg.Connection) -> list[str]:
        run(connection, _BLOCK)
        return [row[0] for row in connection.execute(OTHER_DATABASES, [names])]

    leaving = (_HAND_OVER, _GIVE_UP) if found.owner_exists else (_GIVE_UP,)

    def drop(connection: psycopg.Connection) -> None:
        take_lock(connection)
        _refuse_foreign(address, look(connection, tenant), {tenant.mark})
        run(connection, *leaving, _DROP)

    others = transact(address, block, limits)
    end_sessions(address, names, limits)
    for database in others:
        transact(address.at(database), lambda connection: run(connection, *leaving), limits)
    transact(address, drop, limits)


def _refuse_foreign(address: Address, found: SetupFound, marks: Collection[str]) -> None:
    for role in found.roles.values():
        if role.exists and (mark := mark_in(role.comment)) not in marks:
            carries = f"carries the mark {mark}" if mark else "carries no mark of ours"
            raise AmbiguousMarkError(f"{address}: role {role.name} {carries}, so it is left alone: rename or drop it")
