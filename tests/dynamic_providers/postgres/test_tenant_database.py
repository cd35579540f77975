"""A tenant's own database on a shared server: made, healed, repaired, removed, on every major version at hand."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.errors import AmbiguousMarkError, StatefulChangeError
from dynamic_providers.postgres.connection import PostgresError
from dynamic_providers.postgres.tenant_database import TenantDatabaseProvider
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_SECRET, CLUSTER_MARK, DATABASE, Made, Place, Props, one

NAME, MARK = "tenant_acme", "tenantry:prod:acme-own-database-1"
# The statements of a create, in order: whatever it was killed after is completed by the next one.
STATEMENTS = (
    f"CREATE DATABASE {NAME} ALLOW_CONNECTIONS false",
    f"COMMENT ON DATABASE {NAME} IS '{MARK}'",
    f"REVOKE ALL ON DATABASE {NAME} FROM PUBLIC",
    f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true",
)


@dataclass(frozen=True)
class Databases:
    """The server as a provider of tenants' databases sees it."""

    place: Place
    provider: TenantDatabaseProvider

    def props(self, **changes: object) -> Props:
        """Checked properties."""
        asked: Props = {
            "host": HOST,
            "port": float(self.place.port),
            "database": DATABASE,
            "admin_login": ADMIN,
            "cluster_mark": CLUSTER_MARK,
            "name": NAME,
            "mark": MARK,
        }
        checked = self.provider.check({}, asked | changes)
        assert checked.failures == []
        return checked.inputs

    def create(self, **changes: object) -> Made:
        """Make it."""
        result = self.provider.create(self.props(**changes))
        return Made(str(result.id), result.outs or {})

    def refresh(self, made: Made) -> Made | None:
        """What an engine keeps after a refresh."""
        found = self.provider.read(made.id, made.outs)
        return Made(made.id, found.outs or {}) if found.id else None

    def update(self, made: Made) -> Made:
        """What an engine does where `diff` sees a change."""
        assert self.provider.diff(made.id, made.outs, self.props()).changes
        return Made(made.id, self.provider.update(made.id, made.outs, self.props()).outs or {})

    def names(self) -> list[str]:
        """The databases of tenants."""
        with self.place.superuser() as session:
            rows = session.execute("SELECT datname FROM pg_database WHERE datname ^@ 'tenant_' ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    def as_it_should_be(self, made: Made) -> bool:
        """Whether a refresh finds nothing to mend, and a run nothing to do."""
        found = self.provider.read(made.id, made.outs)
        return found.inputs == self.props() and not self.provider.diff(made.id, found.outs or {}, self.props()).changes


@pytest.fixture
def databases(place: Place) -> Iterator[Databases]:
    provider = TenantDatabaseProvider()
    configuration = {"tenantry:adminSecret": ADMIN_SECRET, "timeweb:sslmode": "disable", "timeweb:retrySeconds": 2}
    provider.configure(ConfigureRequest(Config(configuration, "tenantry")))
    made = Databases(place, provider)
    yield made
    with place.superuser("postgres") as session:
        for name in made.names():
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        session.execute("DROP ROLE IF EXISTS stranger")


def test_a_database_is_the_admin_s_and_nobody_else_may_enter_it_or_the_server_s_own(databases: Databases) -> None:
    """B30, G24: CONNECT is revoked from PUBLIC on both."""
    made = databases.create()
    assert (made.id, made.outs) == (NAME, databases.props())
    assert databases.as_it_should_be(made)
    with databases.place.superuser("postgres") as session:
        session.execute("CREATE ROLE stranger LOGIN PASSWORD 'p'")
    for database in (NAME, DATABASE):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(host=HOST, port=databases.place.port, dbname=database, user="stranger", password="p")


def test_a_tenant_in_its_database_owns_what_it_makes_and_enters_no_other(databases: Databases) -> None:
    """B30: the same schema, roles and limits as everywhere, in `public` of the tenant's database."""
    place = databases.place
    databases.create()
    databases.create(name="tenant_beta", mark="tenantry:prod:beta-own-database-1")
    names = {"owner": "c_acme_owner", "login": "c_acme", "schema_name": "public"}
    made = place.create("acme", database=NAME, **names)
    own = {"host": HOST, "port": place.port, "user": "c_acme", "password": made.outs["password"]}
    with psycopg.connect(**own, dbname=NAME, autocommit=True) as session:
        session.execute("CREATE TABLE note AS SELECT 1 AS n")
        assert one(session, "SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'note'") == (
            "public",
            "c_acme_owner",
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"DROP DATABASE {NAME}")
    for other in ("tenant_beta", DATABASE):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(**own, dbname=other)
    assert databases.as_it_should_be(Made(NAME, databases.props()))
    place.delete(made)


@pytest.mark.parametrize("done", range(len(STATEMENTS) + 1))
def test_a_create_that_was_killed_after_any_statement_is_completed_by_the_next(databases: Databases, done: int) -> None:
    """F15, facts 3.1, trap 7: between CREATE DATABASE and its mark it is known by being closed to all."""
    with databases.place.admin() as session:
        for statement in STATEMENTS[:done]:
            session.execute(statement.encode())
    assert databases.as_it_should_be(databases.create())
    assert databases.names() == [NAME]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (["CREATE DATABASE {}"], "carries no mark and belongs to admin"),
        (["CREATE DATABASE {} ALLOW_CONNECTIONS false", "COMMENT ON DATABASE {} IS 'mine'"], "carries no mark"),
        (["CREATE DATABASE {}", "COMMENT ON DATABASE {} IS 'tenantry:dev:acme-own-database-1'"], "mark tenantry:dev"),
    ],
)
def test_a_database_that_is_not_ours_is_left_alone(databases: Databases, found: list[str], told: str) -> None:
    """Design rule 1: one that is open may hold something, be it empty today."""
    with databases.place.admin() as session:
        for statement in found:
            session.execute(statement.format(NAME).encode())
    before = _comment(databases)
    with pytest.raises(AmbiguousMarkError, match=told):
        databases.create()
    with pytest.raises(AmbiguousMarkError, match=told):
        databases.provider.delete(NAME, databases.props())
    assert _comment(databases) == before
    assert databases.names() == [NAME]


def test_a_closed_database_of_another_role_or_with_something_in_it_is_not_taken_for_a_killed_create(
    databases: Databases,
) -> None:
    place = databases.place
    with place.superuser("postgres") as session:
        session.execute(f"CREATE DATABASE {NAME} ALLOW_CONNECTIONS false")
    with pytest.raises(AmbiguousMarkError, match="belongs to postgres"):
        databases.create()
    with place.superuser("postgres") as session:
        session.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")
        session.execute(f"ALTER DATABASE {NAME} OWNER TO {ADMIN}")
    with place.admin(NAME) as session:
        session.execute("CREATE TABLE precious AS SELECT 1 AS n")
    with place.admin() as session:
        session.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
    with pytest.raises(AmbiguousMarkError, match="carries no mark and belongs to admin"):
        databases.create()


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        (f"COMMENT ON DATABASE {NAME} IS NULL", "it does not carry the mark"),
        (f"GRANT CONNECT ON DATABASE {NAME} TO PUBLIC", "PUBLIC has rights on it"),
        (f"GRANT TEMPORARY ON DATABASE {DATABASE} TO PUBLIC", "PUBLIC has rights on the server's own database"),
        (f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false", "it is closed to all"),
    ],
)
def test_what_is_damaged_shows_in_a_refresh_and_the_next_update_repairs_it(
    databases: Databases, statement: str, damage: str
) -> None:
    made = databases.create()
    with databases.place.admin() as session:
        session.execute(statement.encode())
    found = databases.refresh(made)
    assert found is not None
    assert found.outs["condition"] == f"damaged: {damage}"
    assert databases.as_it_should_be(databases.update(found))


def test_an_owner_that_we_are_no_member_of_is_told_and_not_fought(databases: Databases) -> None:
    made = databases.create()
    with databases.place.superuser("postgres") as session:
        session.execute(f"ALTER DATABASE {NAME} OWNER TO postgres")
    found = databases.refresh(made)
    assert found is not None
    assert found.outs["condition"] == "damaged: it belongs to postgres"
    with pytest.raises(PostgresError, match="must be owner of database tenant_acme"):
        databases.update(found)


def test_a_database_that_is_gone_is_made_again_and_a_server_that_is_away_is_no_proof(databases: Databases) -> None:
    made = databases.create()
    away = Made(made.id, made.outs | {"port": 1})
    found = databases.refresh(away)
    assert found is not None
    assert "cannot be reached" in found.outs["condition"]
    with databases.place.admin() as session:
        session.execute(f"DROP DATABASE {NAME}")
    assert databases.refresh(made) is None


def test_delete_ends_the_sessions_and_a_second_one_is_a_success(databases: Databases) -> None:
    made = databases.create()
    with databases.place.admin(NAME) as session:
        databases.provider.delete(made.id, made.outs)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert databases.names() == []
    databases.provider.delete(made.id, made.outs)


def test_its_name_is_never_changed_in_place_and_never_a_reason_to_replace_it(databases: Databases) -> None:
    """H1, design rule 2."""
    made = databases.create()
    other = databases.props(name="tenant_other")
    difference = databases.provider.diff(made.id, made.outs, other)
    assert (difference.changes, difference.replaces) == (True, [])
    with pytest.raises(StatefulChangeError, match="name cannot be changed in place"):
        databases.provider.update(made.id, made.outs, other)
    assert databases.names() == [NAME]


def _comment(databases: Databases) -> tuple[object, ...]:
    with databases.place.superuser("postgres") as session:
        return one(session, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname ^@ 'tenant_'")
