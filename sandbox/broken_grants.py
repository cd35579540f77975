"""Holes in the tenants' isolation, made on purpose: rights given away on the real servers behind simulated clusters.

They are what somebody with a superuser's session, or with the store's own keys, may have done by mistake. What was done
is noted in the sandbox's folder, so that it can be undone later, by another process and after a restart.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import boto3
import httpx
import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import errors, sql
from psycopg.rows import class_row

from sandbox.errors import SandboxError
from sandbox.folder import REGION, SERVER_FOLDERS, Layout, write_private
from sandbox.postgres import PostgresServer, PostgresServerError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_NOTES = "broken-grants.json"
_POLICY = "broken-grant"
_EVERY_BUCKET = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
# What was given away may be gone with its object.
_GONE = (errors.UndefinedObject, errors.UndefinedTable, errors.InvalidSchemaName, errors.InvalidCatalogName)

# Tenants are the logins whose sessions run as their owner role, in the database that they may connect to.
_TENANTS = """
SELECT login.rolname::text AS login, owner.rolname::text AS owner, current_database()::text AS database,
    coalesce((SELECT min(nspname::text) FROM pg_namespace WHERE nspowner = owner.oid), 'public') AS schema,
    (SELECT ARRAY[nspname::text, relname::text] FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relowner = owner.oid AND relforcerowsecurity ORDER BY 1 LIMIT 1) AS forced
FROM pg_db_role_setting, unnest(setconfig) AS setting
JOIN pg_roles AS owner ON setting = 'role=' || owner.rolname, pg_roles AS login
WHERE login.oid = setrole AND login.rolname !~ '_as_[a-z]+$' AND EXISTS (
    SELECT FROM pg_database, aclexplode(datacl) AS entry
    WHERE datname = current_database() AND grantee = login.oid AND privilege_type = 'CONNECT'
) ORDER BY 1
"""


@dataclass(frozen=True)
class Tenant:
    """A tenant as its server shows it; `forced` are schema and name of a table of its whose policies are forced."""

    login: str
    owner: str
    database: str
    schema: str
    forced: list[str] | None

    def is_called(self, name: str) -> bool:
        """Whether this is the login of a tenant with this id."""
        return self.login in {f"c_{name}", f"tenant_{name}_user"}


@dataclass(frozen=True)
class Hole:
    """One way to break isolation. `make` and `mend` are SQL for one tenant; both are empty for the object store."""

    name: str
    incident: str
    make: LiteralString = ""
    mend: LiteralString = ""
    same_database: bool = False
    needs_forced: bool = False


HOLES: Mapping[str, Hole] = {
    hole.name: hole
    for hole in (
        Hole(
            "broken-grant",
            "everybody on the server may use a tenant's schema and read its tables",
            "GRANT USAGE ON SCHEMA {schema} TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO PUBLIC",
            "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC; REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC",
            same_database=True,
        ),
        Hole(
            "broken-membership",
            "a neighbour's login has become a member of a tenant's owner role",
            "GRANT {owner} TO {neighbour}",
            "REVOKE {owner} FROM {neighbour}",
        ),
        Hole(
            "broken-connect",
            "everybody on the server may connect to a tenant's database",
            "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
            "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
        ),
        Hole(
            "broken-row-security",
            "a tenant's table with policies no longer has them forced on its owner",
            "ALTER TABLE {forced} NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE {forced} FORCE ROW LEVEL SECURITY",
            needs_forced=True,
        ),
        Hole("broken-bucket-policy", "a tenant's storage user may do everything in all buckets of the account"),
    )
}


def break_grant(folder: Path, name: str, environ: Mapping[str, str], tenant: str | None = None) -> str:
    """Make a hole and note how to mend it; answers what was done. Without `tenant` the first that can be hurt is taken.

    Raises:
        SandboxError: there is nobody it can be done to, or the sandbox does not answer.

    """
    hole, layout = HOLES[name], Layout(folder.resolve())
    if not hole.make:
        user = _widen(environ, tenant)
        _note(layout, {"user": user})
        return f"{name}: {user} may do everything in every bucket"
    for server, victim, neighbour in _chances(layout, hole):
        if tenant is None or victim.is_called(tenant):
            make, mend = (_filled(text, victim, neighbour) for text in (hole.make, hole.mend))
            where = {"server": str(server.folder.relative_to(layout.root)), "database": victim.database}
            _note(layout, where | {"mend": mend})
            _run(server, victim.database, make)
            return f"{name}: {make}"
    raise SandboxError(f"there is nobody {f'called {tenant} ' if tenant else ''}to whom {name} can be done: run `up`")


def mend_grants(folder: Path, environ: Mapping[str, str]) -> None:
    """Undo every hole that was made. Raises SandboxError."""
    layout = Layout(folder.resolve())
    for entry in _noted(layout):
        if user := entry.get("user"):
            _narrow(environ, user)
        elif (layout.root / entry["server"]).is_dir():
            _run(PostgresServer(layout.root / entry["server"]), entry["database"], entry["mend"])
    (layout.root / _NOTES).unlink(missing_ok=True)


def _noted(layout: Layout) -> list[dict[str, str]]:
    try:
        return list(json.loads((layout.root / _NOTES).read_text())["holes"])
    except FileNotFoundError:
        return []


def _note(layout: Layout, entry: Mapping[str, str]) -> None:
    write_private(layout.root / _NOTES, {"holes": [*_noted(layout), entry]})


def _servers(layout: Layout) -> Iterator[PostgresServer]:
    for folder in sorted(folder for vendor in SERVER_FOLDERS for folder in layout.servers(vendor).glob("*/")):
        if (server := PostgresServer(folder)).port is not None:
            yield server


def _chances(layout: Layout, hole: Hole) -> Iterator[tuple[PostgresServer, Tenant, Tenant]]:
    """Whom the hole can be made for, with a neighbour who would go through it."""
    for server in _servers(layout):
        tenants = [each for name in server.databases() if name != "postgres" for each in _tenants(server, name)]
        for victim in tenants:
            if hole.needs_forced:
                if victim.forced:
                    yield server, victim, victim
                continue
            for other in tenants:
                if other != victim and (other.database == victim.database or not hole.same_database):
                    yield server, victim, other
                    break


def _tenants(server: PostgresServer, database: str) -> list[Tenant]:
    with (
        psycopg.connect(server.superuser_dsn, dbname=database) as connection,
        connection.cursor(row_factory=class_row(Tenant)) as cursor,
    ):
        return cursor.execute(_TENANTS).fetchall()


def _filled(text: LiteralString, victim: Tenant, neighbour: Tenant) -> str:
    words = {
        "schema": sql.Identifier(victim.schema),
        "owner": sql.Identifier(victim.owner),
        "database": sql.Identifier(victim.database),
        "neighbour": sql.Identifier(neighbour.login),
    }
    if victim.forced:
        words["forced"] = sql.Identifier(*victim.forced)
    return sql.SQL(text).format(**words).as_string()


def _run(server: PostgresServer, database: str, statements: str) -> None:
    try:
        with psycopg.connect(server.superuser_dsn, dbname=database, autocommit=True) as connection:
            connection.execute(statements.encode())
    except _GONE:
        return
    except (psycopg.Error, PostgresServerError) as error:
        raise SandboxError(f"the server in {server.folder} did not take {statements!r}: {error}") from error


def _widen(environ: Mapping[str, str], tenant: str | None) -> str:
    users = _timeweb(environ, "/api/v2/storages/users")["iam_users"]
    names = sorted(str(user["name"]) for user in users)
    user = next((name for name in names if tenant is None or name.endswith(f"-{tenant}")), None)
    if user is None:
        raise SandboxError(f"there is no storage user{f' of {tenant}' if tenant else ''}: run `up`")
    try:
        _iam(environ).put_user_policy(UserName=user, PolicyName=_POLICY, PolicyDocument=json.dumps(_EVERY_BUCKET))
    except (ClientError, BotoCoreError) as error:
        raise SandboxError(f"the store did not take a policy of {user}: {error}") from error
    return user


def _narrow(environ: Mapping[str, str], user: str) -> None:
    try:
        _iam(environ).delete_user_policy(UserName=user, PolicyName=_POLICY)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise SandboxError(f"the store keeps the policy of {user}: {error}") from error


def _iam(environ: Mapping[str, str]) -> "IAMClient":
    (signer,) = _timeweb(environ, "/api/v1/storages/users")["users"]
    return boto3.client(
        "iam",
        endpoint_url=environ["TIMEWEB_IAM_URL"],
        region_name=REGION,
        aws_access_key_id=str(signer["access_key"]),
        aws_secret_access_key=str(signer["secret_key"]),
    )


def _timeweb(environ: Mapping[str, str], path: str) -> Mapping[str, list[dict[str, object]]]:
    headers = {"Authorization": f"Bearer {environ['TIMEWEB_CLOUD_TOKEN']}"}
    try:
        answer = httpx.get(environ["TIMEWEB_API_URL"] + path, headers=headers)
    except httpx.TransportError as error:
        raise SandboxError("the sandbox does not answer: start it with `tenantry sandbox start`") from error
    if answer.is_error:
        raise SandboxError(f"the sandbox refused {path}: {answer.text}")
    found: Mapping[str, list[dict[str, object]]] = answer.json()
    return found
