"""Whether the statement of a transaction has changed roles, or who may do what with an object; looked at before commit.

A statement may do so by many ways: a function that runs as its owner, a trigger that waits for the commit, a cursor
that outlives it. So the outcome is compared and no statement is read.
"""

from collections.abc import Mapping
from typing import Any

import psycopg

# What a statement has left for the commit happens now, as it would then; after it nothing of the session is the
# statement's any more, neither its role nor its names.
_SETTLE = (
    "RESET statement_timeout",
    "CLOSE ALL",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "RESET ROLE",
)
# A tenant may own schema public, and temporary tables come before all others: none of their names may be ours.
_OUR_NAMES = "SET LOCAL search_path = pg_catalog, pg_temp"
# Passwords are not to be read, but whoever changes a role holds a lock on its catalogue until the end.
_ROLES = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND mode = 'RowExclusiveLock'
    AND relation IN ('pg_catalog.pg_authid'::regclass, 'pg_catalog.pg_auth_members'::regclass,
                     'pg_catalog.pg_db_role_setting'::regclass)
)
"""
# `more` says of an object that it gives more than its owner's default privileges do: only asked of a new one.
_GRANTS = """
WITH near AS (
    SELECT oid, nspowner, nspacl FROM pg_catalog.pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
), object (place, id, part, kind, owner, namespace, acl) AS (
    SELECT 'pg_namespace', oid, 0, 'n', nspowner, 0::oid, nspacl FROM near
    UNION ALL SELECT 'pg_class', c.oid, 0, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END, relowner, near.oid, relacl
        FROM pg_catalog.pg_class AS c JOIN near ON near.oid = relnamespace
        WHERE relkind IN ('r', 'v', 'm', 'S', 'f', 'p')
    UNION ALL SELECT 'pg_attribute', c.oid, attnum::int, 'c', relowner, near.oid, attacl
        FROM pg_catalog.pg_class AS c JOIN near ON near.oid = relnamespace
        JOIN pg_catalog.pg_attribute ON attrelid = c.oid WHERE attacl IS NOT NULL
    UNION ALL SELECT 'pg_proc', p.oid, 0, 'f', proowner, near.oid, proacl
        FROM pg_catalog.pg_proc AS p JOIN near ON near.oid = pronamespace
    UNION ALL SELECT 'pg_type', t.oid, 0, 'T', typowner, near.oid, typacl
        FROM pg_catalog.pg_type AS t JOIN near ON near.oid = typnamespace
    UNION ALL SELECT 'pg_largeobject', oid, 0, 'L', lomowner, 0, lomacl FROM pg_catalog.pg_largeobject_metadata
    UNION ALL SELECT 'pg_database', oid, 0, 'd', datdba, 0, datacl
        FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
    UNION ALL SELECT 'pg_default_acl', oid, 0, NULL, defaclrole, 0, defaclacl FROM pg_catalog.pg_default_acl
)
SELECT place || ' ' || id || ' ' || part, owner || ' ' || coalesce(acl::text, 'default'), kind IS NULL OR EXISTS (
    SELECT grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(acl)
    EXCEPT (
        SELECT grantee, privilege_type, is_grantable
        FROM pg_catalog.aclexplode(pg_catalog.acldefault(kind::"char", owner))
        UNION SELECT given.grantee, given.privilege_type, given.is_grantable
        FROM pg_catalog.pg_default_acl AS usual, pg_catalog.aclexplode(usual.defaclacl) AS given
        WHERE usual.defaclrole = owner AND usual.defaclnamespace IN (0, namespace)
        AND usual.defaclobjtype::text = CASE kind WHEN 's' THEN 'S' ELSE kind END
    )
) AS more
FROM object
"""

Grants = Mapping[str, tuple[str, bool]]
"""An object of a catalogue → its owner and ACL, and whether that gives more than the owner's default privileges."""


def grants(connection: psycopg.Connection[Any]) -> Grants:
    """Who owns what, and who was given what, as this transaction sees it; the session's search_path stays."""
    connection.execute(_OUR_NAMES)
    found = {name: (acl, more) for name, acl, more in connection.execute(_GRANTS.encode())}
    connection.execute("RESET search_path")
    return found


def settle(connection: psycopg.Connection[Any]) -> None:
    """Does what the statement has put off until the commit. Raises the driver's error of what then fails."""
    for statement in _SETTLE:
        connection.execute(statement)


def changes_roles(connection: psycopg.Connection[Any]) -> bool:
    """Whether this transaction has changed a role, its password, its settings or a membership."""
    connection.execute(_OUR_NAMES)
    return connection.execute(_ROLES).fetchone() == (True,)


def differ(before: Grants, after: Grants) -> bool:
    """Whether anything that was there is granted otherwise, or anything new gives more than its owner's defaults.

    What was dropped took its grants along.
    """
    changed = any(after[name][0] != acl for name, (acl, _) in before.items() if name in after)
    return changed or any(more for name, (_, more) in after.items() if name not in before)
