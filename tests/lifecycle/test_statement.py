"""One statement in one transaction: what each role may, within a time and a number of rows, and what is undone."""

import logging
import time

import pytest

from dynamic_providers.postgres.platform.records import Role
from lifecycle.errors import DataError, RefusedError
from lifecycle.statement import Statement
from tests.dynamic_providers.postgres.place import Place, one
from tests.lifecycle.people import ROLES, People, with_people


@pytest.fixture
def people(place: Place) -> People:
    return with_people(place)


def test_b27_the_smoke_check_reports_rows_their_number_and_the_time(people: People) -> None:
    for role in ROLES:
        found = people.run(role, "SELECT version()").as_json()
        assert found["rows"][0]["version"].startswith("PostgreSQL ")
        assert found["rowCount"] == 1
        assert 0 < found["executionTime"] < 10_000
        assert found["truncated"] is False


# What a role may, each in the order of the roles: viewer, developer, admin, owner.
RIGHTS: dict[str, tuple[bool, bool, bool, bool]] = {
    "SELECT count(*) FROM notes": (True, True, True, True),
    "INSERT INTO notes (text) VALUES ('four')": (False, True, True, True),
    "UPDATE notes SET text = 'new' WHERE id = 1": (False, True, True, True),
    "DELETE FROM notes WHERE id = 2": (False, True, True, True),
    "CREATE TABLE c_acme.{role} (id int)": (False, False, True, True),
    "ALTER TABLE notes ADD COLUMN by_{role} int": (False, False, True, True),
    "CREATE INDEX by_{role} ON notes (text)": (False, False, True, True),
    "GRANT TRUNCATE ON notes TO c_acme_as_developer": (False, False, False, True),
    "REVOKE GRANT OPTION FOR SELECT ON notes FROM c_acme_as_viewer": (True, True, True, True),
    "GRANT SELECT ON notes TO c_acme": (False, False, False, True),
}


@pytest.mark.parametrize("role", ROLES)
def test_b29_viewers_read_developers_write_admins_change_the_schema_and_owners_grant(
    people: People, role: Role
) -> None:
    for statement, rights in RIGHTS.items():
        allowed = rights[ROLES.index(role)]
        before = people.facts()
        try:
            people.run(role, statement.format(role=role))
        except RefusedError:
            assert not allowed, statement
            assert people.facts() == before, statement
        else:
            # To grant what is not one's own to grant is a warning of the server's, and no error.
            assert allowed or ("GRANT" in statement and people.facts() == before), statement


def test_what_an_admin_makes_is_the_tenants_and_its_neighbours_roles_use_it_at_once(people: People) -> None:
    people.run("admin", "CREATE TABLE made (id serial, text text)")
    with people.place.superuser() as connection:
        assert one(connection, "SELECT tableowner FROM pg_tables WHERE tablename = 'made'") == ("c_acme_owner",)
    assert people.run("developer", "INSERT INTO made (text) VALUES ('one') RETURNING id").rows == ((1,),)
    assert people.run("viewer", "SELECT text FROM made").rows == (("one",),)


# Each does it by another way round a look at the statement.
DETOURS = (
    "GRANT SELECT ON notes TO PUBLIC",
    "GRANT SELECT (text) ON notes TO PUBLIC",
    "GRANT USAGE ON SCHEMA c_acme TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA c_acme GRANT ALL ON TABLES TO PUBLIC",
    "DO $$ BEGIN CREATE TABLE leak AS SELECT * FROM notes; GRANT SELECT ON leak TO PUBLIC; END $$",
    "DO $$ BEGIN EXECUTE 'GR' || 'ANT SELECT ON notes TO PUBLIC'; END $$",
    "SELECT give()",
    "INSERT INTO waiting VALUES (1)",
    "DO $$ BEGIN CREATE TEMP TABLE pg_class (oid oid); GRANT SELECT ON c_acme.notes TO PUBLIC; END $$",
    "DO $$ BEGIN GRANT SELECT ON notes TO PUBLIC; SET search_path = c_acme, pg_catalog; END $$",
    "DO $$ BEGIN GRANT SELECT ON notes TO PUBLIC; SET ROLE NONE; END $$",
    "ALTER FUNCTION give() OWNER TO c_acme_as_admin",
)
GIVE = """
CREATE FUNCTION give() RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = c_acme
    AS $$ BEGIN GRANT SELECT ON notes TO PUBLIC; RETURN 1; END $$;
CREATE FUNCTION give_later() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN PERFORM c_acme.give(); RETURN NULL; END $$;
CREATE TABLE waiting (id int);
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON waiting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION give_later()
"""


def test_b29_an_admin_grants_by_no_detour(people: People) -> None:
    with people.place.connect(people.made) as connection:
        connection.execute(GIVE)
    before = people.facts()
    for statement in DETOURS:
        with pytest.raises(RefusedError):
            people.run("admin", statement)
        assert people.facts() == before, statement
    people.run("admin", "DECLARE later CURSOR WITH HOLD FOR SELECT give()")
    assert people.facts() == before
    # Nor does a developer by what an admin has left for it.
    for statement in ("SELECT give()", "INSERT INTO waiting VALUES (1)"):
        with pytest.raises(RefusedError, match="the statement changes grants, which only an owner may"):
            people.run("developer", statement)
        assert people.facts() == before, statement
    people.run("owner", "SELECT give()")
    assert people.facts() != before


ROLE_CHANGES = (
    "ALTER ROLE {login} PASSWORD 'a-password-of-mine'",
    "ALTER ROLE {login} SET search_path = public",
    "DO $$ BEGIN SET ROLE NONE; ALTER ROLE {login} PASSWORD 'a-password-of-mine'; END $$",
    "DO $$ BEGIN SET ROLE NONE; GRANT {login} TO c_acme; END $$",
)


def test_nobody_takes_a_login_for_itself_by_another_password_setting_or_member(people: People) -> None:
    before = people.facts()
    for role in ROLES:
        for statement in ROLE_CHANGES:
            with pytest.raises(RefusedError):
                people.run(role, statement.format(login=f"c_acme_as_{role}"))
            assert people.facts() == before, statement


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE notes",
        "INSERT INTO notes (text) VALUES ('x'); COMMIT",
        "COMMIT",
        "ROLLBACK",
        "COPY notes TO STDOUT",
        "COPY notes FROM STDIN",
        "",
        "-- nothing",
        ";",
        "SELEC 1",
        "SELECT * FROM nowhere",
        "SELECT 1 / 0",
        "VACUUM notes",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION c_acme",
    ],
)
def test_what_cannot_be_run_is_one_sentence_and_nothing_changes(people: People, text: str) -> None:
    with pytest.raises(RefusedError) as raised:
        people.run("owner", text)
    sentence = str(raised.value)
    assert "\n" not in sentence
    for internal in ("127.0.0.1", str(people.place.port), "c_acme_as", "password", "LINE"):
        assert internal not in sentence
    assert people.run("viewer", "SELECT count(*) FROM notes").rows == ((3,),)


def test_a_statement_that_takes_too_long_is_ended_and_undone(people: People) -> None:
    began = time.monotonic()
    slow = "WITH put AS (INSERT INTO notes (text) VALUES ('late') RETURNING id) SELECT id, pg_sleep(30) FROM put"
    with pytest.raises(RefusedError, match=r"^the statement took longer than 0\.3 s and was ended: nothing"):
        people.run("developer", slow, seconds=0.3)
    assert time.monotonic() - began < 10
    assert people.run("viewer", "SELECT count(*) FROM notes").rows == ((3,),)


def test_a_statement_that_lifts_its_own_time_limit_has_it_all_the_same(people: People) -> None:
    with people.place.connect(people.made) as connection:
        connection.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
    began = time.monotonic()
    for text in (
        "DO $$ BEGIN PERFORM set_config('statement_timeout', '0', false); PERFORM pg_sleep(30); END $$",
        "DO $$ BEGIN PERFORM set_config('statement_timeout', '0', false); INSERT INTO notes (id) VALUES (4); END $$",
    ):
        with pytest.raises(RefusedError, match="took longer than"):
            people.run("developer", text, seconds=0.5)
    assert time.monotonic() - began < 15


def test_an_answer_holds_no_more_rows_than_were_asked_for_and_says_so(people: People) -> None:
    began = time.monotonic()
    found = people.run("viewer", "SELECT generate_series(1, 2000000000)", rows=5)
    assert time.monotonic() - began < 10
    assert found.rows == ((1,), (2,), (3,), (4,), (5,))
    assert (found.row_count, found.truncated) == (5, True)
    whole = people.run("viewer", "SELECT id FROM notes ORDER BY id", rows=3)
    assert (whole.row_count, whole.truncated) == (3, False)


def test_a_change_is_made_as_a_whole_however_few_rows_are_shown_of_it(people: People) -> None:
    found = people.run("developer", "UPDATE notes SET text = 'new' RETURNING id", rows=1)
    assert (len(found.rows), found.row_count, found.truncated) == (1, 3, True)
    assert people.run("viewer", "SELECT count(*) FROM notes WHERE text = 'new'").rows == ((3,),)
    assert people.run("developer", "DELETE FROM notes").row_count == 3


VALUES = """
SELECT 1 AS i, 9007199254740993 AS big, 1.10::numeric AS n, 'NaN'::float8 AS nan, 0.5::float8 AS f, true AS b,
    NULL AS u, 'x%s' AS t, '{"a": [1, null]}'::jsonb AS j, '2026-11-24'::date AS d, 'infinity'::timestamptz AS ever,
    ARRAY['infinity'::date] AS days, '\\x00ff'::bytea AS raw, ROW(1, 'a') AS r, '[1,3)'::int4range AS span, 2 AS i
"""


def test_every_value_has_a_form_in_json_and_every_column_a_key(people: People) -> None:
    (row,) = people.run("viewer", VALUES).as_json()["rows"]
    assert row == {
        "i": 1,
        "big": 9007199254740993,
        "n": "1.10",
        "nan": "nan",
        "f": 0.5,
        "b": True,
        "u": None,
        "t": "x%s",
        "j": {"a": [1, None]},
        "d": "2026-11-24",
        "ever": "infinity",
        "days": ["infinity"],
        "raw": "\\x00ff",
        "r": ["1", "a"],
        "span": "[1,3)",
        "i_2": 2,
    }


@pytest.mark.parametrize(
    ("user", "named"),
    [("0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10", "0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10"), ("ann@acme.example", "")],
)
def test_b12_policies_are_asked_for_the_user_where_it_has_a_uuid(people: People, user: str, named: str) -> None:
    assert people.run("viewer", "SELECT current_setting('app.user_id')", user=user).rows == ((named,),)


def test_a_database_that_lets_nobody_in_is_one_sentence_that_tells_nothing_of_it(people: People) -> None:
    with people.place.superuser() as connection:
        connection.execute("ALTER ROLE c_acme_as_viewer NOLOGIN")
    with pytest.raises(DataError) as raised:
        people.run("viewer", "SELECT 1", seconds=0.2)
    assert str(raised.value) == "the tenant's database cannot be reached now, or takes no more connections"
    assert raised.value.__cause__ is None


def test_the_text_of_a_statement_is_in_no_log_and_no_repr(people: People, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        people.run("viewer", "SELECT 'a-sentinel'")
        with pytest.raises(RefusedError):
            people.run("viewer", "DELETE FROM notes WHERE text = 'a-sentinel'")
    assert "sentinel" not in caplog.text
    assert "sentinel" not in repr(Statement("SELECT 'a-sentinel'", "ann", 1, 1, may_grant=False))
