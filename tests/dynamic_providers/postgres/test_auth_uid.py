"""`auth.uid()` is in every database with tenants, for them to call and for nobody but the admin to change."""

from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from dynamic_providers.postgres.connection import PostgresError
from dynamic_providers.postgres.inputs import LAYOUT
from tests.dynamic_providers.postgres.place import Place, one

SOMEBODY = "6f1c2a9e-5d0b-4c1e-9a57-0d4f8b3e2a11"
CHANGES = (
    "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "ALTER FUNCTION auth.uid() OWNER TO c_acme_owner",
    "ALTER FUNCTION auth.uid() RENAME TO other",
    "ALTER FUNCTION auth.uid() SET search_path = c_acme",
    "DROP FUNCTION auth.uid()",
    "CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE auth.users ()",
    "ALTER SCHEMA auth RENAME TO other",
    "DROP SCHEMA auth CASCADE",
    "COMMENT ON FUNCTION auth.uid() IS 'mine'",
)


def test_it_answers_the_setting_and_nobody_without_one(place: Place) -> None:
    """B12, G23: unset and empty are nobody; what is no uuid is an error and not an empty answer."""
    with place.connect(place.create("acme")) as session:
        assert one(session, "SELECT auth.uid()") == (None,)
        session.execute("SELECT set_config('app.user_id', '', false)")
        assert one(session, "SELECT auth.uid()") == (None,)
        with session.transaction():
            session.execute("SELECT set_config('app.user_id', %s, true)", [SOMEBODY])
            assert one(session, "SELECT auth.uid()") == (UUID(SOMEBODY),)
        assert one(session, "SELECT auth.uid()") == (None,)
        session.execute("SET app.user_id = 'nobody in particular'")
        with pytest.raises(errors.InvalidTextRepresentation):
            session.execute("SELECT auth.uid()")


def test_a_search_path_puts_nothing_in_its_place_and_a_policy_pays_no_call(place: Place) -> None:
    """G23: the tenant's own `current_setting` and operators are found first by everything but `auth.uid()`."""
    with place.connect(place.create("acme")) as session:
        session.execute(
            "CREATE FUNCTION current_setting(text, bool) RETURNS text LANGUAGE sql AS $$SELECT 'stolen'$$;"
            "CREATE FUNCTION never(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';"
            "CREATE OPERATOR <> (FUNCTION = never, LEFTARG = text, RIGHTARG = text);"
            "CREATE DOMAIN uuid AS text; SET search_path = c_acme, pg_catalog;"
        )
        session.execute("SELECT set_config('app.user_id', %s, false)", [SOMEBODY])
        assert one(session, "SELECT current_setting('app.user_id', true), 'a' <> 'b'") == ("stolen", False)
        assert one(session, "SELECT auth.uid()") == (UUID(SOMEBODY),)
        plan = "\n".join(row[0] for row in session.execute("EXPLAIN SELECT FROM pg_class WHERE auth.uid() IS NULL"))
        assert "current_setting" in plan
        assert "uid()" not in plan


def test_a_tenant_calls_it_and_changes_nothing_of_it(place: Place) -> None:
    """G23: as the owner role and as the login role itself; a grant by one who may not give is only a warning."""
    made, other = place.create("acme"), place.create("beta")
    with place.connect(made) as session, place.connect(other) as neighbour:
        for role in ("RESET ROLE", "SET ROLE NONE"):
            session.execute(role.encode())
            for change in CHANGES:
                with pytest.raises(errors.InsufficientPrivilege):
                    session.execute(change.encode())
            session.execute("GRANT EXECUTE ON FUNCTION auth.uid() TO PUBLIC; GRANT USAGE ON SCHEMA auth TO PUBLIC")
        assert one(neighbour, "SELECT auth.uid()") == (None,)
    assert place.read(made) == place.props("acme")
    with place.superuser() as session:
        allowed = "SELECT has_function_privilege('public', 'auth.uid()', 'EXECUTE')"
        assert one(session, allowed) == (False,)
        session.execute("CREATE ROLE c_stranger; GRANT CONNECT ON DATABASE main TO c_stranger; SET ROLE c_stranger")
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute("SELECT auth.uid()")


def test_a_schema_or_function_of_that_name_that_is_not_ours_is_one_sentence(place: Place) -> None:
    """G23: nothing of another's is replaced, and nothing of the tenant is half made."""
    with place.superuser() as session:
        session.execute("CREATE SCHEMA auth")
    with pytest.raises(PostgresError, match=r"schema auth belongs to postgres.*rename it, or give it to admin"):
        place.create("acme")
    with place.superuser() as session:
        session.execute("DROP SCHEMA auth")
    with place.admin() as session:
        session.execute(
            "CREATE SCHEMA auth; CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'"
        )
    with pytest.raises(PostgresError, match=r"auth.uid\(\) that tenantry has not made"):
        place.create("acme")
    assert place.tenant_roles() == []
    with place.admin() as session:
        session.execute("ALTER FUNCTION auth.uid() RENAME TO theirs")
    assert place.read(place.create("acme")) == place.props("acme")


def test_schema_storage_is_a_dedicated_tenants_own_and_no_shared_database_has_it(place: Place) -> None:
    """B12: on a shared database the name could be only one tenant's."""
    place.create("acme")
    with place.superuser() as session:
        assert one(session, "SELECT to_regnamespace('storage')") == (None,)
        session.execute("DROP DATABASE IF EXISTS solo WITH (FORCE)")
    place.server.create_database("solo", "admin")
    made = place.create("solo", database="solo", schema_name="public")
    with psycopg.connect(
        host="127.0.0.1", port=place.port, dbname="solo", user="c_solo", password=made.outs["password"], autocommit=True
    ) as session:
        session.execute("CREATE TABLE storage.objects (id int)")
        assert one(session, "SELECT auth.uid(), tableowner FROM pg_tables WHERE tablename = 'objects'") == (
            None,
            "c_solo_owner",
        )
        session.execute("DROP SCHEMA storage CASCADE")
    damaged = place.refresh(made)
    assert damaged.outs["layout"] == "damaged: schema storage is missing"
    mended = place.update(damaged, "solo", database="solo", schema_name="public")
    assert mended.outs["layout"] == LAYOUT
    place.delete(mended)
    with place.superuser("solo") as session:
        assert one(session, "SELECT to_regnamespace('storage'), to_regnamespace('auth') IS NOT NULL") == (None, True)
    place.server.drop_database("solo")
