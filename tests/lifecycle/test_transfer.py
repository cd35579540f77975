"""One tenant's schema in another database: all of it, nothing else, also after a copy that was cut off."""

from collections.abc import Iterator

import pytest

from lifecycle.courier import TenantPlace
from lifecycle.errors import DataError
from lifecycle.programs import Programs
from lifecycle.transfer import compared, transfer
from tests.dynamic_providers.postgres.place import ADMIN, Made, Place, one
from tests.lifecycle.test_dump import place_of


@pytest.fixture
def acme(place: Place) -> Made:
    """A tenant among others, with rows."""
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE things (id serial PRIMARY KEY, body text)")
        connection.execute("INSERT INTO things (body) SELECT 'thing ' || g FROM generate_series(1, 500) AS g")
        connection.execute("CREATE VIEW few AS SELECT * FROM things WHERE id < 10")
    return made


@pytest.fixture
def own(place: Place) -> Iterator[TenantPlace]:
    """A database that a tenant has to itself, beside it on the same server: there its roles have other names."""
    place.server.create_database("own", ADMIN)
    made = place.create("own", database="own", schema_name="public")
    yield place_of(place, "own", schema="public", database="own")
    place.delete(made)
    with place.superuser() as connection:
        connection.execute("DROP DATABASE own WITH (FORCE)")


def test_a_schema_becomes_public_and_public_a_schema_again(
    place: Place, acme: Made, own: TenantPlace, programs: Programs
) -> None:
    """A33, F18: up to a cluster of its own and back among others; what the target held before is gone."""
    shared = place_of(place, "acme")
    assert transfer(shared, own, programs) == ()
    assert compared(shared, own) == []
    with place.connect(acme) as connection:
        connection.execute("DROP TABLE things CASCADE; CREATE TABLE stale (id int)")
    transfer(own, shared, programs)
    assert compared(own, shared) == []
    with place.connect(acme) as connection:
        assert one(connection, "SELECT count(*), max(body) FROM few") == (9, "thing 9")
        assert one(connection, "INSERT INTO things (body) VALUES ('next') RETURNING id") == (501,)
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'aside' OR nspname = 'c_acme'"
        assert one(connection, schemas) == (1,)


def test_a_copy_that_was_cut_off_is_made_again(place: Place, acme: Made, own: TenantPlace, programs: Programs) -> None:
    """F18: killed between the load and the drop of what was there before, and once more from the start."""
    shared = place_of(place, "acme")
    transfer(shared, own, programs)
    with place.admin("own") as connection:
        connection.execute("SET ROLE c_own_owner; RESET ROLE; CREATE SCHEMA c_own_aside; CREATE TABLE c_own_aside.t ()")
    with place.connect(acme) as connection:
        connection.execute("DELETE FROM things WHERE id > 5")
    assert compared(shared, own) == ["table things has 500 rows instead of 5"]
    transfer(shared, own, programs)
    assert compared(shared, own) == []
    with place.admin("own") as connection:
        assert one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'aside'") == (0,)


def test_what_a_copy_would_lose_is_refused(place: Place, acme: Made, own: TenantPlace, programs: Programs) -> None:
    """H15: large objects lie in no schema."""
    with place.connect(acme) as connection:
        connection.execute("SELECT lo_create(0)")
    with pytest.raises(DataError, match="1 large objects, which a copy does not hold: they would be lost"):
        transfer(place_of(place, "acme"), own, programs)
    with place.connect(acme) as connection:
        connection.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
