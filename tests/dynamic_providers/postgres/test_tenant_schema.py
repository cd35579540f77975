"""The life of a tenant in a database: made, changed, removed, on every major version at hand."""

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import errors, sql

from dynamic_providers.errors import StatefulChangeError
from dynamic_providers.postgres.connection import PostgresError
from tests.dynamic_providers.postgres.place import (
    ADMIN_PASSWORD,
    DATABASE,
    Place,
    one,
)

DNS_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_a_tenant_works_in_its_schema_under_its_own_login_and_owns_nothing_by_it(place: Place) -> None:
    """A18, A33, A36, A37, A39, G7, G8, G10: schema, owner, login, limit, time-out, path, a password of its own."""
    made = place.create("acme")
    assert made.id == "c_acme"
    assert re.fullmatch("[0-9a-f]{32}", made.outs["password"])
    with place.connect(made) as session:
        session.execute("CREATE TABLE note (text text)")
        session.execute("INSERT INTO note VALUES ('mine')")
        assert one(session, "SELECT * FROM note") == ("mine",)
        assert one(session, "SELECT current_user, session_user") == ("c_acme_owner", "c_acme")
        assert one(session, "SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'note'") == (
            "c_acme",
            "c_acme_owner",
        )
        assert one(session, "SHOW statement_timeout") == ("30s",)
        session.execute("CREATE TEMPORARY TABLE scratch ()")
        with place.connect(made), place.connect(made), pytest.raises(psycopg.OperationalError):
            place.connect(made)


def test_without_options_in_its_url_a_session_still_finds_its_schema(place: Place) -> None:
    """A37: poolers drop start-up options, and reset a session between two clients."""
    made = place.create("acme")
    with psycopg.connect(
        host="127.0.0.1",
        port=place.port,
        dbname=DATABASE,
        user=made.outs["login"],
        password=made.outs["password"],
        autocommit=True,
    ) as session:
        for _ in range(2):
            assert one(session, "SELECT current_user, current_schema") == ("c_acme_owner", "c_acme")
            session.execute("DISCARD ALL")


def test_a_dedicated_tenant_lives_in_schema_public_and_leaves_it_behind(place: Place) -> None:
    """A33: `public` on a dedicated cluster."""
    made = place.create("acme", schema_name="public")
    with place.connect(made) as session:
        session.execute("CREATE TABLE note AS SELECT 1")
        assert one(session, "SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'note'") == (
            "public",
            "c_acme_owner",
        )
    assert place.read(made) == place.props("acme", schema_name="public")
    place.delete(made)
    with place.admin() as session:
        assert one(session, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == (0,)
        assert one(session, "SELECT count(*) FROM pg_namespace WHERE nspname = 'public'") == (1,)
    assert place.tenant_roles() == []


def test_extensions_of_the_plan_are_there_for_all_and_for_none_to_change(place: Place) -> None:
    if not place.has_extensions:
        pytest.skip("this build has no trusted extensions")
    made = place.create("acme", extensions=["citext", "pg_trgm", "plpgsql"])
    other = place.create("beta")
    for tenant in (made, other):
        with place.connect(tenant) as session:
            session.execute("CREATE TABLE word (text citext); INSERT INTO word VALUES ('Ab')")
            assert one(session, "SELECT text = 'aB' FROM word") == (True,)
            for forbidden in (
                "CREATE EXTENSION hstore",
                "DROP EXTENSION citext",
                "CREATE FUNCTION extensions.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            ):
                with pytest.raises(errors.InsufficientPrivilege):
                    session.execute(forbidden.encode())
    assert place.read(made) == place.props("acme", extensions=["citext", "pg_trgm", "plpgsql"])
    fewer = place.update(other, "beta", extensions=[])
    with place.connect(fewer) as session, pytest.raises(errors.UndefinedObject):
        session.execute("CREATE TABLE other (text citext)")


def test_an_extension_that_is_not_ours_to_install_is_one_sentence(place: Place) -> None:
    with pytest.raises(PostgresError, match="no_such_extension"):
        place.create("acme", extensions=["no_such_extension"])
    assert place.tenant_roles() == []
    if place.has_extensions:
        with place.admin() as session:
            session.execute("CREATE EXTENSION hstore SCHEMA public")
        with pytest.raises(PostgresError, match="hstore is installed outside of schema extensions; move it there"):
            place.create("acme", extensions=["hstore"])
        with place.superuser() as session:
            session.execute("CREATE SCHEMA extensions")
        with pytest.raises(PostgresError, match="schema extensions belongs to postgres; give it to admin"):
            place.create("acme", extensions=["citext"])


def test_delete_leaves_nothing_and_a_second_one_is_a_success(place: Place) -> None:
    """G17, G26: sessions, schema, objects and roles go; the neighbour stays."""
    made, other = place.create("acme"), place.create("beta")
    with place.connect(made) as session, place.connect(other) as neighbour:
        session.execute(
            "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id serial PRIMARY KEY, m mood);"
            "CREATE TABLE u (id int REFERENCES t); CREATE VIEW v AS SELECT * FROM t;"
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT lo_create(0);"
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"
        )
        session.execute("SET ROLE NONE; CREATE TABLE by_login AS SELECT 1; SELECT lo_create(0)")
        place.delete(made)
        assert one(neighbour, "SELECT 1") == (1,)
    place.delete(made)
    assert place.read(made)["layout"].startswith("damaged")
    assert place.tenant_roles() == ["c_beta", "c_beta_owner"]
    with place.superuser() as session:
        assert one(session, "SELECT count(*) FROM pg_largeobject_metadata") == (0,)
        assert one(session, "SELECT count(*) FROM pg_namespace WHERE nspname = 'c_acme'") == (0,)


def test_what_a_tenant_left_in_the_servers_own_databases_does_not_keep_its_roles_alive(place: Place) -> None:
    made = place.create("acme")
    with psycopg.connect(
        host="127.0.0.1", port=place.port, dbname="postgres", user="c_acme", password=made.outs["password"]
    ) as session:
        session.execute("SELECT lo_create(0)")
        session.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    place.delete(made)
    assert place.tenant_roles() == []


def test_delete_refuses_to_take_a_neighbours_data_along(place: Place) -> None:
    """H6: what another tenant built on shared tables is that tenant's."""
    made, other = place.create("acme"), place.create("beta")
    with place.connect(made) as session, place.connect(other) as neighbour:
        session.execute("CREATE TABLE t AS SELECT 1 AS n; GRANT USAGE ON SCHEMA c_acme TO c_beta_owner")
        session.execute("GRANT SELECT ON t TO c_beta_owner")
        neighbour.execute("CREATE VIEW v AS SELECT * FROM c_acme.t")
        with pytest.raises(PostgresError, match=r"view c_beta.v depends on table c_acme.t.*drop or move what"):
            place.delete(made)
        assert one(neighbour, "SELECT n FROM v") == (1,)
        neighbour.execute("DROP VIEW v")
    place.delete(made)
    assert place.tenant_roles() == ["c_beta", "c_beta_owner"]


def test_sixteen_tenants_are_made_changed_and_removed_at_once(place: Place) -> None:
    """H10: "tuple concurrently updated" never reaches anybody."""
    names = [f"t{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(place.create, names))
        assert list(pool.map(place.read, made)) == [place.props(name) for name in names]
        suspensions = [pool.submit(place.update, made[n], names[n], blocked=True) for n in range(4)]
        list(pool.map(place.delete, made[4:]))
        assert [place.read(done.result()) for done in suspensions] == [
            place.props(name, blocked=True) for name in names[:4]
        ]
    assert len(place.tenant_roles()) == 8


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenant=DNS_LABELS)
@example(tenant="user")
@example(tenant="1-0")
@example(tenant="x" * 40)
def test_any_id_makes_a_tenant_that_works_and_leaves_nothing(place: Place, tenant: str) -> None:
    made = place.create(tenant)
    assert place.read(made) == place.props(tenant)
    with place.connect(made) as session:
        assert one(session, "SELECT current_user, current_schema") == (f"c_{tenant}_owner", f"c_{tenant}")
    place.delete(made)
    assert place.tenant_roles() == []


def test_names_and_marks_are_never_part_of_the_statement(place: Place) -> None:
    names = {"schema_name": 'c_"; --', "owner": "c_'; DROP", "login": 'c_%s {x} \\ "'}
    made = place.create("acme", **names)
    assert place.read(made) == place.props("acme", **names)
    with place.connect(made) as session:
        assert one(session, "SELECT current_schema") == (names["schema_name"],)
    place.delete(made)
    assert place.tenant_roles() == []


def test_a_database_that_belongs_to_a_role_of_the_admins_serves_as_well(place: Place) -> None:
    with place.superuser() as session:
        session.execute("CREATE ROLE c_landlord; GRANT c_landlord TO admin")
        session.execute(sql.SQL("ALTER DATABASE {} OWNER TO c_landlord").format(sql.Identifier(DATABASE)))
    made = place.create("acme")
    assert place.read(made) == place.props("acme")
    place.delete(made)
    assert place.tenant_roles() == ["c_landlord"]


def test_no_password_is_in_the_servers_log_in_an_error_or_in_a_repr(place: Place) -> None:
    """A18, H3, design rule 7: the server logs every statement and sees verifiers only."""
    made = place.create("acme")
    suspended = place.update(made, "acme", blocked=True)
    back = place.update(suspended, "acme")
    with pytest.raises(PostgresError) as refused:
        place.update(back, "acme", extensions=["no_such_extension"])
    place.delete(made)
    log = place.server.log.read_text()
    said = f"{refused.value!r} {refused.getrepr()} {place.provider.__dict__}"
    assert 'ALTER ROLE "c_acme" NOLOGIN' in log
    for secret in (made.outs["password"], ADMIN_PASSWORD, "sentinel-admin-secret"):
        assert secret not in log
        assert secret not in said


@pytest.mark.parametrize("field", ["schema_name", "owner", "login"])
def test_a_move_is_never_an_update_and_never_a_replacement(place: Place, field: str) -> None:
    """Design rule 2: no I/O is needed to refuse it."""
    olds = place.props("acme") | {"password": "x"}
    news = olds | {field: "c_other"}
    diff = place.provider.diff("c_acme", olds, news)
    assert (diff.changes, diff.replaces) == (True, [])
    with pytest.raises(StatefulChangeError, match=field):
        place.provider.update("c_acme", olds, news)
    assert place.tenant_roles() == []


def test_an_edit_of_the_cluster_shows_no_change_of_its_tenants(place: Place) -> None:
    """Design rule 11."""
    olds = place.props("acme")
    news = olds | {"host": "elsewhere", "port": 1, "database": "d", "admin_login": "a", "cluster_mark": "tenantry:p:c"}
    assert not place.provider.diff("c_acme", olds, news).changes
