"""What one tenant tries against another in SQL: tables of probes, each with the control that makes its refusal count.

Every script runs inside a transaction that is rolled back, as the login itself, which inherits from its owner role and
so may whatever either of them may. A probe is through when no statement is refused; one that `finds` when its query has
rows, whose texts name objects and never what they hold: they are written into the certificate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from lifecycle import isolation_grants as grants

PROBE = "tenantry_isolation_probe"


@dataclass(frozen=True)
class Subject:
    """A tenant's names on its server, as its own session told them, and the large object made for the probes.

    `roles` are all that are the tenant's: login, owner, and those of its users.
    """

    login: str
    owner: str
    schema: str
    database: str
    roles: tuple[str, ...]
    large_object: int = 0


@dataclass(frozen=True)
class SqlProbe:
    """One thing that a tenant may not do to another.

    `control` is what the rightful tenant does where the very same is the right of nobody but the server's
    administrators; it shows that what was refused is there. `prepare` comes before the rightful tenant's own run.
    `everywhere` marks what needs no session in the other's own database. Where `applies` finds nothing, the probe has
    no subject on this server and is left out.
    """

    what: str
    script: LiteralString
    finds: bool = False
    control: LiteralString | None = None
    prepare: LiteralString = ""
    everywhere: bool = False
    applies: LiteralString | None = None


_LOGIN_EXISTS: LiteralString = "SELECT 'it exists' FROM pg_roles WHERE rolname = {login_name}"
_OWNER_EXISTS: LiteralString = "SELECT 'it exists' FROM pg_roles WHERE rolname = {owner_name}"

TABLES = (
    SqlProbe("make a table", "CREATE TABLE {new} (id int)"),
    SqlProbe("read a table", "SELECT id FROM {table}"),
    SqlProbe("write to a table", "INSERT INTO {table} (id) VALUES (2)"),
    SqlProbe("change a table's rows", "UPDATE {table} SET id = 3"),
    SqlProbe("delete a table's rows", "DELETE FROM {table}"),
    SqlProbe("empty a table", "TRUNCATE {table}"),
    SqlProbe("alter a table", "ALTER TABLE {table} ADD COLUMN more int"),
    SqlProbe("drop a table", "DROP TABLE {table}"),
    SqlProbe("read a sequence", "SELECT last_value FROM {sequence}"),
    SqlProbe("call a function that runs as its owner", "SELECT {function}()"),
)

LARGE_OBJECTS = (
    SqlProbe("read a large object", "SELECT lo_get({large_object})"),
    SqlProbe("write to a large object", "SELECT lo_put({large_object}, 0, 'x')"),
    SqlProbe("delete a large object", "SELECT lo_unlink({large_object})"),
    SqlProbe(
        "read large objects in their catalogue",
        "SELECT data FROM pg_largeobject WHERE loid = {large_object}",
        control="SELECT 'it exists' FROM pg_largeobject_metadata WHERE oid = {large_object}",
    ),
)

CATALOGUES = (
    SqlProbe(
        "read what the statistics hold of its rows",
        "SELECT format('%I.%I.%I', schemaname, tablename, attname) FROM pg_stats WHERE schemaname = {schema_name}",
        finds=True,
    ),
    SqlProbe(
        "read the statements of its sessions",
        # Where it has no session there is nothing to hide: a division by zero is a fault and no refusal.
        "SELECT 1 / count(*) FROM pg_stat_activity WHERE usename = {login_name};"
        " SELECT format('a statement of %s characters', length(query)) FROM pg_stat_activity"
        " WHERE usename = {login_name} AND query NOT IN ('', '<insufficient privilege>')",
        finds=True,
        everywhere=True,
    ),
    SqlProbe(
        "read its password in pg_authid",
        "SELECT 'a verifier' FROM pg_authid WHERE rolname = {login_name} AND rolpassword <> ''",
        finds=True,
        control=_LOGIN_EXISTS,
        everywhere=True,
    ),
    SqlProbe(
        "read its password in pg_shadow",
        "SELECT 'a verifier' FROM pg_shadow WHERE usename = {login_name} AND passwd <> ''",
        finds=True,
        control=_LOGIN_EXISTS,
        everywhere=True,
    ),
)

ROLES = (
    SqlProbe("take its owner's role", "SET LOCAL ROLE {owner}", everywhere=True),
    SqlProbe("take its login's role", "SET LOCAL ROLE {login}", everywhere=True),
    SqlProbe("become its login", "SET LOCAL SESSION AUTHORIZATION {login}", everywhere=True),
    SqlProbe("grant itself its owner's role", "GRANT {owner} TO {me}", control=_OWNER_EXISTS, everywhere=True),
    SqlProbe("change its login's settings", "ALTER ROLE {login} SET application_name = 'probe'", everywhere=True),
)

GRANTS = (
    SqlProbe("find rights on its tables", grants.TABLES, finds=True),
    SqlProbe("find rights on its schema", grants.SCHEMAS, finds=True),
    SqlProbe("find rights on its functions", grants.FUNCTIONS, finds=True),
    SqlProbe("find rights on its large objects", grants.LARGE_OBJECTS, finds=True),
    SqlProbe(
        "find rights on what it will make",
        grants.DEFAULTS,
        finds=True,
        prepare="ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    ),
    SqlProbe("find rights on its database", grants.DATABASE, finds=True, everywhere=True),
)

AGAINST_OTHERS: Sequence[SqlProbe] = (*TABLES, *LARGE_OBJECTS, *CATALOGUES, *ROLES, *GRANTS)


def _extension(name: LiteralString) -> SqlProbe:
    """An extension by which a database reaches others; no subject where the server does not have it, or has made it."""
    available: LiteralString = (
        "SELECT name::text FROM pg_available_extensions WHERE installed_version IS NULL AND name = '"  # noqa: S608 - ours
        + name
        + "'"
    )
    return SqlProbe(f"make extension {name}", "CREATE EXTENSION " + name, control=available, applies=available)


AT_HOME: Sequence[SqlProbe] = (
    SqlProbe("belong to a role of others", grants.MEMBERSHIPS, finds=True, control=grants.MEMBERSHIPS_OF_ITS_OWN),
    SqlProbe("hold a power of administrators", grants.POWERS, finds=True, control=_LOGIN_EXISTS),
    SqlProbe("call a function that runs as another", grants.DEFINERS, finds=True, control=grants.DEFINERS_OF_ITS_OWN),
    SqlProbe(
        "have policies that are not forced",
        grants.UNFORCED,
        finds=True,
        prepare="ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; CREATE POLICY probe ON {table}",
    ),
    SqlProbe(
        "read a file of the server",
        "SELECT pg_read_file('PG_VERSION')",
        control="SELECT proname::text FROM pg_proc WHERE proname = 'pg_read_file'",
    ),
    SqlProbe(
        "run a program on the server",
        # It reads what it is given: a pipe that is broken would be a fault.
        "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'",
        control="SELECT rolname::text FROM pg_roles WHERE rolname = 'pg_execute_server_program'",
    ),
    _extension("dblink"),
    _extension("postgres_fdw"),
)
"""What a tenant tries in its own database, where no other tenant is named: doors out of it, and doors left open."""

NOBODYS: Sequence[SqlProbe] = (
    SqlProbe("find a place to make something", grants.PLACES, finds=True),
    SqlProbe("find what others have left", grants.TRACES, finds=True),
)
"""What a tenant looks for in a database of its server that is no tenant's; at home it finds its own."""


_MAKE: LiteralString = """
CREATE TABLE {table} (id int, large_object oid);
CREATE SEQUENCE {sequence};
CREATE FUNCTION {function}() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
INSERT INTO {table} VALUES (1, lo_from_bytea(0, 'probe'));
ANALYZE {table};
SELECT large_object FROM {table}
"""

_UNMAKE: LiteralString = """
DO $probe$ BEGIN
    IF to_regclass({table_name}) IS NOT NULL THEN
        PERFORM lo_unlink(large_object) FROM {table}
        WHERE large_object IN (SELECT oid FROM pg_largeobject_metadata);
    END IF;
END $probe$;
DROP FUNCTION IF EXISTS {function}();
DROP SEQUENCE IF EXISTS {sequence};
DROP TABLE IF EXISTS {table}
"""


def script(probe: SqlProbe, by: Subject, against: Subject, others: Sequence[str] = ()) -> sql.Composed:
    """The probe as `by` tries it."""
    return _filled(probe.script, by, against, others)


def control(probe: SqlProbe, rightful: Subject) -> sql.Composed:
    """The probe as its control: by the rightful tenant against itself, whose own traces are those of `others`."""
    lines = [probe.prepare, probe.control or probe.script]
    filled = (_filled(line, rightful, rightful, rightful.roles) for line in lines if line)
    return sql.SQL("; ").join(filled)


def condition(probe: SqlProbe, rightful: Subject) -> sql.Composed | None:
    """The query that has rows where the probe has a subject."""
    return None if probe.applies is None else _filled(probe.applies, rightful, rightful, ())


def makes(subject: Subject) -> sql.Composed:
    """What the rightful tenant makes for the others to reach for; answers the number of the large object."""
    return _filled(_MAKE, subject, subject, ())


def unmakes(subject: Subject) -> sql.Composed:
    """What takes it away again, all that is there of it, also after a run that was killed."""
    return _filled(_UNMAKE, subject, subject, ())


def _filled(text: LiteralString, by: Subject, against: Subject, others: Sequence[str]) -> sql.Composed:
    return sql.SQL(text).format(**_words(by, against, others))


def _words(by: Subject, against: Subject, others: Sequence[str]) -> Mapping[str, sql.Composable]:
    table = sql.Identifier(against.schema, PROBE)
    return {
        "table": table,
        "table_name": sql.Literal(table.as_string()),
        "new": sql.Identifier(against.schema, f"{PROBE}_new"),
        "sequence": sql.Identifier(against.schema, f"{PROBE}_sequence"),
        "function": sql.Identifier(against.schema, f"{PROBE}_function"),
        "owner": sql.Identifier(against.owner),
        "login": sql.Identifier(against.login),
        "me": sql.Identifier(by.login),
        "owner_name": sql.Literal(against.owner),
        "login_name": sql.Literal(against.login),
        "schema_name": sql.Literal(against.schema),
        "database_name": sql.Literal(against.database),
        "roles": sql.Literal(list(against.roles)),
        "others": sql.Literal(list(others)),
        "large_object": sql.Literal(against.large_object),
    }
