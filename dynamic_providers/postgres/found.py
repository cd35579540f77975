"""A look at one tenant in a database: what is there, and what of the layout is damaged. It only reads catalogues."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from dynamic_providers.marks import mark_in
from dynamic_providers.postgres.auth_uid import UID_BODY
from dynamic_providers.postgres.inputs import IDLE_IN_TRANSACTION_MS, TenantSchemaInputs
from dynamic_providers.postgres.names import AUTH_SCHEMA, EXTENSIONS_SCHEMA, STORAGE_SCHEMA


@dataclass(frozen=True)
class Found:
    """What one look saw. None stands for an absent object, an empty comment, or a setting that is not made."""

    schema_owner: str | None
    schema_comment: str | None
    public_exists: bool
    owner_exists: bool
    owner_comment: str | None
    login_exists: bool
    login_comment: str | None
    can_login: bool | None
    sessions: int
    connection_limit: int | None
    statement_timeout: str | None
    extensions: list[str]
    misplaced_extensions: list[str]
    extensions_owner: str | None
    auth_owner: str | None
    uid_exists: bool
    uid_is_right: bool
    uid_comment: str | None
    storage_owner: str | None
    foreign_roles: list[str]
    admin: str
    admin_acts_for_login: bool
    problems: list[str]

    def is_absent(self, *, dedicated: bool) -> bool:
        """Whether nothing of the tenant is there; schema `public` of a dedicated database is not the tenant's."""
        return (dedicated or self.schema_owner is None) and not self.owner_exists and not self.login_exists


# `tenant` has one row: the numbers of the tenant's objects, NULL for an absent one. A setting made for this database
# outranks the one made for all.
_LOOK = """
WITH tenant AS (
    SELECT
        (SELECT oid FROM pg_database WHERE datname = current_database()) AS database,
        (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s) AS schema,
        (SELECT oid FROM pg_namespace WHERE nspname = 'public') AS public,
        (SELECT oid FROM pg_namespace WHERE nspname = %(extensions_schema)s) AS extensions,
        (SELECT oid FROM pg_namespace WHERE nspname = %(auth_schema)s) AS auth,
        (SELECT oid FROM pg_namespace WHERE nspname = %(storage_schema)s) AS storage,
        (SELECT oid FROM pg_proc WHERE proname = 'uid' AND pronargs = 0
         AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(auth_schema)s)) AS uid,
        (SELECT oid FROM pg_roles WHERE rolname = %(owner)s) AS owner,
        (SELECT oid FROM pg_roles WHERE rolname = %(login)s) AS login
), setting AS (
    SELECT DISTINCT ON (name) split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
    FROM tenant, pg_db_role_setting, unnest(setconfig) AS entry
    WHERE setrole = login AND setdatabase IN (0, database)
    ORDER BY name, setdatabase DESC
), uid_function AS (
    SELECT prosrc = %(uid_body)s AND provolatile = 's' AND NOT prosecdef AND proconfig IS NULL
        AND prorettype = 'uuid'::regtype AND pg_get_userbyid(proowner) = current_user AS is_right
    FROM tenant JOIN pg_proc ON pg_proc.oid = uid
), membership AS (
    SELECT roleid, member, to_jsonb(m) AS options FROM tenant, pg_auth_members AS m WHERE member IN (owner, login)
)
SELECT
    (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid = schema) AS schema_owner,
    obj_description(schema, 'pg_namespace') AS schema_comment,
    public IS NOT NULL AS public_exists,
    owner IS NOT NULL AS owner_exists,
    shobj_description(owner, 'pg_authid') AS owner_comment,
    login IS NOT NULL AS login_exists,
    shobj_description(login, 'pg_authid') AS login_comment,
    (SELECT rolcanlogin FROM pg_roles WHERE oid = login) AS can_login,
    (SELECT count(*) FROM pg_stat_activity WHERE usesysid = login) AS sessions,
    (SELECT rolconnlimit FROM pg_roles WHERE oid = login) AS connection_limit,
    (SELECT value FROM setting WHERE name = 'statement_timeout') AS statement_timeout,
    ARRAY(SELECT extname::text FROM pg_extension
          WHERE extnamespace = extensions OR extnamespace = 'pg_catalog'::regnamespace) AS extensions,
    ARRAY(SELECT extname::text FROM pg_extension
          WHERE extnamespace IS DISTINCT FROM extensions AND extnamespace <> 'pg_catalog'::regnamespace
          AND extname = ANY (%(extensions)s)) AS misplaced_extensions,
    (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid = extensions) AS extensions_owner,
    (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid = auth) AS auth_owner,
    uid IS NOT NULL AS uid_exists,
    coalesce((SELECT is_right FROM uid_function), false) AS uid_is_right,
    obj_description(uid, 'pg_proc') AS uid_comment,
    (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid = storage) AS storage_owner,
    ARRAY(SELECT DISTINCT pg_get_userbyid(roleid)::text FROM membership
          WHERE NOT (roleid = owner AND member = login)) AS foreign_roles,
    current_user::text AS admin,
    coalesce(pg_has_role(login, 'USAGE'), false) AS admin_acts_for_login,
    ARRAY(SELECT problem FROM (VALUES
        ('the owner role is missing', owner IS NULL),
        ('the login role is missing', login IS NULL),
        ('the schema belongs to another role',
            schema <> public IS NOT FALSE AND (SELECT nspowner FROM pg_namespace WHERE oid = schema) <> owner),
        ('the owner role can log in', (SELECT rolcanlogin FROM pg_roles WHERE oid = owner)),
        ('a role may more than it should',
            (SELECT bool_or(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
             FROM pg_roles WHERE oid IN (owner, login))),
        ('the login role does not inherit', (SELECT NOT rolinherit FROM pg_roles WHERE oid = login)),
        ('the password expires', (SELECT rolvaliduntil < 'infinity' FROM pg_roles WHERE oid = login)),
        ('the login role is no full member of the owner role',
            NOT EXISTS (SELECT FROM membership WHERE roleid = owner AND member = login
                        AND coalesce((options ->> 'inherit_option')::bool AND (options ->> 'set_option')::bool, true))),
        ('the tenant is a member of a foreign role',
            EXISTS (SELECT FROM membership WHERE NOT (roleid = owner AND member = login))),
        ('the admin cannot act for the tenant', NOT (pg_has_role(owner, 'USAGE') AND pg_has_role(login, 'USAGE'))),
        ('sessions do not run as the owner role',
            (SELECT value FROM setting WHERE name = 'role') IS DISTINCT FROM %(owner)s),
        ('search_path is not the schema',
            (SELECT value FROM setting WHERE name = 'search_path')
            IS DISTINCT FROM quote_ident(%(schema)s) || ', ' || quote_ident(%(extensions_schema)s)),
        ('idle transactions do not end',
            (SELECT value FROM setting WHERE name = 'idle_in_transaction_session_timeout') IS DISTINCT FROM %(idle)s),
        ('PUBLIC has rights on the database',
            has_database_privilege('public', database, 'CONNECT, TEMPORARY, CREATE')),
        ('PUBLIC has rights on schema public', has_schema_privilege('public', public, 'USAGE, CREATE')),
        ('PUBLIC has rights on the schema', has_schema_privilege('public', schema, 'USAGE, CREATE')),
        ('PUBLIC has rights on the extensions', has_schema_privilege('public', extensions, 'USAGE, CREATE')),
        ('the login role may not connect', NOT has_database_privilege(login, database, 'CONNECT')),
        ('the tenant may make no temporary tables', NOT has_database_privilege(owner, database, 'TEMPORARY')),
        ('the tenant may make schemas',
            has_database_privilege(login, database, 'CREATE') OR has_database_privilege(owner, database, 'CREATE')),
        ('the tenant may not use its schema',
            NOT (has_schema_privilege(owner, schema, 'USAGE') AND has_schema_privilege(owner, schema, 'CREATE'))),
        ('the tenant has rights on schema public',
            schema IS DISTINCT FROM public AND (has_schema_privilege(login, public, 'USAGE, CREATE')
                                                OR has_schema_privilege(owner, public, 'USAGE, CREATE'))),
        ('the tenant may not use the extensions',
            cardinality(%(extensions)s::text[]) > 0 AND NOT has_schema_privilege(owner, extensions, 'USAGE')),
        ('the tenant may change the extensions',
            has_schema_privilege(login, extensions, 'CREATE') OR has_schema_privilege(owner, extensions, 'CREATE')),
        ('auth.uid() is missing', uid IS NULL),
        ('auth.uid() is another function', NOT (SELECT is_right FROM uid_function)),
        ('schema auth belongs to another role',
            (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid = auth) <> current_user),
        ('PUBLIC has rights on auth.uid()',
            has_schema_privilege('public', auth, 'USAGE, CREATE') OR has_function_privilege('public', uid, 'EXECUTE')),
        ('the tenant may not call auth.uid()',
            NOT (has_schema_privilege(owner, auth, 'USAGE') AND has_function_privilege(owner, uid, 'EXECUTE'))),
        ('the tenant may change schema auth',
            has_schema_privilege(login, auth, 'CREATE') OR has_schema_privilege(owner, auth, 'CREATE')),
        ('schema storage is missing', schema = public AND storage IS NULL),
        ('schema storage belongs to another role',
            schema = public AND (SELECT nspowner FROM pg_namespace WHERE oid = storage) <> owner),
        ('PUBLIC has rights on schema storage',
            schema = public AND has_schema_privilege('public', storage, 'USAGE, CREATE'))
    ) AS checks (problem, is_so) WHERE is_so) AS problems
FROM tenant
"""


def look(connection: psycopg.Connection, tenant: TenantSchemaInputs) -> Found:
    """What is there under the tenant's names."""
    with connection.cursor(row_factory=class_row(Found)) as cursor:
        found = cursor.execute(_LOOK, _parameters(tenant)).fetchone()
    if found is None:
        raise AssertionError("a query of one row answered none")
    return found


def damages(found: Found, tenant: TenantSchemaInputs) -> tuple[str, ...]:
    """What of the layout does not hold, in words; empty when all does."""
    marked = {"owner role": found.owner_comment, "login role": found.login_comment}
    if not tenant.dedicated:
        marked["schema"] = found.schema_comment
    unmarked = (f"the {name} does not carry the mark" for name, text in marked.items() if mark_in(text) != tenant.mark)
    return (*found.problems, *unmarked)


def _parameters(tenant: TenantSchemaInputs) -> dict[str, str | list[str]]:
    return {
        "schema": tenant.schema_name,
        "owner": tenant.owner,
        "login": tenant.login,
        "extensions": list(tenant.extensions),
        "extensions_schema": EXTENSIONS_SCHEMA,
        "auth_schema": AUTH_SCHEMA,
        "storage_schema": STORAGE_SCHEMA,
        "uid_body": UID_BODY,
        "idle": str(IDLE_IN_TRANSACTION_MS),
    }
