"""Brings databases and logins of a real server to what a simulated cluster should hold. Removes nothing."""

from collections.abc import MutableMapping

import psycopg
from psycopg import sql

from sandbox.simulators.servers import AdminWanted, Contents

# Owns every database that has no owner of the customer's; the document calls that `owner_id: null`.
CLUSTER_OWNER = "cluster_owner"


def ensure(connection: psycopg.Connection, contents: Contents, passwords: MutableMapping[str, str]) -> None:
    """Make databases and logins be there; `passwords` remembers what was set, because a verifier cannot be compared.

    A login with the privilege CREATE in all databases is a member of their owner: it makes schemas, gives away objects
    and takes rights from PUBLIC, as the first user of a managed cluster can. One that is limited to a database may only
    make schemas there. Privileges on tables are not granted: a login has none on what it did not make.
    """
    roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    if CLUSTER_OWNER not in roles:
        _run(connection, "CREATE ROLE {} NOLOGIN", CLUSTER_OWNER)
    for group, wider in contents.groups.items():
        if group not in roles:
            _run(connection, "CREATE ROLE {} NOLOGIN", group)
            for each in wider:
                _run(connection, "GRANT {} TO {}", each, group)
    for admin in contents.admins:
        _ensure_login(connection, admin, passwords, exists=admin.login in roles)
    owners: dict[str, str] = dict(
        connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate")
    )
    for name, wanted in contents.databases.items():
        owner = wanted or CLUSTER_OWNER
        if name not in owners:
            _run(connection, "CREATE DATABASE {} OWNER {}", name, owner)
        elif owners[name] != owner:
            _run(connection, "ALTER DATABASE {} OWNER TO {}", name, owner)
    for admin in contents.admins:
        _grant(connection, admin)


def _ensure_login(
    connection: psycopg.Connection, admin: AdminWanted, passwords: MutableMapping[str, str], *, exists: bool
) -> None:
    if not exists:
        _run(connection, f"CREATE ROLE {{}} {'' if admin.log_in else 'NO'}LOGIN NOSUPERUSER", admin.login)
        for group in admin.groups:
            _run(connection, "GRANT {} TO {}", group, admin.login)
    rights = f"{'' if admin.create_database else 'NO'}CREATEDB {'' if admin.create_role else 'NO'}CREATEROLE"
    _run(connection, " ".join(("ALTER ROLE {}", rights, *admin.attributes)), admin.login)
    if admin.log_in and passwords.get(admin.login) != admin.password:
        encrypted = connection.pgconn.encrypt_password(admin.password.encode(), admin.login.encode(), b"scram-sha-256")
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(admin.login), sql.Literal(encrypted.decode()))
        )
        passwords[admin.login] = admin.password


def _grant(connection: psycopg.Connection, admin: AdminWanted) -> None:
    for database, privileges in admin.privileges.items():
        if "CREATE" in privileges:
            _run(connection, "GRANT CREATE ON DATABASE {} TO {}", database, admin.login)
        else:
            _run(connection, "REVOKE CREATE ON DATABASE {} FROM {}", database, admin.login)
    if admin.everywhere and any("CREATE" in privileges for privileges in admin.privileges.values()):
        _run(connection, "GRANT {} TO {}", CLUSTER_OWNER, admin.login)
    else:
        _run(connection, "REVOKE {} FROM {}", CLUSTER_OWNER, admin.login)


def _run(connection: psycopg.Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
