"""Real servers of every major version installed here, one per version and session; a database reset after each test.

The admin is what the vendors give: no superuser. The server logs every statement, for those tests that search its log.
"""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from sandbox.postgres import Binaries, PostgresServer
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, DATABASE, Place, configured_provider

# PostgreSQL 15 and the newest: roles work differently from 16 on. The attacks are tried on 16 as well.
# The second one runs with the end-to-end tests.
BUILDS = (pytest.param("system15", marks=pytest.mark.e2e), "embedded")


@pytest.fixture(scope="session", params=BUILDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with an admin and the admin's database."""
    if request.param not in Binaries.available():
        pytest.skip(f"PostgreSQL build {request.param} is not installed")
    server = PostgresServer(
        tmp_path_factory.mktemp(request.param),
        Binaries.find(request.param),
        durable=False,
        settings={"log_statement": "all"},
    )
    port = server.start()
    try:
        server.create_admin(ADMIN, ADMIN_PASSWORD)
        server.create_database(DATABASE, ADMIN)
        place = Place(server, port, configured_provider(), server.superuser_dsn)
        with place.superuser() as connection:
            # One of the wheels is without the trusted extensions.
            found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'citext'").fetchone()
        yield replace(place, has_extensions=found is not None)
    finally:
        server.stop()


@pytest.fixture
def place(cluster: Place) -> Iterator[Place]:
    """The admin's database, as it was when it was made."""
    yield cluster
    try:
        reset(cluster)
    except psycopg.OperationalError:
        cluster.server.create_database(DATABASE, ADMIN)  # the test has dropped it
        reset(cluster)


def reset(place: Place) -> None:
    """Takes all that a test has made; that costs a tenth of a new database."""
    with place.superuser() as connection:
        connection.execute(
            """
            DO $$ DECLARE role name; BEGIN
                FOR role IN SELECT rolname FROM pg_roles WHERE rolname ^@ 'c_' LOOP
                    EXECUTE format('DROP OWNED BY %I CASCADE', role);
                END LOOP;
                DROP OWNED BY admin CASCADE;
                ALTER DATABASE main OWNER TO admin;
                FOR role IN SELECT rolname FROM pg_roles WHERE rolname ^@ 'c_' LOOP
                    EXECUTE format('DROP ROLE %I', role);
                END LOOP;
            END $$;
            DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner;
            GRANT USAGE ON SCHEMA public TO PUBLIC; DROP SCHEMA IF EXISTS extensions CASCADE;
            GRANT CONNECT, TEMPORARY ON DATABASE main TO PUBLIC
            """
        )
