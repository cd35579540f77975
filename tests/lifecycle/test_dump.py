"""A tenant's schema goes through an archive unchanged, whatever is in it, and nobody gains by it."""

import io
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from dynamic_providers.postgres.connection import Address
from dynamic_providers.postgres.inputs import LAYOUT
from lifecycle.contents import contents
from lifecycle.courier import TenantPlace
from lifecycle.dump import About, about, dump
from lifecycle.errors import DamagedError, DataError, ProgramError
from lifecycle.load import Loaded, load
from lifecycle.programs import Programs, client_environment
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, DATABASE, Made, Place, one

EVERYTHING = """
CREATE TYPE mood AS ENUM ('sad', 'o''k');
CREATE FUNCTION is_fine(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <> 'bad'; END $$;
CREATE FUNCTION fine_too(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN is_fine($1); END $$;
CREATE DOMAIN label AS text CHECK (length(value) < 500);
CREATE SEQUENCE "Odd ""one" INCREMENT -3 MAXVALUE -1 START -1;
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name label NOT NULL CHECK (fine_too(name)),
    mood mood DEFAULT 'sad',
    size int GENERATED ALWAYS AS (length(name)) STORED,
    price numeric(12, 3), ratio float8, raw bytea, tags text[], doc jsonb, at timestamptz, lasts interval
);
CREATE TABLE "Über ""x"".y" (nr serial PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);
ALTER TABLE customers ADD favourite int REFERENCES "Über ""x"".y";
CREATE TABLE log (day date, text text) PARTITION BY RANGE (day);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE log_2 PARTITION OF log DEFAULT;
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);
CREATE TABLE nothing (); CREATE TABLE empty (id int);
CREATE VIEW sizes AS SELECT size, count(*) FROM customers GROUP BY size;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM customers;
CREATE MATERIALIZED VIEW counted_twice AS SELECT * FROM counted;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (now(), new.name);
/*
\\unrestrict this
*/ RETURN new; END $$;
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM customers; END;
INSERT INTO customers (name, price, ratio, raw, tags, doc, at, lasts) SELECT
    E'näme\\t\\\\.\\n' || g, g / 3.0, g / 7.0, decode(md5(g::text), 'hex'), ARRAY['a', NULL, g::text],
    jsonb_build_object('n', g), '2026-03-29 01:30+00'::timestamptz + g * interval '1 hour', g * interval '1 min'
    FROM generate_series(1, 500) AS g;
INSERT INTO "Über ""x"".y" (customer) SELECT id FROM customers; UPDATE customers SET favourite = id;
INSERT INTO log SELECT '2026-01-01'::date + g, E'\\\\.' FROM generate_series(1, 300) AS g;
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3); INSERT INTO nothing DEFAULT VALUES;
SELECT nextval('"Odd ""one"') FROM generate_series(1, 4);
CREATE INDEX ON customers (is_fine(name)) WHERE price > 3; CREATE STATISTICS s ON name, price FROM customers;
CREATE TRIGGER note AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION note();
COMMENT ON TABLE customers IS 'who buys; -- Name: x';
CREATE TABLE secrets (id int, text text); INSERT INTO secrets SELECT g, 's' || g FROM generate_series(1, 50) AS g;
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON secrets USING (id < 10);
CREATE TABLE shy (id int); INSERT INTO shy VALUES (1), (2); ALTER TABLE shy ENABLE ROW LEVEL SECURITY;
ALTER DEFAULT PRIVILEGES IN SCHEMA c_acme GRANT SELECT ON TABLES TO c_beta_owner;
GRANT SELECT (name), UPDATE (name) ON customers TO c_beta WITH GRANT OPTION; REVOKE ALL ON FUNCTION total() FROM PUBLIC
"""

ATTEMPT = """
CREATE OR REPLACE FUNCTION evil(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
IF session_user ^@ 'copy_' THEN EXECUTE 'RESET ROLE'; EXECUTE 'ATTEMPT'; END IF; RETURN true; END $$
"""
TRAP = "CREATE TABLE trap (id int CHECK (evil(id))); INSERT INTO trap VALUES (1)"
# Where the versions of PostgreSQL cannot differ.
ONE_VERSION = pytest.mark.parametrize("cluster", ["embedded"], indirect=True)


def place_of(place: Place, tenant: str, *, schema: str = "", database: str = DATABASE) -> TenantPlace:
    return TenantPlace(
        Address(HOST, place.port, database, ADMIN, ADMIN_PASSWORD, "disable"),
        schema or f"c_{tenant}",
        f"c_{tenant}_owner",
        f"c_{tenant}",
    )


def plain_dump(place: Place, schema: str, programs: Programs, database: str = DATABASE) -> bytes:
    """What pg_dump says of a schema as the superuser, who sees everything."""
    known = psycopg.conninfo.conninfo_to_dict(place.superuser_dsn)
    address = Address(HOST, place.port, database, str(known["user"]), str(known["password"]), "disable")
    options = ["--schema", f'"{schema}"', "--restrict-key=x"]
    with programs.dumping(address, options) as output:
        return output.read()


def dumped(place: TenantPlace, programs: Programs) -> io.BytesIO:
    archive = io.BytesIO()
    dump(place, archive, programs)
    return archive


def loaded(place: TenantPlace, archive: io.BytesIO, programs: Programs, keep_as: str = "kept") -> Loaded:
    return load(place, archive, programs, keep_as=keep_as)


@pytest.fixture
def acme(place: Place) -> Made:
    """A tenant with one of everything, and a neighbour with a table."""
    beta = place.create("beta")
    with place.connect(beta) as connection:
        connection.execute("CREATE TABLE own (id int)")
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute(EVERYTHING)
        if place.has_extensions:
            connection.execute(
                "CREATE TABLE mails (mail citext PRIMARY KEY); INSERT INTO mails VALUES ('A@x'), ('b@X')"
            )
    return made


def test_whatever_a_schema_holds_comes_back_to_the_byte(place: Place, acme: Made, programs: Programs) -> None:
    """A50: ownership, grants, default privileges, sequences, policies, types, partitions, odd names."""
    before, here = plain_dump(place, "c_acme", programs), place_of(place, "acme")
    archive = dumped(here, programs)
    with place.connect(acme) as connection:
        connection.execute("DROP TABLE customers CASCADE; DELETE FROM log; CREATE TABLE later (id int)")
    result = loaded(here, archive, programs, "c_acme_kept")
    assert plain_dump(place, "c_acme", programs) == before
    assert (result.kept_as, result.notes) == ("c_acme_kept", ())
    assert place.read(acme)["layout"] == LAYOUT
    with place.superuser() as connection:
        assert one(connection, "SELECT to_regclass('c_acme_kept.later') IS NOT NULL") == (True,)
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'c_acme'").fetchall()
        assert owners == [("c_acme_owner",)]
    assert [role for role in place.server.roles() if role.startswith("copy_")] == []
    with place.connect(acme) as connection:
        assert one(connection, "INSERT INTO customers (name) VALUES ('new') RETURNING id") == (501,)
        assert one(connection, "SELECT count(*) FROM secrets") == (9,)


def test_a_blocked_tenant_is_dumped_and_loaded_and_stays_blocked(place: Place, programs: Programs) -> None:
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE things (id int); INSERT INTO things VALUES (1)")
    made = place.update(made, "acme", blocked=True)
    archive = dumped(place_of(place, "acme"), programs)
    assert loaded(place_of(place, "acme"), archive, programs).about.contents.rows == 1
    assert place.read(made)["blocked"] is True
    with pytest.raises(psycopg.OperationalError, match="not permitted"):
        place.connect(made)


@contextmanager
def writing(place: Place, made: Made) -> Iterator[None]:
    """The tenant writes one row into each of two tables, over and over, in one transaction each time."""
    stop = threading.Event()

    def write() -> None:
        with place.connect(made) as connection:
            for number in itertools.count():
                if stop.is_set():
                    return
                with connection.transaction():
                    connection.execute("INSERT INTO first VALUES (%s)", [number])
                    connection.execute("INSERT INTO second VALUES (%s)", [number])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_an_archive_is_one_moment_of_a_tenant_that_writes(place: Place, programs: Programs) -> None:
    """The rows of both tables, and the figures told of them, are of one snapshot; a forced table's too."""
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE first (n int); CREATE TABLE second (n int)")
        connection.execute("ALTER TABLE second ENABLE ROW LEVEL SECURITY; CREATE POLICY all_ ON second USING (true)")
        connection.execute("ALTER TABLE second FORCE ROW LEVEL SECURITY; INSERT INTO first VALUES (-1)")
        connection.execute("INSERT INTO second VALUES (-1)")
    here = place_of(place, "acme")
    with writing(place, made):
        archive = dumped(here, programs)
        told = about(archive).contents.tables
    assert told["first"] == told["second"]
    assert loaded(here, archive, programs).about.contents.tables == told


@pytest.fixture
def solo(place: Place) -> Iterator[TenantPlace]:
    """A tenant with a database to itself."""
    with place.superuser() as connection:
        connection.execute("DROP DATABASE IF EXISTS solo WITH (FORCE)")
    place.server.create_database("solo", ADMIN)
    made = place.create("solo", database="solo", schema_name="public")
    yield place_of(place, "solo", schema="public", database="solo")
    assert place.read(made)["layout"] == LAYOUT
    place.server.drop_database("solo")


def test_a_schema_of_another_name_is_moved_with_all_that_refers_to_it(
    place: Place, acme: Made, solo: TenantPlace, programs: Programs
) -> None:
    """c_acme becomes `public` of a database of its own, and `public` becomes c_gamma beside others: nothing is lost."""
    moved = load(solo, dumped(place_of(place, acme.id.removeprefix("c_")), programs), programs)
    gamma = place.create("gamma")
    back = load(place_of(place, "gamma"), dumped(solo, programs), programs)
    assert back.about.contents == moved.about.contents
    assert place.read(gamma)["layout"] == LAYOUT
    with place.connect(gamma) as connection:
        assert one(connection, "SELECT total(), (SELECT * FROM counted_twice)") == (500, 500)
    with place.superuser() as connection:
        owner = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'"
        assert one(connection, owner) == ("pg_database_owner",)
        assert one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(aside|displaced)'") == (0,)


@ONE_VERSION
def test_a_database_of_its_own_is_loaded_over_and_the_former_schema_kept(
    solo: TenantPlace, place: Place, programs: Programs
) -> None:
    with place.superuser("solo") as connection:
        connection.execute("SET ROLE c_solo_owner; CREATE TABLE public.things AS SELECT 1 AS id")
        archive = dumped(solo, programs)
        connection.execute("DELETE FROM public.things")
        loaded(solo, archive, programs)
        assert one(connection, "SELECT (SELECT count(*) FROM public.things), (SELECT count(*) FROM kept.things)") == (
            1,
            0,
        )


@ONE_VERSION
def test_text_that_names_the_old_schema_is_told(place: Place, solo: TenantPlace, programs: Programs) -> None:
    """What PostgreSQL keeps as text is not rewritten: a function's body, its search_path."""
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("CREATE FUNCTION named() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN c_acme.x(); END'")
        connection.execute("CREATE FUNCTION set_() RETURNS int LANGUAGE sql SET search_path = c_acme AS 'SELECT 1'")
        connection.execute("CREATE FUNCTION free() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN x_c_acme_x(); END'")
    result = load(solo, dumped(place_of(place, "acme"), programs), programs)
    assert [note.split()[1] for note in result.notes] == ["named", "set_"]


@ONE_VERSION
def test_a_rehearsal_leaves_everything_as_it_was(place: Place, acme: Made, programs: Programs) -> None:
    here, before = place_of(place, "acme"), plain_dump(place, "c_acme", programs)
    archive = dumped(here, programs)
    with place.connect(acme) as session:
        session.execute("BEGIN; INSERT INTO empty VALUES (1)")
        assert load(here, archive, programs, keep_as="kept", rehearse=True).about.contents.rows > 1000
        session.execute("ROLLBACK")
    assert plain_dump(place, "c_acme", programs) == before
    with place.superuser() as connection:
        assert one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'kept|aside'") == (0,)


@ONE_VERSION
def test_a_damaged_archive_changes_nothing(place: Place, programs: Programs) -> None:
    """H9."""
    made, here = place.create("acme"), place_of(place, "acme")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE things AS SELECT g AS id, md5(g::text) FROM generate_series(1, 9000) AS g")
    data = dumped(here, programs).getvalue()
    middle = len(data) // 2
    spoilt = {
        "cut": data[:middle],
        "flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "empty": b"",
        "figures": data.replace(b'"rows": 9000', b'"rows": 9001'),
    }
    for spoil in spoilt.values():
        with pytest.raises(DamagedError):
            loaded(here, io.BytesIO(spoil), programs)
    with place.connect(made) as connection:
        assert one(connection, "SELECT count(*) FROM things") == (9000,)


@ONE_VERSION
def test_a_schema_that_holds_something_is_never_overwritten(place: Place, acme: Made, programs: Programs) -> None:
    before = plain_dump(place, "c_acme", programs)
    with pytest.raises(DataError, match="not empty"):
        loaded(place_of(place, "acme"), dumped(place_of(place, "acme"), programs), programs, keep_as="")
    assert plain_dump(place, "c_acme", programs) == before
    assert acme.id == "c_acme"


def test_code_of_a_tenant_gains_nothing_from_a_load(place: Place, programs: Programs) -> None:
    """A check that drops the role it runs under finds the courier's rights: those of the one tenant and no admin's."""
    beta, made = place.create("beta"), place.create("acme")
    with place.connect(beta) as connection:
        connection.execute("CREATE TABLE own AS SELECT 'x' AS secret")
    with place.connect(made) as connection:
        connection.execute(ATTEMPT)
        connection.execute(TRAP)
    here = place_of(place, "acme")
    for attempt in ("SELECT secret FROM c_beta.own", "CREATE ROLE c_evil", "CREATE SCHEMA c_evil"):
        with place.connect(made) as connection:
            connection.execute(ATTEMPT.replace("ATTEMPT", attempt).encode())
        with pytest.raises(DataError, match=r"permission denied|outside its schema"):
            loaded(here, dumped(here, programs), programs)
    with place.superuser() as connection:
        assert one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname IN ('c_evil', 'kept')") == (0,)
    assert "c_evil" not in place.server.roles()


def test_a_grant_to_a_role_that_is_not_there_is_left_out_and_told(place: Place, programs: Programs) -> None:
    made, here = place.create("acme"), place_of(place, "acme")
    beta = place.create("beta")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE shared (); GRANT SELECT ON shared TO c_beta; GRANT ALL ON shared TO PUBLIC")
    archive = dumped(here, programs)
    with place.connect(made) as connection:
        connection.execute("REVOKE ALL ON shared FROM c_beta")
    place.delete(beta)
    assert ["c_beta" in note for note in loaded(here, archive, programs).notes] == [True]
    with place.superuser() as connection:
        assert one(connection, "SELECT has_table_privilege('public', 'c_acme.shared', 'SELECT')") == (True,)


@ONE_VERSION
def test_large_objects_are_told_because_they_are_not_in_it(place: Place, programs: Programs) -> None:
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("SELECT lo_create(0)")
    told: About = about(dumped(place_of(place, "acme"), programs))
    assert told.left_out == ("1 large objects",)


def test_figures_do_not_depend_on_order_and_run_nothing_of_the_tenants(place: Place) -> None:
    made = place.create("acme")
    with place.connect(made) as connection:
        connection.execute("CREATE TABLE a AS SELECT g, -g AS h FROM generate_series(1, 99) AS g")
        connection.execute("CREATE TABLE b AS SELECT g, -g AS h FROM generate_series(99, 1, -1) AS g")
        connection.execute("CREATE TABLE c AS SELECT * FROM a; UPDATE c SET h = 0 WHERE g = 5")
        connection.execute("CREATE FUNCTION trap(a) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END'")
        connection.execute("CREATE CAST (a AS text) WITH FUNCTION trap(a) AS IMPLICIT")
    with place.admin() as connection:
        found = contents(connection, "c_acme").tables
    assert found["a"] == found["b"] != found["c"]


@ONE_VERSION
def test_programs_older_than_the_server_are_refused_with_what_to_do(place: Place, programs: Programs) -> None:
    place.create("acme")
    with pytest.raises(ProgramError, match="install the client programs of PostgreSQL"):
        dump(place_of(place, "acme"), io.BytesIO(), replace(programs, major=12))


@ONE_VERSION
def test_a_password_is_never_an_argument(place: Place) -> None:
    environ = client_environment(place_of(place, "acme").address)
    assert environ["PGPASSWORD"] == ADMIN_PASSWORD


def test_what_a_killed_copy_left_behind_goes_with_the_next(place: Place, programs: Programs) -> None:
    place.create("acme")
    with place.admin() as connection:
        connection.execute(
            "CREATE ROLE copy_c_acme_00000000 LOGIN VALID UNTIL '2020-01-01'; GRANT copy_c_acme_00000000 TO admin"
        )
    dump(place_of(place, "acme"), io.BytesIO(), programs)
    assert [role for role in place.server.roles() if role.startswith("copy_")] == []


def test_missing_programs_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"no pg_dump in .* \(TENANTRY_PG_BIN\)"):
        Programs.find({"TENANTRY_PG_BIN": str(tmp_path)})
