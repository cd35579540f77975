"""Queries that list what is granted to a session's login, to a role it could take, or to everybody (PUBLIC).

Each row is a text that names an object, a right and its holder. `{roles}` are the roles of the tenant whose objects are
looked at, `{schema_name}` is its schema. What belongs to an extension is the extension's business. A right that is
out of reach for now, on a table in a closed schema, is listed too: it would be there when the schema is opened.
"""

from typing import LiteralString

TABLES: LiteralString = """
SELECT DISTINCT format('%s to %s on %s %I.%I', right_of.privilege_type,
    coalesce(pg_get_userbyid(nullif(right_of.grantee, 0)), 'PUBLIC'),
    CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, LATERAL (
    SELECT coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) AS acl
    UNION ALL
    SELECT attacl FROM pg_attribute WHERE attrelid = pg_class.oid AND attacl IS NOT NULL
) AS lists, aclexplode(acl) AS right_of
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
AND (nspname = {schema_name} OR pg_get_userbyid(relowner) = ANY ({roles}::text[]))
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
AND (right_of.grantee = 0 OR pg_has_role(session_user, right_of.grantee, 'MEMBER'))
"""

SCHEMAS: LiteralString = """
SELECT format('%s to %s on schema %I', right_of.privilege_type,
    coalesce(pg_get_userbyid(nullif(right_of.grantee, 0)), 'PUBLIC'), nspname)
FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS right_of
WHERE (nspname = {schema_name} OR pg_get_userbyid(nspowner) = ANY ({roles}::text[]))
AND (right_of.grantee = 0 OR pg_has_role(session_user, right_of.grantee, 'MEMBER'))
"""

# A function is made with EXECUTE for PUBLIC, so it takes its schema's door to reach it.
FUNCTIONS: LiteralString = """
SELECT format('EXECUTE on %s%I.%I', CASE WHEN prosecdef THEN 'SECURITY DEFINER ' ELSE '' END, nspname, proname)
FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE (nspname = {schema_name} OR pg_get_userbyid(proowner) = ANY ({roles}::text[]))
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
AND has_schema_privilege(session_user, pronamespace, 'USAGE')
AND has_function_privilege(session_user, pg_proc.oid, 'EXECUTE')
"""

LARGE_OBJECTS: LiteralString = """
SELECT format('%s to %s on large object %s', right_of.privilege_type,
    coalesce(pg_get_userbyid(nullif(right_of.grantee, 0)), 'PUBLIC'), large.oid)
FROM pg_largeobject_metadata AS large, aclexplode(coalesce(lomacl, acldefault('L', lomowner))) AS right_of
WHERE pg_get_userbyid(lomowner) = ANY ({roles}::text[])
AND (right_of.grantee = 0 OR pg_has_role(session_user, right_of.grantee, 'MEMBER'))
"""

# A full list of rights on functions and types repeats what PUBLIC has from the server.
DEFAULTS: LiteralString = """
SELECT format('%s to %s on what %s makes', right_of.privilege_type,
    coalesce(pg_get_userbyid(nullif(right_of.grantee, 0)), 'PUBLIC'), pg_get_userbyid(defaclrole))
FROM pg_default_acl, aclexplode(defaclacl) AS right_of
WHERE (pg_get_userbyid(defaclrole) = ANY ({roles}::text[])
       OR defaclnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {schema_name}))
AND (right_of.grantee = 0 OR pg_has_role(session_user, right_of.grantee, 'MEMBER'))
AND NOT (right_of.grantee = 0 AND defaclnamespace = 0 AND defaclobjtype IN ('f', 'T'))
"""

# Who shares a database with others has rights of its own on it, so here only PUBLIC's and the other's own count.
DATABASE: LiteralString = """
SELECT format('%s to %s on database %I', right_of.privilege_type,
    coalesce(pg_get_userbyid(nullif(right_of.grantee, 0)), 'PUBLIC'), datname)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS right_of
WHERE datname = {database_name} AND (right_of.grantee = 0
    OR pg_get_userbyid(right_of.grantee) = ANY ({roles}::text[])
       AND pg_has_role(session_user, right_of.grantee, 'MEMBER'))
"""

# Both are asked where a tenant is at home and in the databases of its server that are nobody's.
PLACES: LiteralString = """
SELECT format('schema %I', nspname) FROM pg_namespace
WHERE has_schema_privilege(session_user, oid, 'CREATE') AND nspname !~ '^pg_(temp|toast)'
UNION ALL
SELECT format('database %I', current_database())
WHERE has_database_privilege(session_user, current_database(), 'CREATE')
"""

TRACES: LiteralString = """
SELECT format('table %I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_get_userbyid(relowner) = ANY ({others}::text[]) AND relkind IN ('r', 'p', 'v', 'm')
AND has_schema_privilege(session_user, relnamespace, 'USAGE')
AND has_table_privilege(session_user, pg_class.oid, 'SELECT')
UNION ALL
SELECT format('large object %s', large.oid)
FROM pg_largeobject_metadata AS large, aclexplode(coalesce(lomacl, acldefault('L', lomowner))) AS right_of
WHERE pg_get_userbyid(lomowner) = ANY ({others}::text[]) AND right_of.privilege_type = 'SELECT'
AND (right_of.grantee = 0 OR pg_has_role(session_user, right_of.grantee, 'MEMBER'))
"""

# What follows looks at the session's own place: at the doors that could lead out of it, or that it leaves open itself.

MEMBERSHIPS: LiteralString = """
SELECT rolname::text FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER') AND rolname <> ALL ({roles}::text[])
"""

MEMBERSHIPS_OF_ITS_OWN: LiteralString = """
SELECT rolname::text FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER') AND rolname = ANY ({roles}::text[])
"""

POWERS: LiteralString = """
SELECT rolname::text FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')
AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
"""

# Row security of a table is not for its owner, so whoever logs in as the tenant would see all rows.
UNFORCED: LiteralString = """
SELECT format('table %I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid) AND NOT (relrowsecurity AND relforcerowsecurity)
AND (nspname = {schema_name} OR pg_get_userbyid(relowner) = ANY ({roles}::text[]))
"""

# Those of other tenants are found with the rights on their functions.
DEFINERS: LiteralString = """
SELECT format('function %I.%I of %s', nspname, proname, pg_get_userbyid(proowner))
FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE prosecdef AND nspname NOT IN ('pg_catalog', 'information_schema')
AND pg_get_userbyid(proowner) <> ALL ({roles}::text[]) AND pg_get_userbyid(proowner) <> ALL ({others}::text[])
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
AND has_schema_privilege(session_user, pronamespace, 'USAGE')
AND has_function_privilege(session_user, pg_proc.oid, 'EXECUTE')
"""

DEFINERS_OF_ITS_OWN: LiteralString = """
SELECT proname::text FROM pg_proc WHERE prosecdef AND pg_get_userbyid(proowner) = ANY ({roles}::text[])
AND has_schema_privilege(session_user, pronamespace, 'USAGE')
AND has_function_privilege(session_user, pg_proc.oid, 'EXECUTE')
"""
