"""How one tenant lies in a database, as the statements that make it so.

| object | what it is |
| --- | --- |
| owner role | NOLOGIN; everything the tenant makes belongs to it |
| login role | the tenant's only way in; its sessions run as the owner; its limits and settings are set here |
| schema | the owner's own one on a shared database, the existing `public` on a dedicated one |
| schema `extensions` | the admin's; holds the plan's trusted extensions, which the tenant may use and not change |
| schema `auth` | the admin's; holds `auth.uid()`, which the tenant's policies may call and the tenant not change |
| schema `storage` | the owner's, on a dedicated database alone, where nobody else could need the name |

PUBLIC has nothing on the database and on these schemas. Both roles carry the mark, which a tenant cannot change. The
schema carries it for the reader only: the tenant owns the schema and may write there what it likes.
"""

from collections.abc import Iterator, Sequence

from psycopg import sql

from dynamic_providers.marks import mark_in
from dynamic_providers.postgres.auth_uid import UID_BODY, UID_COMMENT
from dynamic_providers.postgres.found import Found
from dynamic_providers.postgres.inputs import IDLE_IN_TRANSACTION_MS, TenantSchemaInputs
from dynamic_providers.postgres.names import AUTH_SCHEMA, EXTENSIONS_SCHEMA, STORAGE_SCHEMA

OPTIONS_SINCE = 160000  # from PostgreSQL 16 on a membership says what it is good for

_ROLES = (
    # The login comes first: where it is blocked, nothing else may delay that.
    (
        "ALTER ROLE {login} {can_login} INHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {connection_limit}"
        " VALID UNTIL 'infinity' PASSWORD {verifier}"
    ),
    "ALTER ROLE {owner} NOLOGIN INHERIT NOCREATEDB NOCREATEROLE",
    # The admin needs both memberships to end sessions and to act on what the tenant made.
    "GRANT {owner}, {login} TO CURRENT_USER {options}",
    "GRANT {owner} TO {login} {options}",
)
_DATABASE = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC, {owner}, {login}",
    "GRANT CONNECT ON DATABASE {database} TO {login}",
    "GRANT TEMPORARY ON DATABASE {database} TO {owner}",
)
_SETTINGS = {
    "role": "{owner}",
    "search_path": "{schema}, {extensions_schema}",
    "statement_timeout": "{statement_timeout}",
    "idle_in_transaction_session_timeout": "{idle_in_transaction}",
}
_OWN_SCHEMA = (
    "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
    "GRANT ALL ON SCHEMA {schema} TO {owner}",
)
_UID = (
    (
        "CREATE OR REPLACE FUNCTION {auth_schema}.uid() RETURNS uuid"
        " LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER AS {uid_body}"
    ),
    "COMMENT ON FUNCTION {auth_schema}.uid() IS {uid_comment}",
)
_AUTH_RIGHTS = (
    "REVOKE ALL ON SCHEMA {auth_schema} FROM PUBLIC, {owner}, {login}",
    "REVOKE ALL ON FUNCTION {auth_schema}.uid() FROM PUBLIC, {owner}, {login}",
    "GRANT USAGE ON SCHEMA {auth_schema} TO {owner}",
    "GRANT EXECUTE ON FUNCTION {auth_schema}.uid() TO {owner}",
)
_EXTENSION = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}")
_NO_MEMBER = sql.SQL("REVOKE {} FROM {}, {}")


def statements(want: TenantSchemaInputs, found: Found, verifier: str, *, version: int) -> sql.Composed:
    """The whole change as one script, so that it costs one round trip under the lock; harmless where all is well.

    `verifier` is the password's SCRAM verifier, `version` the server's as in 150018.
    """
    words = {
        "owner": sql.Identifier(want.owner),
        "login": sql.Identifier(want.login),
        "schema": sql.Identifier(want.schema_name),
        "extensions_schema": sql.Identifier(EXTENSIONS_SCHEMA),
        "auth_schema": sql.Identifier(AUTH_SCHEMA),
        "storage_schema": sql.Identifier(STORAGE_SCHEMA),
        "uid_body": sql.Literal(UID_BODY),
        "uid_comment": sql.Literal(UID_COMMENT),
        "database": sql.Identifier(want.database),
        "mark": sql.Literal(want.mark),
        "verifier": sql.Literal(verifier),
        "can_login": sql.SQL("NOLOGIN" if want.blocked else "LOGIN"),
        "connection_limit": sql.Literal(want.connection_limit),
        "statement_timeout": sql.Literal(want.statement_timeout_ms),
        "idle_in_transaction": sql.Literal(IDLE_IN_TRANSACTION_MS),
        "options": membership_options(version),
    }
    steps = (
        *_roles(found),
        *_DATABASE,
        *_settings(),
        *_schema(want, found),
        *_extensions(want, found),
        *_auth(found),
        *_storage(want, found),
        *_marks(want, found),
    )
    script = [sql.SQL(step).format(**words) for step in steps]
    missing = (name for name in want.extensions if name not in found.extensions)
    script += [_EXTENSION.format(sql.Identifier(name), words["extensions_schema"]) for name in missing]
    script += [_NO_MEMBER.format(sql.Identifier(role), words["owner"], words["login"]) for role in found.foreign_roles]
    return sql.SQL("; ").join(script)


def _roles(found: Found) -> Iterator[str]:
    if not found.login_exists:
        yield "CREATE ROLE {login} NOLOGIN"
    if not found.owner_exists:
        yield "CREATE ROLE {owner} NOLOGIN"
    yield from _ROLES


def _settings() -> Iterator[str]:
    for name, value in _SETTINGS.items():
        yield f"ALTER ROLE {{login}} IN DATABASE {{database}} RESET {name}"  # it would outrank the other
        yield f"ALTER ROLE {{login}} SET {name} = {value}"


def _schema(want: TenantSchemaInputs, found: Found) -> Iterator[str]:
    if found.public_exists:
        yield "REVOKE ALL ON SCHEMA public FROM PUBLIC, {owner}, {login}"
    if want.dedicated:
        yield "CREATE SCHEMA IF NOT EXISTS {schema}"
        yield "GRANT ALL ON SCHEMA {schema} TO {owner}"
        return
    if found.schema_owner is None:
        yield "CREATE SCHEMA {schema} AUTHORIZATION {owner}"
    elif found.schema_owner != want.owner:
        yield "ALTER SCHEMA {schema} OWNER TO {owner}"
    yield from _OWN_SCHEMA


def _extensions(want: TenantSchemaInputs, found: Found) -> Iterator[str]:
    if want.extensions and found.extensions_owner is None:
        yield "CREATE SCHEMA {extensions_schema}"
    if want.extensions or found.extensions_owner == found.admin:
        yield "REVOKE ALL ON SCHEMA {extensions_schema} FROM PUBLIC, {owner}, {login}"
    if want.extensions:
        yield "GRANT USAGE ON SCHEMA {extensions_schema} TO {owner}"


def _auth(found: Found) -> Iterator[str]:
    if found.auth_owner is None:
        yield "CREATE SCHEMA {auth_schema}"
    if not found.uid_is_right:
        yield from _UID
    yield from _AUTH_RIGHTS


def _storage(want: TenantSchemaInputs, found: Found) -> Iterator[str]:
    if not want.dedicated:
        return
    if found.storage_owner is None:
        yield "CREATE SCHEMA {storage_schema} AUTHORIZATION {owner}"
    elif found.storage_owner != want.owner:
        yield "ALTER SCHEMA {storage_schema} OWNER TO {owner}"
    yield "REVOKE ALL ON SCHEMA {storage_schema} FROM PUBLIC"


def _marks(want: TenantSchemaInputs, found: Found) -> Iterator[str]:
    """A comment that holds the mark is left as it is, with whatever somebody noted beside it."""
    if mark_in(found.owner_comment) != want.mark:
        yield "COMMENT ON ROLE {owner} IS {mark}"
    if mark_in(found.login_comment) != want.mark:
        yield "COMMENT ON ROLE {login} IS {mark}"
    if not want.dedicated and mark_in(found.schema_comment) != want.mark:
        yield "COMMENT ON SCHEMA {schema} IS {mark}"


def block_statements(roles: Sequence[str], login: str, *, version: int) -> sql.Composed:
    """Closes `login` and gives the admin what it needs to end its sessions and to drop what `roles` own.

    `roles` are those of the tenant's that exist; there is at least one.
    """
    script = [sql.SQL("GRANT {} TO CURRENT_USER {}").format(_listed(roles), membership_options(version))]
    if login in roles:
        script.append(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(login)))
    return sql.SQL("; ").join(script)


def drop_owned_statement(roles: Sequence[str]) -> sql.Composed:
    """Drops all that `roles` own in the database and were granted; refused where others depend on it."""
    return sql.SQL("DROP OWNED BY {} RESTRICT").format(_listed(roles))


def drop_statements(roles: Sequence[str], schema: str | None) -> sql.Composed:
    """Drops what `roles` own, the schema if it is the tenant's own, and the roles."""
    script = []
    if roles:
        script.append(drop_owned_statement(roles))
    if schema is not None:
        script.append(sql.SQL("DROP SCHEMA IF EXISTS {} RESTRICT").format(sql.Identifier(schema)))
    if roles:
        script.append(sql.SQL("DROP ROLE {}").format(_listed(roles)))
    return sql.SQL("; ").join(script)


def _listed(roles: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(role) for role in roles)


def membership_options(version: int) -> sql.SQL:
    """What a membership is good for, all of it, as the server of this version wants it said."""
    return sql.SQL("WITH INHERIT TRUE, SET TRUE" if version >= OPTIONS_SINCE else "")
