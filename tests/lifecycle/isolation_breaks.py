"""What somebody with a superuser's session may have given away on the tests' server, and which probes find it."""

from dataclasses import dataclass

from lifecycle.isolation_databases import PLATFORM
from tests.dynamic_providers.postgres.place import DATABASE
from tests.lifecycle.isolated import OWN_DATABASE


@dataclass(frozen=True)
class Break:
    """Something given away by a superuser, how it is taken back, and what beta gets through with."""

    do: str
    undo: str
    found: set[str]
    against: str = "acme"
    names: str = ""
    database: str = DATABASE


_USAGE = "GRANT USAGE ON SCHEMA c_acme TO c_beta"
_NO_USAGE = "REVOKE ALL ON SCHEMA c_acme FROM c_beta"
_DEFAULTS = "ALTER DEFAULT PRIVILEGES FOR ROLE c_acme_owner"
BREAKS = {
    "schema": Break(
        "GRANT USAGE, CREATE ON SCHEMA c_acme TO c_beta",
        _NO_USAGE,
        {
            "make a table",
            "find rights on its schema",
            "call a function that runs as its owner",
            "find rights on its functions",
        },
        names="CREATE to c_beta on schema c_acme",
    ),
    "schema of the owner role": Break(
        "GRANT CREATE, USAGE ON SCHEMA c_acme TO c_beta_owner",
        "REVOKE ALL ON SCHEMA c_acme FROM c_beta_owner",
        {"make a table", "find rights on its schema"},
        names="CREATE to c_beta_owner on schema c_acme",
    ),
    "schema for PUBLIC": Break(
        "GRANT USAGE ON SCHEMA c_acme TO PUBLIC",
        "REVOKE USAGE ON SCHEMA c_acme FROM PUBLIC",
        {"find rights on its schema", "call a function that runs as its owner", "find rights on its functions"},
        names="USAGE to PUBLIC on schema c_acme",
    ),
    "default privileges on tables": Break(
        f"{_USAGE}; {_DEFAULTS} GRANT ALL ON TABLES TO c_beta; {_DEFAULTS} GRANT SELECT ON SEQUENCES TO c_beta",
        f"{_NO_USAGE}; {_DEFAULTS} REVOKE ALL ON TABLES FROM c_beta; {_DEFAULTS} REVOKE ALL ON SEQUENCES FROM c_beta",
        {
            "read a table",
            "write to a table",
            "change a table's rows",
            "delete a table's rows",
            "empty a table",
            "read a sequence",
            "read what the statistics hold of its rows",
            "find rights on its tables",
            "find rights on what it will make",
        },
        names="SELECT to c_beta on what c_acme_owner makes",
    ),
    "default privileges for PUBLIC": Break(
        f"{_DEFAULTS} GRANT SELECT ON TABLES TO PUBLIC",
        f"{_DEFAULTS} REVOKE SELECT ON TABLES FROM PUBLIC",  # noqa: S608 - no query, and a constant
        {"find rights on its tables", "find rights on what it will make"},
        names="SELECT to PUBLIC on what c_acme_owner makes",
    ),
    "one table": Break(
        "CREATE TABLE c_acme.orders (id int, total int); GRANT SELECT ON c_acme.orders TO PUBLIC",
        "DROP TABLE c_acme.orders",
        {"find rights on its tables"},
        names="SELECT to PUBLIC on table c_acme.orders",
    ),
    "one column": Break(
        "CREATE TABLE c_acme.orders (id int, total int); GRANT UPDATE (total) ON c_acme.orders TO c_beta",
        "DROP TABLE c_acme.orders",
        {"find rights on its tables"},
        names="UPDATE to c_beta on table c_acme.orders",
    ),
    "membership in the owner role": Break(
        "GRANT c_acme_owner TO c_beta WITH ADMIN OPTION",
        "REVOKE c_acme_owner FROM c_beta",
        {
            "make a table",
            "read a table",
            "alter a table",
            "drop a table",
            "read a large object",
            "write to a large object",
            "delete a large object",
            "take its owner's role",
            "grant itself its owner's role",
            "find rights on its large objects",
        },
    ),
    "membership that is not inherited": Break(
        "ALTER ROLE c_beta NOINHERIT; GRANT c_acme_owner TO c_beta",
        "ALTER ROLE c_beta INHERIT; REVOKE c_acme_owner FROM c_beta",
        {"take its owner's role"},
    ),
    "membership in the login role": Break(
        "GRANT c_acme TO c_beta",
        "REVOKE c_acme FROM c_beta",
        {"take its login's role", "take its owner's role", "read the statements of its sessions"},
    ),
    "a foreign role at home": Break(
        "GRANT c_acme_owner TO c_beta",
        "REVOKE c_acme_owner FROM c_beta",
        {"belong to a role of others"},
        against="beta",
        names="c_acme_owner",
    ),
    "large objects for all": Break(
        f"ALTER DATABASE {DATABASE} SET lo_compat_privileges = on",
        f"ALTER DATABASE {DATABASE} RESET lo_compat_privileges",
        {"read a large object", "write to a large object"},
    ),
    "a large object": Break(
        "SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO c_acme_owner;"
        " GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC",
        "SELECT lo_unlink(4711)",
        {"find rights on its large objects"},
        names="SELECT to PUBLIC on large object 4711",
    ),
    "the catalogue of large objects": Break(
        "GRANT SELECT ON pg_largeobject TO c_beta",
        "REVOKE SELECT ON pg_largeobject FROM c_beta",
        {"read large objects in their catalogue"},
    ),
    "statements of others": Break(
        "GRANT pg_read_all_stats TO c_beta",
        "REVOKE pg_read_all_stats FROM c_beta",
        {"read the statements of its sessions"},
    ),
    "passwords": Break(
        "GRANT SELECT ON pg_authid, pg_shadow TO c_beta",
        "REVOKE SELECT ON pg_authid, pg_shadow FROM c_beta",
        {"read its password in pg_authid", "read its password in pg_shadow"},
        names="a verifier",
    ),
    "CONNECT for PUBLIC": Break(
        f"GRANT CONNECT ON DATABASE {DATABASE} TO PUBLIC",
        f"REVOKE CONNECT ON DATABASE {DATABASE} FROM PUBLIC",
        {"find rights on its database"},
        names=f"CONNECT to PUBLIC on database {DATABASE}",
    ),
    "CONNECT for PUBLIC on a database beside": Break(
        f"GRANT CONNECT ON DATABASE {OWN_DATABASE} TO PUBLIC",
        f"REVOKE CONNECT ON DATABASE {OWN_DATABASE} FROM PUBLIC",
        {"find rights on its database", "log in to its database"},
        against="gamma",
    ),
    "a superuser": Break(
        "ALTER ROLE c_beta SUPERUSER",
        "ALTER ROLE c_beta NOSUPERUSER",
        {"become its login", "change its login's settings", "read its password in pg_authid", "drop a table"},
    ),
    "a superuser at home": Break(
        "ALTER ROLE c_beta SUPERUSER",
        "ALTER ROLE c_beta NOSUPERUSER",
        {"hold a power of administrators", "read a file of the server", "run a program on the server"},
        against="beta",
        names="c_beta",
    ),
    "a power": Break(
        "ALTER ROLE c_beta CREATEDB",
        "ALTER ROLE c_beta NOCREATEDB",
        {"hold a power of administrators"},
        against="beta",
        names="c_beta",
    ),
    "a function of the administrator's": Break(
        "CREATE SCHEMA tools; GRANT USAGE ON SCHEMA tools TO PUBLIC;"
        " CREATE FUNCTION tools.all_secrets() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "DROP SCHEMA tools CASCADE",
        {"call a function that runs as another"},
        against="beta",
        names="function tools.all_secrets of postgres",
    ),
    "policies without force": Break(
        "CREATE TABLE c_beta.notes (id int); ALTER TABLE c_beta.notes OWNER TO c_beta_owner, ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY mine ON c_beta.notes",
        "DROP TABLE c_beta.notes",
        {"have policies that are not forced"},
        against="beta",
        names="table c_beta.notes",
    ),
    "a place in a database of nobody's": Break(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        {"find a place to make something"},
        against="database postgres",
        names="schema public",
        database="postgres",
    ),
    "what somebody left in a database of nobody's": Break(
        "CREATE TABLE notes (id int); ALTER TABLE notes OWNER TO c_acme; GRANT SELECT ON notes TO PUBLIC",
        "DROP TABLE notes",
        {"find what others have left"},
        against="database postgres",
        names="table public.notes",
        database="postgres",
    ),
    "the platform's database": Break(
        "GRANT CONNECT ON DATABASE platform TO PUBLIC",
        "REVOKE CONNECT ON DATABASE platform FROM PUBLIC",
        {"log in to the platform's database"},
        against=PLATFORM,
    ),
}
