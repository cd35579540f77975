"""The four logins that people of a tenant work through, as what is asked of them and the statements that make them so.

| role | sessions run as | what it may |
| --- | --- | --- |
| `<base>_as_viewer` | itself | read the tables and sequences of the tenant's schemas |
| `<base>_as_developer` | itself | read and write their rows |
| `<base>_as_admin` | the tenant's owner role | change the schema: what it makes is the tenant's |
| `<base>_as_owner` | the tenant's owner role | the same, and after SET ROLE NONE give the other three to others |

None inherits anything: what admin and owner may, they may as the owner role, so that nothing of the tenant's ever
belongs to a login. Row level security holds for all four. PostgreSQL lets whoever owns a table grant it, so what the
admin role cannot do is give away the access roles themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from pydantic import Field

from dynamic_providers.marks import MarkText, mark_in
from dynamic_providers.postgres.inputs import Name, Server
from dynamic_providers.postgres.layout import OPTIONS_SINCE, membership_options
from dynamic_providers.postgres.ledger import LEDGER
from dynamic_providers.postgres.names import AUTH_SCHEMA, DEDICATED_SCHEMA, EXTENSIONS_SCHEMA, STORAGE_SCHEMA

STANDING = "1"
"""Raised when what is made here changes, so that every tenant's next update applies it."""
VIEWER, DEVELOPER, ADMIN, OWNER = KINDS = ("viewer", "developer", "admin", "owner")
ACTING = (ADMIN, OWNER)
"""Kinds whose sessions run as the tenant's owner role."""
HAS_SESSIONS = "has sessions although it is blocked"
CONNECTION_LIMIT = 2
"""Of each access role: a statement and a second try beside it. They come out of a plan's `connections.reserve`."""
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_MS = 60_000
_RIGHTS = {
    VIEWER: ("SELECT", "SELECT"),
    DEVELOPER: ("SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT"),
}
"""On tables, views among them, and on sequences."""


class TenantSetupInputs(Server):
    """What is set up inside one tenant's place: migrations up to `version`, and the access roles.

    `base` is what the access roles' names begin with. `standing` is not the program's to set: a refresh writes there
    what it found damaged, and the difference to STANDING makes the next update repair it.
    """

    schema_name: Name
    owner: Name
    login: Name
    base: Annotated[str, Field(min_length=1, max_length=50)]
    version: str
    blocked: bool = False
    mark: MarkText
    standing: str = STANDING

    @property
    def schemas(self) -> tuple[str, ...]:
        """The tenant's schemas, the one of the migrations first."""
        return (self.schema_name, STORAGE_SCHEMA) if self.schema_name == DEDICATED_SCHEMA else (self.schema_name,)

    @property
    def roles(self) -> Mapping[str, str]:
        """Kind of access → name of its role."""
        return {kind: access_role(self.base, kind) for kind in KINDS}

    @property
    def migrator(self) -> str:
        """The deputy that applies migrations; one name, so that whoever comes after a killed run can end it."""
        return f"migrate_{self.base}"


def access_role(base: str, kind: str) -> str:
    """`c_acme_as_viewer`."""
    return f"{base}_as_{kind}"


@dataclass(frozen=True)
class RoleFound:
    """One access role as a look saw it; `settings_are_right` speaks of its session defaults."""

    name: str
    exists: bool
    comment: str | None
    can_login: bool
    connection_limit: int | None
    may_too_much: bool
    expires: bool
    sessions: int
    settings_are_right: bool
    may_connect: bool
    uses_schemas: bool
    memberships: list[str]


@dataclass(frozen=True)
class SetupFound:
    """What one look saw; `schemas` are those of the tenant's that are there.

    `left_behind` is the deputy of a run that was killed; `covered` says that tables made later are the roles' to read
    and write; where it is not so, `relations` are what is there already: schema, name, and whether it is a sequence.
    """

    roles: Mapping[str, RoleFound]
    owner_exists: bool
    left_behind: bool
    schemas: Sequence[str]
    covered: bool
    extensions_are_ours: bool
    relations: Sequence[tuple[str, str, bool]]
    admin_acts: bool


_PLACE = """
SELECT
    EXISTS (SELECT FROM pg_roles WHERE rolname = %(owner)s),
    EXISTS (SELECT FROM pg_roles WHERE rolname = %(migrator)s),
    ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname = ANY (%(schemas)s) ORDER BY 1),
    (SELECT count(*) FROM pg_default_acl, aclexplode(defaclacl)
     WHERE defaclrole IN (SELECT oid FROM pg_roles WHERE rolname IN (%(owner)s, %(login)s))
     AND defaclnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s))
     AND (defaclobjtype::text, pg_get_userbyid(grantee)::text, privilege_type) IN (
        ('r', %(viewer)s, 'SELECT'), ('S', %(viewer)s, 'SELECT'),
        ('r', %(developer)s, 'SELECT'), ('r', %(developer)s, 'INSERT'), ('r', %(developer)s, 'UPDATE'),
        ('r', %(developer)s, 'DELETE'), ('S', %(developer)s, 'USAGE'), ('S', %(developer)s, 'SELECT')))
    = 8 * 2 * (SELECT count(*) FROM pg_namespace WHERE nspname = ANY (%(schemas)s)),
    EXISTS (SELECT FROM pg_namespace WHERE nspname = %(extensions)s AND pg_get_userbyid(nspowner) = current_user)
"""
_ROLES = """
SELECT wanted.name, r.oid IS NOT NULL AS exists, shobj_description(r.oid, 'pg_authid') AS comment,
    coalesce(rolcanlogin, false) AS can_login, rolconnlimit AS connection_limit,
    coalesce(rolinherit OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls, false)
        AS may_too_much,
    coalesce(rolvaliduntil < 'infinity', false) AS expires,
    (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid) AS sessions,
    ARRAY(SELECT entry FROM pg_db_role_setting, unnest(setconfig) AS entry WHERE setrole = r.oid ORDER BY entry)
        = ARRAY(SELECT entry FROM unnest(ARRAY[
            'search_path=' || quote_ident(%(schema)s) || ', ' || quote_ident(%(extensions)s),
            'statement_timeout=' || %(statement_timeout)s,
            'idle_in_transaction_session_timeout=' || %(idle)s,
            CASE WHEN wanted.name = ANY (%(acting)s) THEN 'role=' || %(owner)s END]) AS entry
            WHERE entry IS NOT NULL ORDER BY entry) AS settings_are_right,
    coalesce(has_database_privilege(r.oid, current_database(), 'CONNECT'), false) AS may_connect,
    NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = ANY (%(schemas)s) AND wanted.name <> ALL (%(acting)s)
                AND has_schema_privilege(r.oid, pg_namespace.oid, 'USAGE') IS NOT TRUE) AS uses_schemas,
    ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid GROUP BY roleid ORDER BY 1)
        AS memberships
FROM unnest(%(roles)s::text[]) AS wanted (name) LEFT JOIN pg_roles AS r ON rolname = wanted.name
"""
# Of the tenant's own only: in a schema that it has opened others may have made theirs.
_RELATIONS = """
SELECT nspname::text, relname::text, relkind = 'S' FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = ANY (%(schemas)s) AND relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
AND pg_get_userbyid(relowner) IN (%(owner)s, %(login)s) ORDER BY 1, 2
"""
_ACTS = "SELECT bool_and(pg_has_role(oid, 'USAGE')) FROM pg_roles WHERE rolname = ANY (%(roles)s)"


def look(connection: psycopg.Connection, want: TenantSetupInputs) -> SetupFound:
    """What is there of the tenant's access roles. It reads catalogues alone."""
    words = {
        **{kind: want.roles[kind] for kind in (VIEWER, DEVELOPER)},
        "owner": want.owner,
        "login": want.login,
        "migrator": want.migrator,
        "schema": want.schema_name,
        "schemas": list(want.schemas),
        "extensions": EXTENSIONS_SCHEMA,
        "roles": list(want.roles.values()),
        "acting": [want.roles[kind] for kind in ACTING],
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "idle": str(IDLE_IN_TRANSACTION_MS),
    }
    with connection.cursor(row_factory=class_row(RoleFound)) as cursor:
        roles = {role.name: role for role in cursor.execute(_ROLES, words)}
    (acts,) = connection.execute(_ACTS, words).fetchone() or (None,)
    row = connection.execute(_PLACE, words).fetchone() or (False, False, [], False, False)
    owner_exists, left_behind, schemas, covered, ours = row
    relations = [] if covered else connection.execute(_RELATIONS, words).fetchall()
    listed = [(str(schema), str(name), bool(is_sequence)) for schema, name, is_sequence in relations]
    return SetupFound(roles, owner_exists, left_behind, schemas, covered, ours, listed, acts is True)


def damages(found: SetupFound, want: TenantSetupInputs) -> tuple[str, ...]:
    """What does not hold, in words; empty when all does."""
    problems = [] if found.covered else ["tables made later are not the access roles' to read"]
    if found.left_behind:
        problems.append(f"role {want.migrator} of a migration that was cut off is left")
    for kind, name in want.roles.items():
        role = found.roles[name]
        if not role.exists:
            problems.append(f"role {name} is missing")
            continue
        checks = {
            "does not carry the mark": mark_in(role.comment) != want.mark,
            "may log in although it is to be blocked": want.blocked and role.can_login,
            "may not log in": not want.blocked and not role.can_login,
            HAS_SESSIONS: not role.can_login and bool(role.sessions),
            "has another connection limit": role.connection_limit != CONNECTION_LIMIT,
            "may more than it should": role.may_too_much,
            "has a password that expires": role.expires,
            "has other session defaults": not role.settings_are_right,
            "may not connect": not role.may_connect,
            "may not use the schema": not role.uses_schemas,
            "is a member of other roles than it should be": set(role.memberships) != set(memberships(want, kind)),
        }
        problems += [f"role {name} {what}" for what, is_so in checks.items() if is_so]
    return tuple(problems)


def memberships(want: TenantSetupInputs, kind: str) -> tuple[str, ...]:
    """The roles that an access role is a member of."""
    others = tuple(want.roles[each] for each in KINDS if each != OWNER) if kind == OWNER else ()
    return ((want.owner,) if kind in ACTING else ()) + others


def statements(
    want: TenantSetupInputs, found: SetupFound, verifiers: Mapping[str, str], *, version: int
) -> sql.Composed:
    """The whole change as one script; harmless where all is well. `verifiers` are the passwords', by kind."""
    script = [part for kind in KINDS for part in _role(want, found, kind, verifiers[kind], version)]
    for kind, (on_tables, on_sequences) in _RIGHTS.items():
        words = {
            "role": sql.Identifier(want.roles[kind]),
            "roles": sql.SQL(", ").join([sql.Identifier(want.owner), sql.Identifier(want.login)]),
            "schemas": sql.SQL(", ").join(map(sql.Identifier, found.schemas)),
            "auth": sql.Identifier(AUTH_SCHEMA),
            "extensions": sql.Identifier(EXTENSIONS_SCHEMA),
            "on_tables": sql.SQL(on_tables),
            "on_sequences": sql.SQL(on_sequences),
        }
        script += [sql.SQL(step).format(**words) for step in (*_AUTH, *(_READING if found.schemas else ()))]
        if found.extensions_are_ours:
            script.append(sql.SQL("GRANT USAGE ON SCHEMA {extensions} TO {role}").format(**words))
        script += [_grant(kind, words, relation) for relation in found.relations]
    return sql.SQL("; ").join(script)


_ROLE = (
    # Blocking comes first: nothing else may delay it.
    (
        "ALTER ROLE {role} {can_login} NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {connection_limit}"
        " VALID UNTIL 'infinity' PASSWORD {verifier}"
    ),
    "GRANT {role} TO CURRENT_USER {options}",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "ALTER ROLE {role} RESET ALL",
    "ALTER ROLE {role} IN DATABASE {database} RESET ALL",
    "ALTER ROLE {role} SET search_path = {schema}, {extensions}",
    "ALTER ROLE {role} SET statement_timeout = {statement_timeout}",
    "ALTER ROLE {role} SET idle_in_transaction_session_timeout = {idle}",
)
_AUTH = ("GRANT USAGE ON SCHEMA {auth} TO {role}", "GRANT EXECUTE ON FUNCTION {auth}.uid() TO {role}")
_READING = (
    "GRANT USAGE ON SCHEMA {schemas} TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {roles} IN SCHEMA {schemas} GRANT {on_tables} ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {roles} IN SCHEMA {schemas} GRANT {on_sequences} ON SEQUENCES TO {role}",
)


def _role(want: TenantSetupInputs, found: SetupFound, kind: str, verifier: str, version: int) -> Iterator[sql.Composed]:
    role = found.roles[want.roles[kind]]
    words = {
        "role": sql.Identifier(role.name),
        "owner": sql.Identifier(want.owner),
        "database": sql.Identifier(want.database),
        "schema": sql.Identifier(want.schema_name),
        "extensions": sql.Identifier(EXTENSIONS_SCHEMA),
        "can_login": sql.SQL("NOLOGIN" if want.blocked else "LOGIN"),
        "connection_limit": sql.Literal(CONNECTION_LIMIT),
        "statement_timeout": sql.Literal(STATEMENT_TIMEOUT_MS),
        "idle": sql.Literal(IDLE_IN_TRANSACTION_MS),
        "verifier": sql.Literal(verifier),
        "mark": sql.Literal(want.mark),
        "options": membership_options(version),
        "acting": sql.SQL("WITH INHERIT FALSE, SET TRUE" if version >= OPTIONS_SINCE else ""),
        "giving": sql.SQL(
            "WITH ADMIN TRUE, INHERIT FALSE, SET TRUE" if version >= OPTIONS_SINCE else "WITH ADMIN OPTION"
        ),
    }
    if not role.exists:
        yield sql.SQL("CREATE ROLE {role} NOLOGIN").format(**words)
    yield from (sql.SQL(step).format(**words) for step in _ROLE)
    if kind in ACTING:
        yield sql.SQL("ALTER ROLE {role} SET role = {owner}; GRANT {owner} TO {role} {acting}").format(**words)
    wanted = memberships(want, kind)
    for other in wanted:
        if other != want.owner:
            yield sql.SQL("GRANT {other} TO {role} {giving}").format(other=sql.Identifier(other), **words)
    for other in set(role.memberships) - set(wanted):
        yield sql.SQL("REVOKE {other} FROM {role}").format(other=sql.Identifier(other), **words)
    if mark_in(role.comment) != want.mark:
        yield sql.SQL("COMMENT ON ROLE {role} IS {mark}").format(**words)


def _grant(kind: str, words: Mapping[str, sql.Composable], relation: tuple[str, str, bool]) -> sql.Composed:
    """The rights on what is there already; the ledger is nobody's to write but the owner role's."""
    schema, name, is_sequence = relation
    on = "{on_sequences} ON SEQUENCE" if is_sequence else "{on_tables} ON TABLE"
    if name == LEDGER and kind == DEVELOPER:
        on = "SELECT ON TABLE"
    return sql.SQL(f"GRANT {on} {{relation}} TO {{role}}").format(relation=sql.Identifier(schema, name), **words)
