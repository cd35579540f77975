"""What is set up in a tenant's schema goes through archives and moves: rows, policies, ledger, and nobody's rights."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from dynamic_providers.postgres.inputs import LAYOUT
from lifecycle.dump import about
from lifecycle.errors import DataError
from lifecycle.load import load
from lifecycle.programs import Programs
from lifecycle.transfer import compared, transfer
from sandbox.postgres import Binaries, PostgresServer
from tests.dynamic_providers.postgres.place import (
    ADMIN,
    ADMIN_PASSWORD,
    DATABASE,
    Made,
    Place,
    configured_provider,
    one,
)
from tests.dynamic_providers.postgres.setups import Setups
from tests.lifecycle.test_dump import dumped, loaded, place_of

ANNA = UUID(int=1)
ROWS = """
ALTER TABLE profiles NO FORCE ROW LEVEL SECURITY; ALTER TABLE projects NO FORCE ROW LEVEL SECURITY;
INSERT INTO profiles (id, email) SELECT ('00000000-0000-0000-0000-' || lpad(g::text, 12, '0'))::uuid, g || '@x'
    FROM generate_series(1, 300) AS g;
INSERT INTO projects (name, owner_id) SELECT 'p' || email, id FROM profiles;
ALTER TABLE profiles FORCE ROW LEVEL SECURITY; ALTER TABLE projects FORCE ROW LEVEL SECURITY
"""
APPLIED = "SELECT max(applied_at)::text, count(*) FROM {}.schema_migrations"
POLICIES = """
SELECT tablename::text, policyname::text, cmd, qual, with_check FROM pg_policies WHERE schemaname = %s ORDER BY 1, 2
"""


@pytest.fixture
def setups(place: Place) -> Setups:
    """A tenant on a shared database, set up and with rows under its policies."""
    tenant = place.create("acme")
    setups = Setups(place)
    setups.create("acme")
    with place.connect(tenant) as session:
        session.execute(ROWS)
    return setups


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A second cluster."""
    running = PostgresServer(tmp_path_factory.mktemp("elsewhere"), Binaries.best(), durable=False)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def elsewhere(server: PostgresServer) -> Iterator[Place]:
    """The database on it that is to be a tenant's own."""
    server.create_admin(ADMIN, ADMIN_PASSWORD)
    server.create_database(DATABASE, ADMIN)
    port = int(str(conninfo_to_dict(server.superuser_dsn)["port"]))
    found = Place(server, port, configured_provider(), server.superuser_dsn)
    yield found
    server.drop_database(DATABASE)
    with found.superuser("postgres") as session:
        for role in [*found.tenant_roles(), ADMIN]:
            session.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))


@pytest.fixture
def solo(elsewhere: Place) -> Made:
    """The coming generation of the same tenant in a database of its own: nothing is set up in it yet."""
    return elsewhere.create("acme", schema_name="public")


def test_a_backup_of_a_set_up_tenant_comes_back_with_rows_policies_ledger_and_rights(
    setups: Setups, programs: Programs
) -> None:
    """A50, B15: a restore beside the same roles leaves nothing to be repaired."""
    here = place_of(setups.place, "acme")
    archive = dumped(here, programs)
    assert [table.name for table in about(archive).forced] == ["profiles", "projects"]
    with setups.place.admin() as session:
        session.execute("SET ROLE c_acme_owner; DROP TABLE c_acme.projects; DELETE FROM c_acme.schema_migrations")
    result = loaded(here, archive, programs)
    assert result.notes == ()
    assert result.about.contents.tables["profiles"].rows == 300
    made = Made("c_acme", setups.props("acme"))
    assert setups.read(made) == setups.props("acme")
    with setups.connect(made, "developer") as session:
        session.execute("SELECT set_config('app.user_id', %s, false)", [str(ANNA)])
        assert one(session, "SELECT email, (SELECT count(*) FROM projects) FROM profiles") == ("1@x", 1)


def test_a_tenant_moves_to_a_database_of_its_own_and_back_with_its_policies(
    setups: Setups, elsewhere: Place, solo: Made, programs: Programs
) -> None:
    """F18, G23: c_acme → public → c_acme; the migrations find the ledger that came along and make the access roles."""
    place, there = setups.place, Setups(elsewhere)
    source, target = place_of(place, "acme"), place_of(elsewhere, "acme", schema="public")
    assert transfer(source, target, programs) == ()
    assert compared(source, target) == []
    assert elsewhere.read(solo)["layout"] == LAYOUT
    with place.superuser() as before, elsewhere.superuser() as after:
        ledger = one(after, APPLIED.format("public"))
        assert ledger == one(before, APPLIED.format("c_acme"))
        policies = before.execute(POLICIES, ["c_acme"]).fetchall()
        assert after.execute(POLICIES, ["public"]).fetchall() == policies
        made = there.create("acme", schema_name="public", mark="tenantry:prod:acme-setup-2")
        assert one(after, APPLIED.format("public")) == ledger
    with there.connect(made, "viewer") as session:
        assert one(session, "SELECT count(*) FROM profiles") == (0,)
        session.execute("SELECT set_config('app.user_id', %s, false)", [str(ANNA)])
        assert one(session, "SELECT count(*), (SELECT count(*) FROM projects) FROM profiles") == (1, 1)
    first = Made("c_acme", setups.props("acme"))
    setups.delete(first)
    assert transfer(target, source, programs) == ()
    with place.superuser() as session:
        assert session.execute(POLICIES, ["c_acme"]).fetchall() == policies
        assert one(session, APPLIED.format("c_acme")) == ledger
    setups.create("acme")
    assert setups.read(first) == setups.props("acme")
    assert there.read(made) == there.props("acme", schema_name="public", mark="tenantry:prod:acme-setup-2")


def test_a_copy_that_would_lose_what_is_in_schema_storage_is_refused_and_a_backup_tells_it(
    setups: Setups, elsewhere: Place, solo: Made, programs: Programs
) -> None:
    """B12, H6: on a shared database there is no place for it."""
    source = place_of(elsewhere, "acme", schema="public")
    assert about(dumped(source, programs)).left_out == ()
    with elsewhere.superuser() as session:
        session.execute("SET ROLE c_acme_owner; CREATE TABLE storage.objects (id serial PRIMARY KEY)")
        session.execute("CREATE TYPE storage.kind AS ENUM ('file')")
    archive = dumped(source, programs)
    assert about(archive).left_out == ("3 objects in schema storage",)
    with pytest.raises(DataError, match="has 3 objects in schema storage, which a copy does not hold"):
        transfer(source, place_of(setups.place, "acme"), programs)
    assert load(source, archive, programs, keep_as="kept").about.contents.rows == 0
    with elsewhere.superuser() as session:
        assert one(session, "SELECT count(*) FROM storage.objects") == (0,)
    assert elsewhere.read(solo)["layout"] == LAYOUT
